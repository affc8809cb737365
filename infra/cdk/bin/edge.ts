// The web ACL for a CloudFront whose stack is not in us-east-1. Deployed there first; its output goes
// to the other app as `-c webAclArn=...`.

import { App } from 'aws-cdk-lib';
import { makeEdgeStack } from '../lib/quick-start.ts';

try {
  const app = new App({ autoSynth: false });
  makeEdgeStack(app, process.env);
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
