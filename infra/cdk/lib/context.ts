// What the quick start's app is told with `-c name=value`: one sentence for what is missing, wrong or
// unknown.

import { existsSync, readFileSync } from 'node:fs';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { type ITableV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { type IVpc, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { type IManagedPolicy, ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { CodeSigningConfig } from 'aws-cdk-lib/aws-lambda';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct, Node } from 'constructs';
import { AdminAccess, type Domain, Ingress } from './access.ts';
import { ConfigFile } from './config-file.ts';
import { sizes } from './functions.ts';
import type { BackendProps, ScepServiceProps, ServiceFunctionSettings } from './props.ts';
import type { WorkerBackendProps } from './worker-backend.ts';

/** Names and what they mean; `docs/deploy-aws.md` has them too. */
export const settings = {
  account: 'the AWS account; that of the credentials by default',
  region: 'the AWS region; that of the credentials by default',
  config: "path of Scepter's configuration",
  deployment: 'name of the deployment',
  packages: "folder of the release's packages",
  ingress: 'cloudfront, httpApi, alb or functionUrl',
  plainHttp: 'true: CloudFront or a load balancer answers plain http, too',
  rateLimit: 'requests of one address in five minutes',
  requestsPerSecond: 'requests of all in a second',
  webAclArn: 'web ACL of us-east-1, for a stack elsewhere; for a load balancer a regional one',
  originSecrets: 'ARNs of what CloudFront shows and what it showed before, with commas between',
  domain: 'name that devices know',
  hostedZoneId: 'id of the zone that the domain is in, unless DNS is elsewhere',
  hostedZoneName: 'name of that zone',
  certificateArn: "ARN of the domain's certificate",
  albVpcId: 'VPC that the load balancer is in',
  albSubnetIds: 'ids of its subnets for the load balancer, with commas between',
  clients: 'CIDR blocks that may connect to the load balancer, with commas between',
  admin: 'iam or jwt',
  adminIssuer: 'issuer of the JWTs',
  adminAudience: 'audiences of the JWTs, with commas between',
  breakGlassRoleArn: 'the role that may end keys',
  multiRegionKeys: 'false: the new keys stay in their region',
  keyAdministrators: 'ARNs, with commas between',
  operators: 'ARNs, with commas between',
  reservedConcurrency: 'instances of the SCEP function, or unreserved',
  maxWriteRequestUnits: 'cap of the table, for writes',
  maxReadRequestUnits: 'cap of the table, for reads',
  deletionProtection: 'false: the table may be deleted',
  tableName: 'a table that exists, in place of a new one',
  secrets: 'NAME=ARN of a secret, with commas between, for env:NAME in the configuration',
  alarmTopicArn: 'SNS topic of the alarms',
  tags: 'NAME=VALUE of tags, with commas between',
  permissionsBoundaryArn: 'managed policy that bounds what new roles may do',
  rolePath: 'path of new roles, such as /team/',
  environmentKeyArn: 'KMS key of the environments of the functions',
  codeSigningConfigArn: 'who must have signed the packages',
  packageBucket: "name of a bucket with the release's packages, in place of their folder",
  packagePrefix: 'what their names begin with in that bucket',
  memoryMb: 'memory of functions, as scep=1024, with commas between',
  timeoutSeconds: 'time of functions, as scep=20, with commas between',
  warmReadRequestUnits: 'reads that the table can give at once',
  warmWriteRequestUnits: 'writes that the table can take at once',
  vpcId: 'VPC that the functions run in',
  vpcSubnetIds: 'ids of its private subnets, with commas between',
  securityGroupIds: 'ids of the security groups of the functions, with commas between',
} as const;
/** Of the app for a Worker's AWS side alone. */
const ofWorker = {
  trustAnchor: 'path of the certificate, in PEM, of the CA that certifies the Worker',
} as const;
const described = { ...settings, ...ofWorker };
export type Setting = keyof typeof described;

function fail(name: string, sentence: string): never {
  throw new Error(`${name}: ${sentence}`);
}

/** Of `cdk acknowledge` and `cdk cli-telemetry`, which write into the project's or the user's context. */
const ofToolkit: readonly string[] = ['acknowledged-issue-numbers', 'cli-telemetry'];

export class Context {
  readonly #node: Node;

  /**
   * @param names of the settings that the app has
   * @throws {Error} naming an unknown setting
   */
  constructor(node: Node, names: readonly string[] = Object.keys(settings)) {
    this.#node = node;
    for (const name of Object.keys(node.getAllContext())) {
      // The toolkit's own settings have one of these in their names, or are what its commands have written.
      if (!/[:@]/.test(name) && !names.includes(name) && !ofToolkit.includes(name)) {
        fail(name, `is not a setting; these are: ${names.join(', ')}`);
      }
    }
  }

  text(name: Setting): string | undefined {
    const value: unknown = this.#node.tryGetContext(name);
    if (value === undefined) return undefined;
    const text = String(value).trim();
    return text === '' ? fail(name, 'must not be empty') : text;
  }

  required(name: Setting): string {
    return this.text(name) ?? fail(name, `is missing: -c ${name}=..., ${described[name]}`);
  }

  account(): string | undefined {
    const text = this.text('account');
    if (text === undefined || /^\d{12}$/.test(text)) return text;
    return fail('account', `must be the twelve digits of an AWS account, not "${text}"`);
  }

  region(): string | undefined {
    const text = this.text('region');
    if (text === undefined || /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text)) return text;
    return fail('region', `must be the name of an AWS region, not "${text}"`);
  }

  /** An ARN of a service, `sns:...`, as a pattern. */
  arn(name: Setting, pattern: string, what: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || new RegExp(`^arn:aws[a-z-]*:${pattern}$`).test(text)) return text;
    return fail(name, `must be the ARN of ${what}, not "${text}"`);
  }

  /** Refuses a setting that would have no effect, because its author relies on one. */
  refuse(sentence: string, ...names: readonly Setting[]): void {
    for (const name of names) if (this.text(name) !== undefined) fail(name, sentence);
  }

  list(name: Setting): string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
  }

  number(name: Setting): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return /^\d{1,10}$/.test(text) ? Number(text) : fail(name, `must be a number, not "${text}"`);
  }

  flag(name: Setting): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text === 'true' || text === 'false') return text === 'true';
    return fail(name, `must be true or false, not "${text}"`);
  }
}

