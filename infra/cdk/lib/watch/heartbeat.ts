// Whether a Worker's upkeep runs, asked from outside: nothing at AWS sees that a cron trigger at Cloudflare is gone.

import { Duration, Stack, Token } from 'aws-cdk-lib';
import {
  type Alarm,
  ComparisonOperator,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { CfnHealthCheck } from 'aws-cdk-lib/aws-route53';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { checkDeployment, checkHost } from '../check-props.ts';
import { alarmsOf } from './alarms.ts';

/** What a heartbeat may be told. */
export interface HeartbeatProps {
  /** Host name that devices know the Worker by, such as `scep.example.com`. */
  readonly host: string;

  /**
   * The name of the deployment that it is for.
   * @default 'scepter'
   */
  readonly deployment?: string;

  /**
   * Told when the alarm begins and when it is over: a topic of us-east-1.
   * @default no notification is sent
   */
  readonly alarmTopic?: ITopic;
}

/** Asks a Worker's `/healthz/upkeep` every half minute; in a stack of us-east-1, where Route 53 counts. */
export class Heartbeat extends Construct {
  /** Who asks. */
  readonly healthCheck: CfnHealthCheck;
  /** Tells that the answer has not been 200 for some minutes. */
  readonly alarm: Alarm;

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: HeartbeatProps) {
    super(scope, id);
    const { host, deployment = 'scepter', alarmTopic } = props;
    checkDeployment(deployment);
    checkHost('host', host);
    const { region } = Stack.of(this);
    if (!Token.isUnresolved(region) && region !== 'us-east-1') {
      throw new Error(
        `Heartbeat: the stack is in ${region}, and Route 53 counts in us-east-1 only`,
      );
    }
    this.healthCheck = new CfnHealthCheck(this, 'Resource', {
      healthCheckConfig: {
        type: 'HTTPS',
        fullyQualifiedDomainName: host,
        port: 443,
        resourcePath: '/healthz/upkeep',
        enableSni: true,
        requestInterval: 30,
        failureThreshold: 3,
        // Three are the fewest: each has checkers of its own, and each answer reads the table.
        regions: ['us-east-1', 'eu-west-1', 'ap-southeast-1'],
      },
      healthCheckTags: [{ key: 'Name', value: `scepter-${deployment}-upkeep` }],
    });
    this.alarm = alarmsOf(this, deployment, alarmTopic)(
      'Heartbeat',
      'upkeep of the Worker does not run, or the Worker does not answer',
      new Metric({
        namespace: 'AWS/Route53',
        metricName: 'HealthCheckStatus',
        dimensionsMap: { HealthCheckId: this.healthCheck.attrHealthCheckId },
        statistic: Stats.MINIMUM,
        period: Duration.minutes(1),
      }),
      1,
      {
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 2,
        treatMissingData: TreatMissingData.BREACHING,
      },
    );
  }
}
