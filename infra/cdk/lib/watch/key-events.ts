// What is done to the keys of a deployment: CloudTrail's events of calls that change a key, its policy or its state,
// allowed or denied, kept in a log of their own, which an alarm looks at. EventBridge has them from a trail of the
// account's management events.

import { Names, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { type Alarm, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type IRuleTarget, Rule } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  FilterPattern,
  LogGroup,
  MetricFilter,
  ResourcePolicy,
  RetentionDays,
} from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Keys } from '../backend/keys.ts';
import type { BackendProps } from '../props.ts';
import { alarmsOf, five } from './alarms.ts';
import { logMetrics, namespaceOf } from './log-metrics.ts';

/** Signing, unsealing and looking are not among them. */
export const keyCalls: readonly string[] = [
  'CancelKeyDeletion',
  'CreateGrant',
  'DeleteImportedKeyMaterial',
  'DisableKey',
  'DisableKeyRotation',
  'EnableKey',
  'PutKeyPolicy',
  'ReplicateKey',
  'ScheduleKeyDeletion',
  'UpdatePrimaryRegion',
];

/** A pattern of EventBridge has at most 2,048 characters, and an ARN of a key about 80. */
export const KEYS_A_RULE = 15;

/** @returns the log of the events */
export function makeKeyEvents(
  scope: Construct,
  { deployment = 'scepter', logRetention, logGroupKey }: BackendProps,
  { cas, sealing, log }: Keys,
): LogGroup {
  const events = new LogGroup(scope, 'keys-log', {
    // EventBridge writes into groups of such names.
    logGroupName: `/aws/events/${Names.uniqueResourceName(scope, { maxLength: 80 })}-keys`,
    retention: logRetention ?? RetentionDays.ONE_YEAR,
    encryptionKey: logGroupKey,
    // CloudTrail has these events, too.
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const { account, partition, region } = Stack.of(scope);
  const principals = ['events', 'delivery.logs'].map(
    (name) => new ServicePrincipal(`${name}.amazonaws.com`),
  );
  const resources = [events.logGroupArn];
  const anyRule = `arn:${partition}:events:${region}:${account}:rule/*`;
  new ResourcePolicy(scope, 'keys-log-policy', {
    policyStatements: [
      new PolicyStatement({ principals, actions: ['logs:CreateLogStream'], resources }),
      new PolicyStatement({
        ...{ principals, actions: ['logs:PutLogEvents'], resources },
        conditions: { ArnLike: { 'aws:SourceArn': anyRule } },
      }),
    ],
  });
  const target: IRuleTarget = {
    bind: () => ({
      arn: `arn:${partition}:logs:${region}:${account}:log-group:${events.logGroupName}`,
    }),
  };
  const arns = [sealing, log, ...Object.values(cas)].map(({ keyArn }) => keyArn);
  const rules = new Construct(scope, 'KeyEvents');
  for (let first = 0; first < arns.length; first += KEYS_A_RULE) {
    new Rule(rules, `Keys-${first / KEYS_A_RULE}`, {
      description: `Scepter ${deployment}: somebody changes a key`,
      eventPattern: {
        source: ['aws.kms'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventName: [...keyCalls],
          resources: { ARN: arns.slice(first, first + KEYS_A_RULE) },
        },
      },
      targets: [target],
    });
  }
  return events;
}

/** Counts those events. @returns the alarm for them */
export function watchKeys(
  scope: Construct,
  { deployment = 'scepter', alarmTopic }: BackendProps,
  logGroup: LogGroup,
): Alarm {
  const { metric, pattern } = logMetrics.keyChanged;
  const metricNamespace = namespaceOf(deployment);
  new MetricFilter(scope, `${metric}-keys`, {
    ...{ logGroup, metricNamespace, metricName: metric, metricValue: '1' },
    filterPattern: FilterPattern.literal(pattern),
  });
  return alarmsOf(scope, deployment, alarmTopic)(
    metric,
    'somebody changed a key, its policy or its state, or tried to, see the log of keys',
    new Metric({
      ...{ namespace: metricNamespace, metricName: metric },
      ...{ statistic: Stats.SUM, period: five },
    }),
    1,
  );
}
