// What a fleet costs a month, part by part: `scepter cost`, and the tables in the guides.

import { MAX_CRL_AGE_S } from '../../base/limits.ts';
import { assumed, measured, price, tableClasses, watched, workersPaid } from './prices.ts';

export const targets = ['functionUrl', 'httpApi', 'cloudfront', 'workers'] as const;
type Target = (typeof targets)[number];

export type Fleet = {
  readonly devices: number;
  /** Renewals of a device a year. */
  readonly renewals: number;
  /** Devices that are enrolled anew in a year, as a share of all. */
  readonly new: number;
  /** Certificates that the CRL lists, as a share of the devices. */
  readonly revoked: number;
  /** Times a day that a device, or whoever checks it, fetches the CRL. */
  readonly crlFetches: number;
  /** Years that records are kept. */
  readonly years: number;
  /** CRLs over which the certificates are spread; 1: one CRL tells of all. */
  readonly partitions: number;
};

export type TableClass = keyof typeof tableClasses;
const classNames = Object.keys(tableClasses) as TableClass[];

/** What is paid: the class of the table; and whether an account has CloudFront's free tier for it alone. */
type Terms = { readonly tableClass: TableClass; readonly cloudFrontFree: boolean };

/** Of a month. */
type Counts = {
  readonly first: number;
  readonly renewals: number;
  readonly listed: number;
  readonly crlOctets: number;
  readonly crlFetches: number;
};

const DAYS = 30;
const MINUTES = DAYS * 24 * 60;
/** A revoked certificate stays in the CRL for about half its year, and a month after it. */
const MONTHS_LISTED = 7;

export function countsOf(fleet: Fleet): Counts {
  const { devices, renewals, revoked, crlFetches, partitions } = fleet;
  const listed = devices * revoked;
  const { empty, entry, partition } = assumed.crlOctets;
  return {
    first: (devices * fleet.new) / 12,
    renewals: (devices * renewals) / 12,
    listed,
    crlOctets: empty + (partitions > 1 ? partition : 0) + (listed / partitions) * entry,
    crlFetches: devices * DAYS * crlFetches,
  };
}

/** With a challenge or by renewal. */
export const enrolmentsIn = ({ first, renewals }: Pick<Counts, 'first' | 'renewals'>): number =>
  first + renewals;

type Units = { readonly writeUnits: number; readonly readUnits: number };
type Table = (typeof tableClasses)[TableClass];
const unitsOf = (table: Table, times: number, { writeUnits, readUnits }: Units): number =>
  times * (writeUnits * table.writeUnit + readUnits * table.readUnit);
/** Of as much as is kept of each of a month's enrolments in all the years. */
const stored = (table: Table, { years }: Fleet, enrolments: number, octets: number): number =>
  (enrolments * 12 * years * octets * table.stored) / 1e9;
const lambda = (times: number, seconds: number): number =>
  times * (price.invocation + seconds * assumed.functionGb * price.gbSecond);
const logged = (times: number, octets: number): number => (times * octets * price.logGb) / 1e9;
/** Lines of CloudFront's access log, as long as they are kept. */
const kept = (lines: number): number =>
  (lines * assumed.accessLog.octets * assumed.accessLog.months * price.s3) / 1e9;
const beyond = (used: number, free: number): number => Math.max(0, used - free);

/** Of a function's calls in a month the first of each second is traced, and one in twenty of the others. */
function traced(calls: number): number {
  const first = Math.min(calls, MINUTES * 60);
  return (first + (calls - first) / 20) * price.trace;
}

export const parts = [
  'keys',
  'signatures',
  'writes and reads',
  'index of searches',
  'storage',
  'upkeep',
  'transaction log',
  'functions',
  'API or edge',
  'CRL traffic',
  'logs and traces',
  'alarms and metrics',
] as const;
type Bill = Readonly<Record<(typeof parts)[number], number>>;

/** @returns the class of the table with which a fleet costs the least */
export const tableClassOf = (fleet: Fleet, target: Target): TableClass =>
  classNames.reduce((best, one) => {
    const [ours, theirs] = [one, best].map((tableClass) =>
      totalOf(billOf(fleet, target, { tableClass })),
    ) as [number, number];
    return ours < theirs ? one : best;
  });

