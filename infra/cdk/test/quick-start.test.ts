// What the app of the quick start makes of its context.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { makeEdgeStack, makeStack } from '../lib/quick-start.ts';
import { account, at, functionsOf, packages, root } from './support.ts';

const config = join(root, 'examples', 'minimal.json');
const stackOf = (context: Readonly<Record<string, string>> = {}) =>
  makeStack(
    new App({ context: { region: 'us-east-1', account, config, packages, ...context } }),
    {},
  );

test('a second deployment is a stack of its own, and never takes the place of the first', () => {
  assert.equal(stackOf().stackName, 'Scepter');
  assert.equal(stackOf({ deployment: 'scepter' }).stackName, 'Scepter');
  assert.equal(stackOf({ deployment: 'plant-2' }).stackName, 'Scepter-plant-2');
  const edgeOf = (context: object) =>
    makeEdgeStack(new App({ context: { account, ...context } }), {});
  assert.equal(edgeOf({}).stackName, 'ScepterEdge');
  assert.equal(edgeOf({ deployment: 'plant-2' }).stackName, 'ScepterEdge-plant-2');
});

test('its outputs are what the commands of the operator want, and every key by its name', () => {
  const stack = stackOf({ deployment: 'plant-2', region: 'eu-central-1', ingress: 'httpApi' });
  const outputs = Template.fromStack(stack).findOutputs('*');
  assert.deepEqual(Object.keys(outputs).toSorted(), [
    'AdminFunction',
    'CaKeydefault',
    'Config',
    'Deployment',
    'Files',
    'LogKey',
    'Logs',
    'OperatorRole',
    'Region',
    'ScepUrl',
    'SealingKey',
    'Table',
  ]);
  assert.equal(outputs.Deployment?.Value, 'plant-2');
  assert.equal(outputs.Region?.Value, 'eu-central-1');
});

test('every setting reaches the template', () => {
  const role = (name: string) => `arn:aws:iam::${account}:role/${name}`;
  const topic = `arn:aws:sns:us-east-1:${account}:alarms`;
  const secret = `arn:aws:secretsmanager:us-east-1:${account}:secret:shared-abcdef`;
  const template = Template.fromStack(
    stackOf({
      ...{ maxWriteRequestUnits: '70', maxReadRequestUnits: '300' },
      tableClass: 'STANDARD_INFREQUENT_ACCESS',
      ...{ deletionProtection: 'false', reservedConcurrency: '7' },
      ...{ rateLimit: '300', requestsPerSecond: '8', plainHttp: 'true' },
      ...{ keyAdministrators: `${role('a')},${role('b')}`, breakGlassRoleArn: role('c') },
      ...{ operators: `${role('d')},${role('e')}`, alarmTopicArn: topic },
      secrets: `SHARED=${secret}`,
    }),
  );
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 70 },
    Replicas: [
      {
        DeletionProtectionEnabled: false,
        TableClass: 'STANDARD_INFREQUENT_ACCESS',
        ReadOnDemandThroughputSettings: { MaxReadRequestUnits: 300 },
      },
    ],
  });
  template.hasResourceProperties('AWS::Lambda::Function', { ReservedConcurrentExecutions: 7 });
  template.hasResourceProperties('AWS::WAFv2::WebACL', {
    Rules: [{ Statement: { RateBasedStatement: { Limit: 300 } } }],
  });
  template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
    DefaultRouteSettings: { ThrottlingRateLimit: 8, ThrottlingBurstLimit: 16 },
  });
  template.hasResourceProperties('AWS::CloudFront::Distribution', {
    DistributionConfig: {
      CacheBehaviors: Match.arrayWith([Match.objectLike({ ViewerProtocolPolicy: 'allow-all' })]),
    },
  });
  template.hasResourceProperties('AWS::IAM::Role', {
    MaxSessionDuration: 3600,
    AssumeRolePolicyDocument: {
      Statement: [{ Principal: { AWS: role('d') } }, { Principal: { AWS: role('e') } }],
    },
  });
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [topic] });
  template.allResourcesProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Sid: 'Administer',
          Principal: { AWS: [role('a'), role('b'), role('c')] },
        }),
      ]),
    },
  });
  // In the environment of the function that wants it, and of no other.
  const told = functionsOf(template).filter(([, { Properties }]) =>
    JSON.stringify(at(Properties, 'Environment.Variables')).includes('secret:shared-'),
  );
  assert.deepEqual(
    told.map(([id]) => id.replace(/[0-9A-F]{8}$/, '')),
    ['Servicescepfunction'],
  );
});

test('the app of the web ACL makes it with the limit that it was told', () => {
  const stack = makeEdgeStack(new App({ context: { account, rateLimit: '300' } }), {});
  Template.fromStack(stack).hasResourceProperties('AWS::WAFv2::WebACL', {
    Rules: [{ Statement: { RateBasedStatement: { Limit: 300 } } }],
  });
});

test('the guide asks for outputs that there are, of the CDK and of Terraform', () => {
  const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
  const asked = [...read('docs', 'deploy-aws.md').matchAll(/\$\(out (\w+)/g)].map(
    ([, name = '']) => name,
  );
  const ofTerraform = [...read('infra', 'terraform', 'outputs.tf').matchAll(/^output "(\w+)"/gm)];
  const made = [stackOf(), stackOf({ admin: 'iam' })];
  const known = [
    ...made.flatMap((stack) => Object.keys(Template.fromStack(stack).findOutputs('*'))),
    ...ofTerraform.map(([, name]) => name),
  ];
  assert.ok(asked.length > 15);
  for (const name of asked) assert.ok(known.includes(name), name);
});

test('a table that exists takes the place of a new one', () => {
  const tableStreamArn = `arn:aws:dynamodb:us-east-1:${account}:table/scepter-restored/stream/2026-11-30T00:00:00.000`;
  const template = Template.fromStack(stackOf({ tableName: 'scepter-restored', tableStreamArn }));
  template.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ SCEPTER_TABLE: 'scepter-restored' }) },
  });
  assert.throws(
    () => stackOf({ tableName: 'no table' }),
    /^Error: tableName: must be the name of a table, not "no table"$/,
  );
  assert.throws(
    () => stackOf({ tableName: 'scepter-restored' }),
    /^Error: tableStreamArn: is missing: the sequencer of the logs follows it \(aws dynamodb /,
  );
  assert.throws(
    () => stackOf({ tableStreamArn }),
    /^Error: tableStreamArn: is of a table that exists, and tableName is missing$/,
  );
});

test("secrets of the operators' own take the place of the one that is made, the first of them shown", () => {
  const arn = (name: string) => `arn:aws:secretsmanager:us-east-1:${account}:secret:${name}-abcdef`;
  const template = Template.fromStack(stackOf({ originSecrets: `${arn('new')},${arn('old')}` }));
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  const shown = JSON.stringify(template.findResources('AWS::CloudFront::Distribution'));
  assert.match(shown, /secret:new-/);
  assert.doesNotMatch(shown, /secret:old-/);
});
