// npm run test:lambda: the functions' bundles as they are deployed. One DynamoDB Local for all files.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';

const local = await startDynamoDbLocal();
if (!local) console.log('NOT RUN: lambda (Java 17 is missing)');
else {
  const named = process.argv.slice(2);
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => named.length === 0 || named.some((part) => name.includes(part)))
    .map((name) => join(import.meta.dirname, name));
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=2', ...files], {
    stdio: 'inherit',
    env: { ...process.env, ...local.env },
  });
  process.exitCode = await new Promise<number>((resolve) => {
    tests.once('close', (code) => resolve(code ?? 1));
  });
  await local.stop();
}
