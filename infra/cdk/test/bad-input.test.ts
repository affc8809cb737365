// What a deployment may not say: one sentence that names it, from the construct and from the app.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App, type Stack } from 'aws-cdk-lib';
import { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { SubnetType } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { CodeSigningConfig } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AdminAccess, Ingress, type LoadBalancerOptions } from '../lib/ingress/access.ts';
import { makeStack } from '../lib/quick-start.ts';
import {
  account,
  certificateOf,
  example,
  make,
  packages,
  root,
  stackOf,
  vpcOf,
  zoneOf,
} from './support.ts';

const signing = `arn:aws:lambda:us-east-1:${account}:code-signing-config:csc-0123456789abcdef0`;

const balancer = (stack: Stack, more: Partial<LoadBalancerOptions>): Ingress =>
  Ingress.alb({
    vpc: vpcOf(stack),
    domain: { name: 'scep.example.com', certificate: certificateOf(stack) },
    ...more,
  });

type Case = readonly [sentence: RegExp, props: Parameters<typeof make>[0], region?: string];
/** As JavaScript has it. */
const bad = (props: object): never => props as never;

const earlier = mkdtempSync(join(tmpdir(), 'scepter-earlier-'));
after(() => rmSync(earlier, { recursive: true, force: true }));
for (const name of ['scep', 'admin', 'maintenance', 'sequencer', 'challenges']) {
  writeFileSync(join(earlier, `scepter-${name}-lambda-0.0.9.zip`), name);
}

