// CDK and Terraform make the same: the resources and the settings that security and cost rest on, read
// from the synthesised templates on one side and from the module on the other. Policies are files that
// both render (infra/policies).

import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  theOne,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const plain = templateOf('cloudfront');
const named = templateOf('domain');
const httpApi = templateOf('httpApi');

/** The text of an expression or template of HCL. */
const text = (value: unknown): string => String(value);

/** What Terraform's `resource` is in CloudFormation, and what only one of them has, and why. */
const same: Readonly<Record<string, readonly string[]>> = {
  'AWS::ApiGatewayV2::Api': ['aws_apigatewayv2_api'],
  'AWS::ApiGatewayV2::ApiMapping': ['aws_apigatewayv2_api_mapping'],
  'AWS::ApiGatewayV2::Authorizer': ['aws_apigatewayv2_authorizer'],
  'AWS::ApiGatewayV2::DomainName': ['aws_apigatewayv2_domain_name'],
  'AWS::ApiGatewayV2::Integration': ['aws_apigatewayv2_integration'],
  'AWS::ApiGatewayV2::Route': ['aws_apigatewayv2_route'],
  'AWS::ApiGatewayV2::Stage': ['aws_apigatewayv2_stage'],
  // CloudFormation writes the records that validate, and waits, by itself.
  'AWS::CertificateManager::Certificate': ['aws_acm_certificate', 'aws_acm_certificate_validation'],
  'AWS::CloudFront::Distribution': ['aws_cloudfront_distribution'],
  'AWS::CloudWatch::Alarm': ['aws_cloudwatch_metric_alarm'],
  'AWS::CloudWatch::Dashboard': ['aws_cloudwatch_dashboard'],
  'AWS::DynamoDB::GlobalTable': ['aws_dynamodb_table'],
  'AWS::Events::Rule': ['aws_cloudwatch_event_rule', 'aws_cloudwatch_event_target'],
  'AWS::IAM::ManagedPolicy': ['aws_iam_role_policy'],
  'AWS::IAM::Policy': ['aws_iam_role_policy'],
  'AWS::IAM::Role': ['aws_iam_role'],
  'AWS::KMS::Alias': ['aws_kms_alias'],
  'AWS::KMS::Key': ['aws_kms_key'],
  'AWS::Lambda::EventInvokeConfig': ['aws_lambda_function_event_invoke_config'],
  'AWS::Lambda::Function': ['aws_lambda_function'],
  'AWS::Lambda::Permission': ['aws_lambda_permission'],
  'AWS::Lambda::Url': ['aws_lambda_function_url'],
  'AWS::Logs::LogGroup': ['aws_cloudwatch_log_group'],
  'AWS::Logs::MetricFilter': ['aws_cloudwatch_log_metric_filter'],
  'AWS::Route53::RecordSet': ['aws_route53_record'],
  'AWS::S3::Bucket': [
    'aws_s3_bucket',
    'aws_s3_bucket_lifecycle_configuration',
    'aws_s3_bucket_ownership_controls',
    'aws_s3_bucket_public_access_block',
    'aws_s3_bucket_server_side_encryption_configuration',
  ],
  'AWS::S3::BucketPolicy': ['aws_s3_bucket_policy'],
  // Terraform would have to keep it in its state to make it: there the secret is a variable.
  'AWS::SecretsManager::Secret': [],
  'AWS::SSM::Parameter': ['aws_ssm_parameter'],
  'AWS::WAFv2::WebACL': ['aws_wafv2_web_acl'],
};

test('what one makes the other makes', () => {
  const made = new Set(
    [plain, named, httpApi].flatMap(({ Resources }) =>
      Object.values(Resources).map(({ Type }) => Type),
    ),
  );
  assert.deepEqual([...made].toSorted(), Object.keys(same).toSorted());
  const types = new Set(blocksOf(hcl, 'resource').map(({ labels }) => labels[0]));
  assert.deepEqual([...types].toSorted(), [...new Set(Object.values(same).flat())].toSorted());
});

