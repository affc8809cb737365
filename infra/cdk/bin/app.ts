// The quick start: one stack with one ScepService, from what the context says (`-c name=value`).

import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Context, propsOf } from '../lib/context.ts';
import { ScepService } from '../lib/scep-service.ts';

try {
  const app = new App();
  const context = new Context(app.node);
  const region =
    context.text('region') ?? process.env.CDK_DEFAULT_REGION ?? context.required('region');
  const account = context.text('account') ?? process.env.CDK_DEFAULT_ACCOUNT;
  const stack = new Stack(app, 'Scepter', { env: { account, region } });
  const service = new ScepService(stack, 'Service', propsOf(stack, context));

  const output = (name: string, value: string): void => {
    new CfnOutput(stack, name, { value });
  };
  output('ScepUrl', `${service.url}/scep`);
  if (service.adminUrl) output('AdminUrl', service.adminUrl);
  output('AdminFunction', service.functions.admin.functionName);
  output('Table', service.table.tableName);
  output('OperatorRole', service.operator.roleArn);
  output('SealingKey', service.keys.sealing.keyArn);
  for (const [name, key] of Object.entries(service.keys.cas)) {
    output(`CaKey${name.replace(/[^a-z0-9]/gi, '')}`, key.keyArn);
  }
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
