// What a platform team says about a deployment: network, roles, keys, packages, sizes, names, and what is left of one
// that could not be made.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { CodeSigningConfig } from 'aws-cdk-lib/aws-lambda';
import { PrivateHostedZone } from 'aws-cdk-lib/aws-route53';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Ingress } from '../lib/ingress/access.ts';
import {
  account,
  at,
  certificateOf,
  configOf,
  example,
  functionsOf,
  listOf,
  make,
  makeBackend,
  resourcesOf,
  stackOf,
  statementsOf,
  templateOf,
  version,
  vpcOf,
} from './support.ts';

const boundary = `arn:aws:iam::${account}:policy/bounds`;

test('every role and user has the permissions boundary and the path, the one of the CDK itself too', () => {
  const bounded = (stack: Stack) => ({
    permissionsBoundary: ManagedPolicy.fromManagedPolicyArn(stack, 'Bounds', boundary),
    rolePath: '/scep/',
  });
  const worker = stackOf();
  makeBackend(bounded(worker), worker);
  for (const template of [templateOf(bounded), Template.fromStack(worker)]) {
    const types = ['AWS::IAM::Role', 'AWS::IAM::User'];
    const made = types.flatMap((type) => resourcesOf(template, type));
    assert.ok(made.length >= 3);
    for (const [id, { Properties }] of made) {
      assert.deepEqual([Properties.PermissionsBoundary, Properties.Path], [boundary, '/scep/'], id);
    }
  }
});

test('everything that can have tags has those that are named', () => {
  const template = templateOf({ tags: { team: 'pki' } });
  const tag = { Key: 'team', Value: 'pki' };
  for (const [type, path] of [
    ['AWS::Lambda::Function', 'Tags'],
    ['AWS::KMS::Key', 'Tags'],
    ['AWS::S3::Bucket', 'Tags'],
    ['AWS::Logs::LogGroup', 'Tags'],
    ['AWS::DynamoDB::GlobalTable', 'Replicas.0.Tags'],
    ['AWS::CloudFront::Distribution', 'Tags'],
    ['AWS::WAFv2::WebACL', 'Tags'],
  ] as const) {
    const made =
      type === 'AWS::Lambda::Function' ? functionsOf(template) : resourcesOf(template, type);
    for (const [id, { Properties }] of made) assert.deepEqual(at(Properties, path), [tag], id);
  }
});

test('functions in a VPC may make network interfaces, which their code may not', () => {
  const template = templateOf((stack) => ({ vpc: vpcOf(stack) }));
  for (const [id, { Properties }] of functionsOf(template)) {
    assert.deepEqual(
      at(Properties, 'VpcConfig.SubnetIds'),
      ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
      id,
    );
  }
  const [allow, deny, ...more] = statementsOf(template).filter(({ Action }) =>
    listOf(Action).some((action) => action.startsWith('ec2:')),
  );
  assert.equal(more.length, 0);
  assert.deepEqual([allow?.Effect, deny?.Effect], ['Allow', 'Deny']);
  assert.deepEqual(deny?.Action, allow?.Action);
  assert.deepEqual(deny?.Condition, { Null: { 'lambda:SourceFunctionArn': 'false' } });
  const policies = resourcesOf(template, 'AWS::IAM::ManagedPolicy');
  const [[id, { Properties }] = assert.fail()] = policies.filter(([id]) => /vpcpolicy/.test(id));
  assert.equal((Properties.Roles as unknown[]).length, 4);
  // Lambda looks for the permission when it makes a function.
  for (const [, { DependsOn = [] }] of functionsOf(template)) assert.ok(DependsOn.includes(id));
});

