// The AWS side of a Worker: one stack with one WorkerBackend, from what the context says
// (`-c name=value`). Its outputs are what infra/cloudflare/configure.ts and the operator want.

import { App } from 'aws-cdk-lib';
import { makeWorkerStack } from '../lib/quick-start.ts';

try {
  // An error must leave no incomplete template.
  const app = new App({ autoSynth: false });
  makeWorkerStack(app, process.env);
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
