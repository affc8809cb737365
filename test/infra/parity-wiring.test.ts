// What the Terraform module's settings are made of. Whether both make the same is asked elsewhere, of
// constants; here each setting that security depends on is compared with the variable, local or resource that
// it must come from, because an expression does not show its value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  at,
  blocksOf,
  expression,
  hclOf,
  localsOf,
  maybe,
  ofType,
  resourceOf,
  templateOf,
  text,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);

/** Of a resource: where, and the expression that stands there. */
const wired: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'aws_cloudfront_distribution.this': {
    web_acl_id: 'coalesce(var.web_acl_arn, one(aws_wafv2_web_acl.this[*].arn))',
    'default_cache_behavior.0.allowed_methods': 'local.all_methods',
    'default_cache_behavior.0.cache_policy_id': 'local.caching_disabled',
    'default_cache_behavior.0.origin_request_policy_id': 'local.all_viewer_except_host_header',
    'dynamic.0.ordered_cache_behavior.for_each': 'local.scep_paths',
    'dynamic.0.ordered_cache_behavior.content.0.path_pattern': 'ordered_cache_behavior.value',
    'dynamic.0.ordered_cache_behavior.content.0.allowed_methods': 'local.all_methods',
    'dynamic.0.ordered_cache_behavior.content.0.cache_policy_id': 'local.caching_disabled',
    'dynamic.1.ordered_cache_behavior.for_each': 'local.file_paths',
    'dynamic.1.ordered_cache_behavior.content.0.path_pattern': 'ordered_cache_behavior.key',
    'dynamic.1.ordered_cache_behavior.content.0.cache_policy_id':
      'ordered_cache_behavior.value.cache',
    'dynamic.1.ordered_cache_behavior.content.0.response_headers_policy_id':
      'ordered_cache_behavior.value.headers',
    'dynamic.0.ordered_cache_behavior.content.0.origin_request_policy_id':
      'local.all_viewer_except_host_header',
    'origin.0.domain_name': 'local.api_host',
  },
  'aws_wafv2_web_acl.this': {
    'rule.0.statement.0.rate_based_statement.0.limit': 'var.rate_limit',
  },
  'aws_dynamodb_table.this': {
    deletion_protection_enabled: 'var.deletion_protection',
    table_class: 'var.table_class',
    'on_demand_throughput.0.max_read_request_units': 'var.max_read_request_units',
    'on_demand_throughput.0.max_write_request_units': 'var.max_write_request_units',
    'dynamic.1.global_secondary_index.content.0.on_demand_throughput.0.max_read_request_units':
      'var.max_read_request_units',
    'dynamic.1.global_secondary_index.content.0.on_demand_throughput.0.max_write_request_units':
      'var.max_write_request_units',
    'dynamic.2.server_side_encryption.for_each':
      'var.table_key_arn == null ? [] : [var.table_key_arn]',
    'dynamic.2.server_side_encryption.content.0.kms_key_arn': 'server_side_encryption.value',
    'ttl.0.attribute_name': 'local.ttl_attribute',
  },
  'aws_lambda_function.this': {
    filename: 'var.package_bucket == null ? local.packages[each.key] : null',
    source_code_hash:
      'var.package_bucket == null ? filebase64sha256(local.packages[each.key]) : null',
    role: 'aws_iam_role.function[each.key].arn',
    reserved_concurrent_executions: 'each.value.reserved',
    'logging_config.0.log_group': 'aws_cloudwatch_log_group.function[each.key].name',
  },
  'aws_iam_role_policy.function': {
    role: 'aws_iam_role.function[each.key].id',
    policy: `templatefile("\${local.policies}/\${each.key}.json", merge(local.policy_values, {LogGroupStreams = "\${aws_cloudwatch_log_group.function[each.key].arn}:*"}))`,
  },
  'aws_iam_role_policy.table_key': {
    for_each:
      'var.table_key_arn == null ? {} : merge({for name, role in aws_iam_role.function : name => role.id}, {operator = aws_iam_role.operator.id})',
  },
  'aws_iam_role_policy.operator': { role: 'aws_iam_role.operator.id' },
  'aws_apigatewayv2_integration.this': {
    for_each:
      '!local.api ? toset([]) : toset(concat(["scep"], local.admin_type == "jwt" || var.decision_links ? ["admin"] : [], var.challenge_pages ? ["challenges"] : []))',
    integration_uri: 'aws_lambda_function.this[each.key].arn',
  },
  'aws_lambda_permission.api': {
    for_each: 'aws_apigatewayv2_integration.this',
    function_name: 'aws_lambda_function.this[each.key].function_name',
  },
  'aws_apigatewayv2_authorizer.operators': {
    'jwt_configuration.0.issuer': 'var.admin.issuer',
    'jwt_configuration.0.audience': 'var.admin.audience',
  },
  'aws_apigatewayv2_route.admin': {
    authorizer_id: 'aws_apigatewayv2_authorizer.operators[0].id',
    for_each: 'local.admin_routes',
  },
  'aws_apigatewayv2_stage.this': {
    'access_log_settings.0.destination_arn': 'aws_cloudwatch_log_group.api[0].arn',
    'default_route_settings.0.throttling_rate_limit': 'var.requests_per_second',
  },
  'aws_lambda_function_url.admin': {
    count: 'local.admin_type == "iam" ? 1 : 0',
    function_name: 'aws_lambda_function.this["admin"].function_name',
  },
  'aws_lambda_function_url.scep': {
    function_name: 'aws_lambda_function.this["scep"].function_name',
  },
  'aws_lambda_permission.url': {
    function_name: 'aws_lambda_function.this["scep"].function_name',
  },
  'aws_cloudwatch_event_target.minutely': {
    rule: 'aws_cloudwatch_event_rule.every_minute.name',
    arn: 'aws_lambda_function.this[each.key].arn',
  },
  'aws_lambda_event_source_mapping.waiting': {
    event_source_arn: 'local.stream_arn',
    function_name: 'aws_lambda_function.this["sequencer"].arn',
  },
  'aws_lambda_permission.schedule': {
    function_name: 'aws_lambda_function.this[each.key].function_name',
    source_arn: 'aws_cloudwatch_event_rule.every_minute.arn',
  },
  'aws_cloudwatch_log_metric_filter.this': {
    for_each: 'local.log_filters',
    log_group_name: 'local.log_names[each.value.from]',
    pattern: 'each.value.pattern',
    'metric_transformation.0.namespace': 'local.namespace',
    'metric_transformation.0.name': 'each.value.metric',
    'metric_transformation.0.value': 'each.value.value',
  },
  'aws_cloudwatch_metric_alarm.this': {
    namespace: 'each.value.namespace',
    metric_name: 'each.value.metric',
    dimensions: 'each.value.dimensions',
    threshold: 'each.value.threshold',
    evaluation_periods: 'each.value.periods',
    comparison_operator: 'each.value.below ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"',
  },
  'aws_cloudwatch_metric_alarm.refused': {
    'dynamic.0.metric_query.for_each': 'toset(["Issued", "Refused"])',
    'dynamic.0.metric_query.content.0.id': 'lower(metric_query.value)',
    'dynamic.0.metric_query.content.0.metric.0.namespace': 'local.namespace',
    'dynamic.0.metric_query.content.0.metric.0.metric_name': 'metric_query.value',
  },
  'aws_cloudwatch_metric_alarm.table_throttled': {
    'dynamic.0.metric_query.for_each':
      'concat([["table", "Read"], ["table", "Write"]], [for name in keys(local.indexes) : [name, "Write"]])',
    'dynamic.0.metric_query.content.0.metric.0.dimensions':
      'merge({TableName = local.table_name}, metric_query.value[0] == "table" ? {} : {GlobalSecondaryIndexName = metric_query.value[0]})',
  },
  'aws_acm_certificate_validation.cloudfront': {
    certificate_arn: 'aws_acm_certificate.cloudfront[0].arn',
    provider: 'aws.us_east_1',
  },
  'aws_apigatewayv2_domain_name.this': {
    'domain_name_configuration.0.certificate_arn':
      'length(aws_acm_certificate.api) == 0 ? var.domain.certificate_arn : aws_acm_certificate_validation.api[0].certificate_arn',
  },
};