/** The settings of the app for a Worker's AWS side. */
export const backendSettings = [
  'account',
  'region',
  'config',
  'deployment',
  'breakGlassRoleArn',
  'multiRegionKeys',
  'keyAdministrators',
  'operators',
  'maxWriteRequestUnits',
  'maxReadRequestUnits',
  'deletionProtection',
  'tableName',
  'tags',
  'permissionsBoundaryArn',
  'rolePath',
  'warmReadRequestUnits',
  'warmWriteRequestUnits',
  'trustAnchor',
] as const satisfies readonly Setting[];

/** The settings of the app for the web ACL. */
export const edgeSettings = [
  'account',
  'deployment',
  'rateLimit',
  'alarmTopicArn',
] as const satisfies readonly Setting[];

function tableOf(scope: Construct, context: Context): ITableV2 | undefined {
  const name = context.text('tableName');
  if (name === undefined) return undefined;
  if (!/^[a-zA-Z0-9_.-]{3,255}$/.test(name))
    fail('tableName', `must be the name of a table, not "${name}"`);
  return TableV2.fromTableName(scope, 'ExistingTable', name);
}

/** @throws {Error} with a sentence that names the setting */
export const backendPropsOf = (scope: Construct, context: Context): BackendProps => ({
  config: ConfigFile.read(context.required('config')),
  deployment: context.text('deployment'),
  breakGlassRoleArn: context.text('breakGlassRoleArn'),
  multiRegionKeys: context.flag('multiRegionKeys'),
  keyAdministrators: context.list('keyAdministrators'),
  operators: context.list('operators'),
  maxWriteRequestUnits: context.number('maxWriteRequestUnits'),
  maxReadRequestUnits: context.number('maxReadRequestUnits'),
  deletionProtection: context.flag('deletionProtection'),
  table: tableOf(scope, context),
  tags: pairsOf(context, 'tags'),
  permissionsBoundary: boundaryOf(scope, context),
  rolePath: context.text('rolePath'),
  warmReadRequestUnits: context.number('warmReadRequestUnits'),
  warmWriteRequestUnits: context.number('warmWriteRequestUnits'),
});

/** @throws {Error} with a sentence that names the setting */
export function workerPropsOf(scope: Construct, context: Context): WorkerBackendProps {
  const path = context.text('trustAnchor');
  if (path !== undefined && !existsSync(path)) fail('trustAnchor', `there is no file ${path}`);
  const trustAnchor = path === undefined ? undefined : readFileSync(path, 'utf8');
  return { ...backendPropsOf(scope, context), trustAnchor };
}

