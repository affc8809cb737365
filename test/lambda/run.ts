// npm run test:lambda: the functions' bundles as they are deployed. One DynamoDB Local for all files, or
// for those named.

import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';

const files = testFilesIn(import.meta.dirname);
const local = await startDynamoDbLocal();
if (!local) console.log('NOT RUN: lambda (Java 17 is missing)');
else {
  process.exitCode = await runTests(files, local.env);
  await local.stop();
}
