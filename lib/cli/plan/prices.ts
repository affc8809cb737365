// Prices and counts that costs are computed from: list prices in us-east-1 as of August 2026, in US dollars, without
// free tiers but those named; and what tests have measured of this service.

const M = 1_000_000;

export const price = {
  kmsKey: 1,
  /** RSA-3072, RSA-4096 or ECC; RSA-2048 is a fifth of it. */
  sign: 0.15 / 10_000,
  invocation: 0.2 / M,
  gbSecond: 0.0000133334,
  httpApi: 1 / M,
  /** A GB from a function to the internet, and how many a month an account gets for nothing. */
  egress: 0.09,
  egressFree: 100,
  /** A request of http, and one of https; that of http was not looked up with the others. */
  cloudFront: { http: 0.0075 / 10_000, https: 0.01 / 10_000 },
  cloudFrontFree: 10 * M,
  cloudFrontEgress: 0.085,
  cloudFrontEgressFree: 1000,
  webAcl: 5 + 1,
  webAclRequest: 0.6 / M,
  /** Of S3. */
  get: 0.4 / M,
  put: 5 / M,
  /** A month of a GB in S3. */
  s3: 0.023,
  logGb: 0.5,
  /** Each that X-Ray keeps. */
  trace: 5 / M,
  secret: 0.4,
  workers: 5,
  workerRequest: 0.3 / M,
  workerCpuMs: 0.02 / M,
  workerLog: 0.6 / M,
  /** A month of each metric that an alarm looks at. */
  alarmed: 0.1,
  /** A month of a metric of our own. */
  metric: 0.3,
} as const;

/**
 * Of the classes of a table: units, and a month of a GB with point-in-time recovery. Units of infrequent access were
 * not looked up with the others; AWS says that they are a quarter above those of the standard class.
 */
export const tableClasses = {
  STANDARD: { writeUnit: 0.625 / M, readUnit: 0.125 / M, stored: 0.25 + 0.2 },
  STANDARD_INFREQUENT_ACCESS: { writeUnit: 0.78 / M, readUnit: 0.155 / M, stored: 0.1 + 0.2 },
} as const;

/** In the price of Workers Paid. */
export const workersPaid = { requests: 10 * M, cpuMs: 30 * M, lines: 20 * M } as const;

/**
 * Units of the table and its indexes, and octets at rest, measured by test/dynamodb/counts.test.ts; upkeep of one CA
 * each minute by test/infra/deployment.test.ts. A revocation is measured with a full register.
 */
export const measured = {
  enrolment: { writeUnits: 26 + 12, readUnits: 5 },
  renewal: { writeUnits: 44, readUnits: 5 },
  challenge: { writeUnits: 8, readUnits: 3 },
  revocation: { writeUnits: 19 + 40, readUnits: 5 },
  /** The words of one enrolment or renewal in the index of searches. */
  search: { writeUnits: 12, readUnits: 8, octets: 2500 },
  upkeep: { writeUnits: 12, readUnits: 127, gets: 2 },
  /** A minute of a partition: the newest CRL in one of ten (test/ca/revoke/crl-partitions.test.ts), the head of its register. */
  partition: { gets: 1 / 10, readUnits: 1 },
  certificateOctets: 9900,
  /** What waits for its log, which each transaction with an event has, from its write to its deletion. */
  waiting: { writeUnits: 5 },
  /** A run of the sequencer over two logs, which finds nothing, and at most one that takes what waits into one of them. */
  sequencer: {
    idle: { writeUnits: 0, readUnits: 11, gets: 2 },
    busy: { writeUnits: 4, readUnits: 25, gets: 14, puts: 4 },
  },
} as const;

/**
 * Metrics that alarms look at, and metrics of our own that always have a value, by test/infra/cost.test.ts; the dashboard
 * is one of three for nothing.
 */
export const watched = {
  functionUrl: { alarmed: 27, own: 3 },
  httpApi: { alarmed: 29, own: 3 },
  cloudfront: { alarmed: 30, own: 3 },
} as const;

/** What is assumed: HTTP requests of an enrolment; seconds of functions; octets of logs; CPU milliseconds and lines of a Worker. */
export const assumed = {
  requests: 4,
  functionGb: 0.5,
  seconds: { request: 0.25, crl: 0.02, upkeep: 0.5, sequencer: 0.3 },
  logOctets: { enrolment: 3000, function: 700, api: 300, upkeep: 1500, sequencer: 300 },
  worker: { enrolmentMs: 15, crlMs: 1, upkeepMs: 50, enrolmentLines: 3, upkeepLines: 4 },
  /** Octets of a line of CloudFront's access log as it is stored, and months that it is kept. */
  accessLog: { octets: 150, months: 12 },
  /** Octets that a run of the sequencer writes: tiles and entries are written over while they are partial. */
  logRunOctets: 77_000,
  /** Days that the bucket of the logs keeps what was written over, by default. */
  logLockDays: 400,
  /** Regional caches of CloudFront before a bucket, of which the United States have four. */
  edgeCaches: 4,
  /** Of a CRL; and of the headers that it comes with. */
  crlOctets: { empty: 700, entry: 52, partition: 100 },
  headerOctets: 500,
} as const;

/** Of a second, by default: what a deployment lets in (test/infra/cost.test.ts), and the quotas of an account of AWS for
 * API Gateway, Lambda, KMS with RSA keys, a table of DynamoDB, and a distribution of CloudFront. */
export const bounds = {
  requests: { ours: 100, input: 'requestsPerSecond', aws: 10_000 },
  concurrency: { ours: 50, input: 'reservedConcurrency', aws: 1000 },
  sign: { aws: 500 },
  writeUnits: { ours: 1000, input: 'maxWriteRequestUnits', aws: 40_000 },
  readUnits: { ours: 4000, input: 'maxReadRequestUnits', aws: 40_000 },
  crlFetches: { aws: 250_000 },
} as const;

/** Octets, of Lambda. */
export const MAX_FUNCTION_REPLY = 6_000_000;
