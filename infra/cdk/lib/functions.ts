// The functions, each with a role of its own that may do what its file in `infra/policies` says and
// nothing else, and a log group of its own.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
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
import packageJson from '../../../package.json' with { type: 'json' };
import { type PolicyName, type PolicyValues, renderPolicy } from './policies.ts';
import type { ScepServiceProps } from './props.ts';

const { version } = packageJson;
const release = join(import.meta.dirname, '..', '..', '..', 'dist', 'release');

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
  const { what, memoryMb, timeoutS } = sizes[name];
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
    // The role may do what its policy file says, and CDK adds nothing to that.
    role: role.withoutPolicyUpdates(),
    environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
    memorySize: memoryMb,
    timeout: Duration.seconds(timeoutS),
    reservedConcurrentExecutions: reservedOf(name, props),
    tracing: Tracing.ACTIVE,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    // A failed run is not repeated, because the next one comes a minute later.
    ...(name === 'maintenance' ? { retryAttempts: 0, maxEventAge: Duration.minutes(1) } : {}),
  });
  made.node.addDependency(policy);
  return made;
}

/** Undefined: none are reserved. */
export function reservedOf(
  name: FunctionName,
  { reservedConcurrency }: ScepServiceProps,
): number | undefined {
  if (reservedConcurrency === 'unreserved') return undefined;
  const scep = name === 'scep' ? reservedConcurrency : undefined;
  return scep ?? sizes[name].reserved;
}

/** The package of a function in the release, which is the one whose code checks the configuration. */
function packageOf(name: FunctionName, folder = release): string {
  const found = existsSync(folder)
    ? readdirSync(folder).filter((file) =>
        new RegExp(`^scepter-${name}-lambda-.+\\.zip$`).test(file),
      )
    : [];
  const [file, ...more] = found;
  if (file !== undefined && more.length === 0) {
    if (file === `scepter-${name}-lambda-${version}.zip`) return join(folder, file);
    throw new Error(
      `packages: ${folder} has ${file}, and the configuration is checked by release ${version}: take both from one release`,
    );
  }
  const what = file === undefined ? 'has no' : 'has more than one';
  throw new Error(
    `packages: ${folder} ${what} scepter-${name}-lambda-*.zip: run "npm run release", or name its folder`,
  );
}
