// What ScepService makes, looked at in the template.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Template } from 'aws-cdk-lib/assertions';
import { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { tableDefinition, ttlAttribute } from '../../../lib/adapters/aws/dynamodb/table.ts';
import { AdminAccess, Ingress } from '../lib/ingress/access.ts';
import {
  account,
  at,
  configOf,
  example,
  functionsOf,
  listOf,
  make,
  resourcesOf,
  type stackOf,
  statementsOf,
  templateOf,
} from './support.ts';

test('the table is the one that the functions look for when they start', () => {
  const [[, { Properties, DeletionPolicy }] = assert.fail('no table'), ...more] = resourcesOf(
    templateOf(),
    'AWS::DynamoDB::GlobalTable',
  );
  assert.equal(more.length, 0);
  const { KeySchema, AttributeDefinitions, GlobalSecondaryIndexes } = Properties;
  const indexes = (GlobalSecondaryIndexes as Record<string, unknown>[]).map(
    ({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }),
  );
  const byName = (a: { AttributeName: string }, b: { AttributeName: string }) =>
    a.AttributeName < b.AttributeName ? -1 : 1;
  assert.deepEqual(
    {
      KeySchema,
      AttributeDefinitions: (AttributeDefinitions as { AttributeName: string }[]).toSorted(byName),
      GlobalSecondaryIndexes: indexes,
      BillingMode: Properties.BillingMode,
    },
    {
      ...tableDefinition,
      AttributeDefinitions: tableDefinition.AttributeDefinitions.toSorted(byName),
    },
  );
  assert.deepEqual(Properties.TimeToLiveSpecification, {
    AttributeName: ttlAttribute,
    Enabled: true,
  });
  assert.equal(DeletionPolicy, 'Retain');
});

test('the table is capped, recoverable and protected from deletion', () => {
  templateOf().hasResource('AWS::DynamoDB::GlobalTable', {
    UpdateReplacePolicy: 'Retain',
    Properties: {
      WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 1000 },
      Replicas: [
        {
          ReadOnDemandThroughputSettings: { MaxReadRequestUnits: 4000 },
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        },
      ],
    },
  });
});

test('each CA of the configuration gets a key of its kind, RSA-3072 where it says nothing', () => {
  const template = templateOf({ config: example('two-cas-and-approval') });
  const specs = resourcesOf(template, 'AWS::KMS::Key').map(([, { Properties, DeletionPolicy }]) => [
    Properties.KeySpec ?? 'SYMMETRIC_DEFAULT',
    Properties.KeyUsage,
    Properties.EnableKeyRotation,
    Properties.PendingWindowInDays,
    DeletionPolicy,
  ]);
  assert.deepEqual(specs, [
    ['RSA_3072', 'SIGN_VERIFY', undefined, 30, 'Retain'],
    ['RSA_4096', 'SIGN_VERIFY', undefined, 30, 'Retain'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', true, 30, 'Retain'],
    ['ECC_NIST_P256', 'SIGN_VERIFY', undefined, 30, 'Retain'],
  ]);
});

test('functions run on Node 24 for arm64, each with a role, a log group and a limit of its own', () => {
  const functions = functionsOf(templateOf());
  assert.equal(functions.length, 4);
  for (const [id, { Properties }] of functions) {
    assert.equal(Properties.Runtime, 'nodejs24.x', id);
    assert.deepEqual(Properties.Architectures, ['arm64'], id);
    assert.deepEqual(Properties.TracingConfig, { Mode: 'Active' }, id);
    assert.ok(Number(Properties.ReservedConcurrentExecutions) > 0, id);
  }
  for (const property of ['Role', 'LoggingConfig'] as const) {
    const values = functions.map(([, { Properties }]) => JSON.stringify(Properties[property]));
    assert.equal(new Set(values).size, 4, property);
  }
  assert.equal(
    resourcesOf(templateOf(), 'AWS::Logs::LogGroup').every(
      ([, { Properties }]) => Properties.RetentionInDays === 365,
    ),
    true,
  );
});

test('a table, keys and a web ACL that exist are used, and none are made', () => {
  const key = (stack: ReturnType<typeof stackOf>, id: string) =>
    Key.fromKeyArn(stack, id, `arn:aws:kms:us-east-1:${account}:key/${id}`);
  const template = templateOf((stack) => ({
    table: TableV2.fromTableAttributes(stack, 'Existing', {
      tableName: 'records',
      tableStreamArn: `arn:aws:dynamodb:us-east-1:${account}:table/records/stream/1`,
    }),
    caKeys: { default: key(stack, 'ca') },
    sealingKey: key(stack, 'sealing'),
    logKey: key(stack, 'log'),
    ingress: Ingress.cloudFront({
      webAclArn: `arn:aws:wafv2:us-east-1:${account}:global/webacl/mine/1`,
    }),
  }));
  for (const type of ['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key', 'AWS::WAFv2::WebACL']) {
    template.resourceCountIs(type, 0);
  }
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: {
        SCEPTER_TABLE: 'records',
        SCEPTER_SEALING_KEY: `arn:aws:kms:us-east-1:${account}:key/sealing`,
      },
    },
  });
  const signs = statementsOf(template).filter(
    ({ Action, Effect }) => Effect === 'Allow' && listOf(Action).includes('kms:Sign'),
  );
  for (const { at, Resource } of signs) {
    const key = at.includes('sequencer') ? 'log' : 'ca';
    assert.deepEqual(listOf(Resource), [`arn:aws:kms:us-east-1:${account}:key/${key}`]);
  }
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: `arn:aws:dynamodb:us-east-1:${account}:table/records/stream/1`,
  });
});

