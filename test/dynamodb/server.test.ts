// Plain Node over a table: the real server, the real CLI, and everything still there after a restart.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromPem } from '../../lib/base/bytes.ts';
import { checkCa } from '../support/check-ca.ts';
import { freshTable, rowsOf, tableEnv } from '../support/dynamodb.ts';
import { freePort, run, startServer, temporary } from '../support/process.ts';

test('npm start with SCEPTER_TABLE keeps its records there, and finds them again', async () => {
  const table = await freshTable();
  const dataDir = join(temporary('dynamodb'), 'data');
  const env = { ...tableEnv(table), SCEPTER_DATA_DIR: dataDir, PORT: String(await freePort()) };
  const cli = (...args: string[]) => run('bin/scepter.js', args, { env });
  const out = join(temporary('enrol'), 'device');
  const enrol = (url: string, challenge: string) =>
    cli(
      ...['enrol', '--url', `${url}/scep`, '--challenge', challenge],
      ...['--subject', 'CN=device-1', '--out', out],
    );

  const first = await startServer(env);
  const records = `records in the DynamoDB table ${table}, keys in ${dataDir}`;
  assert.ok(first.printed().includes(records), first.printed());
  const [, challenge = ''] = /Challenge {4}(\S+)/.exec(first.printed()) ?? [];
  const enrolled = await enrol(first.url, challenge);
  assert.equal(enrolled.code, 0, enrolled.err);
  const created = await cli('challenge', 'create', '--json');
  assert.equal(created.code, 0, created.err);
  const ca = await (await fetch(`${first.url}/aia/default.cer`)).arrayBuffer();
  const crl = await (await fetch(`${first.url}/crl/default.crl`)).arrayBuffer();
  await first.stop();
  assert.ok(!existsSync(join(dataDir, 'scepter.db')));

  const second = await startServer(env);
  assert.doesNotMatch(second.printed(), /made just now/);
  assert.deepEqual(await (await fetch(`${second.url}/aia/default.cer`)).arrayBuffer(), ca);
  assert.deepEqual(await (await fetch(`${second.url}/crl/default.crl`)).arrayBuffer(), crl);
  // The same request again, as after a lost reply, and a challenge from before.
  const repeated = await enrol(second.url, challenge);
  assert.equal(repeated.out, enrolled.out, repeated.err);
  const cert = () => fromPem('CERTIFICATE', readFileSync(join(out, 'cert.pem'), 'utf8'));
  const delivered = cert();
  const other = await cli(
    ...['enrol', '--url', `${second.url}/scep`, '--subject', 'CN=device-2'],
    ...['--challenge', JSON.parse(created.out).challenge, '--out', `${out}-2`],
  );
  assert.equal(other.code, 0, other.err);
  await second.stop();
  const elsewhere = { ...env, SCEPTER_DATA_DIR: temporary('elsewhere') };
  const third = await run('functions/server.ts', [], { env: elsewhere });
  assert.equal(third.code, 1);
  assert.match(
    third.err,
    /^scepter: .*keys\/mac-keys\.json is missing: the records were written with it; restore the folder of keys/m,
  );
  checkCa(await rowsOf(table), delivered);
});

test('npm start refuses a table that it cannot use, with a sentence', async () => {
  const env = {
    PORT: String(await freePort()),
    ...tableEnv('nowhere'),
    SCEPTER_DATA_DIR: temporary('refused'),
  };
  const { code, err } = await run('functions/server.ts', [], { env });
  assert.equal(code, 1);
  assert.match(err, /^scepter: the DynamoDB table "nowhere" does not exist in eu-central-1 .*\n$/);
});

test('npm start refuses a table without a bucket for its CRLs', async () => {
  const env = {
    PORT: String(await freePort()),
    SCEPTER_TABLE: await freshTable(),
    SCEPTER_DATA_DIR: temporary('refused'),
  };
  const { code, err } = await run('functions/server.ts', [], { env });
  assert.deepEqual(
    [code, err.includes('SCEPTER_FILES must be set: the S3 bucket')],
    [2, true],
    err,
  );
});

test('npm start without a region or credentials says which is missing', async () => {
  const none = {
    PORT: String(await freePort()),
    ...tableEnv('any'),
    SCEPTER_DATA_DIR: temporary('refused'),
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };
  const unnamed = await run('functions/server.ts', [], { env: { ...none, AWS_REGION: undefined } });
  assert.match(unnamed.err, /^scepter: .*cannot be reached without a region: set AWS_REGION\n$/);
  const nobody = await run('functions/server.ts', [], { env: none });
  assert.match(nobody.err, /^scepter: .*cannot be reached without AWS credentials: .*\n$/);
  assert.deepEqual([unnamed.code, nobody.code], [1, 1]);
});
