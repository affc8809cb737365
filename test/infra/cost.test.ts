// The tables of costs in the guides are what their prices and counts give.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/installed.ts';
import { enrolment, upkeep } from './counted.ts';
import { at, listAt, maybe, ofType, templateOf } from './templates.ts';

/** US dollars in us-east-1, list prices. */
const M = 1_000_000;
const price = {
  kmsKey: 1,
  sign: 0.15 / 10_000,
  writeUnit: 0.625 / M,
  readUnit: 0.125 / M,
  /** A month of a GB, with point-in-time recovery. */
  stored: 0.25 + 0.2,
  invocation: 0.2 / M,
  gbSecond: 0.0000133334,
  httpApi: 1 / M,
  cloudFront: 0.01 / 10_000,
  cloudFrontFree: 10 * M,
  webAcl: 5 + 1,
  webAclRequest: 0.6 / M,
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
};
/** In the price of Workers Paid. */
const included = { requests: 10 * M, cpuMs: 30 * M, lines: 20 * M };
const GB = 0.5;
const DAYS = 30;
const MINUTES = DAYS * 24 * 60;

const lambda = (times: number, seconds: number): number =>
  times * (price.invocation + seconds * GB * price.gbSecond);
/** Of a function's calls in a month the first of each second is traced, and one in twenty of the others. */
const traced = (calls: number): number => {
  const seconds = MINUTES * 60;
  const first = Math.min(calls, seconds);
  return (first + (calls - first) / 20) * price.trace;
};
/** What Lambda and the API write of a request, and upkeep of a run, beside what an enrolment does. */
const octets = { lambda: 700, api: 300, upkeep: 1500 };
const units = (times: number, of: { writeUnits: number; readUnits: number }): number =>
  times * (of.writeUnits * price.writeUnit + of.readUnits * price.readUnit);

type Ingress = 'functionUrl' | 'httpApi' | 'cloudfront';

/** Metrics that alarms look at, and metrics that are ours; the dashboard is one of three for nothing. */
function watched(ingress: Ingress): number {
  const template = templateOf(ingress);
  const alarmed = ofType(template, 'AWS::CloudWatch::Alarm').reduce<number>((sum, one) => {
    const several = listAt(one, 'Metrics').filter((each) => maybe(each, 'MetricStat'));
    return sum + Math.max(1, several.length);
  }, 0);
  const own = new Set(
    ofType(template, 'AWS::Logs::MetricFilter').map((one) =>
      at(one, 'MetricTransformations.0.MetricName'),
    ),
  );
  return alarmed * price.alarmed + own.size * price.metric;
}

function cost(devices: number, ingress: Ingress): number {
  const enrolments = devices * 0.1;
  const requests = enrolments * enrolment.requests;
  const crls = devices * DAYS;
  const cached = ingress === 'cloudfront';
  const fixed =
    3 * price.kmsKey +
    watched(ingress) +
    lambda(MINUTES, upkeep.seconds) +
    traced(MINUTES) +
    (MINUTES * octets.upkeep * price.logGb) / 1e9 +
    units(MINUTES, upkeep.units);
  const each =
    enrolments * price.sign +
    units(enrolments, enrolment.units) +
    lambda(requests, enrolment.seconds) +
    traced(requests + (cached ? 0 : crls)) +
    (enrolments * 3e3 * price.logGb + enrolments * 36 * 8e3 * price.stored) / 1e9;
  // Each CRL is fetched from the functions where no cache is in between.
  const written = octets.lambda + (ingress === 'functionUrl' ? 0 : octets.api);
  const fetched = cached
    ? 0
    : lambda(crls, 0.02) + crls * price.readUnit + (crls * written * price.logGb) / 1e9;
  const api = ingress === 'functionUrl' ? 0 : (requests + (cached ? 0 : crls)) * price.httpApi;
  const edge = cached
    ? price.webAcl +
      price.secret +
      (requests + crls) * price.webAclRequest +
      Math.max(0, requests + crls - price.cloudFrontFree) * price.cloudFront
    : 0;
  return fixed + each + fetched + api + edge;
}

/** CPU of an enrolment: `npm run bench` has counted 8 to 13 ms for the message alone. */
const worker = { enrolmentMs: 15, crlMs: 1, upkeepMs: 50, enrolmentLines: 3, upkeepLines: 4 };

function costOfWorkers(devices: number): { cloudflare: number; aws: number } {
  const enrolments = devices * 0.1;
  const crls = devices * DAYS;
  const used = {
    requests: enrolments * enrolment.requests + crls + MINUTES,
    cpuMs: enrolments * worker.enrolmentMs + crls * worker.crlMs + MINUTES * worker.upkeepMs,
    lines: enrolments * worker.enrolmentLines + MINUTES * worker.upkeepLines,
  };
  const beyond = (what: keyof typeof used): number => Math.max(0, used[what] - included[what]);
  return {
    cloudflare:
      price.workers +
      beyond('requests') * price.workerRequest +
      beyond('cpuMs') * price.workerCpuMs +
      beyond('lines') * price.workerLog,
    aws:
      3 * price.kmsKey +
      units(MINUTES, upkeep.units) +
      enrolments * price.sign +
      units(enrolments, enrolment.units) +
      (enrolments * 36 * 8e3 * price.stored) / 1e9,
  };
}

/** General-purpose mode: the authority, and certificates in tiers. */
function privateCa(certificates: number): number {
  const first = Math.min(certificates, 1000);
  const next = Math.min(certificates - first, 9000);
  return 400 + first * 0.75 + next * 0.35 + (certificates - first - next) * 0.001;
}

const fleets = [1000, 10_000, 100_000, 1_000_000];
const dollars = (amount: number, digits = 2): string =>
  `$${amount.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
const counts = (devices: number): string[] =>
  [devices, devices * 0.1].map((count) => count.toLocaleString('en'));

function tableOf(guide: string, head: string): string[] {
  const text = readFileSync(join(root, 'docs', guide), 'utf8');
  const [, table = ''] = text.split(head);
  return table.split('\n').slice(0, fleets.length);
}

test("the guide's table of costs follows from its prices and counts", () => {
  const rows = fleets.map((devices) => {
    const ours = (['functionUrl', 'httpApi', 'cloudfront'] as const).map((ingress) =>
      dollars(cost(devices, ingress)),
    );
    return `| ${[...counts(devices), ...ours, dollars(privateCa(devices * 0.1), 0)].join(' | ')} |`;
  });
  const head = 'AWS Private CA + Connector |\n|---|---|---|---|---|---|\n';
  assert.deepEqual(tableOf('deploy-aws.md', head), rows);
});

test('the table of costs in the guide for Workers follows from its prices and counts', () => {
  const rows = fleets.map((devices) => {
    const { cloudflare, aws } = costOfWorkers(devices);
    return `| ${[...counts(devices), ...[cloudflare, aws, cloudflare + aws].map((one) => dollars(one))].join(' | ')} |`;
  });
  assert.deepEqual(tableOf('deploy-workers.md', 'together |\n|---|---|---|---|---|\n'), rows);
});

test('the counts in the arithmetic are those that the adapter states', () => {
  const text = readFileSync(
    join(root, 'lib', 'adapters', 'aws', 'dynamodb', 'dynamodb.ts'),
    'utf8',
  ).replace(/\n\/\/ ?/g, ' ');
  assert.match(
    text,
    /5 keys read, 6 and 3 items written and 1 checked, 26 write units of the table, 4 of `places`, 5 of `due`, 2 of `subjects`, 1 of `devices`\./,
  );
});