test('roles that use a table with a key of its own may use the key, through DynamoDB only', () => {
  const arn = 'arn:aws:kms:us-east-1:111122223333:key/table';
  const made = templateOf((stack) => ({ tableKey: Key.fromKeyArn(stack, 'TableKey', arn) }));
  const existing = templateOf((stack) => ({
    table: TableV2.fromTableAttributes(stack, 'Records', {
      tableName: 'records',
      tableStreamArn: 'arn:aws:dynamodb:us-east-1:111122223333:table/records/stream/1',
      encryptionKey: Key.fromKeyArn(stack, 'TableKey', arn),
    }),
  }));
  for (const template of [made, existing]) {
    const [[id, { Properties }] = assert.fail('no policy'), ...more] = resourcesOf(
      template,
      'AWS::IAM::ManagedPolicy',
    ).filter(([id]) => id.startsWith('Servicetablekeypolicy'));
    assert.equal(more.length, 0);
    assert.equal((Properties.Roles as unknown[]).length, 5);
    const [statement, ...others] = statementsOf(template).filter(({ at }) => at === id);
    assert.equal(others.length, 0);
    assert.equal(statement?.Resource, arn);
    assert.deepEqual(statement?.Condition, {
      StringEquals: { 'kms:ViaService': 'dynamodb.us-east-1.amazonaws.com' },
    });
  }
  made.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    Replicas: [{ SSESpecification: { KMSMasterKeyId: arn } }],
  });
});

test('the functions are told the configuration by its SHA-256, and start when it is in its bucket', () => {
  const keys = [{}, { blockedKeys: ['0'.repeat(64)] }].map((more) => {
    const template = templateOf({ config: { ...example('minimal'), ...more } });
    const { key, text } = configOf(template);
    assert.equal(key, `config/${createHash('sha256').update(text).digest('hex')}.json`);
    const [[bucket] = assert.fail('no bucket')] = resourcesOf(template, 'AWS::S3::Bucket').filter(
      ([id]) => id.startsWith('ServiceConfigs'),
    );
    const [[uploaded] = assert.fail()] = resourcesOf(template, 'Custom::ScepterConfig');
    for (const [id, { Properties, DependsOn = [] }] of functionsOf(template)) {
      assert.deepEqual(
        at(Properties, 'Environment.Variables.SCEPTER_CONFIG'),
        { 'Fn::Join': ['', ['s3:', { Ref: bucket }, `/${key}`]] },
        id,
      );
      assert.ok(DependsOn.includes(uploaded), id);
    }
    return { key, uploaded };
  });
  const [one, other] = keys;
  assert.notEqual(one?.key, other?.key);
  // Another resource: CloudFormation makes the new one, and forgets the one before without a call of S3.
  assert.notEqual(one?.uploaded, other?.uploaded);
});

