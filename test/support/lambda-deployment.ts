// A whole deployment on this machine: a table, keys in the KMS emulator, CAs as an operator makes them,
// and the functions unpacked from the zips of a release, each in a folder of its own.

import './patience.js';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms';
import { unzipSync } from 'fflate';
import { writeFiles } from '../../build/build.ts';
import { bundleFunction, type FunctionName } from '../../build/bundle.ts';
import { zip } from '../../build/zip.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { KmsKeys } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { initCa } from '../../lib/ca/authority/init-ca.ts';
import { initMacKeys, readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { freshTable } from './dynamodb.ts';
import { ofLogs } from './kms.ts';
import { startKmsEmulator } from './kms-emulator.ts';
import { putToken } from './lab.ts';
import { type LambdaFunction, startFunction } from './lambda-runtime.ts';
import { temporary } from './process.ts';
import { startS3Emulator } from './s3-emulator.ts';

/** Two CAs; `legacy` is for clients that know nothing but SHA-1 and DES. */
export const document = {
  publicUrl: 'http://scep.test',
  cas: {
    default: { subject: 'CN=Lambda CA,O=Interop', key: 'rsa:2048' },
    second: { subject: 'CN=Second CA,O=Interop', key: 'ec:P-256' },
  },
  endpoints: {
    default: { ca: 'default' },
    second: { ca: 'second' },
    legacy: { ca: 'default', legacy: { sha1: true, des3: true, des: true } },
  },
} as const;

/** The files of a function, as they are after a release's zip was unpacked. */
export async function unpacked(name: FunctionName): Promise<string> {
  const folder = join(temporary('lambda'), name);
  const files = unzipSync(zip(await bundleFunction(name)));
  await writeFiles(
    folder,
    Object.entries(files).map(([file, octets]) => ({ name: file, octets })),
  );
  return folder;
}

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };

export type Deployment = Awaited<ReturnType<typeof deploy>>;

export async function deploy() {
  const [kms, s3] = await Promise.all([startKmsEmulator(), startS3Emulator()]);
  const client = makeKmsClient({ endpoint: kms.url, region: kms.region, credentials });
  const made = async (input: CreateKeyCommandInput): Promise<string> => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
    return KeyMetadata?.Arn ?? '';
  };
  const [sealingKey, logKey] = [await made({}), await made(ofLogs)];
  const table = await freshTable();
  const store = await DynamoStore.open(table);
  const deployment = 'lambda-test';
  const keys = new KmsKeys(
    { deployment, sealingKey, readMacKeys: (purpose) => readMacKeys(store, purpose) },
    client,
  );
  const { signer, raKeys } = keys;
  const config = checkConfig(document);
  const log = () => {};
  const operator = {
    config,
    store: logged(guarded(store, keys.macKeys, log)),
    signer,
    raKeys,
    log,
  };
  const deps = { ...operator, clock: systemClock, random: systemRandom };
  await initMacKeys(deps, (purpose) => keys.makeMacKey(purpose), { kind: 'system' });
  for (const authority of config.cas.values())
    await initCa({ ...deps, crls: { floor: async () => 0 } }, authority);
  const adminToken = randomBytes(32).toString('base64url');
  await putToken(operator.store, adminToken, { name: 'operator', roles: ['admin'] });
  const env = {
    ...kms.env,
    ...s3.env,
    AWS_REGION: kms.region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '',
    SCEPTER_TABLE: table,
    SCEPTER_DEPLOYMENT: deployment,
    SCEPTER_SEALING_KEY: sealingKey,
    SCEPTER_LOG_KEY: logKey,
    SCEPTER_CONFIG: JSON.stringify(document),
  };
  const running: LambdaFunction[] = [];
  const folders = new Map<FunctionName, Promise<string>>();
  const folderOf = (name: FunctionName): Promise<string> => {
    const folder = folders.get(name) ?? unpacked(name);
    folders.set(name, folder);
    return folder;
  };
  return {
    kms,
    s3,
    store,
    table,
    env,
    adminToken,
    folderOf,
    /** Names of KMS actions since that many calls. */
    since: (from: number): string[] =>
      kms.calls.slice(from).map(({ action, conditions }) => {
        const purpose = conditions['kms:EncryptionContext:purpose'];
        return purpose ? `${action} ${purpose}` : action;
      }),
    start: async (
      name: FunctionName,
      more: Readonly<Record<string, string>> = {},
      start = startFunction,
    ): Promise<LambdaFunction> => {
      const started = await start({ folder: await folderOf(name), env: { ...env, ...more } });
      running.push(started);
      return started;
    },
    stop: async (): Promise<void> => {
      await Promise.all(running.map((one) => one.stop()));
      store.close();
      client.destroy();
      await Promise.all([kms.stop(), s3.stop()]);
    },
  };
}
