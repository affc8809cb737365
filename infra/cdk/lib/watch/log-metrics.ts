// What is counted in the logs.

import type { FunctionName } from '../functions.ts';

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

/** Of a deployment's own metrics. */
export const namespaceOf = (deployment: string): string => `Scepter/${deployment}`;

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
    from: ['scep', 'admin', 'challenges'],
    pattern: '{ ($.event = "http.outage") || ($.event = "start.failed") }',
  },
  kmsTrouble: {
    metric: 'KmsTrouble',
    from: ['scep', 'admin', 'maintenance', 'sequencer', 'challenges'],
    pattern: '{ $.severity = "error" && $.detail = "KMS *" }',
  },
  tampered: {
    metric: 'Tampered',
    from: ['scep', 'admin', 'maintenance', 'sequencer', 'challenges'],
    pattern: '{ ($.event = "challenge.tampered") || ($.event = "record.altered") }',
  },
  challengeFailing: {
    metric: 'ChallengeFailing',
    from: ['scep'],
    pattern:
      '{ ($.event = "challenge.failing") || ($.event = "challenge.reused") || ($.event = "challenge.decoyUsed") }',
  },
  caWarning: {
    metric: 'CaWarning',
    from: ['maintenance'],
    pattern: '{ $.event = "ca.warning" }',
  },
  logLate: {
    metric: 'LogLate',
    from: ['sequencer'],
    pattern: '{ $.event = "upkeep.done" && $.waitedSeconds > 60 }',
  },
  logRefused: {
    metric: 'LogRefused',
    from: ['sequencer'],
    pattern: '{ $.event = "log.refused" }',
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