/** Of a resource: where, and the constant that stands there. */
const said: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  // All other paths go to the SCEP function, for which this route requires no JWT.
  'aws_apigatewayv2_route.default': {
    target: `integrations/${expression('aws_apigatewayv2_integration.this["scep"].id')}`,
  },
  'aws_apigatewayv2_route.admin': {
    target: `integrations/${expression('aws_apigatewayv2_integration.this["admin"].id')}`,
  },
  'aws_apigatewayv2_route.decide': {
    target: `integrations/${expression('aws_apigatewayv2_integration.this["admin"].id')}`,
  },
  'aws_apigatewayv2_route.mdm': {
    target: `integrations/${expression('aws_apigatewayv2_integration.this["challenges"].id')}`,
  },
  'aws_apigatewayv2_authorizer.operators': {
    authorizer_type: 'JWT',
    identity_sources: ['$request.header.Authorization'],
  },
  'aws_dynamodb_table.this': { 'ttl.0.enabled': true },
  'aws_wafv2_web_acl.this': { default_action: [{ allow: [{}] }] },
  'aws_cloudfront_distribution.this': { enabled: true, is_ipv6_enabled: true },
  'aws_cloudwatch_metric_alarm.refused': {
    comparison_operator: 'GreaterThanOrEqualToThreshold',
    'dynamic.0.metric_query.content.0.metric.0.stat': 'Sum',
    'dynamic.0.metric_query.content.0.metric.0.period': 300,
  },
  'aws_cloudwatch_metric_alarm.table_throttled': {
    comparison_operator: 'GreaterThanOrEqualToThreshold',
    'dynamic.0.metric_query.content.0.metric.0.namespace': 'AWS/DynamoDB',
    'dynamic.0.metric_query.content.0.id': `\${metric_query.value[0]}\${metric_query.value[1]}s`,
    'dynamic.0.metric_query.content.0.metric.0.metric_name': `\${metric_query.value[1]}ThrottleEvents`,
    'dynamic.0.metric_query.content.0.metric.0.stat': 'Sum',
    'dynamic.0.metric_query.content.0.metric.0.period': 300,
  },
};

