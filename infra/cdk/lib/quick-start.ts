// The stacks of the apps, from what their context says.

import { type App, CfnOutput, Stack } from 'aws-cdk-lib';
import { checkDeployment, checkRateLimit } from './check-props.ts';
import {
  backendSettings,
  Context,
  edgeSettings,
  propsOf,
  topicOf,
  workerPropsOf,
} from './context.ts';
import { makeWebAcl } from './edge.ts';
import type { Keys } from './keys.ts';
import { ScepService } from './scep-service.ts';
import { watchWebAcl } from './watch.ts';
import { WorkerBackend } from './worker-backend.ts';
import type { WorkerIdentity } from './worker-identity.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws {Error} with a sentence that names the setting or prop that is wrong */
export function makeStack(app: App, env: Env): Stack {
  const context = new Context(app.node);
  const region = regionOf(context, env);
  const { stack, deployment } = newStack(app, 'Scepter', context, env, region);
  const service = new ScepService(stack, 'Service', propsOf(stack, context));
  const { url, adminUrl, functions, table, operator, keys, config } = service;
  const outputs = {
    ScepUrl: `${url}/scep`,
    ...(adminUrl === undefined ? {} : { AdminUrl: adminUrl }),
    AdminFunction: functions.admin.functionName,
    Region: stack.region,
    Deployment: deployment,
    Config: config.reference,
    Table: table.tableName,
    OperatorRole: operator.roleArn,
    SealingKey: keys.sealing.keyArn,
    LogKey: keys.log.keyArn,
    ...outputsOf(keys),
  };
  for (const [name, value] of Object.entries(outputs)) new CfnOutput(stack, name, { value });
  return stack;
}

const regionOf = (context: Context, env: Env): string =>
  context.region() ?? env.CDK_DEFAULT_REGION ?? context.required('region');

/** Each deployment has a stack of its own; in the same stack a second one would replace the first. */
function newStack(app: App, name: string, context: Context, env: Env, region: string) {
  const account = context.account() ?? env.CDK_DEFAULT_ACCOUNT;
  const deployment = context.text('deployment') ?? 'scepter';
  checkDeployment(deployment);
  const stackName = deployment === 'scepter' ? name : `${name}-${deployment}`;
  return { stack: new Stack(app, stackName, { env: { account, region } }), deployment };
}

/** The key of each CA. @throws {Error} where two outputs would have one name, because it has no hyphens */
function outputsOf({ cas }: Keys): Record<string, string> {
  const outputs: Record<string, string> = {};
  for (const [name, { keyArn }] of Object.entries(cas)) {
    const output = `CaKey${name.replaceAll('-', '')}`;
    if (output in outputs) {
      throw new Error(`config.cas: two of them would be the output ${output}: rename "${name}"`);
    }
    outputs[output] = keyArn;
  }
  return outputs;
}

type Output = readonly [name: string, value: string, description: string];

function identityOutputs(identity: WorkerIdentity): readonly Output[] {
  if ('user' in identity) {
    return [['WorkerUser', identity.user.userName, 'whose access key the Worker has']];
  }
  const { role, trustAnchor, profile, commonName } = identity;
  return [
    ['WorkerRole', role.roleArn, 'ROLES_ANYWHERE_ROLE of the Worker'],
    ['WorkerProfile', profile.attrProfileArn, 'ROLES_ANYWHERE_PROFILE of the Worker'],
    ['TrustAnchor', trustAnchor.attrTrustAnchorArn, 'ROLES_ANYWHERE_TRUST_ANCHOR of the Worker'],
    ['WorkerName', commonName, 'CN of the certificate of the Worker'],
  ];
}

/** @throws {Error} with a sentence that names the setting or prop that is wrong */
export function makeWorkerStack(app: App, env: Env): Stack {
  const context = new Context(app.node, backendSettings);
  const region = regionOf(context, env);
  const { stack, deployment } = newStack(app, 'ScepterWorker', context, env, region);
  const props = workerPropsOf(context);
  const { table, keys, config, operator, identity } = new WorkerBackend(stack, 'Backend', props);
  const variable = (name: string) => `${name} of the Worker`;
  const outputs: readonly Output[] = [
    ['Region', stack.region, variable('AWS_REGION')],
    ['Table', table.tableName, variable('SCEPTER_TABLE')],
    ['Deployment', deployment, variable('SCEPTER_DEPLOYMENT')],
    ['SealingKey', keys.sealing.keyArn, variable('SCEPTER_SEALING_KEY')],
    ['Config', config.reference, variable('SCEPTER_CONFIG')],
    ...identityOutputs(identity),
    ['OperatorRole', operator.roleArn, 'who runs "scepter ca ..."'],
    ...Object.entries(outputsOf(keys)).map(
      ([name, value]) => [name, value, 'for "scepter ca init NAME --key"'] as const,
    ),
  ];
  for (const [name, value, description] of outputs) {
    new CfnOutput(stack, name, { value, description });
  }
  return stack;
}

/** @throws {Error} with a sentence that names the setting that is wrong */
export function makeEdgeStack(app: App, env: Env): Stack {
  const context = new Context(app.node, edgeSettings);
  const { stack, deployment } = newStack(app, 'ScepterEdge', context, env, 'us-east-1');
  const rateLimit = context.number('rateLimit');
  checkRateLimit('rateLimit', rateLimit);
  const { attrArn } = makeWebAcl(stack, deployment, rateLimit);
  watchWebAcl(stack, deployment, topicOf(stack, context, 'us-east-1'));
  new CfnOutput(stack, 'WebAclArn', { value: attrArn });
  return stack;
}
