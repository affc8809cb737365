// How an alarm is made, and the one of the web ACL, which may be in a stack of its own.

import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { webAclMetric } from '../ingress/edge.ts';

export const five = Duration.minutes(5);

/** @returns what makes alarms that tell a topic when they begin and when they are over */
export const alarmsOf =
  (scope: Construct, deployment: string, topic?: ITopic) =>
  (
    id: string,
    alarmDescription: string,
    metric: IMetric,
    threshold: number,
    props: Partial<AlarmProps> = {},
  ): Alarm => {
    const alarm = new Alarm(scope, `${id}Alarm`, {
      alarmDescription: `Scepter ${deployment}: ${alarmDescription}`,
      metric,
      threshold,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
    });
    if (topic) {
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
    }
    return alarm;
  };

/** Of the web ACL of a deployment, in us-east-1, where CloudFront counts. */
export const watchWebAcl = (scope: Construct, deployment: string, topic?: ITopic): Alarm =>
  alarmsOf(scope, deployment, topic)(
    'Blocked',
    'the web ACL refuses requests: a site behind one address, or a flood',
    new Metric({
      namespace: 'AWS/WAFV2',
      metricName: 'BlockedRequests',
      dimensionsMap: { WebACL: webAclMetric(deployment), Rule: 'ALL' },
      statistic: Stats.SUM,
      period: five,
    }),
    100,
  );