const functionNames = ['scep', 'admin', 'maintenance'] as const;

test('functions: runtime, processor, handler, memory, time, limit, traces, log, role', () => {
  const resource = resourceOf(hcl, 'aws_lambda_function', 'this');
  for (const name of functionNames) {
    const about = at(locals.functions, name);
    const description = text(at(resource, 'description')).replace(
      /\$\{.+\}/,
      text(at(about, 'what')),
    );
    const made = ofType(plain, 'AWS::Lambda::Function').find(
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

test('functions: the same variables in their environments, with the same constants', () => {
  const variables = text(
    at(resourceOf(hcl, 'aws_lambda_function', 'this'), 'environment.0.variables'),
  );
  const ofTerraform = [...variables.matchAll(/\b([A-Z][A-Z_]+) = ("[^"$]*")?/g)];
  const names = new Map(ofTerraform.map(([, name = '', value]) => [name, value?.slice(1, -1)]));
  for (const made of ofType(plain, 'AWS::Lambda::Function')) {
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
  assert.match(variables, /each\.key == "scep" \? \{SCEPTER_ORIGIN_SECRETS/);
});

test('the table: keys, indexes, expiry, billing, cap, recovery and protection', () => {
  const made = theOne(plain, 'AWS::DynamoDB::GlobalTable');
  const resource = resourceOf(hcl, 'aws_dynamodb_table', 'this');
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
  assert.deepEqual(
    [
      at(replica, 'PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled'),
      at(replica, 'DeletionProtectionEnabled'),
    ],
    [at(resource, 'point_in_time_recovery.0.enabled'), defaultOf(hcl, 'deletion_protection')],
  );
});

test('keys: usage, spec, rotation, time to think, and which policy', () => {
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
      ],
      [
        at(resource, 'key_usage'),
        spec,
        maybe(resource, 'enable_key_rotation'),
        at(resource, 'deletion_window_in_days'),
      ],
      name,
    );
    assert.match(text(at(resource, 'policy')), new RegExp(`/${name}-key\\.json`));
  }
});

test('CloudFront: paths, who may come how, what is kept, TLS, errors, and what it shows the functions', () => {
  const resource = resourceOf(hcl, 'aws_cloudfront_distribution', 'this');
  const config = at(theOne(plain, 'AWS::CloudFront::Distribution'), 'DistributionConfig');
  const open = at(theOne(named, 'AWS::CloudFront::Distribution'), 'DistributionConfig');
  const behaviour = (one: unknown) => [
    maybe(one, 'PathPattern'),
    at(one, 'AllowedMethods'),
    at(one, 'CachePolicyId'),
    at(one, 'OriginRequestPolicyId'),
    at(one, 'ViewerProtocolPolicy'),
    at(one, 'Compress'),
  ];
  const all = at(locals, 'all_methods');
  const rest = [at(locals, 'all_viewer_except_host_header')];
  const expected = (protocol: string) => [
    ...listAt(locals, 'scep_paths').map((path) => [
      path,
      all,
      locals.caching_disabled,
      ...rest,
      protocol,
      false,
    ]),
    ...listAt(locals, 'cached_paths').map((path) => [
      path,
      ['GET', 'HEAD'],
      locals.caching_optimized,
      ...rest,
      protocol,
      false,
    ]),
  ];
  const protocols = text(
    at(resource, 'dynamic.0.ordered_cache_behavior.content.0.viewer_protocol_policy'),
  );
  assert.equal(protocols, expression('var.plain_http ? "allow-all" : "https-only"'));
  assert.equal(defaultOf(hcl, 'plain_http'), false);
  assert.deepEqual(listAt(config, 'CacheBehaviors').map(behaviour), expected('https-only'));
  assert.deepEqual(listAt(open, 'CacheBehaviors').map(behaviour), expected('allow-all'));
  for (const each of [config, open]) {
    assert.equal(
      at(each, 'DefaultCacheBehavior.ViewerProtocolPolicy'),
      at(resource, 'default_cache_behavior.0.viewer_protocol_policy'),
    );
    const origin = at(each, 'Origins.0');
    assert.deepEqual(
      [
        at(origin, 'CustomOriginConfig.OriginProtocolPolicy'),
        at(origin, 'CustomOriginConfig.OriginSSLProtocols'),
        at(origin, 'CustomOriginConfig.OriginReadTimeout'),
        at(origin, 'OriginCustomHeaders.0.HeaderName'),
        at(each, 'HttpVersion'),
      ],
      [
        at(resource, 'origin.0.custom_origin_config.0.origin_protocol_policy'),
        at(resource, 'origin.0.custom_origin_config.0.origin_ssl_protocols'),
        at(resource, 'origin.0.custom_origin_config.0.origin_read_timeout'),
        at(resource, 'origin.0.custom_header.0.name'),
        at(resource, 'http_version'),
      ],
    );
    assert.deepEqual(
      listAt(each, 'CustomErrorResponses').map((one) => at(one, 'ErrorCode')),
      listAt(resource, 'dynamic.1.custom_error_response.for_each'),
    );
  }
  const tls = text(at(resource, 'viewer_certificate.0.minimum_protocol_version'));
  assert.equal(
    tls,
    `\${var.domain == null ? "TLSv1" : "${at(open, 'ViewerCertificate.MinimumProtocolVersion')}"}`,
  );
});

test('the web ACL: the rate rule, its limit, what it answers', () => {
  const made = theOne(plain, 'AWS::WAFv2::WebACL');
  const resource = resourceOf(hcl, 'aws_wafv2_web_acl', 'this');
  const [rule, ...more] = listAt(made, 'Rules');
  assert.equal(more.length, 0);
  assert.equal(listAt(resource, 'rule').length, 1);
  assert.deepEqual(
    [
      at(made, 'Scope'),
      at(rule, 'Action.Block.CustomResponse.ResponseCode'),
      at(rule, 'Statement.RateBasedStatement.AggregateKeyType'),
      at(rule, 'Statement.RateBasedStatement.Limit'),
    ],
    [
      at(resource, 'scope'),
      at(resource, 'rule.0.action.0.block.0.custom_response.0.response_code'),
      at(resource, 'rule.0.statement.0.rate_based_statement.0.aggregate_key_type'),
      defaultOf(hcl, 'rate_limit'),
    ],
  );
});

test('the API: its own address, limits, the log of requests, and routes with an authorizer', () => {
  const api = resourceOf(hcl, 'aws_apigatewayv2_api', 'this');
  assert.equal(at(api, 'disable_execute_api_endpoint'), expression('var.domain != null'));
  assert.deepEqual(
    [plain, named].map((one) =>
      at(theOne(one, 'AWS::ApiGatewayV2::Api'), 'DisableExecuteApiEndpoint'),
    ),
    [false, true],
  );
  const stage = resourceOf(hcl, 'aws_apigatewayv2_stage', 'this');
  const made = theOne(plain, 'AWS::ApiGatewayV2::Stage');
  const rate = defaultOf(hcl, 'requests_per_second');
  assert.equal(at(made, 'DefaultRouteSettings.ThrottlingRateLimit'), rate);
  assert.equal(at(made, 'DefaultRouteSettings.ThrottlingBurstLimit'), 2 * Number(rate));
  assert.equal(
    at(stage, 'default_route_settings.0.throttling_burst_limit'),
    expression('2 * var.requests_per_second'),
  );
  const format: Record<string, string> = JSON.parse(text(at(made, 'AccessLogSettings.Format')));
  const ofTerraform = text(at(stage, 'access_log_settings.0.format'));
  const fields = [...ofTerraform.matchAll(/(\w+) = "(\$context\.[\w.]+)"/g)];
  assert.deepEqual(Object.fromEntries(fields.map(([, name, value]) => [name, value])), format);

  const routes = ofType(named, 'AWS::ApiGatewayV2::Route');
  const admin = routes.filter((one) => maybe(one, 'AuthorizationType') === 'JWT');
  const keys = admin.map((one) => at(one, 'RouteKey')).toSorted();
  assert.deepEqual(
    [...text(locals.admin_routes).matchAll(/"(ANY [^"]+)"/g)].map(([, key]) => key).toSorted(),
    keys,
  );
  assert.equal(at(resourceOf(hcl, 'aws_apigatewayv2_route', 'admin'), 'authorization_type'), 'JWT');
  assert.deepEqual(
    routes.filter((one) => !admin.includes(one)).map((one) => at(one, 'RouteKey')),
    [at(resourceOf(hcl, 'aws_apigatewayv2_route', 'default'), 'route_key')],
  );
  assert.equal(
    at(resourceOf(hcl, 'aws_lambda_function_url', 'admin'), 'authorization_type'),
    at(theOne(httpApi, 'AWS::Lambda::Url'), 'AuthType'),
  );
});

test('metrics from logs: the same lines, in the same logs, counted the same', () => {
  const made = ofType(plain, 'AWS::Logs::MetricFilter').map((one) =>
    [
      at(one, 'MetricTransformations.0.MetricName'),
      /Service(\w+?)log/.exec(text(at(one, 'LogGroupName.Ref')))?.[1],
      at(one, 'FilterPattern'),
      at(one, 'MetricTransformations.0.MetricValue'),
      at(one, 'MetricTransformations.0.MetricNamespace'),
    ].join(' | '),
  );
  const namespace = text(locals.namespace).replace(/\$\{.+\}/, text(defaultOf(hcl, 'deployment')));
  const ofTerraform = entriesAt(locals, 'log_metrics').flatMap(([metric, about]) =>
    listAt(about, 'from').map((from) =>
      [metric, from, at(about, 'pattern'), at(about, 'value'), namespace].join(' | '),
    ),
  );
  assert.deepEqual(made.toSorted(), ofTerraform.toSorted());
});

test('alarms: the same, at the same thresholds', () => {
  const says = (one: unknown): string => text(at(one, 'AlarmDescription')).replace(/^\S+ \S+ /, '');
  const made = ofType(plain, 'AWS::CloudWatch::Alarm').filter((one) => !maybe(one, 'Metrics'));
  const ofCdk = made.map((one) => ({
    says: says(one),
    metric: at(one, 'MetricName'),
    statistic: maybe(one, 'Statistic') ?? at(one, 'ExtendedStatistic'),
    period: at(one, 'Period'),
    threshold: at(one, 'Threshold'),
    periods: at(one, 'EvaluationPeriods'),
    below: at(one, 'ComparisonOperator') === 'LessThanThreshold',
    missing: at(one, 'TreatMissingData'),
  }));
  // Of the CRLs of the example, 10 days.
  const threshold = (value: unknown) => (value === expression('local.crl_hours / 4') ? 60 : value);
  const ofTerraform = entriesAt(locals, 'alarms').map(([name, one]) => ({
    says: at(one, 'says'),
    metric: at(one, 'metric'),
    statistic: at(one, 'statistic'),
    period: at(one, 'period'),
    threshold: threshold(at(one, 'threshold')),
    periods: at(one, 'periods'),
    below: at(one, 'below'),
    missing: name === 'UpkeepMissing' ? 'breaching' : 'notBreaching',
  }));
  const sorted = <T extends { says: unknown }>(list: T[]) =>
    list.toSorted((a, b) => (text(a.says) < text(b.says) ? -1 : 1));
  assert.deepEqual(sorted(ofCdk), sorted(ofTerraform));

  const ratio = ofType(plain, 'AWS::CloudWatch::Alarm').filter((one) => maybe(one, 'Metrics'));
  assert.equal(ratio.length, 1);
  const refused = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', 'refused');
  assert.equal(at(ratio[0], 'Threshold'), at(refused, 'threshold'));
  assert.equal(at(ratio[0], 'Metrics.0.Expression'), at(refused, 'metric_query.0.expression'));
});

test('upkeep: when it runs, and what becomes of a run that fails', () => {
  const rule = theOne(plain, 'AWS::Events::Rule');
  const invoke = theOne(plain, 'AWS::Lambda::EventInvokeConfig');
  const target = resourceOf(hcl, 'aws_cloudwatch_event_target', 'maintenance');
  const config = resourceOf(hcl, 'aws_lambda_function_event_invoke_config', 'maintenance');
  assert.deepEqual(
    [
      at(rule, 'ScheduleExpression'),
      at(rule, 'Targets.0.RetryPolicy.MaximumRetryAttempts'),
      at(rule, 'Targets.0.RetryPolicy.MaximumEventAgeInSeconds'),
      at(invoke, 'MaximumRetryAttempts'),
      at(invoke, 'MaximumEventAgeInSeconds'),
    ],
    [
      at(resourceOf(hcl, 'aws_cloudwatch_event_rule', 'every_minute'), 'schedule_expression'),
      at(target, 'retry_policy.0.maximum_retry_attempts'),
      at(target, 'retry_policy.0.maximum_event_age_in_seconds'),
      at(config, 'maximum_retry_attempts'),
      at(config, 'maximum_event_age_in_seconds'),
    ],
  );
});

test('logs and the bucket of access logs: how long, how closed', () => {
  for (const made of ofType(plain, 'AWS::Logs::LogGroup')) {
    assert.equal(at(made, 'RetentionInDays'), defaultOf(hcl, 'log_retention_days'));
  }
  const bucket = theOne(plain, 'AWS::S3::Bucket');
  const of = (type: string) => resourceOf(hcl, `aws_s3_bucket${type}`, 'access_logs');
  const blocked = at(bucket, 'PublicAccessBlockConfiguration');
  assert.deepEqual(
    [
      at(blocked, 'BlockPublicAcls'),
      at(blocked, 'BlockPublicPolicy'),
      at(blocked, 'IgnorePublicAcls'),
      at(blocked, 'RestrictPublicBuckets'),
    ],
    [
      'block_public_acls',
      'block_public_policy',
      'ignore_public_acls',
      'restrict_public_buckets',
    ].map((name) => at(of('_public_access_block'), name)),
  );
  assert.deepEqual(
    [
      at(
        bucket,
        'BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault.SSEAlgorithm',
      ),
      at(bucket, 'OwnershipControls.Rules.0.ObjectOwnership'),
      at(bucket, 'LifecycleConfiguration.Rules.0.ExpirationInDays'),
    ],
    [
      at(
        of('_server_side_encryption_configuration'),
        'rule.0.apply_server_side_encryption_by_default.0.sse_algorithm',
      ),
      at(of('_ownership_controls'), 'rule.0.object_ownership'),
      at(of('_lifecycle_configuration'), 'rule.0.expiration.0.days'),
    ],
  );
});

test('the configuration has the same name, and believes the same proxies', () => {
  const made = theOne(plain, 'AWS::SSM::Parameter');
  const resource = resourceOf(hcl, 'aws_ssm_parameter', 'config');
  const name = text(at(resource, 'name')).replace(/\$\{.+\}/, text(defaultOf(hcl, 'deployment')));
  assert.equal(at(made, 'Name'), name);
  assert.match(text(locals.config_text), /trustedProxies = local\.cloudfront \? 1 : 0/);
  const proxies = [plain, httpApi].map(
    (one) => JSON.parse(text(at(theOne(one, 'AWS::SSM::Parameter'), 'Value'))).trustedProxies,
  );
  assert.deepEqual(proxies, [1, 0]);
});

test('roles: for the same service, and the operator for an hour', () => {
  const operator = resourceOf(hcl, 'aws_iam_role', 'operator');
  const made = ofType(plain, 'AWS::IAM::Role').filter((one) => maybe(one, 'MaxSessionDuration'));
  assert.deepEqual(
    made.map((one) => maybe(one, 'MaxSessionDuration')),
    [at(operator, 'max_session_duration')],
  );
  const functions = text(at(resourceOf(hcl, 'aws_iam_role', 'function'), 'assume_role_policy'));
  assert.match(functions, /Principal = \{Service = "lambda\.amazonaws\.com"\}/);
});
