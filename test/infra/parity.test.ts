// CDK and Terraform make the same: the resources and the settings that security and cost rest on, read
// from the synthesised templates on one side and from the module on the other. Policies are files that
// both render (infra/policies).

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { assertClosedAlike, same } from './same.ts';
import {
  at,
  blocksOf,
  defaultOf,
  entriesAt,
  expression,
  hclOf,
  listAt,
  localsOf,
  maybe,
  ofType,
  resourceOf,
  templateOf,
  text,
  theOne,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const plain = templateOf('cloudfront');
const named = templateOf('domain');
const httpApi = templateOf('httpApi');
const functionUrl = templateOf('functionUrl');

test('CDK and Terraform make the same resources', () => {
  const made = new Set(
    [plain, named, httpApi, functionUrl, templateOf('alb')].flatMap(({ Resources }) =>
      Object.values(Resources).map(({ Type }) => Type),
    ),
  );
  assert.deepEqual([...made].toSorted(), Object.keys(same).toSorted());
  const types = new Set(blocksOf(hcl, 'resource').map(({ labels }) => labels[0]));
  assert.deepEqual([...types].toSorted(), [...new Set(Object.values(same).flat())].toSorted());
});

const functionNames = ['scep', 'admin', 'maintenance', 'sequencer', 'challenges'] as const;

test('functions have the same runtime, processor, handler, memory, time, limit, traces, log and role', () => {
  const resource = resourceOf(hcl, 'aws_lambda_function', 'this');
  for (const name of functionNames) {
    const about = at(locals.functions, name);
    const description = text(at(resource, 'description')).replace(
      /\$\{.+\}/,
      text(at(about, 'what')),
    );
    const made = ofType(named, 'AWS::Lambda::Function').find(
      (one) => at(one, 'Description') === description,
    );
    assert.ok(made, description);
    const reserved = text(at(about, 'reserved')).replace(/[${}]/g, '').split(' : ').at(-1);
    assert.deepEqual(
      {
        Runtime: at(made, 'Runtime'),
        Architectures: at(made, 'Architectures'),
        Handler: at(made, 'Handler'),
        MemorySize: at(made, 'MemorySize'),
        Timeout: at(made, 'Timeout'),
        ReservedConcurrentExecutions: at(made, 'ReservedConcurrentExecutions'),
        Tracing: at(made, 'TracingConfig.Mode'),
        LogFormat: at(made, 'LoggingConfig.LogFormat'),
      },
      {
        Runtime: defaultOf(hcl, 'runtime'),
        Architectures: at(resource, 'architectures'),
        Handler: at(resource, 'handler'),
        MemorySize: at(about, 'memory_mb'),
        Timeout: at(about, 'timeout_s'),
        ReservedConcurrentExecutions: Number(
          reserved === 'var.reserved_concurrency'
            ? defaultOf(hcl, 'reserved_concurrency')
            : reserved,
        ),
        Tracing: at(resource, 'tracing_config.0.mode'),
        LogFormat: at(resource, 'logging_config.0.log_format'),
      },
      name,
    );
  }
  assert.equal(at(resource, 'runtime'), expression('var.runtime'));
});

test('functions have the same variables in their environments, with the same constants', () => {
  const variables = text(
    at(resourceOf(hcl, 'aws_lambda_function', 'this'), 'environment.0.variables'),
  );
  const ofTerraform = [...variables.matchAll(/\b([A-Z][A-Z_]+) = ("[^"$]*")?/g)];
  const names = new Map(ofTerraform.map(([, name = '', value]) => [name, value?.slice(1, -1)]));
  for (const made of ofType(plain, 'AWS::Lambda::Function')) {
    // The CDK's own, which puts the configuration into its bucket.
    if (maybe(made, 'Environment') === undefined) continue;
    const isScep = text(at(made, 'Description')).includes('SCEP,');
    const expected = [...names.keys()].filter(
      (name) => isScep || name !== 'SCEPTER_ORIGIN_SECRETS',
    );
    assert.deepEqual(
      entriesAt(made, 'Environment.Variables')
        .map(([name]) => name)
        .toSorted(),
      expected.toSorted(),
    );
    assert.equal(at(made, 'Environment.Variables.NODE_OPTIONS'), names.get('NODE_OPTIONS'));
  }
  assert.match(variables, /contains\(local\.shown_to, each\.key\) \? \{SCEPTER_ORIGIN_SECRETS/);
});

test('the table has the same keys, indexes, expiry, billing, cap, recovery and protection', () => {
  const made = theOne(plain, 'AWS::DynamoDB::GlobalTable');
  const resource = resourceOf(hcl, 'aws_dynamodb_table', 'this');
  const ReadOnDemandThroughputSettings = {
    MaxReadRequestUnits: defaultOf(hcl, 'max_read_request_units'),
  };
  const indexes = entriesAt(locals, 'indexes').map(([IndexName, index]) => ({
    IndexName,
    KeySchema: [
      { AttributeName: at(index, 'place'), KeyType: 'HASH' },
      { AttributeName: at(index, 'sort'), KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'KEYS_ONLY' },
    WriteOnDemandThroughputSettings: {
      MaxWriteRequestUnits: defaultOf(hcl, 'max_write_request_units'),
    },
  }));
  const projection = text(
    at(resource, 'dynamic.1.global_secondary_index.content.0.projection_type'),
  );
  assert.equal(projection, 'KEYS_ONLY');
  assert.deepEqual(
    listAt(made, 'GlobalSecondaryIndexes').map((index) => ({
      IndexName: at(index, 'IndexName'),
      KeySchema: at(index, 'KeySchema'),
      Projection: at(index, 'Projection'),
      WriteOnDemandThroughputSettings: at(index, 'WriteOnDemandThroughputSettings'),
    })),
    indexes,
  );
  assert.deepEqual(at(made, 'KeySchema'), [
    { AttributeName: at(resource, 'hash_key'), KeyType: 'HASH' },
  ]);
  assert.equal(at(made, 'TimeToLiveSpecification.AttributeName'), locals.ttl_attribute);
  assert.equal(at(made, 'BillingMode'), at(resource, 'billing_mode'));
  const replica = at(made, 'Replicas.0');
  assert.deepEqual(at(replica, 'ReadOnDemandThroughputSettings'), ReadOnDemandThroughputSettings);
  assert.deepEqual(
    listAt(replica, 'GlobalSecondaryIndexes'),
    indexes.map(({ IndexName }) => ({ IndexName, ReadOnDemandThroughputSettings })),
  );
  assert.deepEqual(
    [
      at(replica, 'PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled'),
      at(replica, 'DeletionProtectionEnabled'),
    ],
    [at(resource, 'point_in_time_recovery.0.enabled'), defaultOf(hcl, 'deletion_protection')],
  );
});

test('keys have the same usage, spec, rotation, waiting period and policy', () => {
  const byPurpose = [
    ['ca', /signs certificates/],
    ['sealing', /seals/],
    ['log', /checkpoints/],
  ] as const;
  for (const [name, description] of byPurpose) {
    const resource = resourceOf(hcl, 'aws_kms_key', name);
    const made = ofType(plain, 'AWS::KMS::Key').find((one) =>
      description.test(text(at(one, 'Description'))),
    );
    assert.match(text(at(resource, 'description')), description);
    const spec =
      name === 'ca'
        ? at(locals.ca_key_kinds, 'rsa:3072.spec')
        : at(resource, 'customer_master_key_spec');
    assert.deepEqual(
      [
        maybe(made, 'KeyUsage') ?? 'ENCRYPT_DECRYPT',
        maybe(made, 'KeySpec') ?? 'SYMMETRIC_DEFAULT',
        maybe(made, 'EnableKeyRotation'),
        at(made, 'PendingWindowInDays'),
        at(made, 'MultiRegion'),
      ],
      [
        at(resource, 'key_usage'),
        spec,
        maybe(resource, 'enable_key_rotation'),
        at(resource, 'deletion_window_in_days'),
        defaultOf(hcl, 'multi_region_keys'),
      ],
      name,
    );
    assert.equal(at(resource, 'multi_region'), expression('var.multi_region_keys'));
    // Of `${name}-key.json`, by `key_policy_texts`.
    const policy =
      name === 'ca' ? `key_policies["ca/${expression('each.key')}"]` : `key_policies.${name}`;
    assert.equal(at(resource, 'policy'), expression(`local.${policy}`));
  }
});

const accessLogs = (kind: 'Bucket' | 'BucketPolicy'): unknown => {
  const found = Object.entries(plain.Resources).find(
    ([id, { Type }]) => id.startsWith('ServiceAccessLogs') && Type === `AWS::S3::${kind}`,
  );
  return (found ?? assert.fail(kind))[1].Properties;
};

test('logs and the bucket of access logs are kept as long and closed alike', () => {
  for (const made of ofType(plain, 'AWS::Logs::LogGroup')) {
    assert.equal(at(made, 'RetentionInDays'), defaultOf(hcl, 'log_retention_days'));
  }
  const bucket = accessLogs('Bucket');
  const of = (type: string) => resourceOf(hcl, `aws_s3_bucket${type}`, 'access_logs');
  assertClosedAlike(bucket, of);
  assert.equal(
    at(bucket, 'LifecycleConfiguration.Rules.0.ExpirationInDays'),
    at(of('_lifecycle_configuration'), 'rule.0.expiration.0.days'),
  );
  assert.equal(
    at(bucket, 'LifecycleConfiguration.Rules.0.AbortIncompleteMultipartUpload.DaysAfterInitiation'),
    at(
      of('_lifecycle_configuration'),
      'rule.0.abort_incomplete_multipart_upload.0.days_after_initiation',
    ),
  );

  const [closed, ...more] = listAt(accessLogs('BucketPolicy'), 'PolicyDocument.Statement');
  assert.equal(more.length, 0);
  const policy = text(at(of('_policy'), 'policy'));
  assert.equal(at(closed, 'Effect'), 'Deny');
  assert.match(policy, /Effect = "Deny"/);
  // The bucket, and what is in it.
  assert.equal(listAt(closed, 'Resource').length, 2);
  const arn = 'aws_s3_bucket.access_logs[0].arn';
  assert.ok(policy.includes(`Resource = [${arn}, "\${${arn}}/*"]`), policy);
  assert.deepEqual(at(closed, 'Condition'), { Bool: { 'aws:SecureTransport': 'false' } });
  assert.match(policy, /Condition = \{Bool = \{"?aws:SecureTransport"? = "false"\}\}/);
});

test('the configuration is named alike, in a bucket that is closed alike, and believes the same proxies', () => {
  const uploads = [plain, httpApi].map((template) => {
    const parts = listAt(theOne(template, 'Custom::ScepterConfig'), 'Create.Fn::Join.1');
    const call = parts.map((part) => (typeof part === 'string' ? part : 'BUCKET')).join('');
    const { Key, Body, ContentType } = JSON.parse(call).parameters;
    assert.equal(Key, `config/${createHash('sha256').update(Body).digest('hex')}.json`);
    assert.equal(ContentType, at(resourceOf(hcl, 'aws_s3_object', 'config'), 'content_type'));
    return JSON.parse(Body).trustedProxies;
  });
  assert.deepEqual(uploads, [1, 0]);
  assert.match(text(locals.config_text), /trustedProxies = local\.cloudfront \? 1 : 0/);
  const { Bucket, Policy } = Object.fromEntries(
    ['Bucket', 'BucketPolicy'].map((kind) => {
      const [, made] =
        Object.entries(plain.Resources).find(
          ([id, { Type }]) => id.startsWith('ServiceConfigs') && Type === `AWS::S3::${kind}`,
        ) ?? assert.fail();
      return [kind.replace('Bucket', '') || 'Bucket', made.Properties];
    }),
  );
  const of = (type: string) => resourceOf(hcl, `aws_s3_bucket${type}`, 'configs');
  assertClosedAlike(Bucket, of);
  assert.deepEqual(
    [at(Bucket, 'VersioningConfiguration.Status'), maybe(Bucket, 'LifecycleConfiguration')],
    [at(of('_versioning'), 'versioning_configuration.0.status'), undefined],
  );
  // The provider writes without a condition and deletes what it has written (hashicorp/terraform-provider-aws,
  // issue 38964), so that of Terraform's bucket only what comes without TLS is denied.
  const [closed] = listAt(Policy, 'PolicyDocument.Statement');
  assert.deepEqual(at(closed, 'Condition'), { Bool: { 'aws:SecureTransport': 'false' } });
  const policy = text(at(of('_policy'), 'policy'));
  assert.match(policy, /Condition = \{Bool = \{"?aws:SecureTransport"? = "false"\}\}/);
  assert.equal(policy.split('Effect = ').length, 2);
});

test('log groups are kept for the time and encrypted with the key that the settings name', () => {
  const groups = blocksOf(hcl, 'resource').filter(
    ({ labels }) => labels[0] === 'aws_cloudwatch_log_group',
  );
  assert.deepEqual(groups.map(({ labels }) => labels[1]).toSorted(), ['api', 'function', 'keys']);
  for (const { content } of groups) {
    assert.equal(at(content, 'retention_in_days'), expression('var.log_retention_days'));
    assert.equal(at(content, 'kms_key_id'), expression('var.log_group_key_arn'));
  }
});
