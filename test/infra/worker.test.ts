// The Worker does what worker.json allows and nothing else: its AWS side loaded into CloudFormation, the
// Worker in workerd with what the outputs say and the access key of the user, and a real client from the
// first command to a certificate, a renewal and a CRL. A gate judges every call by the stack's policies.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DeleteItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, SignCommand } from '@aws-sdk/client-kms';
import { makeDynamoDbClient as dynamoClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { makeKmsClient as kmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { readNamedObject } from '../../lib/adapters/aws/s3/s3.ts';
import { macPurposes } from '../../lib/base/words.ts';
import * as strongswan from '../interop/clients/strongswan.ts';
import { openssl, serialOf, verify } from '../interop/openssl.ts';
import { run, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';
import { startWorker, type WorkerProcess } from '../support/wrangler-dev.ts';
import { like } from './iam.ts';
import { type Aws, keyOf, one, startAws } from './stack.ts';
import { pathOf } from './templates.ts';

let aws: Aws;
let worker: WorkerProcess;
let settings: Readonly<Record<string, string>>;
const token = randomBytes(32).toString('base64url');

async function command(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env });
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** A command of the operator, who has the Worker's settings and his own role. */
const operator = (...args: readonly string[]) =>
  command(args, { ...settings, ...aws.as(one(aws.made.roles, 'operator', 'role')) });

const cli = (...args: readonly string[]) =>
  command(args, { SCEPTER_URL: worker.url, SCEPTER_TOKEN: token });

const user = () => one(aws.made.users, 'worker', 'user');

before(async () => {
  const started = await startAws(pathOf('worker'));
  assert.ok(started, 'Java 17 is missing');
  aws = started;
  const {
    Table = '',
    Files = '',
    Logs = '',
    LogKey = '',
    Deployment = '',
    SealingKey = '',
    Config = '',
  } = aws.made.outputs;
  settings = {
    SCEPTER_TABLE: Table,
    SCEPTER_FILES: Files,
    SCEPTER_LOGS: Logs,
    SCEPTER_LOG_KEY: LogKey,
    SCEPTER_DEPLOYMENT: Deployment,
    SCEPTER_SEALING_KEY: SealingKey,
    SCEPTER_CONFIG: Config,
  };
});
after(async () => {
  await worker?.stop();
  await aws?.stop();
});

test("moto's CloudFormation makes the whole stack, but for types that it does not know", () => {
  assert.equal(aws.made.status, 'CREATE_COMPLETE');
  assert.deepEqual(aws.made.leftOut, [
    'AWS::CloudWatch::Alarm',
    'AWS::Logs::MetricFilter',
    'AWS::S3::BucketPolicy',
    'Custom::ScepterConfig',
  ]);
});

test('the operator makes the CAs with the keys of the stack', async () => {
  const { CaKeyoffice = '', CaKeyplant = '' } = aws.made.outputs;
  for (const [name, key] of Object.entries({ office: CaKeyoffice, plant: CaKeyplant })) {
    const made = await operator('ca', 'init', name, '--key', key);
    assert.equal(made.key, key);
    assert.deepEqual(made.warnings, []);
  }
});

type Enrolled = { readonly ca: strongswan.CaFiles; readonly folder: string; readonly url: string };
let first: Enrolled & strongswan.Result;

test('a real client enrols with a challenge from the admin API, and renews', async () => {
  const { AWS_SESSION_TOKEN: none, ...env } = { ...settings, ...aws.as(user()) };
  assert.equal(none, undefined);
  worker = await startWorker({ env: { ...env, SCEPTER_ADMIN_TOKEN: token } });
  const folder = temporary('infra-worker');
  const url = `${worker.url}/scep/office`;
  const { challenge } = await cli('challenge', 'create', '--endpoint', 'office');
  const ca = await strongswan.fetchCa(url, folder);
  const dn = 'C=US, O=Interop, CN=edge';
  const enrolled = await strongswan.enrol({ url, ca, folder, dn, password: String(challenge) });
  assert.equal(enrolled.ran.code, 0, enrolled.ran.stderr);
  await verify(enrolled.certificate, ca.ca);
  const renewed = await strongswan.renew({ url, ca, folder, dn, old: enrolled });
  assert.equal(renewed.ran.code, 0, renewed.ran.stderr);
  await verify(renewed.certificate, ca.ca);
  first = { ...enrolled, ca, folder, url };
});

test('a request that waits is polled until an approver has decided', async () => {
  const folder = temporary('infra-worker-pending');
  const url = `${worker.url}/scep/plant`;
  const { challenge } = await cli('challenge', 'create', '--endpoint', 'plant');
  const ca = await strongswan.fetchCa(url, folder);
  const asked = { url, ca, folder, dn: 'C=US, O=Interop, CN=press', password: String(challenge) };
  const polling = strongswan.enrol({ ...asked, options: ['--interval', '1'] });
  const id = await pendingId('plant');
  const approver = await operator('token', 'create', 'approver', '--role', 'approver');
  const as = { SCEPTER_URL: worker.url, SCEPTER_TOKEN: String(approver.token) };
  await command(['txn', 'approve', id, '--reason', 'ticket 4711'], as);
  const { ran, certificate } = await polling;
  assert.equal(ran.code, 0, ran.stderr);
  await verify(certificate, ca.ca);
  const { state } = await cli('txn', 'show', id);
  assert.equal(state, 'issued');
});

const pendingId = (endpoint: string): Promise<string> =>
  answered(async () => {
    const found = await cli('txn', 'list', '--endpoint', endpoint, '--state', 'pending');
    const [one] = found.transactions as readonly { readonly id: string }[];
    return one?.id ?? assert.fail('nothing waits for an approver');
  });

test('the admin API finds what it is asked for, by subject, device and endpoint', async () => {
  for (const by of [
    ['--subject', 'CN=edge'],
    ['--device', 'press'],
  ]) {
    const { transactions } = await cli('txn', 'list', ...by);
    assert.ok((transactions as unknown[]).length > 0, by.join(' '));
  }
  const { certificates } = await cli('cert', 'list', '--endpoint', 'office');
  assert.equal((certificates as unknown[]).length, 2);
  await cli('challenge', 'list', '--endpoint', 'office');
  await cli('cert', 'renewals', await serialOf(first.certificate));
});

test('a token of the operator is good beside the one that is a secret of the Worker', async () => {
  const made = await operator('token', 'create', '--name', 'portal', '--role', 'challenger');
  const env = { SCEPTER_URL: worker.url, SCEPTER_TOKEN: String(made.token) };
  const { challenge } = await command(['challenge', 'create', '--endpoint', 'office'], env);
  assert.match(String(challenge), /^\w{26}$/);
});

/** When a job of upkeep has been done. */
const done = (job: string) =>
  answered(async () => {
    const jobs = worker.logged('upkeep.done').map(({ task }) => task);
    assert.ok(jobs.includes(job), `${job}: ${jobs}`);
  });

test('the cron trigger publishes a CRL, which has a certificate that was revoked', async () => {
  const serial = await serialOf(first.certificate);
  for (const reason of ['certificateHold', 'superseded']) {
    await cli('cert', 'revoke', serial, '--reason', reason);
  }
  // It does so once more half a minute later, for the logs, and is not waited for.
  worker.scheduled().catch(() => undefined);
  await done('crl office');
  const response = await fetch(`${worker.url}/crl/office.crl`);
  assert.equal(response.status, 200);
  const file = join(first.folder, 'office.crl');
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
  const crl = await openssl(['crl', '-inform', 'DER', '-in', file, '-noout', '-text']);
  const serials = [...crl.toString().matchAll(/Serial Number: (\w+)/g)].map(([, one]) => one);
  assert.deepEqual(serials, [serial.toUpperCase()]);
  await openssl(['crl', '-inform', 'DER', '-in', file, '-noout', '-CAfile', first.ca.ca]);
});

test('the Worker, which may use the CA key, publishes a CRL when asked to', async () => {
  await cli('crl', 'publish', 'plant');
  assert.equal((await fetch(`${worker.url}/crl/plant.crl`)).status, 200);
});

test('what has happened is in the logs, and an auditor verifies them', async () => {
  await done('logs');
  const { logs } = await cli('log', 'key', 'office');
  const key = join(first.folder, 'office.vkey');
  await writeFile(key, `${keyOf(logs, 'office')}\n`);
  const { size } = await cli('log', 'verify', `${worker.url}/log/office`, '--key', key);
  assert.ok(Number(size) > 3, String(size));
});

test('no call was refused by a policy or caused an outage', () => {
  assert.deepEqual(aws.gate.refused, []);
  for (const event of ['http.outage', 'start.failed', 'upkeep.failed', 'http.uncounted']) {
    assert.deepEqual(worker.logged(event), []);
  }
});

/** Actions that worker.json allows and that are rare, so that the Worker did not take them here: when. */
const seldom = [
  // A voided attempt deletes the owner of a key that had none before; a wish for a CRL is deleted once it is
  // published.
  'dynamodb:DeleteItem',
  // A tile that was partial goes when it is full.
  's3:DeleteObject',
];

test('every permitted action of the user was taken by the Worker, or is listed as taken elsewhere', () => {
  const { arn, policies } = user();
  const may = policies
    .flatMap(({ Statement }) => Statement)
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) =>
        // Of each index, and each key.
        [Resource].flat().map((resource) => `${arn} ${action} ${resource}`),
      ),
    );
  assert.ok(may.length > 12);
  const never = may
    .filter((line) => ![...aws.gate.let].some((took) => like(line, took)))
    .map((line) => line.split(' ')[1]);
  // The words of searches are written once what they are of is 15 seconds old: before the end of this file, or later.
  const due = never.filter((action) => action !== 'dynamodb:BatchWriteItem');
  assert.deepEqual(due.toSorted(), seldom);
});

