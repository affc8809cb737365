// The runbooks, as whoever is on call follows them: their blocks, each in a shell, against a server whose records are in
// DynamoDB and whose keys are in KMS. What AWS does (to copy a table as it was) is done by the test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { DeleteItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import type { Item } from '../../lib/adapters/aws/dynamodb/items.ts';
import { createTable } from '../../lib/adapters/aws/dynamodb/table.ts';
import { blocksOf } from '../support/blocks.ts';
import { freshTable, itemsOf, outside, s3, tableEnv } from '../support/dynamodb.ts';
import { openKms } from '../support/kms.ts';
import { startKmsEmulator } from '../support/kms-emulator.ts';
import { freePort, type Running, run, startServer, temporary } from '../support/process.ts';

const root = join(import.meta.dirname, '..', '..');

type Env = Readonly<Record<string, string>>;

/** The blocks of one name. @returns what they printed */
async function follow([page, name]: readonly [string, string], cwd: string, env: Env) {
  const script = blocksOf(page, name)
    .map((block) => block.script)
    .join('\n');
  assert.notEqual(script, '', `${page} has no block ${name}`);
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd,
    env: { ...process.env, ...env, PATH: `${join(root, 'bin')}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  assert.equal(code, 0, `${name}: ${out}${err}`);
  return `${out}${err}`;
}

/** A deployment with one CA, its server and its operator; its keys are multi-Region keys, as they are by default. */
async function deployment(t: TestContext) {
  const [table, kms, port] = [await freshTable(), await openKms(), await freePort()];
  // Their policies name a role, as those of a deployment do.
  const Principal = { AWS: `arn:aws:iam::${kms.emulator.account}:role/scepter` };
  const Statement = [{ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }];
  const kept = { MultiRegion: true, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) };
  const sealingKey = await kms.make(kept);
  const signs = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;
  const caKey = await kms.make({ ...kept, ...signs });
  const makeLogKey = () => kms.make({ ...kept, ...signs });
  const logKey = await makeLogKey();
  const folder = temporary('runbook');
  const profile = join(folder, 'aws-config');
  writeFileSync(
    profile,
    '[profile scepter-operator]\naws_access_key_id = local\naws_secret_access_key = local\n',
  );
  const origin = `http://127.0.0.1:${port}`;
  const document = {
    publicUrl: origin,
    cas: { default: { subject: 'CN=Lost and found', key: 'ec:P-256' } },
    endpoints: { default: { ca: 'default' } },
  };
  const env: Env = {
    ...kms.emulator.env,
    AWS_CONFIG_FILE: profile,
    ...tableEnv(table),
    SCEPTER_DEPLOYMENT: 'test',
    SCEPTER_SEALING_KEY: sealingKey,
    SCEPTER_LOG_KEY: logKey,
    CA_KEY: caKey,
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_DATA_DIR: join(folder, 'data'),
    NODE_ENV: 'production',
    PORT: String(port),
    URL: `${origin}/scep`,
  };
  const as = async (env: Env, ...args: string[]) => {
    const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env });
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    return JSON.parse(out);
  };
  const cli = (...args: string[]) => as(env, ...args);
  await cli('ca', 'init', 'default', '--key', caKey);
  const start = async (more: Env = {}): Promise<Running> => {
    const server = await startServer({ ...env, ...more }, { until: /"server\.ready"/ });
    t.after(() => server.stop());
    return server;
  };
  const enrol = async (name: string, by: Env = env): Promise<string> => {
    const { challenge } = await as(by, 'challenge', 'create');
    const out = join(folder, name);
    const asked = ['--challenge', challenge, '--subject', `CN=${name}`, '--out', out];
    await cli('enrol', '--url', `${origin}/scep`, ...asked);
    const { items } = await cli('inspect', join(out, 'cert.pem'));
    return items[0].serial;
  };
  /** As its schedule calls it, on Lambda. */
  const sequence = (by: Env = env) => run('test/support/killed-sequencer.ts', [], { env: by });
  const sequenced = async (by: Env = env): Promise<void> => {
    const { code, err } = await sequence(by);
    assert.equal(code, 0, err);
  };
  /** A file with the verifier key of a log, for an auditor. */
  const verifierOf = async (log: string, by: Env = env): Promise<string> => {
    const { code, out, err } = await run('bin/scepter.js', ['log', 'key', log], { env: by });
    assert.equal(code, 0, err);
    writeFileSync(join(folder, `${log}.vkey`), out);
    return join(folder, `${log}.vkey`);
  };
  const verify = async (log: string, key: string, ...more: string[]) =>
    cli('log', 'verify', `${origin}/log/${log}`, '--key', key, ...more);
  const crl = async () => {
    const file = join(folder, 'look.crl');
    const response = await fetch(`${origin}/crl/default.crl`);
    writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
    const { items } = await cli('inspect', file);
    const [{ extensions, revoked }] = items;
    const [number] = extensions.find((one: { name: string }) => one.name === 'cRLNumber').value;
    return {
      number: Number(number),
      reasons: revoked.map(({ reason }: { reason?: string }) => reason),
      serials: revoked.map(({ serial }: { serial: string }) => serial),
    };
  };
  const checkpoint = async (log: string): Promise<string> =>
    (await fetch(`${origin}/log/${log}/checkpoint`)).text();
  return {
    ...{ table, folder, env, kms: kms.emulator, makeLogKey, cli, start, enrol, crl },
    ...{ sequence, sequenced, verifierOf, verify, checkpoint },
  };
}

