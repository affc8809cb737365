// What operators look at: metrics from the functions' logs, alarms for what needs a person, and one
// dashboard.

import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { tableDefinition } from '../../../lib/adapters/aws/dynamodb/table.ts';
import { webAclMetric } from './edge.ts';
import type { FunctionName } from './functions.ts';

/** Of the functions; of the API, where there is one; of what is done to keys. */
export type LogName = FunctionName | 'api' | 'keys';

export type LogMetric = {
  readonly metric: string;
  /** The logs that are searched. */
  readonly from: readonly LogName[];
  readonly pattern: string;
  /** What is counted; by default the lines themselves. */
  readonly value?: string;
  /**
   * It has a value while lines come of which none is counted, because it is part of a ratio. A metric costs for the
   * hours in which it has one.
   */
  readonly always?: true;
};

/** Terraform has the same; `test/infra` compares. */
export const logMetrics = {
  issued: {
    metric: 'Issued',
    from: ['scep'],
    pattern: '{ $.event = "scep.pkiOperation" && $.pkiStatus = "SUCCESS" }',
    always: true,
  },
  refused: {
    metric: 'Refused',
    from: ['scep'],
    pattern: '{ $.event = "scep.pkiOperation" && $.pkiStatus = "FAILURE" }',
    always: true,
  },
  rejected: {
    metric: 'Rejected',
    from: ['scep'],
    pattern: '{ $.event = "scep.pkiOperation" && $.code = "SCEP-201" }',
  },
  outages: {
    metric: 'Outages',
    from: ['scep', 'admin'],
    pattern: '{ ($.event = "http.outage") || ($.event = "start.failed") }',
  },
  kmsTrouble: {
    metric: 'KmsTrouble',
    from: ['scep', 'admin', 'maintenance'],
    pattern: '{ $.severity = "error" && $.detail = "KMS *" }',
  },
  tampered: {
    metric: 'Tampered',
    from: ['scep', 'admin', 'maintenance'],
    pattern: '{ ($.event = "challenge.tampered") || ($.event = "record.altered") }',
  },
  challengeFailing: {
    metric: 'ChallengeFailing',
    from: ['scep'],
    pattern: '{ $.event = "challenge.failing" }',
  },
  caWarning: {
    metric: 'CaWarning',
    from: ['maintenance'],
    pattern: '{ $.event = "ca.warning" }',
  },
  tooMany: {
    metric: 'TooMany',
    from: ['api'],
    pattern: '{ $.status = "429" }',
  },
  keyChanged: {
    metric: 'KeyChanged',
    from: ['keys'],
    pattern: '{ $.detail.eventName = * }',
  },
  crlHoursLeft: {
    metric: 'CrlHoursLeft',
    from: ['maintenance'],
    pattern: '{ $.crlHoursLeft > -100000 }',
    value: '$.crlHoursLeft',
  },
} as const satisfies Record<string, LogMetric>;

export type LogMetricName = keyof typeof logMetrics;

export type Watched = {
  readonly deployment: string;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly table: ITableV2;
  readonly alarmTopic?: ITopic;
  /** The access log of the API, if there is one. */
  readonly apiLog: ILogGroup | undefined;
  readonly keysLog: ILogGroup;
  /** What counts the answers of 5xx that devices are given. */
  readonly serverErrors: Metric;
  /** The most instances of the SCEP function, if some are reserved. */
  readonly reserved: number | undefined;
  /** The shortest life of a CRL. */
  readonly crlHours: number;
};

const five = Duration.minutes(5);
const { GREATER_THAN_OR_EQUAL_TO_THRESHOLD, LESS_THAN_THRESHOLD } = ComparisonOperator;

/** @returns what makes alarms that tell a topic when they begin and when they are over */
const alarmsOf =
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
      comparisonOperator: GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
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

export class Watch {
  readonly alarms: Alarm[];
  readonly dashboard: Dashboard;
  readonly #deployment: string;

  constructor(scope: Construct, watched: Watched) {
    this.#deployment = watched.deployment;
    const { scep, admin, maintenance } = watched.functions;
    const logs: Readonly<Record<LogName, ILogGroup | undefined>> = {
      scep: scep.logGroup,
      admin: admin.logGroup,
      maintenance: maintenance.logGroup,
      api: watched.apiLog,
      keys: watched.keysLog,
    };
    for (const { metric, from, pattern, value, always } of Object.values<LogMetric>(logMetrics)) {
      for (const name of from) {
        const logGroup = logs[name];
        if (!logGroup) continue;
        new MetricFilter(scope, `${metric}-${name}`, {
          logGroup,
          metricNamespace: this.#namespace,
          metricName: metric,
          filterPattern: FilterPattern.literal(pattern),
          metricValue: value ?? '1',
          ...(always ? { defaultValue: 0 } : {}),
        });
      }
    }
    this.alarms = this.#makeAlarms(scope, watched);
    this.dashboard = this.#makeDashboard(scope, watched);
  }