const config = (service: 'DYNAMODB' | 'KMS') => {
  const env = aws.as(user());
  return {
    region: aws.region,
    endpoint: env[`AWS_ENDPOINT_URL_${service}`] ?? '',
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
    },
  };
};
const denied = { name: 'AccessDeniedException' };

test('the access key may write no tokens, CAs or MAC keys, and change no event', async () => {
  const client = dynamoClient(config('DYNAMODB'));
  const put = (pk: string) =>
    client.send(
      new PutItemCommand({ TableName: aws.made.table.TableName, Item: { pk: { S: pk } } }),
    );
  for (const kind of ['token', 'authority', 'macKeys']) {
    await assert.rejects(put(`${kind}#x`), denied, kind);
  }
  // An event is written, and neither changed nor deleted.
  const [TableName, Key] = [aws.made.table.TableName, { pk: { S: 'event#x' } }];
  await put('event#x');
  await assert.rejects(client.send(new DeleteItemCommand({ TableName, Key })), denied);
  await assert.rejects(client.send(new UpdateItemCommand({ TableName, Key })), denied);
  await put('certificate#x');
  client.destroy();
});

test('the access key may sign digests, with the algorithms and keys of the CAs and of the logs only', async () => {
  const { CaKeyoffice: key = '', SealingKey: sealing = '', LogKey: log = '' } = aws.made.outputs;
  const client = kmsClient(config('KMS'));
  const sign = (more: object = {}) =>
    client.send(
      new SignCommand({
        KeyId: key,
        Message: new Uint8Array(32),
        MessageType: 'DIGEST',
        SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256',
        ...more,
      }),
    );
  await sign();
  await sign({ KeyId: log, SigningAlgorithm: 'ECDSA_SHA_256' });
  for (const more of [
    { MessageType: 'RAW' },
    { SigningAlgorithm: 'RSASSA_PSS_SHA_256' },
    { SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_512' },
    { KeyId: sealing },
    { KeyId: log, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'RAW' },
  ]) {
    await assert.rejects(sign(more), denied, JSON.stringify(more));
  }
  client.destroy();
});

test('the access key may open what this deployment has sealed, and nothing else', async () => {
  const { SealingKey: KeyId = '' } = aws.made.outputs;
  const client = kmsClient(config('KMS'));
  const purposes = ['ra', ...macPurposes.map((purpose) => `mac-${purpose}`)];
  for (const purpose of [...purposes, 'log']) {
    for (const deployment of ['scepter', 'another']) {
      const EncryptionContext = { deployment, purpose, ca: 'office' };
      const CiphertextBlob = new Uint8Array(64);
      const opened = client.send(new DecryptCommand({ KeyId, CiphertextBlob, EncryptionContext }));
      // A text that is not a ciphertext is refused too, by the key and not by a policy.
      const may = deployment === 'scepter' && purposes.includes(purpose);
      const expected = may ? { name: 'InvalidCiphertextException' } : denied;
      await assert.rejects(opened, expected, `${deployment} ${purpose}`);
    }
  }
  client.destroy();
});

test('the access key may read the configuration, and not change it', async () => {
  const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID } = aws.as(user());
  const path = (aws.made.outputs.Config ?? '').replace(/^s3:/, '/');
  const asked = (method: string, of = path) =>
    fetch(endpoint + of, {
      method,
      headers: { authorization: `Credential=${AWS_ACCESS_KEY_ID}/` },
    });
  const { region, credentials } = config('KMS');
  const endpoints = { dynamodb: undefined, kms: undefined };
  const connection = {
    region,
    credentials: { ...credentials, sessionToken: undefined },
    endpoints,
  };
  const text = await readNamedObject(path.slice(1), { connection, endpoint });
  assert.equal(JSON.parse(text).cas.office.subject, 'CN=Example Office CA,O=Example');
  for (const method of ['PUT', 'DELETE']) assert.equal((await asked(method)).status, 403);
  assert.equal((await asked('GET', path.replace('/config/', '/other/'))).status, 403);
});