/** @throws {Error} with a sentence that names the setting */
export function propsOf(scope: Construct, context: Context): ScepServiceProps {
  const reserved = context.text('reservedConcurrency');
  return {
    ...backendPropsOf(scope, context),
    packages: context.text('packages'),
    ...packagesOf(scope, context),
    ...networkOf(scope, context),
    functionSettings: functionSettingsOf(context),
    environmentKey: environmentKeyOf(scope, context),
    ingress: ingressOf(scope, context),
    admin: adminOf(context),
    reservedConcurrency: reserved === 'unreserved' ? -1 : context.number('reservedConcurrency'),
    secrets: secretsOf(scope, context),
    alarmTopic: topicOf(scope, context),
  };
}

/** @param region where an alarm's topic must be, which is where the alarm is */
export function topicOf(
  scope: Construct,
  context: Context,
  region = '[a-z0-9-]+',
): ITopic | undefined {
  const what = region.startsWith('[') ? 'an SNS topic' : `an SNS topic of ${region}`;
  const topic = context.arn('alarmTopicArn', `sns:${region}:\\d{12}:.+`, what);
  return topic === undefined ? undefined : Topic.fromTopicArn(scope, 'Alarms', topic);
}

function pairsOf(context: Context, of: Setting): { [name: string]: string } | undefined {
  const pairs = context.list(of)?.map((pair) => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
    return name === '' ? fail(of, `must be NAME=VALUE, not "${pair}"`) : [name, value];
  });
  return pairs && Object.fromEntries(pairs);
}

function boundaryOf(scope: Construct, context: Context): IManagedPolicy | undefined {
  const arn = context.arn('permissionsBoundaryArn', 'iam::(\\d{12}|aws):policy/.+', 'a policy');
  return arn === undefined
    ? undefined
    : ManagedPolicy.fromManagedPolicyArn(scope, 'PermissionsBoundary', arn);
}

function environmentKeyOf(scope: Construct, context: Context): IKey | undefined {
  const arn = context.arn('environmentKeyArn', 'kms:[a-z0-9-]+:\\d{12}:key/.+', 'a KMS key');
  return arn === undefined ? undefined : Key.fromKeyArn(scope, 'EnvironmentKey', arn);
}

function packagesOf(scope: Construct, context: Context): Partial<ScepServiceProps> {
  const bucket = context.text('packageBucket');
  const signing = context.arn(
    'codeSigningConfigArn',
    'lambda:[a-z0-9-]+:\\d{12}:code-signing-config:.+',
    'a configuration of code signing',
  );
  return {
    packageBucket:
      bucket === undefined ? undefined : Bucket.fromBucketName(scope, 'Packages', bucket),
    packagePrefix: context.text('packagePrefix'),
    codeSigningConfig:
      signing === undefined
        ? undefined
        : CodeSigningConfig.fromCodeSigningConfigArn(scope, 'CodeSigning', signing),
  };
}

function vpcOf(scope: Construct, context: Context, id: Setting, subnetIds: Setting): IVpc {
  context.required(subnetIds);
  const subnets = context.list(subnetIds) ?? [];
  return Vpc.fromVpcAttributes(scope, id, {
    vpcId: context.required(id),
    // Subnets are not chosen by zone here, so the names of the zones are never looked at.
    availabilityZones: subnets.map((_, i) => `zone-${i}`),
    privateSubnetIds: subnets,
  });
}

function networkOf(scope: Construct, context: Context): Partial<ScepServiceProps> {
  const vpcId = context.text('vpcId');
  if (vpcId === undefined) {
    context.refuse('is of a VPC, and vpcId is missing', 'vpcSubnetIds', 'securityGroupIds');
    return {};
  }
  return {
    vpc: vpcOf(scope, context, 'vpcId', 'vpcSubnetIds'),
    securityGroups: context
      .list('securityGroupIds')
      ?.map((id) => SecurityGroup.fromSecurityGroupId(scope, id, id)),
  };
}

function functionSettingsOf(context: Context): ServiceFunctionSettings | undefined {
  const settings: Record<string, Record<string, number>> = {};
  for (const setting of ['memoryMb', 'timeoutSeconds'] as const) {
    for (const [name, value] of Object.entries(pairsOf(context, setting) ?? {})) {
      if (!Object.hasOwn(sizes, name) || !/^\d{1,5}$/.test(value)) {
        fail(setting, `must be scep=, admin= or maintenance= and a number, not "${name}=${value}"`);
      }
      settings[name] = { ...settings[name], [setting]: Number(value) };
    }
  }
  return Object.keys(settings).length === 0 ? undefined : settings;
}

/** Secrets Manager appends six characters to the name. */
const secretArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-\w{6}$/;

