// CDK and Terraform watch the same, and do upkeep at the same times.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/installed.ts';
import { type ContextName, contexts } from './contexts.ts';
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
  type Template,
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

test('metrics count the same lines of the same logs', () => {
  const made = ofType(named, 'AWS::Logs::MetricFilter').map((one) =>
    [
      at(one, 'MetricTransformations.0.MetricName'),
      /Service(\w+?)log/.exec(text(at(one, 'LogGroupName.Ref')))?.[1],
      at(one, 'FilterPattern'),
      at(one, 'MetricTransformations.0.MetricValue'),
      maybe(one, 'MetricTransformations.0.DefaultValue') === 0,
      at(one, 'MetricTransformations.0.MetricNamespace'),
    ].join(' | '),
  );
  const namespace = text(locals.namespace).replace(/\$\{.+\}/, text(defaultOf(hcl, 'deployment')));
  const ofTerraform = entriesAt(locals, 'log_metrics').flatMap(([metric, about]) =>
    listAt(about, 'from').map((from) =>
      [
        ...[metric, from, at(about, 'pattern'), at(about, 'value')],
        ...[maybe(about, 'always') === true, namespace],
      ].join(' | '),
    ),
  );
  assert.deepEqual(made.toSorted(), ofTerraform.toSorted());
  const withoutApi = ofType(functionUrl, 'AWS::Logs::MetricFilter');
  assert.equal(
    withoutApi.length,
    ofTerraform.filter((one) => !/\| (?:api|challenges) \|/.test(one)).length,
  );
  assert.ok(
    text(locals.log_filters).includes(
      'if (name != "api" || local.api) && (name != "challenges" || var.challenge_pages)',
    ),
    text(locals.log_filters),
  );
});

type Alarmed = { readonly says: string };
const sorted = <T extends Alarmed>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => (a.says < b.says ? -1 : 1));
const says = (one: unknown): string => text(at(one, 'AlarmDescription')).replace(/^\S+ \S+ /, '');

/** Of one metric; those of several have arithmetic. */
const alarmsOf = (template: Template) =>
  ofType(template, 'AWS::CloudWatch::Alarm')
    .filter((one) => !maybe(one, 'Metrics') && at(one, 'Namespace') !== 'AWS/WAFV2')
    .map((one) => ({
      says: says(one),
      namespace: at(one, 'Namespace'),
      metric: at(one, 'MetricName'),
      dimensions: listAt(one, 'Dimensions').map((each) => at(each, 'Name')),
      statistic: maybe(one, 'Statistic') ?? at(one, 'ExtendedStatistic'),
      period: at(one, 'Period'),
      threshold: at(one, 'Threshold'),
      periods: at(one, 'EvaluationPeriods'),
      below: at(one, 'ComparisonOperator') === 'LessThanThreshold',
      missing: at(one, 'TreatMissingData'),
    }));

