// The tables of costs in the guides are what the arithmetic of `scepter cost` gives.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  billOf,
  countsOf,
  enrolmentsIn,
  type Fleet,
  privateCa,
  totalOf,
} from '../../lib/cli/plan/arithmetic.ts';
import { bounds, watched } from '../../lib/cli/plan/prices.ts';
import { stormOf } from '../../lib/cli/plan/storm.ts';
import { root } from '../support/installed.ts';
import { at, listAt, maybe, ofType, templateOf } from './templates.ts';

const fleets = [1000, 10_000, 100_000, 1_000_000];
const fleetOf = (devices: number, revoked = 0, partitions = 1): Fleet => ({
  ...{ devices, revoked, partitions, renewals: 1, new: 0.2, crlFetches: 1, years: 3 },
});
const dollars = (amount: number, digits = 2): string =>
  `$${amount.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
const enrolmentsOf = (fleet: Fleet): number => enrolmentsIn(countsOf(fleet));
const headOf = (fleet: Fleet): string[] =>
  [fleet.devices, enrolmentsOf(fleet)].map((count) => count.toLocaleString('en'));

function tableOf(guide: string, head: string, rows = fleets.length): string[] {
  const text = readFileSync(join(root, 'docs', guide), 'utf8');
  const [, table = ''] = text.split(head);
  return table.split('\n').slice(0, rows);
}

for (const revoked of [0, 0.01]) {
  test(`the guide's table of costs with ${revoked * 100} % revoked follows from its prices and counts`, () => {
    const rows = fleets.map((devices) => {
      const fleet = fleetOf(devices, revoked);
      const ours = (['functionUrl', 'httpApi', 'cloudfront'] as const).map((ingress) =>
        dollars(totalOf(billOf(fleet, ingress))),
      );
      const last =
        revoked === 0
          ? dollars(privateCa(enrolmentsOf(fleet)), 0)
          : dollars(totalOf(billOf(fleetOf(devices, revoked, 128), 'cloudfront')));
      return `| ${[...headOf(fleet), ...ours, last].join(' | ')} |`;
    });
    const head =
      revoked === 0
        ? 'AWS Private CA + Connector |\n|---|---|---|---|---|---|\n'
        : 'with 128 CRLs |\n|---|---|---|---|---|---|\n';
    assert.deepEqual(tableOf('costs.md', head), rows);
  });
}

test('the table of costs in the guide for Workers follows from its prices and counts', () => {
  const rows = fleets.map((devices) => {
    const fleet = fleetOf(devices);
    const bill = billOf(fleet, 'workers');
    const cloudflare = bill.functions + bill['logs and traces'];
    const all = totalOf(bill);
    return `| ${[...headOf(fleet), ...[cloudflare, all - cloudflare, all].map((one) => dollars(one))].join(' | ')} |`;
  });
  assert.deepEqual(tableOf('costs.md', 'together |\n|---|---|---|---|---|\n'), rows);
});

const whole = (count: number): string => Math.round(count).toLocaleString('en');

test('the table of CRLs in the page about scale follows from its prices and counts', () => {
  const rows = [100_000, 1_000_000, 10_000_000].flatMap((devices) =>
    [1, 128, 1024].map((partitions) => {
      const fleet = fleetOf(devices, 0.01, partitions);
      const size = (countsOf(fleet).crlOctets / 1000).toLocaleString('en', {
        minimumFractionDigits: 1,
        maximumFractionDigits: 1,
      });
      const bills = (['cloudfront', 'workers'] as const).map((target) =>
        dollars(totalOf(billOf(fleet, target))),
      );
      return `| ${[whole(devices), whole(partitions), `${size} kB`, ...bills].join(' | ')} |`;
    }),
  );
  assert.deepEqual(tableOf('scale.md', 'on Workers |\n|---|---|---|---|---|\n', rows.length), rows);
});

test('the table of a storm day follows from its counts, and its bounds are the defaults of a deployment', () => {
  const storms = [0.01, 0.1, 1].map((share) => stormOf(fleetOf(10_000_000), share));
  const rows = (storms[0] ?? []).map(({ what, ours, input, aws }, at) => {
    const needed = storms.map((rates) => whole(rates[at]?.perSecond ?? Number.NaN));
    const byDefault = ours === undefined ? '–' : `${whole(ours)} (\`${input}\`)`;
    return `| ${[what, ...needed, byDefault, aws === undefined ? '–' : whole(aws)].join(' | ')} |`;
  });
  const head = 'quota of AWS |\n|---|---|---|---|---|---|\n';
  assert.deepEqual(tableOf('scale.md', head, rows.length), rows);
  const text = readFileSync(join(root, 'infra', 'terraform', 'variables.tf'), 'utf8');
  for (const bound of Object.values(bounds)) {
    if (!('input' in bound)) continue;
    const name = bound.input.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [, given] = new RegExp(`"${name}" \\{[^}]*?default\\s*= (\\d+)`).exec(text) ?? [];
    assert.equal(Number(given), bound.ours, name);
  }
});

test('the arithmetic counts the metrics that are watched in each template', () => {
  for (const ingress of ['functionUrl', 'httpApi', 'cloudfront'] as const) {
    const template = templateOf(ingress);
    const alarmed = ofType(template, 'AWS::CloudWatch::Alarm').reduce<number>((sum, one) => {
      const several = listAt(one, 'Metrics').filter((each) => maybe(each, 'MetricStat'));
      return sum + Math.max(1, several.length);
    }, 0);
    // The others have a value only in hours in which something is counted.
    const filters = ofType(template, 'AWS::Logs::MetricFilter').filter((one) => {
      const { DefaultValue, MetricValue } = Object(at(one, 'MetricTransformations.0'));
      return DefaultValue === 0 || MetricValue !== '1';
    });
    const own = new Set(filters.map((one) => at(one, 'MetricTransformations.0.MetricName'))).size;
    assert.deepEqual({ alarmed, own }, watched[ingress], ingress);
  }
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
