// CDK and Terraform watch the same, and do upkeep at the same times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  at,
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
const functionUrl = templateOf('functionUrl');

test('metrics count the same lines of the same logs', () => {
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

type Alarmed = { readonly says: string };
const sorted = <T extends Alarmed>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => (a.says < b.says ? -1 : 1));
const says = (one: unknown): string => text(at(one, 'AlarmDescription')).replace(/^\S+ \S+ /, '');

/** Of one metric; those of several have arithmetic. */
const alarmsOf = (template: Template) =>
  ofType(template, 'AWS::CloudWatch::Alarm')
    .filter((one) => !maybe(one, 'Metrics'))
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

test('alarms have the same metrics and thresholds, with and without an API', () => {
  const ofTerraform = (api: boolean, reserved: boolean) => {
    /** `local.api ? "a" : "b"`, and what else depends on variables. */
    const plainly = (value: unknown): unknown => {
      const [, yes, no] = /^\$\{local\.api \? "(.+)" : "(.+)"\}$/.exec(text(value)) ?? [];
      if (yes !== undefined) return api ? yes : no;
      switch (value) {
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
      if (text(value).startsWith('${local.api')) return [api ? 'ApiId' : 'FunctionName'];
      return /^\$\{local\.lambda\./.test(text(value)) ? ['FunctionName'] : [];
    };
    return entriesAt(locals, 'alarms')
      .filter(([name]) => name !== 'Busy' || reserved)
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
        missing: name === 'UpkeepMissing' ? 'breaching' : 'notBreaching',
      }));
  };
  assert.deepEqual(sorted(alarmsOf(plain)), sorted(ofTerraform(true, true)));
  assert.deepEqual(sorted(alarmsOf(functionUrl)), sorted(ofTerraform(false, false)));
  const made = at(resourceOf(hcl, 'aws_cloudwatch_metric_alarm', 'this'), 'treat_missing_data');
  assert.equal(made, expression('each.key == "UpkeepMissing" ? "breaching" : "notBreaching"'));
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
  const throttled = ['table', ...indexes].flatMap((name) => [`${name}Reads`, `${name}Writes`]);
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

test('every alarm notifies the alarm topic', () => {
  for (const name of ['this', 'refused', 'table_throttled']) {
    const one = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', name);
    assert.equal(at(one, 'alarm_actions'), expression('local.alarm_actions'));
  }
  const topic = 'arn:aws:sns:us-east-1:111122223333:alarms';
  for (const one of ofType(named, 'AWS::CloudWatch::Alarm')) {
    assert.deepEqual(at(one, 'AlarmActions'), [topic]);
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

test('upkeep runs at the same times, and a failed run is handled alike', () => {
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