test('memory, time, signed packages in a bucket and a key of the environment reach each function', () => {
  const key = `arn:aws:kms:us-east-1:${account}:key/1`;
  const signing = `arn:aws:lambda:us-east-1:${account}:code-signing-config:csc-0123456789abcdef0`;
  const template = templateOf((stack) => ({
    packages: undefined,
    packageBucket: Bucket.fromBucketName(stack, 'Packages', 'packages'),
    packagePrefix: 'scepter/',
    codeSigningConfig: CodeSigningConfig.fromCodeSigningConfigArn(stack, 'Signing', signing),
    environmentKey: Key.fromKeyArn(stack, 'EnvironmentKey', key),
    functionSettings: {
      scep: { memoryMb: 1024, timeoutSeconds: 20 },
      maintenance: { memoryMb: 768 },
    },
  }));
  const made = functionsOf(template).map(([, { Properties }]) => {
    assert.deepEqual([Properties.KmsKeyArn, Properties.CodeSigningConfigArn], [key, signing]);
    return [Properties.MemorySize, Properties.Timeout, Properties.Code];
  });
  const code = (name: string) => ({
    S3Bucket: 'packages',
    S3Key: `scepter/scepter-${name}-lambda-${version}.zip`,
  });
  assert.deepEqual(made, [
    [1024, 20, code('scep')],
    [512, 29, code('admin')],
    [768, 300, code('maintenance')],
    [512, 300, code('sequencer')],
  ]);
  const decrypts = statementsOf(template).filter(({ Sid }) => Sid === 'ReadEnvironment');
  assert.deepEqual(
    decrypts.map(({ Action, Resource }) => [Action, Resource]),
    [['kms:Decrypt', key]],
  );
});

test('warm throughput is of the table and of each index', () => {
  const warm = { ReadUnitsPerSecond: 15_000, WriteUnitsPerSecond: 5000 };
  templateOf({
    ...{ maxReadRequestUnits: 20_000, maxWriteRequestUnits: 5000 },
    ...{ warmReadRequestUnits: 15_000, warmWriteRequestUnits: 5000 },
  }).hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    WarmThroughput: warm,
    GlobalSecondaryIndexes: Array.from({ length: 4 }, () =>
      Match.objectLike({ WarmThroughput: warm }),
    ),
  });
});

test('with DNS elsewhere nothing is written into a zone, and the service says what its name stands for', () => {
  const domain = (stack: Stack) => ({
    name: 'scep.example.com',
    certificate: certificateOf(stack),
  });
  const config = { ...example('minimal'), publicUrl: 'https://scep.example.com' };
  for (const [by, closed, stands] of [
    [Ingress.cloudFront, false, 'DomainName'],
    [Ingress.httpApi, true, 'RegionalDomainName'],
  ] as const) {
    const { stack, service } = make((stack) => ({
      config,
      ingress: by({ domain: domain(stack) }),
    }));
    const template = Template.fromStack(stack);
    for (const type of ['AWS::Route53::RecordSet', 'AWS::CertificateManager::Certificate']) {
      template.resourceCountIs(type, 0);
    }
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: closed });
    assert.equal(service.url, 'https://scep.example.com');
    assert.equal(at(stack.resolve(service.dnsTarget), 'Fn::GetAtt.1'), stands);
  }
  // CloudFront reaches the API by the address that it keeps, with the secret.
  const { stack } = make((stack) => ({
    config,
    ingress: Ingress.cloudFront({ domain: domain(stack) }),
  }));
  Template.fromStack(stack).hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      Aliases: ['scep.example.com'],
      // Beside the bucket of files.
      Origins: Match.arrayWith([
        Match.objectLike({
          DomainName: { 'Fn::Join': ['', Match.arrayWith(['.execute-api.us-east-1.'])] },
        }),
      ]),
    },
  });
});

function balanced(plainHttp = false) {
  return make((stack) => ({
    config: {
      ...example('minimal'),
      publicUrl: `${plainHttp ? 'http' : 'https'}://scep.corp.example.com`,
    },
    ingress: Ingress.alb({
      vpc: vpcOf(stack),
      domain: { name: 'scep.corp.example.com', certificate: certificateOf(stack) },
      clients: ['10.0.0.0/8'],
      plainHttp,
      webAclArn: `arn:aws:wafv2:us-east-1:${account}:regional/webacl/mine/1`,
    }),
  }));
}

