// The quick start: one stack with one ScepService, from what the context says (`-c name=value`).

import { App } from 'aws-cdk-lib';
import { makeStack } from '../lib/quick-start.ts';

try {
  // An error must leave no incomplete template.
  const app = new App({ autoSynth: false });
  makeStack(app, process.env);
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
