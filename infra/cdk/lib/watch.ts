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
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type IFilterPattern, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { tableDefinition } from '../../../lib/adapters/aws/dynamodb/table.ts';
import type { FunctionName } from './functions.ts';

export type LogMetric = {
  readonly metric: string;
  /** The functions whose logs are searched. */
  readonly from: readonly FunctionName[];
  readonly pattern: string;
  /** What is counted; by default the lines themselves. */
  readonly value?: string;
};

/** Terraform has the same; `test/infra` compares. */
export const logMetrics = {
  issued: {
    metric: 'Issued',
    from: ['scep'],
    pattern: '{ $.event = "scep.pkiOperation" && $.pkiStatus = "SUCCESS" }',
  },
  refused: {
    metric: 'Refused',
    from: ['scep'],
    pattern: '{ $.event = "scep.pkiOperation" && $.pkiStatus = "FAILURE" }',
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
  /** What counts the answers of 5xx that devices are given. */
  readonly serverErrors: Metric;
  /** The most instances of the SCEP function, if some are reserved. */
  readonly reserved: number | undefined;
  /** The shortest life of a CRL. */
  readonly crlHours: number;
};

const five = Duration.minutes(5);

export class Watch {
  readonly alarms: readonly Alarm[];
  readonly dashboard: Dashboard;
  readonly #deployment: string;

  constructor(scope: Construct, watched: Watched) {
    this.#deployment = watched.deployment;
    for (const { metric, from, pattern, value } of Object.values<LogMetric>(logMetrics)) {
      for (const name of from) {
        const filterPattern: IFilterPattern = FilterPattern.literal(pattern);
        new MetricFilter(scope, `${metric}-${name}`, {
          logGroup: watched.functions[name].logGroup,
          metricNamespace: this.#namespace,
          metricName: metric,
          filterPattern,
          metricValue: value ?? '1',
          ...(value === undefined ? { defaultValue: 0 } : {}),
        });
      }
    }
    this.alarms = this.#makeAlarms(scope, watched);
    this.dashboard = this.#makeDashboard(scope, watched);
  }

  get #namespace(): string {
    return `Scepter/${this.#deployment}`;
  }

  metric(name: LogMetricName): Metric {
    return new Metric({
      namespace: this.#namespace,
      metricName: logMetrics[name].metric,
      statistic: Stats.SUM,
      period: five,
    });
  }

  #makeAlarms(scope: Construct, watched: Watched): Alarm[] {
    const { functions, table, alarmTopic, crlHours, serverErrors, reserved } = watched;
    const { GREATER_THAN_OR_EQUAL_TO_THRESHOLD: atLeast, LESS_THAN_THRESHOLD: below } =
      ComparisonOperator;
    const make = (
      id: string,
      alarmDescription: string,
      metric: IMetric,
      threshold: number,
      props: Partial<AlarmProps> = {},
    ): Alarm => {
      const alarm = new Alarm(scope, `${id}Alarm`, {
        alarmDescription: `Scepter ${this.#deployment}: ${alarmDescription}`,
        metric,
        threshold,
        evaluationPeriods: 1,
        comparisonOperator: atLeast,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        ...props,
      });
      if (alarmTopic) alarm.addAlarmAction(new SnsAction(alarmTopic));
      return alarm;
    };
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
        { comparisonOperator: below, treatMissingData: TreatMissingData.BREACHING },
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
        this.metric('crlHoursLeft').with({ statistic: Stats.MINIMUM }),
        crlHours / 4,
        { ...thrice, comparisonOperator: below },
      ),
      make(
        'CaWarning',
        'a CA or its RA wants a person, see ca.warning in the log of maintenance',
        this.metric('caWarning').with({ period: Duration.days(1) }),
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
