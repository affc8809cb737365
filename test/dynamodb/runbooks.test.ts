// The runbooks, as whoever is on call follows them: their blocks, each in a shell, against a server whose records are in
// DynamoDB and whose keys are in KMS. What AWS does (to copy a table as it was) is done by the test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { Item } from '../../lib/adapters/aws/dynamodb/items.ts';
import { blocksOf } from '../support/blocks.ts';
import { freshTable, itemsOf, outside } from '../support/dynamodb.ts';
import { openKms } from '../support/kms.ts';
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

/** A deployment with one CA, its server and its operator. */
async function deployment(t: TestContext) {
  const [table, kms, port] = [await freshTable(), await openKms(), await freePort()];
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
    SCEPTER_TABLE: table,
    SCEPTER_DEPLOYMENT: 'test',
    SCEPTER_SEALING_KEY: kms.sealingKey,
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_DATA_DIR: join(folder, 'data'),
    NODE_ENV: 'production',
    PORT: String(port),
    URL: `${origin}/scep`,
  };
  const cli = async (...args: string[]) => {
    const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env });
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    return JSON.parse(out);
  };
  await cli('ca', 'init');
  const start = async (more: Env = {}): Promise<Running> => {
    const server = await startServer({ ...env, ...more }, { until: /"server\.ready"/ });
    t.after(() => server.stop());
    return server;
  };
  const enrol = async (name: string): Promise<string> => {
    const { challenge } = await cli('challenge', 'create');
    const out = join(folder, name);
    const asked = ['--challenge', challenge, '--subject', `CN=${name}`, '--out', out];
    await cli('enrol', '--url', `${origin}/scep`, ...asked);
    const { items } = await cli('inspect', join(out, 'cert.pem'));
    return items[0].serial;
  };
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
  return { table, folder, env, cli, start, enrol, crl };
}

test('a table goes back to a moment: revocations and the number of the CRL do not', async (t) => {
  const { table, folder, env, cli, start, enrol, crl } = await deployment(t);
  let server = await start();
  const early = await enrol('early');
  await follow(['docs/runbooks.md', 'keep'], folder, env);
  const then: Item[] = await itemsOf(table);
  const late = await enrol('late');
  for (const serial of [early, late]) {
    await cli('cert', 'revoke', serial, '--reason', 'keyCompromise');
    await cli('crl', 'publish');
  }
  const before = await crl();
  assert.deepEqual(before.serials.toSorted(), [early, late].toSorted());
  await follow(['docs/runbooks.md', 'restore'], folder, env);
  await server.stop();

  const restored = await freshTable();
  for (const Item of then) await outside.send(new PutItemCommand({ TableName: restored, Item }));
  const there = { ...env, SCEPTER_TABLE: restored };
  server = await start(there);
  const said = await follow(['docs/runbooks.md', 'restored'], folder, there);
  // It was issued after the moment.
  assert.match(said, /some have no record/);
  const after = await crl();
  assert.ok(after.number > before.number, `${after.number} after ${before.number}`);
  assert.deepEqual(after.serials, [early]);
  assert.deepEqual(after.reasons, ['keyCompromise']);
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

test('a CA whose key was used by somebody else ends with all that it issued on its last CRL', async (t) => {
  const { folder, env, start, enrol, crl } = await deployment(t);
  await start();
  const issued = [await enrol('one'), await enrol('two')];
  await follow(['docs/runbooks.md', 'compromised'], folder, env);
  assert.deepEqual((await crl()).serials.toSorted(), issued.toSorted());
});
