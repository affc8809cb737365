// Stacks to look at. What is in the packages does not matter to a template.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';
import packageJson from '../../../package.json' with { type: 'json' };
import { AdminAccess, Ingress } from '../lib/ingress/access.ts';
import type { ScepServiceProps } from '../lib/props.ts';
import { ScepService } from '../lib/scep-service.ts';
import { WorkerBackend, type WorkerBackendProps } from '../lib/worker-backend.ts';

export const root = join(import.meta.dirname, '..', '..', '..');
export const account = '111122223333';

export const { version } = packageJson;
export const packages = mkdtempSync(join(tmpdir(), 'scepter-cdk-'));
for (const name of ['scep', 'admin', 'maintenance', 'sequencer', 'challenges']) {
  writeFileSync(join(packages, `scepter-${name}-lambda-${version}.zip`), name);
}

export const example = (name: string): ScepServiceProps['config'] =>
  JSON.parse(readFileSync(join(root, 'examples', `${name}.json`), 'utf8'));

export const zoneOf = (scope: Construct) =>
  HostedZone.fromHostedZoneAttributes(scope, 'Zone', {
    hostedZoneId: 'Z0123456789',
    zoneName: 'example.com',
  });

export const certificateOf = (scope: Construct) =>
  Certificate.fromCertificateArn(
    scope,
    'Certificate',
    `arn:aws:acm:us-east-1:${account}:certificate/1`,
  );

/** Of ids alone, as in an account where others make VPCs. */
export const vpcOf = (scope: Construct): IVpc =>
  (scope.node.tryFindChild('Vpc') as IVpc | undefined) ??
  Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  });

type Props = Partial<ScepServiceProps>;

export function stackOf(region = 'us-east-1', app = new App(), name = 'Scepter'): Stack {
  return new Stack(app, name, { env: { account, region } });
}

/** @param props may need the stack */
export function make(props: Props | ((stack: Stack) => Props) = {}, stack = stackOf()) {
  const service = new ScepService(stack, 'Service', {
    config: example('minimal'),
    packages,
    ...(typeof props === 'function' ? props(stack) : props),
  });
  return { stack, service };
}

/** The AWS side of a Worker. */
export function makeBackend(props: Partial<WorkerBackendProps> = {}, stack = stackOf()) {
  const backend = new WorkerBackend(stack, 'Backend', { config: example('minimal'), ...props });
  return { stack, backend };
}

export const templateOf = (...args: Parameters<typeof make>): Template =>
  Template.fromStack(make(...args).stack);

/** Every kind of ingress, and every way to the admin function that goes with it. */
export const variants: Readonly<Record<string, (stack: Stack) => Props>> = {
  'CloudFront, as it is by default': () => ({}),
  'CloudFront with a domain, plain http and a JWT, files at a name of their own': (stack) => {
    const zone = zoneOf(stack);
    return {
      ingress: Ingress.cloudFront({ plainHttp: true, domain: { name: 'scep.example.com', zone } }),
      files: { domain: { name: 'pki.example.com', zone } },
      admin: AdminAccess.jwt({ issuer: 'https://login.example.com', audience: ['scepter'] }),
      breakGlassRoleArn: `arn:aws:iam::${account}:role/break-glass`,
    };
  },
  'HTTP API and a JWT, keys of the table and of the logs': (stack) => ({
    ingress: Ingress.httpApi(),
    tableKey: Key.fromKeyArn(
      stack,
      'TableKey',
      `arn:aws:kms:us-east-1:${account}:key/11111111-2222-3333-4444-555555555555`,
    ),
    logGroupKey: Key.fromKeyArn(
      stack,
      'LogsKey',
      `arn:aws:kms:us-east-1:${account}:key/66666666-7777-8888-9999-000000000000`,
    ),
    admin: AdminAccess.jwt({ issuer: 'https://login.example.com', audience: ['scepter'] }),
  }),
  'HTTP API with a domain and a signed admin URL': (stack) => ({
    config: { ...example('minimal'), publicUrl: 'https://scep.example.com' },
    ingress: Ingress.httpApi({ domain: { name: 'scep.example.com', zone: zoneOf(stack) } }),
    admin: AdminAccess.iam(),
  }),
  'a load balancer in a VPC, where the functions are, too': (stack) => ({
    config: { ...example('minimal'), publicUrl: 'http://scep.corp.example.com' },
    ingress: Ingress.alb({
      vpc: vpcOf(stack),
      domain: { name: 'scep.corp.example.com', certificate: certificateOf(stack) },
      clients: ['10.0.0.0/8'],
      plainHttp: true,
    }),
    vpc: vpcOf(stack),
    environmentKey: Key.fromKeyArn(
      stack,
      'EnvironmentKey',
      `arn:aws:kms:us-east-1:${account}:key/22222222-3333-4444-5555-666666666666`,
    ),
  }),
  'function URLs, backups, and keys that know roles by their names': () => ({
    ingress: Ingress.functionUrl(),
    admin: AdminAccess.iam(),
    backup: {},
    keysTrustRoleNames: true,
  }),
};

export type Resource = {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
  readonly DependsOn?: readonly string[];
};

export const resourcesOf = (template: Template, type: string): [string, Resource][] =>
  Object.entries(template.findResources(type)) as [string, Resource][];

/** Those of a deployment, and not the CDK's own, which puts the configuration into its bucket. */
export const functionsOf = (template: Template): [string, Resource][] =>
  resourcesOf(template, 'AWS::Lambda::Function').filter(([id]) => !id.startsWith('AWS'));

/** The configuration as it is uploaded: its name in the bucket, and its text. */
export function configOf(template: Template): { readonly key: string; readonly text: string } {
  const [[, made] = assert.fail('no configuration'), ...more] = resourcesOf(
    template,
    'Custom::ScepterConfig',
  );
  assert.equal(more.length, 0);
  const parts = at(made.Properties.Create, 'Fn::Join.1') as unknown[];
  const call = JSON.parse(
    parts.map((part) => (typeof part === 'string' ? part : 'BUCKET')).join(''),
  );
  assert.deepEqual([call.action, call.parameters.Bucket], ['putObject', 'BUCKET']);
  assert.equal(call.parameters.IfNoneMatch, '*');
  return { key: call.parameters.Key, text: call.parameters.Body };
}

export type Statement = {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Principal?: unknown;
  readonly Condition?: unknown;
};

export const listOf = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** Of all policies in the template, each with the logical id and type of where it is. */
export function statementsOf(template: Template): (Statement & { at: string; type: string })[] {
  const found: (Statement & { at: string; type: string })[] = [];
  const visit = (at: string, type: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('Statement' in value && 'Version' in value) {
      for (const one of listOf(value.Statement as Statement | Statement[])) {
        found.push({ ...one, at, type });
      }
      return;
    }
    for (const part of Object.values(value)) visit(at, type, part);
  };
  for (const [at, { Type, Properties }] of Object.entries(
    template.toJSON().Resources as Record<string, Resource>,
  )) {
    visit(at, Type, Properties);
  }
  return found;
}

/** What stands at a path of names and positions. */
export const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((found, name) => Object(found)[name], value);
