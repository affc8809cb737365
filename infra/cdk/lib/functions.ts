// The functions, each with a role of its own that may do what its file in `infra/policies` says and
// nothing else, and a log group of its own.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { ManagedPolicy, Policy, type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
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
import { packagesFolder } from './assets.ts';
import { newRole } from './backend/backend.ts';
import { type PolicyName, type PolicyValues, renderPolicy } from './backend/policies.ts';
import type { BackendProps, ScepServiceProps } from './props.ts';

const { version } = packageJson;

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
  sequencer: { what: 'the logs', memoryMb: 512, timeoutS: 300, reserved: 1 },
  challenges: { what: 'challenges for MDMs', memoryMb: 512, timeoutS: 15, reserved: 5 },
} as const satisfies Partial<Record<PolicyName, Size>>;

export type FunctionName = keyof typeof sizes;

export function makeRole(scope: Construct, name: FunctionName, props: BackendProps): Role {
  return newRole(scope, `${name}-role`, props, {
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
): { readonly made: LambdaFunction; readonly logGroup: LogGroup } {
  const { what, ...size } = sizes[name];
  const { memoryMb = size.memoryMb, timeoutSeconds = size.timeoutS } =
    props.functionSettings?.[name] ?? {};
  const logGroup = new LogGroup(scope, `${name}-log`, {
    retention: props.logRetention ?? RetentionDays.ONE_YEAR,
    encryptionKey: props.logGroupKey,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  const policy = new Policy(scope, `${name}-policy`, {
    document: renderPolicy(name, { ...policyValues, LogGroupStreams: logGroup.logGroupArn }),
    roles: [role],
  });
  const made = new LambdaFunction(scope, `${name}-function`, {
    description: `Scepter: ${what}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: codeOf(name, props),
    codeSigningConfig: props.codeSigningConfig,
    handler: 'index.handler',
    // The role may do what its policy file says, and CDK adds nothing to that.
    role: role.withoutPolicyUpdates(),
    environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
    environmentEncryption: props.environmentKey,
    vpc: props.vpc,
    vpcSubnets: props.vpcSubnets,
    securityGroups: props.securityGroups,
    memorySize: memoryMb,
    timeout: Duration.seconds(timeoutSeconds),
    reservedConcurrentExecutions: reservedOf(name, props),
    tracing: Tracing.ACTIVE,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    // A failed run is not repeated, because the next one comes a minute later.
    ...(name === 'maintenance' || name === 'sequencer'
      ? { retryAttempts: 0, maxEventAge: Duration.minutes(1) }
      : {}),
  });
  made.node.addDependency(policy);
  return { made, logGroup };
}

/** What the functions' roles may do because of a VPC and a key of environments. */
export function letFunctions(
  scope: Construct,
  { deployment = 'scepter', vpc, environmentKey }: ScepServiceProps,
  roles: Role[],
): ManagedPolicy[] {
  const policy = (name: 'vpc' | 'environment-key', what: string, values: PolicyValues) =>
    new ManagedPolicy(scope, `${name}-policy`, {
      description: `Scepter ${deployment}: ${what}`,
      document: renderPolicy(name, values),
      roles,
    });
  return [
    ...(vpc ? [policy('vpc', 'network interfaces of the functions', {})] : []),
    ...(environmentKey
      ? [
          policy('environment-key', 'the key of the environments', {
            EnvironmentKeyArn: environmentKey.keyArn,
          }),
        ]
      : []),
  ];
}

/** Undefined: none are reserved. */
export function reservedOf(
  name: FunctionName,
  { reservedConcurrency }: ScepServiceProps,
): number | undefined {
  if (reservedConcurrency === -1) return undefined;
  const scep = name === 'scep' ? reservedConcurrency : undefined;
  return scep ?? sizes[name].reserved;
}

function codeOf(name: FunctionName, props: ScepServiceProps): Code {
  const { packageBucket, packagePrefix = '', packages } = props;
  return packageBucket
    ? Code.fromBucketV2(packageBucket, `${packagePrefix}scepter-${name}-lambda-${version}.zip`)
    : Code.fromAsset(packageOf(name, packages));
}

/** The package of a function in the release, which is the one whose code checks the configuration. */
function packageOf(name: FunctionName, folder = packagesFolder): string {
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
