// The stacks of the apps, from what their context says.

import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import type { Keys } from './backend/keys.ts';
import type { WorkerIdentity } from './backend/worker-identity.ts';
import { checkDeployment } from './check-props.ts';
import { Context } from './context/context.ts';
import { topicOf } from './context/existing.ts';
import { propsOf, workerPropsOf } from './context/props.ts';
import { backendSettings, edgeSettings, heartbeatSettings } from './context/settings.ts';
import { WebAcl } from './ingress/edge.ts';
import { ScepService } from './scep-service.ts';
import { watchWebAcl } from './watch/alarms.ts';
import { Heartbeat } from './watch/heartbeat.ts';
import { WorkerBackend } from './worker-backend.ts';

/** @internal */
type Env = Readonly<Record<string, string | undefined>>;

/**
 * @throws {Error} with a sentence that names the setting or prop that is wrong
 * @internal
 */
export function makeStack(app: App, env: Env): Stack {
  const context = new Context(app.node);
  const region = regionOf(context, env);
  const { stack, deployment } = newStack(app, 'Scepter', context, env, region);
  const service = new ScepService(stack, 'Service', propsOf(stack, context));
  const { url, adminUrl, dnsTarget, filesUrl, filesDnsTarget, functions } = service;
  const { table, files, logs, roles, keys, config, backup } = service;
  const outputs = {
    ScepUrl: `${url}/scep`,
    ...(adminUrl === undefined ? {} : { AdminUrl: adminUrl }),
    ...(dnsTarget === undefined ? {} : { DnsTarget: dnsTarget }),
    AdminFunction: functions.admin.functionName,
    Region: stack.region,
    Deployment: deployment,
    Config: config.reference,
    Table: table.tableName,
    Files: files.bucketName,
    Logs: logs.bucketName,
    ...(filesUrl === undefined ? {} : { FilesUrl: filesUrl }),
    ...(filesDnsTarget === undefined ? {} : { FilesDnsTarget: filesDnsTarget }),
    OperatorRole: roles.operator.roleArn,
    SealingKey: keys.sealing.keyArn,
    LogKey: keys.log.keyArn,
    ...(backup ? { BackupRole: backup.role.roleArn } : {}),
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

function identityOutputs({ user, role, trustAnchor, profile }: WorkerIdentity): readonly Output[] {
  return [
    ...(user ? [['WorkerUser', user.userName, 'whose access key the Worker has'] as const] : []),
    ...(role ? [['WorkerRole', role.roleArn, 'ROLES_ANYWHERE_ROLE of the Worker'] as const] : []),
    ...(profile
      ? [
          [
            'WorkerProfile',
            profile.attrProfileArn,
            'ROLES_ANYWHERE_PROFILE of the Worker',
          ] as const,
          ['WorkerName', profile.name, 'CN of the certificate of the Worker'] as const,
        ]
      : []),
    ...(trustAnchor
      ? [
          [
            'TrustAnchor',
            trustAnchor.attrTrustAnchorArn,
            'ROLES_ANYWHERE_TRUST_ANCHOR of the Worker',
          ] as const,
        ]
      : []),
  ];
}

/**
 * @throws {Error} with a sentence that names the setting or prop that is wrong
 * @internal
 */
export function makeWorkerStack(app: App, env: Env): Stack {
  const context = new Context(app.node, backendSettings);
  const region = regionOf(context, env);
  const { stack, deployment } = newStack(app, 'ScepterWorker', context, env, region);
  const props = workerPropsOf(stack, context);
  const backend = new WorkerBackend(stack, 'Backend', props);
  const { table, keys, config, files, logs, operator, identity, backup } = backend;
  const variable = (name: string) => `${name} of the Worker`;
  const outputs: readonly Output[] = [
    ['Region', stack.region, variable('AWS_REGION')],
    ['Table', table.tableName, variable('SCEPTER_TABLE')],
    ['Files', files.bucketName, variable('SCEPTER_FILES')],
    ['Logs', logs.bucketName, variable('SCEPTER_LOGS')],
    ['LogKey', keys.log.keyArn, variable('SCEPTER_LOG_KEY')],
    ['Deployment', deployment, variable('SCEPTER_DEPLOYMENT')],
    ['SealingKey', keys.sealing.keyArn, variable('SCEPTER_SEALING_KEY')],
    ['Config', config.reference, variable('SCEPTER_CONFIG')],
    ...identityOutputs(identity),
    ['OperatorRole', operator.roleArn, 'who runs "scepter ca ..."'],
    ...(backup ? [['BackupRole', backup.role.roleArn, 'who restores a backup'] as const] : []),
    ...Object.entries(outputsOf(keys)).map(
      ([name, value]) => [name, value, 'for "scepter ca init NAME --key"'] as const,
    ),
  ];
  for (const [name, value, description] of outputs) {
    new CfnOutput(stack, name, { value, description });
  }
  return stack;
}

/**
 * @throws {Error} with a sentence that names the setting that is wrong
 * @internal
 */
export function makeEdgeStack(app: App, env: Env): Stack {
  const context = new Context(app.node, edgeSettings);
  const { stack, deployment } = newStack(app, 'ScepterEdge', context, env, 'us-east-1');
  const rateLimit = context.number('rateLimit');
  const { arn } = new WebAcl(stack, 'WebAcl', { deployment, rateLimit });
  watchWebAcl(stack, deployment, topicOf(stack, context, 'us-east-1'));
  new CfnOutput(stack, 'WebAclArn', { value: arn });
  return stack;
}

/**
 * @throws {Error} with a sentence that names the setting that is wrong
 * @internal
 */
export function makeHeartbeatStack(app: App, env: Env): Stack {
  const context = new Context(app.node, heartbeatSettings);
  const { stack, deployment } = newStack(app, 'ScepterHeartbeat', context, env, 'us-east-1');
  const alarmTopic = topicOf(stack, context, 'us-east-1');
  const host = context.required('host');
  new Heartbeat(stack, 'Heartbeat', { deployment, host, ...(alarmTopic ? { alarmTopic } : {}) });
  return stack;
}

/** The apps of the guide: a stack each, from what the context says (`-c name=value`). */
export class QuickStart {
  /** A ScepService, with outputs that the commands of the operator want. */
  static service(): void {
    run(makeStack);
  }

  /** A WebAcl, for a CloudFront whose stack is not in us-east-1; its output is the other app's `webAclArn`. */
  static webAcl(): void {
    run(makeEdgeStack);
  }

  /** A WorkerBackend, with outputs that the Worker's settings and the operator want. */
  static worker(): void {
    run(makeWorkerStack);
  }

  /** A Heartbeat, in us-east-1: who asks a Worker whether its upkeep runs. */
  static heartbeat(): void {
    run(makeHeartbeatStack);
  }

  private constructor() {}
}

/** What is wrong is one sentence on standard error, and leaves no incomplete template. */
function run(make: (app: App, env: Env) => Stack): void {
  try {
    const app = new App({ autoSynth: false });
    make(app, process.env);
    app.synth();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