test('a load balancer is internal, speaks TLS 1.2 or later, logs, and hands everything to the SCEP function', () => {
  const { stack, service } = balanced();
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
    Scheme: 'internal',
    Subnets: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
    LoadBalancerAttributes: Match.arrayWith([
      { Key: 'routing.http.drop_invalid_header_fields.enabled', Value: 'true' },
      { Key: 'access_logs.s3.enabled', Value: 'true' },
    ]),
  });
  template.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    Port: 443,
    Protocol: 'HTTPS',
    SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
  });
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    TargetType: 'lambda',
    TargetGroupAttributes: [{ Key: 'lambda.multi_value_headers.enabled', Value: 'true' }],
  });
  const permitted = resourcesOf(template, 'AWS::Lambda::Permission').filter(
    ([, { Properties }]) => Properties.Principal === 'elasticloadbalancing.amazonaws.com',
  );
  assert.equal(permitted.length, 1);
  assert.match(JSON.stringify(permitted), /Servicescepfunction/);
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    SecurityGroupIngress: [Match.objectLike({ CidrIp: '10.0.0.0/8', FromPort: 443, ToPort: 443 })],
  });
  template.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1);
  for (const type of [
    'AWS::ApiGatewayV2::Api',
    'AWS::CloudFront::Distribution',
    'AWS::Lambda::Url',
  ]) {
    template.resourceCountIs(type, 0);
  }
  // It writes the device's address last, which is where it is looked for with no proxy.
  assert.equal(JSON.parse(configOf(template).text).trustedProxies, 0);
  assert.equal(service.url, 'https://scep.corp.example.com');
});

test('plain http at a load balancer is answered, and never redirected', () => {
  const listeners = resourcesOf(
    Template.fromStack(balanced(true).stack),
    'AWS::ElasticLoadBalancingV2::Listener',
  ).map(([, { Properties }]) => [Properties.Port, at(Properties, 'DefaultActions.0.Type')]);
  assert.deepEqual(listeners, [
    [443, 'forward'],
    [80, 'forward'],
  ]);
});

test('a private zone gets the record of a load balancer, and the VPC is let in by default', () => {
  const template = templateOf((stack) => {
    const vpc = new Vpc(stack, 'Vpc', { maxAzs: 2 });
    const zone = new PrivateHostedZone(stack, 'Zone', { vpc, zoneName: 'corp.example.com' });
    const certificate = certificateOf(stack);
    const domain = { name: 'scep.corp.example.com', zone, certificate };
    const config = { ...example('minimal'), publicUrl: 'https://scep.corp.example.com' };
    return { config, ingress: Ingress.alb({ vpc, domain }) };
  });
  template.hasResourceProperties('AWS::Route53::RecordSet', {
    Name: 'scep.corp.example.com.',
    Type: 'A',
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    GroupDescription: 'Scepter scepter: devices to the load balancer',
    SecurityGroupIngress: [
      Match.objectLike({ CidrIp: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Vpc'), 'CidrBlock'] } }),
    ],
  });
});

test('no name in a template is global to an account without its region', () => {
  const template = templateOf();
  const named = (type: string, property: string) =>
    resourcesOf(template, type).map(([, { Properties }]) => Properties[property]);
  assert.deepEqual(
    [...named('AWS::IAM::Role', 'RoleName'), ...named('AWS::S3::Bucket', 'BucketName')].filter(
      Boolean,
    ),
    [],
  );
  assert.deepEqual(named('AWS::CloudWatch::Dashboard', 'DashboardName'), [
    'scepter-scepter-us-east-1',
  ]);
});

test('of a first deployment that fails, logs go; the table, the keys and the configuration stay', () => {
  const kept: Record<string, Set<string>> = {};
  const { Resources } = templateOf().toJSON();
  for (const { Type, DeletionPolicy = 'Delete' } of Object.values(Resources) as {
    Type: string;
    DeletionPolicy?: string;
  }[]) {
    if (DeletionPolicy === 'Delete') continue;
    kept[Type] = (kept[Type] ?? new Set()).add(DeletionPolicy);
  }
  assert.deepEqual(kept, {
    'AWS::DynamoDB::GlobalTable': new Set(['Retain']),
    'AWS::KMS::Key': new Set(['Retain']),
    'AWS::Logs::LogGroup': new Set(['RetainExceptOnCreate']),
    'AWS::S3::Bucket': new Set(['Retain', 'RetainExceptOnCreate']),
  });
});