const cases: readonly Case[] = [
  [/^config: must be Scepter's configuration document$/, bad({ config: 'a.json' })],
  [
    /^publicUrl: .*must be an http or https origin/,
    { config: { ...example('minimal'), publicUrl: 'x' } },
  ],
  [
    /^config: has \d+ octets as JSON, and functions take 131072$/,
    {
      config: {
        ...example('minimal'),
        blockedKeys: Array.from({ length: 2000 }, () => '0'.repeat(64)),
      },
    },
  ],
  [/^deployment: must be 1 to 32 lower case .* not "A b"$/, { deployment: 'A b' }],
  [
    /^endpoints\.default: "aproval" is not a field that exists here; did you mean "approval"\?$/,
    bad({
      config: {
        ...example('minimal'),
        endpoints: { default: { ca: 'default', aproval: 'always' } },
      },
    }),
  ],
  [
    /^packages: .* has scepter-scep-lambda-0\.0\.9\.zip, and the configuration is checked by release \d.*: take both from one release$/,
    { packages: earlier },
  ],
  [
    /^packages: \/nowhere has no scepter-scep-lambda-\*\.zip: run "npm run release"/,
    { packages: '/nowhere' },
  ],
  [
    /^secrets\.CAMERA_CHALLENGE: the static challenge of the endpoint "cameras" refers to it: name its secret$/,
    { config: example('static-challenge-and-approval') },
  ],
  [
    /^secrets\.AWS_REGION: must be the name of an environment variable that nothing else has$/,
    (stack) => ({ secrets: { AWS_REGION: new Secret(stack, 'S') } }),
  ],
  [
    /^caKeys\.office: the configuration has no CA "office"$/,
    (stack) => ({
      caKeys: { office: Key.fromKeyArn(stack, 'K', 'arn:aws:kms:us-east-1:1:key/k') },
    }),
  ],
  [
    /^maxWriteRequestUnits: must be a whole number from 50 to 40000, not 1$/,
    { maxWriteRequestUnits: 1 },
  ],
  [
    /^maxReadRequestUnits: must be a whole number from 200 to 40000, not 1$/,
    { maxReadRequestUnits: 1 },
  ],
  [
    /^tableClass: must be one of STANDARD, STANDARD_INFREQUENT_ACCESS, not "IA"$/,
    bad({ tableClass: 'IA' }),
  ],
  [
    /^reservedConcurrency: must be a whole number from 1 to 10000, not 0$/,
    { reservedConcurrency: 0 },
  ],
  [/^breakGlassRoleArn: must be the ARN of a role, not "admin"$/, { breakGlassRoleArn: 'admin' }],
  [
    /^keyAdministrators\[0\]: must be the ARN of a role or user, not "\*"$/,
    { keyAdministrators: ['*'] },
  ],
  [/^operators\[0\]: must be the ARN of a role or user, not "\*"$/, { operators: ['*'] }],
  [
    /^operators\[0\]: must be the ARN of a role or user, not "arn:aws:iam::111122223333:role\/\*"$/,
    { operators: [`arn:aws:iam::${account}:role/*`] },
  ],
  [/^operators: must be a list, not "admin"$/, bad({ operators: 'admin' })],
  [
    /^maxWriteRequestUnits: is of a new table, and table names one: leave one out$/,
    (stack) => ({ table: TableV2.fromTableName(stack, 'T', 't'), maxWriteRequestUnits: 100 }),
  ],
  [
    /^deletionProtection: is of a new table, and table names one: leave one out$/,
    (stack) => ({ table: TableV2.fromTableName(stack, 'T', 't'), deletionProtection: true }),
  ],
  [
    /^table: comes without its stream, which the sequencer of the logs follows: TableV2\.fromTableAttributes takes a tableStreamArn$/,
    (stack) => ({ table: TableV2.fromTableName(stack, 'T', 't') }),
  ],
  [
    /^logLock\.mode: must be GOVERNANCE or COMPLIANCE, not "governance"$/,
    { logLock: { mode: 'governance' } },
  ],
  [
    /^logLock\.days: must be a whole number from 400 to 36500, not 399$/,
    { logLock: { days: 399 } },
  ],
  // As a context has it.
  [
    /^deletionProtection: must be true or false, not "false"$/,
    bad({ deletionProtection: 'false' }),
  ],
  [
    /^ingress\.plainHttp: must be true or false, not "false"$/,
    { ingress: Ingress.cloudFront(bad({ plainHttp: 'false' })) },
  ],
  ...([2, 'ONE_YEAR', Number.NaN] as const).map(
    (logRetention): Case => [
      new RegExp(`^logRetention: must be one of RetentionDays, not ${logRetention}$`),
      bad({ logRetention }),
    ],
  ),
  [
    /^ingress: must be Ingress\.cloudFront\(\), \.httpApi\(\), \.alb\(\) or \.functionUrl\(\)$/,
    bad({ ingress: { type: 'httpApi' } }),
  ],
  [
    /^ingress\.rateLimit: must be a whole number from 10 to 2000000000, not 5$/,
    { ingress: Ingress.cloudFront({ rateLimit: 5 }) },
  ],
  [
    /^ingress\.originSecrets: must name at least one secret, or be left out$/,
    { ingress: Ingress.cloudFront({ originSecrets: [] }) },
  ],
  [
    /^ingress\.requestsPerSecond: must be a whole number from 1 to 10000, not 0.5$/,
    { ingress: Ingress.httpApi({ requestsPerSecond: 0.5 }) },
  ],
  [
    /^ingress\.domain\.name: must be a host name in lower case, not "https:\/\/x"$/,
    (stack) => ({
      ingress: Ingress.httpApi({ domain: { name: 'https://x', zone: zoneOf(stack) } }),
    }),
  ],
  [
    /^ingress\.domain\.zone: "scep\.example\.org" is not in the zone "example\.com"$/,
    (stack) => ({
      ingress: Ingress.httpApi({ domain: { name: 'scep.example.org', zone: zoneOf(stack) } }),
    }),
  ],
  ...([Ingress.httpApi, Ingress.cloudFront] as const).map(
    (by): Case => [
      /^config\.publicUrl: is "http:\/\/scep\.example\.com", and nothing answers plain http there/,
      (stack) => ({
        ingress: by({ domain: { name: 'scep.example.com', zone: zoneOf(stack) } }),
      }),
    ],
  ),
  [
    /^config\.publicUrl: is "http:\/\/d1\.cloudfront\.net", and nothing answers plain http there/,
    { config: { ...example('minimal'), publicUrl: 'http://d1.cloudfront.net' } },
  ],
  [
    /^rolePath: must begin and end with a slash, such as \/team\/, not "team"$/,
    { rolePath: 'team' },
  ],
  [
    /^permissionsBoundary: must be a managed policy: ManagedPolicy\.fromManagedPolicyArn\(\)$/,
    bad({ permissionsBoundary: 'arn:aws:iam::111122223333:policy/bounds' }),
  ],
  [
    /^functionSettings\.scep\.timeoutSeconds: must be a whole number from 5 to 29, not 30$/,
    { functionSettings: { scep: { timeoutSeconds: 30 } } },
  ],
  [
    /^functionSettings\.admin\.memoryMb: must be a whole number from 256 to 10240, not 128$/,
    { functionSettings: { admin: { memoryMb: 128 } } },
  ],
  [
    /^packages: is a folder, and packageBucket names a bucket: leave one out$/,
    (stack) => ({ packageBucket: Bucket.fromBucketName(stack, 'B', 'packages') }),
  ],
  [/^packagePrefix: is of packageBucket, which is missing$/, { packagePrefix: 'a/' }],
  [
    /^codeSigningConfig: wants packages that are signed: name their packageBucket$/,
    (stack) => ({
      codeSigningConfig: CodeSigningConfig.fromCodeSigningConfigArn(stack, 'C', signing),
    }),
  ],
  [
    /^vpcSubnets: is of vpc, which is missing$/,
    { vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED } },
  ],
  [
    /^warmWriteRequestUnits: is missing: warm throughput is of reads and of writes$/,
    { warmReadRequestUnits: 12_000 },
  ],
  [
    /^maxReadRequestUnits: is 4000, and what is warm is 12000 or more: raise it$/,
    { warmReadRequestUnits: 12_000, warmWriteRequestUnits: 4000 },
  ],
  [
    /^warmReadRequestUnits: must be a whole number from 12000 to 20000, not 30000$/,
    {
      ...{ warmReadRequestUnits: 30_000, warmWriteRequestUnits: 4000 },
      ...{ maxReadRequestUnits: 20_000, maxWriteRequestUnits: 4000 },
    },
  ],
  [
    /^ingress\.domain\.certificate: must be given where none can be validated in a public zone$/,
    { ingress: Ingress.httpApi({ domain: { name: 'scep.example.com' } }) },
  ],
  [
    /^ingress\.clients\[0\]: must be a CIDR block of IPv4, not "10\.0\.0\.1"$/,
    (stack) => ({ ingress: balancer(stack, { clients: ['10.0.0.1'] }) }),
  ],
  [
    /^ingress\.clients: must name at least one CIDR block, or be left out$/,
    (stack) => ({ ingress: balancer(stack, { clients: [] }) }),
  ],
  [
    /^ingress\.clients: must be given, because the addresses of the VPC are not known/,
    (stack) => ({
      config: { ...example('minimal'), publicUrl: 'https://scep.example.com' },
      ingress: balancer(stack, {}),
    }),
  ],
  [
    /^ingress\.webAclArn: must be the ARN of a web ACL of scope REGIONAL, not "arn:aws:wafv2:us-east-1:111122223333:global\/webacl\/x\/1"$/,
    (stack) => ({
      ingress: balancer(stack, {
        webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/x/1',
      }),
    }),
  ],
  [
    /^admin: must be AdminAccess\.iam\(\) with a load balancer, which has no routes for a JWT$/,
    (stack) => ({
      config: { ...example('minimal'), publicUrl: 'https://scep.example.com' },
      ingress: balancer(stack, { clients: ['10.0.0.0/8'] }),
      admin: AdminAccess.jwt({ issuer: 'https://x', audience: ['a'] }),
    }),
  ],
  [
    /^ingress\.webAclArn: must be the ARN of a web ACL of scope CLOUDFRONT in us-east-1, not "arn:aws:wafv2:eu-central-1:/,
    {
      ingress: Ingress.cloudFront({
        webAclArn: 'arn:aws:wafv2:eu-central-1:111122223333:global/webacl/x/1',
      }),
    },
  ],
  [
    /^ingress\.rateLimit: is of a new web ACL, and ingress\.webAclArn names one: leave one out$/,
    {
      ingress: Ingress.cloudFront({
        rateLimit: 100,
        webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/x/1',
      }),
    },
  ],
  [
    /^ingress\.webAclArn: the stack is in eu-central-1, and CloudFront takes it from us-east-1 only: deploy bin\/edge\.ts there first/,
    {},
    'eu-central-1',
  ],
  [
    /^ingress\.domain\.certificate: the stack is in eu-central-1, and CloudFront takes it from us-east-1 only/,
    (stack) => ({
      ingress: Ingress.cloudFront({
        webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/x/1',
        domain: { name: 'scep.example.com', zone: zoneOf(stack) },
      }),
    }),
    'eu-central-1',
  ],
  [
    /^files\.domain\.name: must be a host name in lower case, not "PKI\.example\.com"$/,
    (stack) => ({ files: { domain: { name: 'PKI.example.com', zone: zoneOf(stack) } } }),
  ],
  [
    /^files\.domain\.zone: "pki\.example\.org" is not in the zone "example\.com"$/,
    (stack) => ({ files: { domain: { name: 'pki.example.org', zone: zoneOf(stack) } } }),
  ],
  [
    /^files\.domain\.certificate: is missing: one of us-east-1, as none can be made here$/,
    { files: { domain: { name: 'pki.example.com' } } },
  ],
  [
    /^files\.domain\.certificate: is missing: one of us-east-1, as none can be made here$/,
    (stack) => ({
      ingress: Ingress.httpApi(),
      files: { domain: { name: 'pki.example.com', zone: zoneOf(stack) } },
    }),
    'eu-central-1',
  ],
  [
    /^admin: must be AdminAccess\.iam\(\) or AdminAccess\.jwt\(\.\.\.\); without it there is no URL$/,
    bad({ admin: { type: 'iam' } }),
  ],
  [
    /^admin: must be AdminAccess\.iam\(\) with a Function URL, which has no routes for a JWT$/,
    {
      ingress: Ingress.functionUrl(),
      admin: AdminAccess.jwt({ issuer: 'https://x', audience: ['a'] }),
    },
  ],
  [
    /^decisionLinks: needs CloudFront or an HTTP API, which have a route for them$/,
    { ingress: Ingress.functionUrl(), decisionLinks: true },
  ],
  [/^decisionLinks: must be true or false, not "yes"$/, bad({ decisionLinks: 'yes' })],
  [
    /^admin\.issuer: must be an https URL, not "http:\/\/x"$/,
    { admin: AdminAccess.jwt({ issuer: 'http://x', audience: ['a'] }) },
  ],
  [
    /^admin\.audience: must name at least one audience, or any token of the issuer would do$/,
    { admin: AdminAccess.jwt({ issuer: 'https://x', audience: [] }) },
  ],
  [
    /^admin\.audience: must name at least one audience, or any token/,
    { admin: AdminAccess.jwt({ issuer: 'https://x', audience: [''] }) },
  ],
  [
    /^admin\.audience: must be a list, not "scepter"$/,
    { admin: AdminAccess.jwt(bad({ issuer: 'https://x', audience: 'scepter' })) },
  ],
];

