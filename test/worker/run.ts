// npm run test:worker: the Worker as it is deployed, in workerd and under `wrangler dev`, over DynamoDB
// Local and the KMS emulator: all test files of this folder, or those named.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { bundleWorker } from '../support/workerd.ts';

const missing = (error: Error): void => {
  console.log(`NOT RUN: worker (${error.message.split('\n', 1)[0]})`);
  process.exitCode = 1;
};

const bundle = await bundleWorker().catch(missing);
const local = bundle && (await startDynamoDbLocal());
if (bundle && !local) missing(new Error('Java 17 is missing'));
if (bundle && local) {
  console.log(bundle.said.match(/Total Upload: .*/)?.[0]);
  const named = process.argv.slice(2);
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => named.length === 0 || named.some((part) => name.includes(part)))
    .map((name) => join(import.meta.dirname, name));
  // Without a file the runner takes every test that there is.
  if (files.length === 0) throw new Error(`no file here is called ${named.join(' or ')}`);
  const tests = spawn(
    process.execPath,
    ['--test', '--test-concurrency=2', '--test-timeout=120000', ...files],
    {
      stdio: 'inherit',
      env: { ...process.env, ...local.env, SCEPTER_TEST_BUNDLE: bundle.path },
    },
  );
  process.exitCode = await new Promise<number>((resolve) => {
    tests.once('close', (code) => resolve(code ?? 1));
  });
  await local.stop();
}