/** What counts answers of 5xx, by the ways in. */
const ways = ['api', 'alb', 'url'] as const;
const serverErrors = (way: (typeof ways)[number]) => {
  const each = [
    ...text(locals.server_errors).matchAll(
      /namespace = "([^"]+)", metric = "([^"]+)", dimensions = tomap\((?:\{(\w+) = |local\.lambda\.)/g,
    ),
  ];
  assert.equal(each.length, ways.length);
  const [, namespace, metric, dimension = 'FunctionName'] = each[ways.indexOf(way)] ?? [];
  return { namespace, metric, dimensions: [dimension] };
};

test('alarms have the same metrics and thresholds by each way in', () => {
  const ofTerraform = (way: (typeof ways)[number], reserved: boolean) => {
    const { namespace, metric, ...counted } = serverErrors(way);
    /** What depends on variables. */
    const plainly = (value: unknown): unknown => {
      switch (value) {
        case expression('local.server_errors.namespace'):
          return namespace;
        case expression('local.server_errors.metric'):
          return metric;
        case expression('local.namespace'):
          return 'Scepter/scepter';
        case expression('local.crl_hours / 4'):
          return 60; // Of the CRLs of the example, 10 days.
        case expression('ceil(4 * var.reserved_concurrency / 5)'):
          return 40;
        default:
          return value;
      }
    };
    const dimensions = (value: unknown): string[] => {
      if (value === expression('local.server_errors.dimensions')) return counted.dimensions;
      return /^\$\{local\.lambda\./.test(text(value)) ? ['FunctionName'] : [];
    };
    return entriesAt(locals, 'alarms')
      .filter(([name]) => (name !== 'Busy' || reserved) && (name !== 'TooMany' || way === 'api'))
      .map(([name, one]) => ({
        says: text(at(one, 'says')),
        namespace: plainly(at(one, 'namespace')),
        metric: plainly(at(one, 'metric')),
        dimensions: dimensions(at(one, 'dimensions')),
        statistic: at(one, 'statistic'),
        period: at(one, 'period'),
        threshold: plainly(at(one, 'threshold')),
        periods: at(one, 'periods'),
        below: at(one, 'below'),
        missing: name.endsWith('Missing') ? 'breaching' : 'notBreaching',
      }));
  };
  assert.deepEqual(sorted(alarmsOf(plain)), sorted(ofTerraform('api', true)));
  assert.deepEqual(sorted(alarmsOf(templateOf('alb'))), sorted(ofTerraform('alb', true)));
  assert.deepEqual(sorted(alarmsOf(functionUrl)), sorted(ofTerraform('url', false)));
  const made = at(resourceOf(hcl, 'aws_cloudwatch_metric_alarm', 'this'), 'treat_missing_data');
  assert.equal(made, expression('endswith(each.key, "Missing") ? "breaching" : "notBreaching"'));
});

test('the web ACL is watched alike, where it is', () => {
  const blocked = (template: Template) =>
    ofType(template, 'AWS::CloudWatch::Alarm').filter(
      (one) => maybe(one, 'Namespace') === 'AWS/WAFV2',
    );
  const [ofCdk, ...more] = blocked(plain);
  assert.ok(ofCdk);
  assert.deepEqual(more, []);
  assert.deepEqual(blocked(templateOf('edge')), [ofCdk]);
  assert.deepEqual([...blocked(httpApi), ...blocked(functionUrl)], []);
  const ofTerraform = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', 'blocked');
  const named = text(at(ofTerraform, 'dimensions.WebACL')).replace(
    /\$\{.+\}/,
    text(defaultOf(hcl, 'deployment')),
  );
  assert.deepEqual(
    {
      says: says(ofCdk),
      dimensions: listAt(ofCdk, 'Dimensions').map((one) => at(one, 'Value')),
      of: [at(ofCdk, 'Namespace'), at(ofCdk, 'MetricName'), at(ofCdk, 'Statistic')],
      when: [at(ofCdk, 'Threshold'), at(ofCdk, 'Period'), at(ofCdk, 'EvaluationPeriods')],
      how: at(ofCdk, 'ComparisonOperator'),
    },
    {
      says: text(at(ofTerraform, 'alarm_description')).replace(/^\S+ \S+ /, ''),
      dimensions: [at(ofTerraform, 'dimensions.Rule'), named],
      of: [
        at(ofTerraform, 'namespace'),
        at(ofTerraform, 'metric_name'),
        at(ofTerraform, 'statistic'),
      ],
      when: [
        at(ofTerraform, 'threshold'),
        at(ofTerraform, 'period'),
        at(ofTerraform, 'evaluation_periods'),
      ],
      how: at(ofTerraform, 'comparison_operator'),
    },
  );
  assert.equal(at(ofTerraform, 'provider'), expression('aws.us_east_1'));
  // What its rule and the whole are counted under.
  const acl = theOne(plain, 'AWS::WAFv2::WebACL');
  const metric = 'VisibilityConfig.MetricName';
  const web = resourceOf(hcl, 'aws_wafv2_web_acl', 'this');
  assert.equal(at(acl, metric), named);
  assert.equal(at(web, 'visibility_config.0.metric_name'), at(ofTerraform, 'dimensions.WebACL'));
});

test('what is done to keys is kept alike: the same calls, of every key, in a log that EventBridge may write', () => {
  const [rule, ...more] = ofType(plain, 'AWS::Events::Rule').filter((one) =>
    maybe(one, 'EventPattern'),
  );
  assert.deepEqual(more, []);
  const hclRule = resourceOf(hcl, 'aws_cloudwatch_event_rule', 'keys');
  assert.deepEqual(at(rule, 'EventPattern.detail.eventName'), locals.key_calls);
  const pattern = text(at(hclRule, 'event_pattern'));
  for (const word of [at(rule, 'EventPattern.source.0'), at(rule, 'EventPattern.detail-type.0')]) {
    assert.ok(pattern.includes(`"${word}"`), pattern);
  }
  const keys = Object.values(plain.Resources).filter(({ Type }) => Type === 'AWS::KMS::Key');
  assert.equal(listAt(rule, 'EventPattern.detail.resources.ARN').length, keys.length);
  assert.match(
    pattern,
    /resources = \{ARN = \[for name in each\.value : local\.key_arns\[name\]\]\}/,
  );
  const policy = JSON.stringify(at(theOne(plain, 'AWS::Logs::ResourcePolicy'), 'PolicyDocument'));
  const hclPolicy = text(
    at(resourceOf(hcl, 'aws_cloudwatch_log_resource_policy', 'keys'), 'policy_document'),
  );
  for (const word of [
    ...['events', 'delivery.logs'].map((name) => `${name}.amazonaws.com`),
    ...['logs:CreateLogStream', 'logs:PutLogEvents', 'ArnLike', 'aws:SourceArn', ':rule/*'],
  ]) {
    assert.ok(policy.includes(word), word);
    assert.ok(hclPolicy.includes(word), word);
  }
  assert.equal(
    at(resourceOf(hcl, 'aws_cloudwatch_event_target', 'keys'), 'arn'),
    expression('aws_cloudwatch_log_group.keys.arn'),
  );
});

test('alarms of several metrics have the same arithmetic', () => {
  const ofCdk = ofType(plain, 'AWS::CloudWatch::Alarm')
    .filter((one) => maybe(one, 'Metrics'))
    .map((one) => ({
      says: says(one),
      threshold: at(one, 'Threshold'),
      periods: at(one, 'EvaluationPeriods'),
      missing: at(one, 'TreatMissingData'),
      expression: at(one, 'Metrics.0.Expression'),
      of: listAt(one, 'Metrics')
        .slice(1)
        .map((each) => at(each, 'Id'))
        .toSorted(),
    }));
  const indexes = entriesAt(locals, 'indexes').map(([name]) => name);
  const throttled = ['tableReads', 'tableWrites', ...indexes.map((name) => `${name}Writes`)];
  const of = { refused: ['issued', 'refused'], table_throttled: throttled };
  const ofTerraform = Object.entries(of).map(([name, metrics]) => {
    const one = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', name);
    return {
      says: text(at(one, 'alarm_description')).replace(/^.+?: /, ''),
      threshold: at(one, 'threshold'),
      periods: at(one, 'evaluation_periods'),
      missing: at(one, 'treat_missing_data'),
      expression: at(one, 'metric_query.0.expression'),
      of: metrics.toSorted(),
    };
  });
  assert.deepEqual(sorted(ofCdk), sorted(ofTerraform));
});

test('every alarm notifies the alarm topic when it begins and when it is over', () => {
  const actions = { this: '', refused: '', table_throttled: '', blocked: 'edge_' };
  for (const [name, prefix] of Object.entries(actions)) {
    const one = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', name);
    assert.equal(at(one, 'alarm_actions'), expression(`local.${prefix}alarm_actions`));
    assert.equal(at(one, 'ok_actions'), at(one, 'alarm_actions'));
  }
  const topic = 'arn:aws:sns:us-east-1:111122223333:alarms';
  for (const one of ofType(named, 'AWS::CloudWatch::Alarm')) {
    assert.deepEqual([at(one, 'AlarmActions'), at(one, 'OKActions')], [[topic], [topic]]);
  }
});

test('the dashboard has the same graphs of the same metrics', () => {
  const joined = at(theOne(plain, 'AWS::CloudWatch::Dashboard'), 'DashboardBody.Fn::Join.1');
  const body = (joined as readonly unknown[])
    .map((part) => (typeof part === 'string' ? part : 'X'))
    .join('');
  const ofCdk = listAt(JSON.parse(body), 'widgets').map((one) => [
    at(one, 'properties.title'),
    [
      ...new Set(listAt(one, 'properties.metrics').map((metric) => text(at(metric, '1')))),
    ].toSorted(),
  ]);
  const hclBody = text(at(resourceOf(hcl, 'aws_cloudwatch_dashboard', 'this'), 'dashboard_body'));
  const ofTerraform = [
    ...hclBody.matchAll(/title = "(.+?)", metrics = (.+?)(?=\{title|\] : \{)/gs),
  ].map(([, title, metrics = '']) => [
    title,
    [
      ...new Set(
        [...metrics.matchAll(/\[(?:local\.namespace|"AWS\/\w+"), "(\w+)"/g)].map(
          ([, metric]) => metric,
        ),
      ),
    ].toSorted(),
  ]);
  assert.deepEqual(ofCdk, ofTerraform);
});

test('upkeep and the sequencer run at the same times, and a failed run is handled alike', () => {
  const rule = ofType(plain, 'AWS::Events::Rule').find((one) => maybe(one, 'ScheduleExpression'));
  const invoke = ofType(plain, 'AWS::Lambda::EventInvokeConfig');
  const target = resourceOf(hcl, 'aws_cloudwatch_event_target', 'minutely');
  const config = resourceOf(hcl, 'aws_lambda_function_event_invoke_config', 'minutely');
  for (const one of [target, config]) {
    assert.equal(at(one, 'for_each'), expression('local.minutely'));
  }
  const minutely = [...text(locals.minutely).matchAll(/"(\w+)"/g)].map(([, name]) => name);
  const called = (of: unknown) =>
    /Service(maintenance|sequencer)function/.exec(JSON.stringify(of))?.[1];
  assert.deepEqual(listAt(rule, 'Targets').map(called), minutely);
  assert.deepEqual(invoke.map(called).toSorted(), minutely);
  for (const [i] of minutely.entries()) {
    assert.deepEqual(
      [
        at(rule, 'ScheduleExpression'),
        at(rule, `Targets.${i}.RetryPolicy.MaximumRetryAttempts`),
        at(rule, `Targets.${i}.RetryPolicy.MaximumEventAgeInSeconds`),
        at(invoke[i], 'MaximumRetryAttempts'),
        at(invoke[i], 'MaximumEventAgeInSeconds'),
      ],
      [
        at(resourceOf(hcl, 'aws_cloudwatch_event_rule', 'every_minute'), 'schedule_expression'),
        at(target, 'retry_policy.0.maximum_retry_attempts'),
        at(target, 'retry_policy.0.maximum_event_age_in_seconds'),
        at(config, 'maximum_retry_attempts'),
        at(config, 'maximum_event_age_in_seconds'),
      ],
    );
  }
});

test('the sequencer follows the table alike', () => {
  const mapping = theOne(plain, 'AWS::Lambda::EventSourceMapping');
  const waiting = resourceOf(hcl, 'aws_lambda_event_source_mapping', 'waiting');
  const pattern = text(at(waiting, 'filter_criteria.0.filter.0.pattern'));
  for (const word of ['eventName = ["INSERT"]', 'prefix = "unlogged#"']) {
    assert.ok(pattern.includes(word), pattern);
  }
  assert.match(
    text(at(mapping, 'FilterCriteria.Filters.0.Pattern')),
    /^\{"eventName":\["INSERT"\],.*\{"prefix":"unlogged#"\}/,
  );
  const both = {
    BatchSize: 'batch_size',
    MaximumBatchingWindowInSeconds: 'maximum_batching_window_in_seconds',
    MaximumRetryAttempts: 'maximum_retry_attempts',
    MaximumRecordAgeInSeconds: 'maximum_record_age_in_seconds',
    StartingPosition: 'starting_position',
  };
  for (const [ofCdk, ofTerraform] of Object.entries(both)) {
    assert.equal(at(mapping, ofCdk), at(waiting, ofTerraform), ofCdk);
  }
  const table = resourceOf(hcl, 'aws_dynamodb_table', 'this');
  assert.equal(
    at(theOne(plain, 'AWS::DynamoDB::GlobalTable'), 'StreamSpecification.StreamViewType'),
    at(table, 'stream_view_type'),
  );
});

test('every alarm has its row in the runbooks, and every row an alarm', () => {
  const page = readFileSync(join(root, 'docs', 'runbooks.md'), 'utf8');
  const [, rows = ''] = page.split('\n## Alarms\n');
  const named = [...rows.matchAll(/^\| ([A-Z]\w+(?:, \w+)*) \|/gm)].flatMap(([, names = '']) =>
    names.split(', '),
  );
  const ofCdk = (Object.keys(contexts) as ContextName[]).flatMap((name) =>
    Object.entries(templateOf(name).Resources)
      .filter(([, { Type }]) => Type === 'AWS::CloudWatch::Alarm')
      .map(([id]) => /^(?:Service|Backend|Heartbeat)?(\w+?)Alarm[0-9A-F]{8}$/.exec(id)?.[1] ?? id),
  );
  const ofTerraform = blocksOf(hcl, 'resource')
    .filter(({ labels }) => labels[0] === 'aws_cloudwatch_metric_alarm')
    .map(({ content }) => /\w+$/.exec(text(at(content, 'alarm_name')))?.[0])
    .filter((name) => name !== undefined);
  const all = [...ofCdk, ...ofTerraform, ...entriesAt(locals, 'alarms').map(([name]) => name)];
  assert.deepEqual([...new Set(all)].toSorted(), named.toSorted());
});