/** Events that a table has, by their ids. */
const eventsIn = (items: readonly Item[]): string[] =>
  items.flatMap(({ pk }) => /^event#(.*)$/.exec(pk?.S ?? '')?.[1] ?? []);

test('a table goes back to a moment: revocations, the number of the CRL and the logs do not', async (t) => {
  const w = await deployment(t);
  const { table, folder, env, kms, cli, start, enrol, crl } = w;
  let server = await start();
  const early = await enrol('early');
  await follow(['docs/runbooks.md', 'keep'], folder, env);
  await w.sequenced();
  const key = await w.verifierOf('default');
  const then: Item[] = await itemsOf(table);
  const late = await enrol('late');
  for (const serial of [early, late]) {
    await cli('cert', 'revoke', serial, '--reason', 'keyCompromise');
    await cli('crl', 'publish');
  }
  const before = await crl();
  assert.deepEqual(before.serials.toSorted(), [early, late].toSorted());
  await follow(['docs/runbooks.md', 'restore'], folder, env);
  await w.sequenced();
  const kept = join(folder, 'kept.checkpoint');
  await w.verify('default', key, '--keep', kept);
  await server.stop();
  await w.sequenced();
  const known = eventsIn(then);
  const lost = eventsIn(await itemsOf(table)).filter((id) => !known.includes(id));

  const restored = await freshTable();
  for (const Item of then) await outside.send(new PutItemCommand({ TableName: restored, Item }));
  const there = { ...env, SCEPTER_TABLE: restored };
  const ofLogs = ({ action, resource }: { action: string; resource: string }) =>
    action === 'kms:Sign' && resource === env.SCEPTER_LOG_KEY;
  const signed = kms.calls.filter(ofLogs).length;
  server = await start(there);
  const published = await w.checkpoint('default');
  const refused = await w.sequence(there);
  assert.match(refused.err, /nothing is signed until "scepter log recover"/);
  assert.equal(await w.checkpoint('default'), published);
  assert.equal(kms.calls.filter(ofLogs).length, signed, 'nothing of another history is signed');
  const said = await follow(['docs/runbooks.md', 'restored'], folder, there);
  // It was issued after the moment.
  assert.match(said, /some have no record/);
  assert.ok(lost.length > 5, `${lost.length} events`);
  for (const id of lost) assert.ok(said.includes(`${id}  is in the log`), id);
  await w.sequenced(there);
  const verified = await w.verify('default', key, '--since', kept, '--records');
  const inSystem = await w.verify('system', await w.verifierOf('system'), '--records');
  assert.equal(verified.records.lost + inSystem.records.lost, lost.length);
  const after = await crl();
  assert.ok(after.number > before.number, `${after.number} after ${before.number}`);
  assert.deepEqual(after.serials.toSorted(), before.serials.toSorted());
  assert.deepEqual(after.reasons, ['keyCompromise', 'keyCompromise']);
});

test('a Region is lost: the other one goes on from a copy of the table, with replicas of the keys', async (t) => {
  const w = await deployment(t);
  const { table, folder, env, kms, cli, start, enrol, crl } = w;
  const server = await start();
  const early = await enrol('early');
  await w.sequenced();
  const copied: Item[] = await itemsOf(table);
  await cli('cert', 'revoke', early, '--reason', 'keyCompromise');
  await cli('crl', 'publish');
  const before = await crl();
  // From a cache, or whoever has fetched it.
  await follow(['docs/runbooks.md', 'restore'], folder, env);
  await server.stop();
  const region = 'eu-west-1';
  const replica = await startKmsEmulator({ region, replicaOf: kms });
  t.after(() => replica.stop());
  await kms.stop();

  const endpoint = process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '';
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = makeDynamoDbClient({ endpoint, region, credentials });
  t.after(() => client.destroy());
  await createTable(client, table);
  for (const Item of copied) await client.send(new PutItemCommand({ TableName: table, Item }));
  const replicated = (name: string) => env[name]?.replace(`:${kms.region}:`, `:${region}:`) ?? '';
  const there = {
    ...{ ...env, ...replica.env, SCEPTER_LOGS: `${env.SCEPTER_LOGS}-${region}` },
    SCEPTER_SEALING_KEY: replicated('SCEPTER_SEALING_KEY'),
    SCEPTER_LOG_KEY: replicated('SCEPTER_LOG_KEY'),
  };
  await start(there);
  await follow(['docs/runbooks.md', 'restored'], folder, there);
  const after = await crl();
  assert.ok(after.number > before.number, `${after.number} after ${before.number}`);
  assert.deepEqual(after.serials, [early]);
  await enrol('after', there);
  await w.sequenced(there);
  await w.verify('default.2', await w.verifierOf('default.2', there), '--records');
});

test('the bucket of the logs is lost: devices see nothing of it, and the logs go on from a copy, or as the next ones', async (t) => {
  const w = await deployment(t);
  const { folder, env, start, enrol } = w;
  let server = await start();
  await enrol('before');
  await w.sequenced();
  const key = await w.verifierOf('default');
  const kept = join(folder, 'kept.checkpoint');
  await w.verify('default', key, '--keep', kept);
  await server.stop();
  await w.sequenced();
  const others = ['from-a-copy', 'anew'].map((name) => `${env.SCEPTER_LOGS}-${name}`);
  const [copied = '', anew = ''] = others;
  for (const [name, object] of s3.objects) {
    const path = name.replace(`${env.SCEPTER_LOGS}/`, `${copied}/`);
    if (path !== name) s3.objects.set(path, object);
  }
  const fromCopy = { ...env, SCEPTER_LOGS: copied };
  server = await start(fromCopy);
  await enrol('from a copy');
  await w.sequenced(fromCopy);
  await w.verify('default', key, '--since', kept, '--records');
  await server.stop();

  const there = { ...env, SCEPTER_LOGS: anew };
  server = await start(there);
  await enrol('meanwhile');
  assert.match((await w.sequence(there)).err, /nothing is signed until "scepter log recover"/);
  await follow(['docs/runbooks.md', 'logs-lost'], folder, there);
  await w.sequenced(there);
  const next = await w.verifierOf('default.2');
  const { size, records } = await w.verify('default.2', next, '--records');
  // What waited is in it: among others the request of that device and its certificate.
  assert.ok(size > 2, String(size));
  assert.deepEqual(records.problems, []);
});

test('SCEPTER_LOG_KEY names another key: the logs stop, devices see nothing of it, and the next ones begin under it', async (t) => {
  const w = await deployment(t);
  const { folder, env, kms, start, enrol } = w;
  let server = await start();
  await enrol('before');
  await w.sequenced();
  const key = readFileSync(await w.verifierOf('default'), 'utf8');
  await server.stop();
  await w.sequenced();
  const there = { ...env, SCEPTER_LOG_KEY: await w.makeLogKey() };
  server = await start(there);
  await enrol('meanwhile', there);
  const signed = kms.calls.filter(({ action }) => action === 'kms:Sign').length;
  assert.match((await w.sequence(there)).err, /"scepter log recover default --new-key" ends this/);
  assert.equal(kms.calls.filter(({ action }) => action === 'kms:Sign').length, signed);
  await follow(['docs/runbooks.md', 'log-key-lost'], folder, there);
  await w.sequenced(there);
  const next = await w.verifierOf('default.2', there);
  assert.notEqual(readFileSync(next, 'utf8').split('+')[1], key.split('+')[1]);
  assert.deepEqual((await w.verify('default.2', next, '--records')).records.problems, []);
  const old = await w.verifierOf('default', there);
  assert.equal(readFileSync(old, 'utf8'), key, 'the old one is verified as before');
});

test("an RA's key that is lost is made anew from the CA's chain", async (t) => {
  const { table, folder, env, cli, start, enrol } = await deployment(t);
  let server = await start();
  await enrol('before');
  await follow(['docs/runbooks.md', 'keep'], folder, env);
  await server.stop();
  // With it goes the sealed key of the RA.
  const Key = { pk: { S: 'authority#default' } };
  await outside.send(new DeleteItemCommand({ TableName: table, Key }));
  await follow(['docs/runbooks.md', 'ra-lost'], folder, env);
  server = await start();
  await enrol('after');
  assert.deepEqual((await cli('status')).warnings, []);
});

test("an RA's key that has got out answers nobody, and its certificate is revoked", async (t) => {
  const { folder, env, cli, start, enrol, crl } = await deployment(t);
  let server = await start();
  const { ra } = await cli('ca', 'show', 'default');
  const [
    {
      certificate: { serial: old },
    },
  ] = ra;
  await follow(['docs/runbooks.md', 'ra'], folder, env);
  assert.deepEqual((await crl()).serials, [old]);
  // As a deployment makes instances start.
  await server.stop();
  server = await start();
  await enrol('after');
  const now = await cli('ca', 'show', 'default');
  const current = now.ra.find(({ state }: { state: string }) => state === 'current');
  assert.notEqual(current.certificate.serial, old);
});

test('an upgrade and its way back: both releases answer beside each other, and what is in a later form waits for the later one', async (t) => {
  const { table, folder, env, cli, start, enrol } = await deployment(t);
  const server = await start();
  await cli('crl', 'publish');
  await follow(['docs/runbooks.md', 'upgrade'], folder, env);
  // The same code in the place of the next release.
  const PORT = String(await freePort());
  const next = await start({ PORT });
  const SCEPTER_URL = `http://127.0.0.1:${PORT}`;
  const serial = await enrol('by the next one', { ...env, SCEPTER_URL });
  await enrol('by the one before');

  const kept = (await itemsOf(table)).find(
    ({ pk }) => pk?.S?.startsWith('certificate#') && pk.S.endsWith(serial),
  );
  const Key = { pk: kept?.pk ?? assert.fail('no record') };
  const inForm = (v = '') =>
    outside.send(
      new UpdateItemCommand({
        ...{ TableName: table, Key, UpdateExpression: 'SET v = :v' },
        ExpressionAttributeValues: { ':v': { N: v } },
      }),
    );
  await inForm('99');
  await next.stop();
  // 503 until the later one is there again, for which the CLI would wait 5 minutes.
  const shown = await run('bin/scepter.js', ['cert', 'show', serial, '--retry-for', '0'], { env });
  assert.equal(shown.code, 5);
  assert.match(shown.err, /service unavailable, try again later/);
  assert.match(server.logged(), /that a later release wrote it: use that release/);
  await inForm(kept?.v?.N);
  await cli('cert', 'show', serial);
  await enrol('after the way back');
});

test('a CA whose key was used by somebody else ends with all that it issued on its last CRL', async (t) => {
  const { folder, env, start, enrol, crl } = await deployment(t);
  await start();
  const issued = [await enrol('one'), await enrol('two')];
  await follow(['docs/runbooks.md', 'compromised'], folder, env);
  assert.deepEqual((await crl()).serials.toSorted(), issued.toSorted());
});