/** @returns US dollars a month */
export function billOf(fleet: Fleet, target: Target, terms: Partial<Terms> = {}): Bill {
  const { tableClass = tableClassOf(fleet, target), cloudFrontFree = true } = terms;
  const table = tableClasses[tableClass];
  const counts = countsOf(fleet);
  const enrolments = enrolmentsIn(counts);
  const aws = {
    keys: 3 * price.kmsKey,
    signatures: enrolments * price.sign,
    'writes and reads':
      unitsOf(table, counts.first, measured.challenge) +
      unitsOf(table, counts.first, measured.enrolment) +
      unitsOf(table, counts.renewals, measured.renewal) +
      unitsOf(table, counts.listed / MONTHS_LISTED, measured.revocation) +
      (counts.listed / MONTHS_LISTED) * price.put,
    'index of searches':
      unitsOf(table, enrolments, measured.search) +
      stored(table, fleet, enrolments, measured.search.octets),
    storage: stored(table, fleet, enrolments, measured.certificateOctets),
  };
  return target === 'workers'
    ? { ...aws, ...onWorkers(fleet, counts, table) }
    : { ...aws, ...onLambda(fleet, counts, target, { table, cloudFrontFree }) };
}

type Rest = Omit<
  Bill,
  'keys' | 'signatures' | 'writes and reads' | 'index of searches' | 'storage'
>;

/** What upkeep asks of S3 in each minute, and of partitions of the table, too. */
function lookedAt({ partitions }: Fleet, { readUnit }: Table): number {
  const own = measured.upkeep.gets * price.get;
  if (partitions === 1) return own;
  const { gets, readUnits } = measured.partition;
  return own + partitions * (gets * price.get + readUnits * readUnit);
}

/** What CloudFront asks of S3, by caches that each ask again when what they have is too old. */
function missed({ partitions }: Fleet, { crlFetches }: Counts): number {
  const times = (DAYS * 24 * 3600) / MAX_CRL_AGE_S;
  return Math.min(crlFetches, partitions * assumed.edgeCaches * times) * price.get;
}

/** Requests of http first, which are cheaper: so the free tier is worth the least. */
function requestsOfCloudFront(http: number, https: number, free: number): number {
  const { cloudFront } = price;
  const left = Math.max(0, free - http);
  return beyond(http, free) * cloudFront.http + beyond(https, left) * cloudFront.https;
}

function onLambda(
  fleet: Fleet,
  counts: Counts,
  ingress: Exclude<Target, 'workers'>,
  { table, cloudFrontFree }: { readonly table: Table; readonly cloudFrontFree: boolean },
): Rest {
  const { seconds, logOctets } = assumed;
  const enrolments = enrolmentsIn(counts);
  const requests = enrolments * assumed.requests;
  const cached = ingress === 'cloudfront';
  // Each CRL is fetched from the functions where no cache is in between.
  const fetched = cached ? 0 : counts.crlFetches;
  const crlGb = (counts.crlFetches * (counts.crlOctets + assumed.headerOctets)) / 1e9;
  const { cloudFrontFree: freeRequests, cloudFrontEgressFree: freeGb } = price;
  const { alarmed, own } = watched[ingress];
  const edge = {
    functionUrl: 0,
    httpApi: (requests + fetched) * price.httpApi,
    // CRLs by http from a distribution of their own, which has no web ACL.
    cloudfront:
      price.webAcl +
      price.secret +
      requests * (price.webAclRequest + price.httpApi) +
      requestsOfCloudFront(counts.crlFetches, requests, cloudFrontFree ? freeRequests : 0),
  };
  const { idle, busy } = runsOf(counts, 'lambda');
  return {
    'transaction log':
      sequenced(counts, table, 'lambda') +
      lambda(idle + busy, seconds.sequencer) +
      logged(idle + busy, logOctets.sequencer) +
      traced(idle + busy),
    upkeep:
      lambda(MINUTES, seconds.upkeep) +
      unitsOf(table, MINUTES, measured.upkeep) +
      MINUTES * lookedAt(fleet, table) +
      logged(MINUTES, logOctets.upkeep) +
      traced(MINUTES),
    functions:
      lambda(requests + counts.first, seconds.request) +
      lambda(fetched, seconds.crl) +
      fetched * price.get,
    'API or edge': edge[ingress],
    'CRL traffic': cached
      ? beyond(crlGb, cloudFrontFree ? freeGb : 0) * price.cloudFrontEgress + missed(fleet, counts)
      : beyond(crlGb, price.egressFree) * price.egress,
    'logs and traces':
      logged(enrolments, logOctets.enrolment) +
      logged(fetched, logOctets.function + (ingress === 'functionUrl' ? 0 : logOctets.api)) +
      (cached ? kept(requests) : 0) +
      traced(requests + fetched),
    'alarms and metrics': alarmed * price.alarmed + own * price.metric,
  };
}