function secretsOf(scope: Construct, context: Context): Record<string, ISecret> | undefined {
  const pairs = context.list('secrets')?.map((pair) => {
    const [, name, arn = ''] = /^(\w+)=(.+)$/.exec(pair) ?? [];
    if (!name || !secretArn.test(arn))
      return fail('secrets', `must be NAME= and the ARN of a secret, not "${pair}"`);
    return [name, Secret.fromSecretCompleteArn(scope, `Secret-${name}`, arn)] as const;
  });
  return pairs && Object.fromEntries(pairs);
}

function originSecretsOf(scope: Construct, context: Context): ISecret[] | undefined {
  return context.list('originSecrets')?.map((arn, i) => {
    if (!secretArn.test(arn)) fail('originSecrets', `must be ARNs of secrets, not "${arn}"`);
    return Secret.fromSecretCompleteArn(scope, `OriginSecret-${i}`, arn);
  });
}

function ingressOf(scope: Construct, context: Context): Ingress {
  const type = context.text('ingress') ?? 'cloudfront';
  const not = `cannot be had with ingress=${type}`;
  if (type === 'functionUrl') {
    context.refuse(not, 'domain', 'hostedZoneId', 'hostedZoneName', 'certificateArn');
    context.refuse(not, 'requestsPerSecond');
  }
  if (type === 'functionUrl' || type === 'httpApi') {
    context.refuse(not, 'plainHttp', 'webAclArn');
  }
  if (type !== 'cloudfront') context.refuse(not, 'rateLimit', 'originSecrets');
  if (type === 'alb') context.refuse(not, 'requestsPerSecond');
  else context.refuse(not, 'albVpcId', 'albSubnetIds', 'clients');
  const domain = domainOf(scope, context);
  const requestsPerSecond = context.number('requestsPerSecond');
  switch (type) {
    case 'functionUrl':
      return Ingress.functionUrl();
    case 'httpApi':
      return Ingress.httpApi({ domain, requestsPerSecond });
    case 'alb':
      return Ingress.alb({
        vpc: vpcOf(scope, context, 'albVpcId', 'albSubnetIds'),
        clients: context.list('clients'),
        domain: domain ?? fail('domain', 'is missing: a load balancer has no name of its own'),
        plainHttp: context.flag('plainHttp'),
        webAclArn: context.text('webAclArn'),
      });
    case 'cloudfront':
      return Ingress.cloudFront({
        domain,
        requestsPerSecond,
        plainHttp: context.flag('plainHttp'),
        rateLimit: context.number('rateLimit'),
        webAclArn: context.text('webAclArn'),
        originSecrets: originSecretsOf(scope, context),
      });
    default:
      return fail('ingress', `must be cloudfront, httpApi, alb or functionUrl, not "${type}"`);
  }
}

function domainOf(scope: Construct, context: Context): Domain | undefined {
  const name = context.text('domain');
  const certificateArn = context.arn(
    'certificateArn',
    'acm:[a-z0-9-]+:\\d{12}:certificate/.+',
    'a certificate',
  );
  if (name === undefined) {
    context.refuse(
      'is of a domain, and domain is missing',
      ...(['certificateArn', 'hostedZoneId', 'hostedZoneName'] as const),
    );
    return undefined;
  }
  return {
    name,
    zone: zoneOf(scope, context, certificateArn !== undefined),
    certificate:
      certificateArn === undefined
        ? undefined
        : Certificate.fromCertificateArn(scope, 'DomainCertificate', certificateArn),
  };
}

/** @param canBeElsewhere because there is a certificate: nobody has to write into the zone */
function zoneOf(scope: Construct, context: Context, canBeElsewhere: boolean) {
  const hostedZoneId = context.text('hostedZoneId');
  if (hostedZoneId === undefined && canBeElsewhere) {
    context.refuse('is of a zone, and hostedZoneId is missing', 'hostedZoneName');
    return undefined;
  }
  return HostedZone.fromHostedZoneAttributes(scope, 'Zone', {
    hostedZoneId: context.required('hostedZoneId'),
    zoneName: context.required('hostedZoneName'),
  });
}

function adminOf(context: Context): AdminAccess | undefined {
  const type = context.text('admin');
  if (type !== 'jwt') context.refuse('is for admin=jwt', 'adminIssuer', 'adminAudience');
  switch (type) {
    case undefined:
      return undefined;
    case 'iam':
      return AdminAccess.iam();
    case 'jwt':
      return AdminAccess.jwt({
        issuer: context.required('adminIssuer'),
        audience: context.list('adminAudience') ?? fail('adminAudience', 'is missing'),
      });
    default:
      return fail('admin', `must be iam or jwt, not "${type}"; without it there is no admin URL`);
  }
}
