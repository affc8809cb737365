// npm run test:worker: the Worker as it is deployed, in workerd and under `wrangler dev`, over DynamoDB
// Local and the KMS emulator: all test files of this folder, or those named.

import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { runTests, testFilesIn } from '../support/run-tests.ts';
import { bundleWorker } from '../support/workerd.ts';

const missing = (error: Error): void => {
  console.log(`NOT RUN: worker (${error.message.split('\n', 1)[0]})`);
  process.exitCode = 1;
};

const files = testFilesIn(import.meta.dirname);
const bundle = await bundleWorker().catch(missing);
const local = bundle && (await startDynamoDbLocal());
if (bundle && !local) missing(new Error('Java 17 is missing'));
if (bundle && local) {
  console.log(bundle.said.match(/Total Upload: .*/)?.[0]);
  const env = { ...local.env, SCEPTER_TEST_BUNDLE: bundle.path };
  process.exitCode = await runTests(files, env, ['--test-timeout=300000']);
  await local.stop();
}