test('the bucket of configurations is closed, kept, and lets nobody write over or delete one', () => {
  const template = templateOf();
  const [[id, { Properties, DeletionPolicy }] = assert.fail('no bucket')] = resourcesOf(
    template,
    'AWS::S3::Bucket',
  ).filter(([id]) => id.startsWith('ServiceConfigs'));
  assert.equal(DeletionPolicy, 'Retain');
  assert.equal(Properties.LifecycleConfiguration, undefined);
  assert.deepEqual(Properties.VersioningConfiguration, { Status: 'Enabled' });
  const denied = statementsOf(template)
    .filter(({ at: of }) => of.startsWith('ServiceConfigs'))
    .filter(({ type, Sid, Effect }) => type === 'AWS::S3::BucketPolicy' && Sid && Effect === 'Deny')
    .map(({ Sid, Action, Principal, Resource, Condition }) => {
      return [Sid, Action, Principal, Resource, Condition];
    });
  const all = { 'Fn::Join': ['', [{ 'Fn::GetAtt': [id, 'Arn'] }, '/config/*']] };
  const unconditional = {
    Null: { 's3:if-none-match': 'true' },
    Bool: { 's3:ObjectCreationOperation': 'true' },
  };
  assert.deepEqual(denied, [
    ['NeverWriteOver', 's3:PutObject', { AWS: '*' }, all, unconditional],
    ['NeverDelete', ['s3:DeleteObject', 's3:DeleteObjectVersion'], { AWS: '*' }, all, undefined],
  ]);
});

test('the bucket of the logs locks what it is given, for 400 days or as long as it is said', () => {
  const locks = (template: Template) =>
    resourcesOf(template, 'AWS::S3::Bucket').flatMap(([id, { Properties, DeletionPolicy }]) => {
      const { ObjectLockEnabled, ObjectLockConfiguration, VersioningConfiguration } = Properties;
      if (!id.startsWith('ServiceLogs')) return ObjectLockEnabled ? [id] : [];
      assert.deepEqual([DeletionPolicy, ObjectLockEnabled], ['Retain', true]);
      assert.deepEqual(VersioningConfiguration, { Status: 'Enabled' });
      assert.deepEqual(at(Properties, 'LifecycleConfiguration.Rules.0'), {
        ExpiredObjectDeleteMarker: true,
        NoncurrentVersionExpiration: { NoncurrentDays: 1 },
        Status: 'Enabled',
      });
      return [at(ObjectLockConfiguration, 'Rule.DefaultRetention')];
    });
  assert.deepEqual(locks(templateOf()), [{ Days: 400, Mode: 'GOVERNANCE' }]);
  const logLock = { mode: 'COMPLIANCE', days: 3650 };
  assert.deepEqual(locks(templateOf({ logLock })), [{ Days: 3650, Mode: 'COMPLIANCE' }]);
});

test('the sequencer follows what is new in the table, and runs every minute', () => {
  const template = templateOf();
  const [[id] = assert.fail('no sequencer')] = functionsOf(template).filter(([id]) =>
    id.startsWith('Servicesequencer'),
  );
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    StreamSpecification: { StreamViewType: 'KEYS_ONLY' },
  });
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    FunctionName: { Ref: id },
    StartingPosition: 'LATEST',
    MaximumBatchingWindowInSeconds: 20,
    FilterCriteria: {
      Filters: [
        {
          Pattern: JSON.stringify({
            eventName: ['INSERT'],
            dynamodb: { Keys: { pk: { S: [{ prefix: 'unlogged#' }] } } },
          }),
        },
      ],
    },
  });
  const [[, { Properties }] = assert.fail()] = resourcesOf(template, 'AWS::Events::Rule').filter(
    ([, one]) => one.Properties.ScheduleExpression,
  );
  assert.match(JSON.stringify(Properties.Targets), new RegExp(`"${id}"`));
});

test('upkeep runs every minute, and its absence is an alarm', () => {
  const template = templateOf();
  template.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 minute)' });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'Invocations',
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
  });
});

const grantee = (stack: ReturnType<typeof stackOf>) =>
  new Role(stack, 'Portal', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });

test('grantMintChallenges allows a principal to call the admin function, and nothing else', () => {
  for (const admin of [undefined, AdminAccess.iam()]) {
    const { stack, service } = make({ admin });
    service.grantMintChallenges(grantee(stack));
    const granted = statementsOf(Template.fromStack(stack)).filter(({ at }) =>
      at.startsWith('Portal'),
    );
    const actions = granted
      .flatMap(({ Action }) => listOf(Action))
      .filter((a) => a !== 'sts:AssumeRole');
    assert.deepEqual(
      actions.toSorted(),
      admin ? ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl'] : ['lambda:InvokeFunction'],
    );
    for (const { Action, Resource } of granted) {
      if (listOf(Action).includes('sts:AssumeRole')) continue;
      assert.match(JSON.stringify(Resource), /Serviceadminfunction/);
      assert.doesNotMatch(JSON.stringify(Resource), /scepfunction|maintenancefunction/);
    }
  }
});

test('grantReadLog allows a principal to read events, and no other record', () => {
  const { stack, service } = make();
  service.grantReadLog(grantee(stack));
  const granted = statementsOf(Template.fromStack(stack)).filter(
    ({ at, Action }) => at.startsWith('Portal') && Action !== 'sts:AssumeRole',
  );
  assert.deepEqual(
    granted.map(({ Action, Condition }) => [Action, Condition]),
    [
      [
        'dynamodb:BatchGetItem',
        {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['event#*'] },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      ],
      [
        'dynamodb:Query',
        {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['events#*'] },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      ],
    ],
  );
});

test('grantReadLog over a table with a key of its own allows the use of that key, through DynamoDB', () => {
  const { stack, service } = make((stack) => ({
    tableKey: Key.fromKeyArn(stack, 'TableKey', 'arn:aws:kms:us-east-1:111122223333:key/table'),
  }));
  service.grantReadLog(grantee(stack));
  const [granted] = statementsOf(Template.fromStack(stack)).filter(
    ({ at, Action }) => at.startsWith('Portal') && Action === 'kms:Decrypt',
  );
  assert.deepEqual(granted?.Condition, {
    StringEquals: { 'kms:ViaService': 'dynamodb.us-east-1.amazonaws.com' },
  });
});

test('metrics are those of the deployment', () => {
  const { service } = make({ deployment: 'plant-2' });
  const named = [service.metricIssued(), service.metricRefused(), service.metricOutages()].map(
    ({ namespace, metricName }) => `${namespace} ${metricName}`,
  );
  assert.deepEqual(named, [
    'Scepter/plant-2 Issued',
    'Scepter/plant-2 Refused',
    'Scepter/plant-2 Outages',
  ]);
});

test('each alarm has its metric, and the one of instances exists only with reserved concurrency', () => {
  const named = (template: Template) =>
    resourcesOf(template, 'AWS::CloudWatch::Alarm').map(([id]) =>
      id.replace(/^Service|Alarm[0-9A-F]{8}$/g, ''),
    );
  const all = [
    ...['AdminErrors', 'Blocked', 'Busy', 'CaWarning', 'ChallengeFailing', 'CrlOld', 'Errors'],
    ...[
      'KeyChanged',
      'KmsTrouble',
      'Outages',
      'Refused',
      'Rejected',
      'ServerErrors',
      'Slow',
      'TableThrottled',
      'Tampered',
      'Throttled',
      'TooMany',
      'UpkeepFailed',
    ],
    'UpkeepMissing',
    'LogFailed',
    'LogLate',
    'LogMissing',
    'LogRefused',
  ].toSorted();
  assert.deepEqual(named(templateOf()).toSorted(), all);
  const unreserved = templateOf({ reservedConcurrency: -1 });
  assert.deepEqual(
    named(unreserved).toSorted(),
    all.filter((name) => name !== 'Busy'),
  );
  // A run of upkeep that ends before it can log is counted by Lambda only.
  templateOf().hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: 'Scepter scepter: upkeep fails: CRLs may end',
    Namespace: 'AWS/Lambda',
    MetricName: 'Errors',
  });
  templateOf({ ingress: Ingress.functionUrl() }).hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmDescription: 'Scepter scepter: answers are 5xx',
    MetricName: 'Url5xxCount',
  });
  templateOf({ reservedConcurrency: 12 }).hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'ConcurrentExecutions',
    Threshold: 10,
  });
});