  get #namespace(): string {
    return `Scepter/${this.#deployment}`;
  }

  metric(name: LogMetricName, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: this.#namespace,
      metricName: logMetrics[name].metric,
      statistic: Stats.SUM,
      period: five,
      ...options,
    });
  }

  #makeAlarms(scope: Construct, watched: Watched): Alarm[] {
    const { functions, table, alarmTopic, apiLog, crlHours, serverErrors, reserved } = watched;
    const make = alarmsOf(scope, this.#deployment, alarmTopic);
    const twice = { evaluationPeriods: 2 };
    const thrice = { evaluationPeriods: 3 };
    const { scep, admin, maintenance } = functions;
    const errors = (of: LambdaFunction) => of.metricErrors({ period: five });
    return [
      make('Errors', 'the SCEP function fails', errors(scep), 1),
      make('AdminErrors', 'the admin function fails', errors(admin), 1),
      // Counts also a run that ends before it can log: out of time, out of memory, or failed to load.
      make('UpkeepFailed', 'upkeep fails: CRLs may end', errors(maintenance), 3, thrice),
      make(
        'UpkeepMissing',
        'upkeep does not run: CRLs will end',
        maintenance.metricInvocations({ period: Duration.minutes(15) }),
        1,
        { comparisonOperator: LESS_THAN_THRESHOLD, treatMissingData: TreatMissingData.BREACHING },
      ),
      make('ServerErrors', 'answers are 5xx', serverErrors, 5),
      make('Outages', 'requests are answered with 503', this.metric('outages'), 5),
      make('KmsTrouble', 'KMS refuses, throttles or is away', this.metric('kmsTrouble'), 3),
      make('Tampered', 'a record was changed by someone else', this.metric('tampered'), 1),
      make(
        'ChallengeFailing',
        'requests with a challenge of several uses are refused, see challenge.failing in the log of scep',
        this.metric('challengeFailing'),
        1,
      ),
      make('Refused', 'most requests are refused', this.#refusedRatio(), 80, thrice),
      // An attacker who tries to decrypt a recorded message by sending changed ones, from many addresses.
      make(
        'Rejected',
        'many messages do not open: devices with an old RA certificate, or someone who tries to decrypt',
        this.metric('rejected'),
        300,
      ),
      make(
        'Slow',
        'one request in twenty takes 5 s or longer',
        scep.metricDuration({ period: five, statistic: 'p95' }),
        5000,
        twice,
      ),
      ...(reserved === undefined
        ? []
        : [
            make(
              'Busy',
              'four fifths of the instances that may run do',
              instancesOf(scep),
              Math.ceil((4 * reserved) / 5),
              twice,
            ),
          ]),
      make(
        'Throttled',
        'more requests come than instances may run',
        scep.metricThrottles({ period: five }),
        1,
        twice,
      ),
      ...(apiLog
        ? [
            make(
              'TooMany',
              'requests are refused with 429: more come than the API takes, or one source sends many that do not open',
              this.metric('tooMany'),
              10,
              twice,
            ),
          ]
        : []),
      make(
        'KeyChanged',
        'somebody changed a key, its policy or its state, or tried to, see the log of keys',
        this.metric('keyChanged'),
        1,
      ),
      make(
        'TableThrottled',
        'the table is at a cap, or a partition at its limit',
        throttlesOf(table),
        10,
        twice,
      ),
      make(
        'CrlOld',
        'a CRL is at the last quarter of its life',
        this.metric('crlHoursLeft', { statistic: Stats.MINIMUM }),
        crlHours / 4,
        { ...thrice, comparisonOperator: LESS_THAN_THRESHOLD },
      ),
      make(
        'CaWarning',
        'a CA or its RA wants a person, see ca.warning in the log of maintenance',
        this.metric('caWarning', { period: Duration.days(1) }),
        1,
      ),
    ];
  }

  /** Percent, of twenty or more. */
  #refusedRatio(): MathExpression {
    return new MathExpression({
      expression: 'IF(issued + refused >= 20, 100 * refused / (issued + refused), 0)',
      usingMetrics: { issued: this.metric('issued'), refused: this.metric('refused') },
      period: five,
    });
  }

  #makeDashboard(scope: Construct, { functions, table }: Watched): Dashboard {
    const graph = (title: string, ...left: IMetric[]): GraphWidget =>
      new GraphWidget({ title, left, width: 12, height: 6 });
    const { scep, admin, maintenance } = functions;
    const p = (statistic: string) => scep.metricDuration({ period: five, statistic });
    return new Dashboard(scope, 'Dashboard', {
      dashboardName: `scepter-${this.#deployment}-${Stack.of(scope).region}`,
      widgets: [
        [
          graph('Certificates and refusals', this.metric('issued'), this.metric('refused')),
          graph('Trouble', this.metric('outages'), this.metric('kmsTrouble')),
        ],
        [
          graph('Time of the SCEP function', p('p50'), p('p95'), p('p99')),
          graph('Instances at once', instancesOf(scep), scep.metricThrottles({ period: five })),
        ],
        [
          graph(
            'Errors of the functions',
            ...[scep, admin, maintenance].map((one) => one.metricErrors({ period: five })),
          ),
          graph(
            'Write units of the table',
            table.metricConsumedWriteCapacityUnits({ period: five }),
          ),
        ],
      ],
    });
  }
}

const instancesOf = (of: LambdaFunction): Metric =>
  of.metric('ConcurrentExecutions', { period: five, statistic: Stats.MAXIMUM });

/** An index at its cap throttles the table's writes, and its metric has the name of the index. */
function throttlesOf({ tableName: TableName }: ITableV2): MathExpression {
  const of = (kind: 'Read' | 'Write', index: object): Metric =>
    new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: `${kind}ThrottleEvents`,
      dimensionsMap: { TableName, ...index },
      statistic: Stats.SUM,
      period: five,
    });
  const usingMetrics = (['Read', 'Write'] as const).flatMap((kind) => [
    [`table${kind}s`, of(kind, {})] as const,
    ...tableDefinition.GlobalSecondaryIndexes.map(
      ({ IndexName }) =>
        [`${IndexName}${kind}s`, of(kind, { GlobalSecondaryIndexName: IndexName })] as const,
    ),
  ]);
  return new MathExpression({
    expression: 'SUM(METRICS())',
    usingMetrics: Object.fromEntries(usingMetrics),
    period: five,
  });
}