for (const address of new Set([...Object.keys(wired), ...Object.keys(said)])) {
  test(`${address}: what its settings come from`, () => {
    const [type = '', name = ''] = address.split('.');
    const content = resourceOf(hcl, type, name);
    for (const [path, wanted] of Object.entries(wired[address] ?? {})) {
      assert.equal(at(content, path), expression(wanted), path);
    }
    for (const [path, wanted] of Object.entries(said[address] ?? {})) {
      assert.deepEqual(at(content, path), wanted, path);
    }
  });
}

test('locals have the same alarm topic, admin ingress and concurrency', () => {
  const { alarm_actions, admin_type, functions } = locals;
  assert.deepEqual(
    [alarm_actions, admin_type],
    [
      'var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]',
      'var.admin == null ? "none" : var.admin.type',
    ].map(expression),
  );
  assert.equal(at(functions, 'scep.reserved'), expression('var.reserved_concurrency'));
});

test('an existing table or key takes the place of a new one', () => {
  const { ca_key_arns, sealing_key_arn, log_key_arn, table_name, stream_arn } = locals;
  assert.deepEqual(
    [ca_key_arns, sealing_key_arn, log_key_arn, table_name, stream_arn],
    [
      'merge({for name, key in aws_kms_key.ca : name => key.arn}, var.ca_key_arns)',
      'var.sealing_key_arn == null ? aws_kms_key.sealing[0].arn : var.sealing_key_arn',
      'var.log_key_arn == null ? aws_kms_key.log[0].arn : var.log_key_arn',
      'var.table_name == null ? aws_dynamodb_table.this[0].name : var.table_name',
      'var.table_name == null ? aws_dynamodb_table.this[0].stream_arn : var.table_stream_arn',
    ].map(expression),
  );
});

test('policies name the same principals and resources', () => {
  const values = Object(locals.key_policy_values);
  for (const name of ['Scep', 'Admin', 'Maintenance', 'Sequencer', 'Operator']) {
    const arn = expression(`local.role_arns.${name.toLowerCase()}`);
    assert.equal(values[`${name}Role`], arn);
  }
  assert.equal(values.ChallengesRole, expression('try(local.role_arns.challenges, "")'));
  assert.match(
    text(locals.role_arns),
    /: \(?name == "operator" \? aws_iam_role\.operator\.arn : aws_iam_role\.function\[name\]\.arn\)?\}/,
  );
  assert.deepEqual(locals.policy_values, {
    ConfigObjects: `${expression('aws_s3_bucket.configs.arn')}/config/*`,
    ...Object.fromEntries(
      Object.entries({
        Deployment: 'var.deployment',
        TableArn: 'local.table_arn',
        CaKeyArns: 'join("\\",\\"", values(local.ca_key_arns))',
        CaSigningAlgorithms: 'join("\\",\\"", distinct(values(local.signing_algorithms)))',
        SealingKeyArn: 'local.sealing_key_arn',
        FilesBucketArn: 'aws_s3_bucket.files.arn',
        LogBucketArn: 'aws_s3_bucket.logs.arn',
        LogKeyArn: 'local.log_key_arn',
        StreamArn: 'local.stream_arn',
      }).map(([name, text]) => [name, expression(text)]),
    ),
  });
});

