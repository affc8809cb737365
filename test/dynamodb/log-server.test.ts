// Logs of plain Node with its records in a table, keys in KMS and the files of the logs in S3, read and verified with the
// real CLI: through the server, from a copy of the bucket without it, and recovered by an operator.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freshTable, tableEnv } from '../support/dynamodb.ts';
import { openKms } from '../support/kms.ts';
import { freePort, run, startServer, temporary } from '../support/process.ts';
import { startS3Emulator } from '../support/s3-emulator.ts';

const s3 = await startS3Emulator();
after(() => s3.stop());

test('events are under checkpoints that KMS has signed, verified by the server and from the bucket; an operator recovers a log', async (t) => {
  const [table, kms, port] = [await freshTable(), await openKms(), await freePort()];
  const document = {
    publicUrl: `http://127.0.0.1:${port}`,
    cas: { default: { subject: 'CN=Table CA', key: 'ec:P-256' } },
    endpoints: { default: { ca: 'default' } },
  };
  const env = {
    ...{ ...(await kms.env()), ...tableEnv(table), ...s3.env },
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_DATA_DIR: join(temporary('log-server'), 'data'),
    PORT: String(port),
  };
  const cli = (...args: string[]) => run('bin/scepter.js', args, { env });
  const done = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await cli(...args);
    assert.equal(code, 0, err);
    return out;
  };
  for (const [name, what] of [
    ['SCEPTER_LOGS', 'the S3 bucket that has the logs, and locks what it is given'],
    [
      'SCEPTER_LOG_KEY',
      'the ARN of the ECC_NIST_P256 key in KMS that signs the checkpoints of the logs',
    ],
  ] as const) {
    const without = { env: { ...env, [name]: '' } };
    const sentence = `${name} must be set: ${what}`;
    const server = await run('functions/server.ts', [], without);
    assert.deepEqual([server.code, server.err], [2, `scepter: ${sentence}\n`]);
    // The operator's commands change what the logs tell of, too.
    const operator = await run('bin/scepter.js', ['ca', 'init'], without);
    assert.deepEqual([operator.code, operator.err], [1, `scepter: ${sentence}\n`]);
  }

  await done('ca', 'init');
  const server = await startServer(
    { ...env, NODE_ENV: 'production' },
    { until: /"server\.ready"/ },
  );
  t.after(server.stop);
  const folder = temporary('log-server-verify');
  const [vkey, checkpoint] = [join(folder, 'default.vkey'), join(folder, 'checkpoint')];
  // Its first run begins as the server does.
  for (;;) {
    const { code, out } = await cli('log', 'key', 'default');
    if (code === 0) {
      writeFileSync(vkey, out);
      break;
    }
    await sleep(500);
  }
  const url = `${server.url}/log/default`;
  await done('log', 'verify', url, '--key', vkey, '--keep', checkpoint);
  const [line = ''] = (await done('log', 'export', '--type', 'ca.created')).split('\n');
  await done('log', 'proof', JSON.parse(line).id, '--out', join(folder, 'made'));
  await done('log', 'check', join(folder, 'made'), '--key', vkey);

  const copy = join(folder, 'copy');
  for (const [key, { body }] of s3.objects) {
    const [, path] = /^scepter-logs\/log\/(default\/.+)$/.exec(key) ?? [];
    if (path === undefined) continue;
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), body);
  }
  const own = join(copy, 'default');
  await done('log', 'verify', own, '--key', vkey, '--since', checkpoint);
  await server.stop();
  const recovered = await done('log', 'recover', 'default');
  assert.match(recovered, /default/);
});
