// What operators look at: metrics from the functions' logs, alarms for what needs a person, and one
// dashboard.

import { Duration, Stack } from 'aws-cdk-lib';
import {
  type Alarm,
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
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { tableDefinition } from '../../../../lib/adapters/aws/dynamodb/table.ts';
import type { FunctionName } from '../functions.ts';
import { alarmsOf, five } from './alarms.ts';
import {
  type LogMetric,
  type LogMetricName,
  type LogName,
  logMetrics,
  namespaceOf,
} from './log-metrics.ts';

export type Watched = {
  readonly deployment: string;
  readonly functions: Readonly<
    Record<Exclude<FunctionName, 'challenges'>, LambdaFunction> & { challenges?: LambdaFunction }
  >;
  readonly table: ITableV2;
  readonly alarmTopic?: ITopic;
  /** The access log of the API, if there is one. */
  readonly apiLog: ILogGroup | undefined;
  /** What counts the answers of 5xx that devices are given. */
  readonly serverErrors: Metric;
  /** The most instances of the SCEP function, if some are reserved. */
  readonly reserved: number | undefined;
  /** The shortest life of a CRL. */
  readonly crlHours: number;
};

export class Watch {
  readonly alarms: Alarm[];
  readonly dashboard: Dashboard;
  readonly #deployment: string;

  constructor(scope: Construct, watched: Watched) {
    this.#deployment = watched.deployment;
    const { scep, admin, maintenance, sequencer, challenges } = watched.functions;
    const logs: Readonly<Partial<Record<LogName, ILogGroup | undefined>>> = {
      scep: scep.logGroup,
      admin: admin.logGroup,
      maintenance: maintenance.logGroup,
      sequencer: sequencer.logGroup,
      challenges: challenges?.logGroup,
      api: watched.apiLog,
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
    return namespaceOf(this.#deployment);
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
    const { scep, admin, maintenance, sequencer } = functions;
    const errors = (of: LambdaFunction) => of.metricErrors({ period: five });
    const runs = (of: LambdaFunction) => of.metricInvocations({ period: Duration.minutes(15) });
    const missing = {
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
    };
    return [
      make('Errors', 'the SCEP function fails', errors(scep), 1),
      make('AdminErrors', 'the admin function fails', errors(admin), 1),
      // Counts also a run that ends before it can log: out of time, out of memory, or failed to load.
      make('UpkeepFailed', 'upkeep fails: CRLs may end', errors(maintenance), 3, thrice),
      make('UpkeepMissing', 'upkeep does not run: CRLs will end', runs(maintenance), 1, missing),
      make('LogFailed', 'the logs do not go on', errors(sequencer), 3, thrice),
      make('LogMissing', 'nothing puts events into the logs', runs(sequencer), 1, missing),
      make(
        'LogLate',
        'an event was under no checkpoint of its log for a minute',
        this.metric('logLate'),
        1,
      ),
      make(
        'LogRefused',
        'an event that somebody else has written, changed or put back is kept out of the logs',
        this.metric('logRefused'),
        1,
      ),
      make('ServerErrors', 'answers are 5xx', serverErrors, 5),
      make('Outages', 'requests are answered with 503', this.metric('outages'), 5),
      make('KmsTrouble', 'KMS refuses, throttles or is away', this.metric('kmsTrouble'), 3),
      make('Tampered', 'a record was changed by someone else', this.metric('tampered'), 1),
      make(
        'ChallengeFailing',
        'a challenge is misused: one of several uses keeps failing, or somebody has a spent one or a decoy; see challenge.* in the log of scep',
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
        { ...thrice, comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD },
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
    const { scep } = functions;
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
            ...Object.values(functions).map((one: LambdaFunction) =>
              one.metricErrors({ period: five }),
            ),
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

/**
 * An index at its cap throttles the table's writes, and its metric has the name of the index. Reads of indexes are of
 * upkeep, which has alarms of its own, and of lists for people: no device waits for one.
 */
function throttlesOf({ tableName: TableName }: ITableV2): MathExpression {
  const of = (kind: 'Read' | 'Write', index: object): Metric =>
    new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: `${kind}ThrottleEvents`,
      dimensionsMap: { TableName, ...index },
      statistic: Stats.SUM,
      period: five,
    });
  const ofTable = (['Read', 'Write'] as const).map(
    (kind) => [`table${kind}s`, of(kind, {})] as const,
  );
  const ofIndexes = tableDefinition.GlobalSecondaryIndexes.map(
    ({ IndexName }) =>
      [`${IndexName}Writes`, of('Write', { GlobalSecondaryIndexName: IndexName })] as const,
  );
  return new MathExpression({
    expression: 'SUM(METRICS())',
    usingMetrics: Object.fromEntries([...ofTable, ...ofIndexes]),
    period: five,
  });
}