for (const [message, props, region = 'us-east-1'] of cases) {
  test(`a prop is refused with a sentence: ${message.source.slice(1, 60)}`, () => {
    assert.throws(() => make(props, stackOf(region)), { message });
  });
}

const config = join(root, 'examples', 'minimal.json');
const good = { region: 'us-east-1', account: '111122223333', config, packages };

const said: readonly (readonly [sentence: string, context: Readonly<Record<string, string>>])[] = [
  ['region: is missing: -c region=..., the AWS region; that of the credentials by default', {}],
  ["config: is missing: -c config=..., path of Scepter's configuration", { region: 'us-east-1' }],
  ['config: there is no file nowhere.json', { ...good, config: 'nowhere.json' }],
  [
    'ingress: must be cloudfront, httpApi, alb or functionUrl, not "nlb"',
    { ...good, ingress: 'nlb' },
  ],
  ['albVpcId: cannot be had with ingress=cloudfront', { ...good, albVpcId: 'vpc-1' }],
  [
    'domain: is missing: a load balancer has no name of its own',
    { ...good, ingress: 'alb', albVpcId: 'vpc-1', albSubnetIds: 'subnet-1,subnet-2' },
  ],
  ['vpcSubnetIds: is of a VPC, and vpcId is missing', { ...good, vpcSubnetIds: 'subnet-1' }],
  [
    'memoryMb: must be scep=, admin=, maintenance=, sequencer= or challenges= and a number, not "web=512"',
    { ...good, memoryMb: 'web=512' },
  ],
  ['tags: must be NAME=VALUE, not "pki"', { ...good, tags: 'pki' }],
  [
    'hostedZoneName: is of a zone, and hostedZoneId is missing',
    {
      ...{ ...good, domain: 'scep.example.com', hostedZoneName: 'example.com' },
      certificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1',
    },
  ],
  ['plainHttp: must be true or false, not "yes"', { ...good, plainHttp: 'yes' }],
  ['rateLimit: must be a number, not "many"', { ...good, rateLimit: 'many' }],
  ['deployment: must not be empty', { ...good, deployment: '' }],
  [
    'deployment: must be 1 to 32 lower case letters, digits and hyphens, first a letter, not "A b"',
    { ...good, deployment: 'A b' },
  ],
  [
    'hostedZoneId: is missing: -c hostedZoneId=..., id of the zone that the domain is in, unless DNS is elsewhere',
    { ...good, domain: 'scep.example.com' },
  ],
  [
    'certificateArn: is of a domain, and domain is missing',
    { ...good, certificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1' },
  ],
  ['hostedZoneId: is of a domain, and domain is missing', { ...good, hostedZoneId: 'Z1' }],
  ['files: must be true, or be left out', { ...good, files: 'false' }],
  [
    'filesCertificateArn: is of filesDomain, which is missing',
    { ...good, filesCertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1' },
  ],
  [
    'filesCertificateArn: is missing: filesDomain wants a certificate of us-east-1, unless it is in the zone of hostedZoneName',
    { ...good, filesDomain: 'pki.example.com' },
  ],
  ['account: must be the twelve digits of an AWS account, not "12"', { ...good, account: '12' }],
  ['region: must be the name of an AWS region, not "Ireland"', { ...good, region: 'Ireland' }],
  [
    'alarmTopicArn: must be the ARN of an SNS topic, not "alarms"',
    { ...good, alarmTopicArn: 'alarms' },
  ],
  [
    'certificateArn: must be the ARN of a certificate, not "arn:aws:iam::1:x"',
    { ...good, domain: 'scep.example.com', certificateArn: 'arn:aws:iam::1:x' },
  ],
  [
    'secrets: must be NAME= and the ARN of a secret, not "SHARED=arn:aws:secretsmanager:x"',
    { ...good, secrets: 'SHARED=arn:aws:secretsmanager:x' },
  ],
  ['originSecrets: must be ARNs of secrets, not "s3cret"', { ...good, originSecrets: 's3cret' }],
  [
    'originSecrets: cannot be had with ingress=httpApi',
    { ...good, ingress: 'httpApi', originSecrets: 's3cret' },
  ],
  [
    'plainHttp: cannot be had with ingress=httpApi',
    { ...good, ingress: 'httpApi', plainHttp: 'true' },
  ],
  [
    'requestsPerSecond: cannot be had with ingress=functionUrl',
    { ...good, ingress: 'functionUrl', requestsPerSecond: '5' },
  ],
  ['adminIssuer: is for admin=jwt', { ...good, admin: 'iam', adminIssuer: 'https://x' }],
  [
    'domain: cannot be had with ingress=functionUrl',
    {
      ...good,
      ingress: 'functionUrl',
      domain: 'scep.example.com',
      hostedZoneId: 'Z1',
      hostedZoneName: 'example.com',
    },
  ],
  [
    'admin: must be iam or jwt, not "open"; without it there is no admin URL',
    { ...good, admin: 'open' },
  ],
  ['adminIssuer: is missing: -c adminIssuer=..., issuer of the JWTs', { ...good, admin: 'jwt' }],
];

for (const [message, context] of said) {
  test(`a context is refused with a sentence: ${message.slice(0, 60)}`, () => {
    assert.throws(() => makeStack(new App({ context }), {}), { message });
  });
}

test('a context with an unknown name is refused with the list of known ones', () => {
  const app = new App({ context: { ...good, plainHTTP: 'true' } });
  const message = /^plainHTTP: is not a setting; these are: account, region, config, /;
  assert.throws(() => makeStack(app, {}), { message });
});

test("what the toolkit's own commands write into a context is no setting, and stops nothing", () => {
  const toolkit = { 'acknowledged-issue-numbers': [34892], 'cli-telemetry': false };
  makeStack(new App({ context: { ...good, ...toolkit } }), {});
});

const outdir = mkdtempSync(join(tmpdir(), 'scepter-cdk-out-'));
after(() => rmSync(outdir, { recursive: true, force: true }));

function run(entry: string, context: Readonly<Record<string, string>>) {
  const file = join(root, 'infra', 'cdk', 'bin', `${entry}.ts`);
  const { CDK_DEFAULT_REGION: _, ...env } = process.env;
  const { status, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    env: { ...env, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) },
  });
  return { status, stderr };
}

