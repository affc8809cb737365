// The web ACL for a CloudFront whose stack is not in us-east-1. Deployed there first; its output goes
// to the app as `-c webAclArn=...`.

import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Context } from '../lib/context.ts';
import { makeWebAcl } from '../lib/edge.ts';

try {
  const app = new App();
  const context = new Context(app.node);
  const account = context.text('account') ?? process.env.CDK_DEFAULT_ACCOUNT;
  const stack = new Stack(app, 'ScepterEdge', { env: { account, region: 'us-east-1' } });
  const acl = makeWebAcl(
    stack,
    context.text('deployment') ?? 'scepter',
    context.number('rateLimit'),
  );
  new CfnOutput(stack, 'WebAclArn', { value: acl.attrArn });
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