test('the configuration is named by its SHA-256, and the one before goes after the new one is there', () => {
  assert.equal(locals.config_key, `config/${expression('sha256(local.config_text)')}.json`);
  const object = resourceOf(hcl, 'aws_s3_object', 'config');
  assert.equal(at(object, 'key'), expression('local.config_key'));
  assert.equal(at(object, 'content'), expression('local.config_text'));
  assert.equal(at(object, 'lifecycle.0.create_before_destroy'), true);
});

test('every function knows the deployment, the table and the key that seals', () => {
  const variables = text(
    at(resourceOf(hcl, 'aws_lambda_function', 'this'), 'environment.0.variables'),
  );
  for (const part of [
    'SCEPTER_DEPLOYMENT = var.deployment',
    'SCEPTER_TABLE = local.table_name',
    'SCEPTER_FILES = aws_s3_bucket.files.bucket',
    'SCEPTER_SEALING_KEY = local.sealing_key_arn',
    `SCEPTER_CONFIG = "s3:${expression('aws_s3_object.config.bucket')}/${expression('aws_s3_object.config.key')}"`,
  ]) {
    assert.ok(variables.includes(part), part);
  }
});

test('the policy for making challenges allows the admin function, and its URL only where it has one', () => {
  const { content } =
    blocksOf(hcl, 'output').find(({ labels }) => labels[0] === 'mint_challenges_policy') ??
    assert.fail();
  const value = text(at(content, 'value'));
  const admin = 'Resource = [aws_lambda_function.this["admin"].arn]';
  assert.deepEqual(
    [
      ...value.matchAll(
        /Action = "([^"]+)", (Resource = \[.+?\]), Condition = (\{.*?\}+)(?=[,\]])/g,
      ),
    ].map(([, ...parts]) => parts),
    [
      [
        'lambda:InvokeFunctionUrl',
        admin,
        '{StringEquals = {"lambda:FunctionUrlAuthType" = "AWS_IAM"}}}',
      ],
      ['lambda:InvokeFunction', admin, '{Bool = {"lambda:InvokedViaFunctionUrl" = "true"}}}'],
      ['lambda:InvokeFunction', admin, '{}}'],
    ],
  );
});

test('secrets, also the previous origin secret, are named in the environment of whoever asks for them, by ARN', () => {
  const variables = text(
    at(resourceOf(hcl, 'aws_lambda_function', 'this'), 'environment.0.variables'),
  );
  for (const part of [
    `{for name, arn in try(local.secrets[each.key], {}) : name => "secretsmanager:${expression('arn')}"}`,
    'formatlist("secretsmanager:%s", var.origin_secret_arns)',
  ]) {
    assert.ok(variables.includes(part), `${part} in ${variables}`);
  }
  const scep = ofType(templateOf('cloudfront'), 'AWS::Lambda::Function').find((one) =>
    maybe(one, 'Environment.Variables.SCEPTER_ORIGIN_SECRETS'),
  );
  const named = JSON.stringify(at(scep, 'Environment.Variables.SCEPTER_ORIGIN_SECRETS'));
  assert.match(named, /"secretsmanager:",\{"Ref":"ServiceOriginSecret/);
  assert.equal(
    at(resourceOf(hcl, 'aws_iam_role_policy', 'secrets'), 'role'),
    expression('aws_iam_role.function[each.key].id'),
  );
  assert.equal(
    locals.secret_arns,
    expression(
      '{for name, secrets in local.secrets : name => concat(values(secrets), contains(local.shown_to, name) ? var.origin_secret_arns : []) if contains(keys(local.deployed), name)}',
    ),
  );
});

test('the policy for reading the log allows events, and no other record', () => {
  const { content } =
    blocksOf(hcl, 'output').find(({ labels }) => labels[0] === 'read_log_policy') ?? assert.fail();
  const value = text(at(content, 'value'));
  for (const part of [
    '"dynamodb:BatchGetItem" = {resource = local.table_arn, keys = "event#*"}',
    `"dynamodb:Query" = {resource = "\${local.table_arn}/index/places", keys = "events#*"}`,
    '"ForAllValues:StringLike" = {"dynamodb:LeadingKeys" = [about.keys]}',
    'Null = {"dynamodb:LeadingKeys" = "false"}',
  ]) {
    assert.ok(value.includes(part), part);
  }
});