test('an app that refuses prints the sentence, fails, and leaves no template', () => {
  const stderr = 'config: there is no file nowhere.json\n';
  assert.deepEqual(run('app', { ...good, config: 'nowhere.json' }), { status: 1, stderr });
  assert.deepEqual(readdirSync(outdir), []);
});

test('the app of the web ACL accepts its own settings only, and only limits that AWS accepts', () => {
  const account = '111122223333';
  for (const [context, stderr] of [
    [{ rateLimit: '1' }, 'rateLimit: must be a whole number from 10 to 2000000000, not 1\n'],
    [{ deployment: 'A' }, /^deployment: must be 1 to 32 lower case .* not "A"\n$/],
    [
      { domain: 'x' },
      'domain: is not a setting; these are: account, deployment, rateLimit, alarmTopicArn\n',
    ],
  ] as const) {
    const ran = run('edge', { account, ...context });
    assert.equal(ran.status, 1);
    if (typeof stderr === 'string') assert.equal(ran.stderr, stderr);
    else assert.match(ran.stderr, stderr);
  }
});

test('the apps synthesise, offline and without credentials', () => {
  assert.deepEqual(run('app', good), { status: 0, stderr: '' });
  assert.deepEqual(run('edge', { account: '111122223333' }), { status: 0, stderr: '' });
  for (const name of ['Scepter', 'ScepterEdge']) {
    assert.ok(existsSync(join(outdir, `${name}.template.json`)), name);
  }
});
