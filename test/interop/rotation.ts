// Two servers over one DynamoDB Local table and the KMS emulator, taken from one RA key to the next
// while clients hold the certificate of the first: both have loaded the next; one is started anew and
// announces it, the other has not looked since. Then the first key is retired, and both are started anew.

import { mkdir } from 'node:fs/promises';
import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms';
import { makeDynamoDbClient as dynamoClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { createTable } from '../../lib/adapters/aws/dynamodb/table.ts';
import { makeKmsClient as kmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { startKmsEmulator } from '../support/kms-emulator.ts';
import { freePort, patiently } from '../support/process.ts';
import { startS3Emulator } from '../support/s3-emulator.ts';
import type { Certmonger } from './clients/certmonger.ts';
import * as strongswan from './clients/strongswan.ts';
import { must, NotRun, plainEnv } from './command.ts';
import { certificatesIn, hold } from './openssl.ts';
import { type Server, startServer } from './server.ts';

const region = 'eu-central-1';
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };

export type Rotation = {
  /** Both have the same ports after a restart: one that announces the next key, one that does not. */
  readonly servers: readonly {
    readonly name: string;
    readonly origin: string;
    readonly port: number;
  }[];
  /** What clients hold since before: files of `pki --scepca`, a bag, and these CAs of certmonger. */
  readonly held: { readonly files: strongswan.CaFiles; readonly bag: Buffer };
  certmongerCa(server: string): string;
  challenge(): Promise<string>;
  /** Once: the first key is retired, everywhere. */
  retire(): Promise<void>;
  close(): Promise<void>;
};

export async function openRotation(
  root: string,
  folder: string,
  certmonger: () => Promise<Certmonger>,
): Promise<Rotation> {
  const local = await startDynamoDbLocal();
  if (!local) throw new NotRun('Java 17 is missing');
  const [kms, s3] = await Promise.all([startKmsEmulator({ region }), startS3Emulator()]);
  const running = new Map<string, Server>();
  const close = async () => {
    for (const server of running.values()) await server.stop();
    await local.stop();
    await kms.stop();
  };
  try {
    await mkdir(folder, { recursive: true });
    const dynamo = dynamoClient({
      endpoint: String(local.env.AWS_ENDPOINT_URL_DYNAMODB),
      region,
      credentials,
    });
    await createTable(dynamo, 'rotation');
    dynamo.destroy();
    const client = kmsClient({ endpoint: kms.url, region, credentials });
    const made = async (input: CreateKeyCommandInput): Promise<string> => {
      const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
      return KeyMetadata?.Arn ?? '';
    };
    const keys = {
      SCEPTER_SEALING_KEY: await made({}),
      SCEPTER_LOG_KEY: await made({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    };
    client.destroy();
    const ports = { announcing: await freePort(), late: await freePort() };
    const legacy = { sha1: true, des3: true, des: true };
    const document = {
      publicUrl: `http://127.0.0.1:${ports.announcing}`,
      cas: { default: { subject: 'CN=Rotating CA,O=Interop', key: 'rsa:2048' } },
      endpoints: { default: { ca: 'default', legacy } },
    };
    const env = {
      ...patiently,
      ...local.env,
      ...kms.env,
      ...s3.env,
      SCEPTER_TABLE: 'rotation',
      SCEPTER_DEPLOYMENT: 'interop',
      ...keys,
      SCEPTER_CONFIG: JSON.stringify(document),
    };
    const operator = (...args: readonly string[]) =>
      must('node', ['bin/scepter.js', 'ca', ...args], { cwd: root, env: plainEnv(env) });
    const start = async (name: keyof typeof ports): Promise<Server> => {
      await running.get(name)?.stop();
      const server = await startServer({ root, folder, port: ports[name], env });
      running.set(name, server);
      return server;
    };
    const names = ['announcing', 'late'] as const;
    const certmongerCa = (name: string) => `rotation-${name}`;

    await operator('init');
    const first = await start('announcing');
    const url = `${first.origin}/scep`;
    const files = await strongswan.fetchCa(url, folder);
    const bag = await bagOf(first);
    await operator('rotate-ra', '--prepare');
    await start('late');
    const daemon = await certmonger();
    for (const name of names) {
      await daemon.addCa(certmongerCa(name), `http://127.0.0.1:${ports[name]}/scep`);
    }
    await operator('rotate-ra', '--activate', '--force');
    await start('announcing');
    const announced = (port: number) => bagOf({ origin: `http://127.0.0.1:${port}` });
    hold((await announced(ports.late)).equals(bag), 'the late server announces the first RA key');
    hold(!(await announced(ports.announcing)).equals(bag), 'the other one announces the next');
    hold((await certificatesIn(bag)).length === 2, 'a bag holds one RA and its CA');
    let retired: Promise<void> | undefined;
    return {
      servers: names.map((name) => {
        return { name, port: ports[name], origin: `http://127.0.0.1:${ports[name]}` };
      }),
      held: { files, bag },
      certmongerCa,
      challenge: () => current(running, 'announcing').challenge(),
      retire: () => {
        retired ??= (async () => {
          await operator('rotate-ra', '--retire', '--force');
          for (const name of names) await start(name);
        })();
        return retired;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function current(running: ReadonlyMap<string, Server>, name: string): Server {
  const server = running.get(name);
  if (!server) throw new Error(`the server ${name} does not run`);
  return server;
}

async function bagOf({ origin }: { readonly origin: string }): Promise<Buffer> {
  const response = await fetch(`${origin}/scep?operation=GetCACert`);
  hold(response.ok, `GetCACert is answered with 200, not ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
