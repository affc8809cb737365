// The CDK and Terraform ask a Worker for its heartbeat alike.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { contexts } from './contexts.ts';
import {
  at,
  defaultOf,
  expression,
  hclOf,
  resourceOf,
  templateOf,
  text,
  theOne,
} from './templates.ts';
import { terraform } from './tools.ts';

test('a Worker is asked for its heartbeat alike, and the alarm is the same', () => {
  const part = hclOf(join(terraform, 'modules', 'heartbeat'));
  const template = templateOf('heartbeat');
  const check = at(theOne(template, 'AWS::Route53::HealthCheck'), 'HealthCheckConfig');
  const ofTerraform = resourceOf(part, 'aws_route53_health_check', 'upkeep');
  assert.equal(at(check, 'FullyQualifiedDomainName'), contexts.heartbeat.context.host);
  assert.equal(at(ofTerraform, 'fqdn'), expression('var.host'));
  assert.deepEqual(
    ['Type', 'Port', 'ResourcePath', 'EnableSNI', 'RequestInterval', 'FailureThreshold'].map(
      (name) => at(check, name),
    ),
    ['type', 'port', 'resource_path', 'enable_sni', 'request_interval', 'failure_threshold'].map(
      (name) => at(ofTerraform, name),
    ),
  );
  assert.deepEqual(at(check, 'Regions'), at(ofTerraform, 'regions'));

  const alarm = theOne(template, 'AWS::CloudWatch::Alarm');
  const theirs = resourceOf(part, 'aws_cloudwatch_metric_alarm', 'heartbeat');
  assert.equal(
    text(at(theirs, 'alarm_description')).replace(
      expression('var.deployment'),
      text(defaultOf(part, 'deployment')),
    ),
    at(alarm, 'AlarmDescription'),
  );
  const same = {
    Namespace: 'namespace',
    MetricName: 'metric_name',
    Statistic: 'statistic',
    Period: 'period',
    EvaluationPeriods: 'evaluation_periods',
    Threshold: 'threshold',
    ComparisonOperator: 'comparison_operator',
    TreatMissingData: 'treat_missing_data',
  };
  for (const [ours, name] of Object.entries(same)) assert.equal(at(alarm, ours), at(theirs, name));
  const topic = [contexts.heartbeat.context.alarmTopicArn];
  for (const [ours, name] of Object.entries({
    AlarmActions: 'alarm_actions',
    OKActions: 'ok_actions',
  })) {
    assert.deepEqual(at(alarm, ours), topic);
    assert.match(text(at(theirs, name)), /\[var\.alarm_topic_arn\]/);
  }
  assert.deepEqual(Object.keys(at(theirs, 'dimensions') as object), [
    text(at(alarm, 'Dimensions.0.Name')),
  ]);
});
