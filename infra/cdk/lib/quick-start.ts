// The stacks of the apps, from what their context says.

import { type App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Context, propsOf } from './context.ts';
import { makeWebAcl } from './edge.ts';
import { ScepService } from './scep-service.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws {Error} with a sentence that names the setting or prop that is wrong */
export function makeStack(app: App, env: Env): Stack {
  const context = new Context(app.node);
  const region = context.region() ?? env.CDK_DEFAULT_REGION ?? context.required('region');
  const account = context.account() ?? env.CDK_DEFAULT_ACCOUNT;
  const stack = new Stack(app, 'Scepter', { env: { account, region } });
  const service = new ScepService(stack, 'Service', propsOf(stack, context));
  const { url, adminUrl, functions, table, operator, keys } = service;
  const outputs = {
    ScepUrl: `${url}/scep`,
    ...(adminUrl === undefined ? {} : { AdminUrl: adminUrl }),
    AdminFunction: functions.admin.functionName,
    Table: table.tableName,
    OperatorRole: operator.roleArn,
    SealingKey: keys.sealing.keyArn,
    ...Object.fromEntries(
      Object.entries(keys.cas).map(([name, { keyArn }]) => [
        `CaKey${name.replaceAll('-', '')}`,
        keyArn,
      ]),
    ),
  };
  for (const [name, value] of Object.entries(outputs)) new CfnOutput(stack, name, { value });
  return stack;
}

/** @throws {Error} with a sentence that names the setting that is wrong */
export function makeEdgeStack(app: App, env: Env): Stack {
  const context = new Context(app.node);
  const account = context.account() ?? env.CDK_DEFAULT_ACCOUNT;
  const stack = new Stack(app, 'ScepterEdge', { env: { account, region: 'us-east-1' } });
  const deployment = context.text('deployment') ?? 'scepter';
  const { attrArn } = makeWebAcl(stack, deployment, context.number('rateLimit'));
  new CfnOutput(stack, 'WebAclArn', { value: attrArn });
  return stack;
}