/** Runs of the sequencer in a minute that find something, at most: of the stream, each 20 seconds; of a Worker's schedule. */
const RUNS = { lambda: 3, workers: 2 } as const;

/** Of a month, where transactions come at any time. A schedule comes each minute beside the stream. */
function runsOf(
  counts: Counts,
  on: keyof typeof RUNS,
): { readonly idle: number; readonly busy: number } {
  const most = MINUTES * RUNS[on];
  const busy = most * (1 - Math.exp(-waitingIn(counts) / most));
  return { busy, idle: on === 'lambda' ? MINUTES : most - busy };
}

/** Transactions with an event: a challenge and a revocation are one, an enrolment and a renewal two. */
const waitingIn = ({ first, renewals, listed }: Counts): number =>
  first + 2 * (first + renewals) + listed / MONTHS_LISTED;

/** What waits, what the sequencer asks of table, key and bucket, and what it has written as long as the bucket keeps it. */
function sequenced(counts: Counts, table: Table, on: keyof typeof RUNS): number {
  const { idle, busy } = runsOf(counts, on);
  const { sequencer, waiting } = measured;
  // Each of two logs has a checkpoint an hour, if nothing else.
  const signed = Math.max(busy, 2 * DAYS * 24);
  const octets = (busy * assumed.logRunOctets * assumed.logLockDays) / DAYS;
  return (
    unitsOf(table, waitingIn(counts), { ...waiting, readUnits: 0 }) +
    unitsOf(table, idle, sequencer.idle) +
    unitsOf(table, busy, sequencer.busy) +
    idle * sequencer.idle.gets * price.get +
    busy * (sequencer.busy.gets * price.get + sequencer.busy.puts * price.put) +
    signed * price.sign +
    (octets * price.s3) / 1e9
  );
}

/** Cloudflare asks nothing for traffic. */
function onWorkers(fleet: Fleet, counts: Counts, table: Table): Rest {
  const { worker } = assumed;
  const { crlFetches } = counts;
  const enrolments = enrolmentsIn(counts);
  const cpuMs =
    enrolments * worker.enrolmentMs + crlFetches * worker.crlMs + MINUTES * worker.upkeepMs;
  const lines = enrolments * worker.enrolmentLines + MINUTES * worker.upkeepLines;
  const requests = enrolments * assumed.requests + crlFetches + MINUTES;
  return {
    'transaction log': sequenced(counts, table, 'workers'),
    upkeep: unitsOf(table, MINUTES, measured.upkeep) + MINUTES * lookedAt(fleet, table),
    functions:
      price.workers +
      beyond(requests, workersPaid.requests) * price.workerRequest +
      beyond(cpuMs, workersPaid.cpuMs) * price.workerCpuMs,
    'API or edge': 0,
    'CRL traffic': 0,
    'logs and traces': beyond(lines, workersPaid.lines) * price.workerLog,
    'alarms and metrics': 0,
  };
}

export const totalOf = (bill: Bill): number => parts.reduce((sum, part) => sum + bill[part], 0);

/** AWS Private CA in general-purpose mode, which its Connector for SCEP needs: the authority, and certificates in tiers. */
export function privateCa(certificates: number): number {
  const first = Math.min(certificates, 1000);
  const next = Math.min(certificates - first, 9000);
  return 400 + first * 0.75 + next * 0.35 + (certificates - first - next) * 0.001;
}
