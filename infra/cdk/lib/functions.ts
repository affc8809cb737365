// The functions, each with a role of its own that may do what its file in `infra/policies` says and
// nothing else, and a log group of its own.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Policy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { type PolicyName, type PolicyValues, renderPolicy } from './policies.ts';
import type { ScepServiceProps } from './props.ts';

const dist = join(import.meta.dirname, '..', '..', '..', 'dist');

type Size = {
  readonly what: string;
  readonly memoryMb: number;
  readonly timeoutS: number;
  readonly reserved: number;
};

/** An HTTP API gives up after 30 s; a device waits for about 15. */
export const sizes = {
  scep: { what: 'SCEP, CRLs and CA certificates', memoryMb: 512, timeoutS: 15, reserved: 50 },
  admin: { what: 'the admin API', memoryMb: 512, timeoutS: 29, reserved: 5 },
  maintenance: { what: 'upkeep and CRLs', memoryMb: 512, timeoutS: 300, reserved: 1 },
} as const satisfies Partial<Record<PolicyName, Size>>;

export type FunctionName = keyof typeof sizes;

export function makeRole(scope: Construct, name: FunctionName): Role {
  return new Role(scope, `${name}-role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Scepter: what the function for ${sizes[name].what} may do`,
  });
}

export type FunctionParts = {
  readonly role: Role;
  readonly environment: Readonly<Record<string, string>>;
  readonly policyValues: PolicyValues;
};

export function makeFunction(
  scope: Construct,
  name: FunctionName,
  props: ScepServiceProps,
  { role, environment, policyValues }: FunctionParts,
): LambdaFunction {
  const { what, memoryMb, timeoutS, reserved } = sizes[name];
  const logGroup = new LogGroup(scope, `${name}-log`, {
    retention: props.logRetention ?? RetentionDays.ONE_YEAR,
    encryptionKey: props.logGroupKey,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  const policy = new Policy(scope, `${name}-policy`, {
    document: renderPolicy(name, { ...policyValues, LogGroupStreams: logGroup.logGroupArn }),
    roles: [role],
  });
  const made = new LambdaFunction(scope, `${name}-function`, {
    description: `Scepter: ${what}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(packageOf(name, props.packages)),
    handler: 'index.handler',
    // What it may do is in its policy file, and nothing is added to it.
    role: role.withoutPolicyUpdates(),
    environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
    memorySize: memoryMb,
    timeout: Duration.seconds(timeoutS),
    ...reservedOf(name, props, reserved),
    tracing: Tracing.ACTIVE,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    // A run that failed is made again a minute later anyway.
    ...(name === 'maintenance' ? { retryAttempts: 0, maxEventAge: Duration.minutes(1) } : {}),
  });
  made.node.addDependency(policy);
  return made;
}

function reservedOf(
  name: FunctionName,
  { reservedConcurrency }: ScepServiceProps,
  reserved: number,
) {
  if (reservedConcurrency === 'unreserved') return {};
  const scep = name === 'scep' ? reservedConcurrency : undefined;
  return { reservedConcurrentExecutions: scep ?? reserved };
}

function packageOf(name: FunctionName, folder = dist): string {
  const path = join(folder, `${name}-lambda.zip`);
  if (existsSync(path)) return path;
  throw new Error(`packages: there is no ${path}: run "npm run release", or name its folder`);
}

/** The ARN pattern of all resources of a kind is never used: this is the one parameter. */
export const parameterArn = (scope: Construct, name: string): string =>
  Stack.of(scope).formatArn({ service: 'ssm', resource: 'parameter', resourceName: name.slice(1) });
