// npm run test:dynamodb: one DynamoDB Local for all test files of this folder, or of those named.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';

const local = await startDynamoDbLocal();
if (!local) console.log('NOT RUN: dynamodb (Java 17 is missing)');
else {
  const named = process.argv.slice(2);
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => named.length === 0 || named.some((part) => name.includes(part)))
    .map((name) => join(import.meta.dirname, name));
  // Without a file the runner takes every test that there is.
  if (files.length === 0) throw new Error(`no file here is called ${named.join(' or ')}`);
  const args = ['--expose-gc', '--test', '--test-concurrency=2', ...files];
  const tests = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...local.env },
  });
  process.exitCode = await new Promise<number>((resolve) => {
    tests.once('close', (code) => resolve(code ?? 1));
  });
  await local.stop();
}
