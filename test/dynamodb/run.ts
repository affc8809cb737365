// npm run test:dynamodb: one DynamoDB Local for all test files of this folder, or of those named.

import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';

const files = testFilesIn(import.meta.dirname);
const local = await startDynamoDbLocal();
if (!local) console.log('NOT RUN: dynamodb (Java 17 is missing)');
else {
  process.exitCode = await runTests(files, local.env, ['--expose-gc']);
  await local.stop();
}
