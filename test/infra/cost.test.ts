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
  parts,
  privateCa,
  totalOf,
} from '../../lib/cli/plan/arithmetic.ts';
import { bounds, price, watched } from '../../lib/cli/plan/prices.ts';
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

const ways = ['functionUrl', 'httpApi', 'cloudfront'] as const;
const monthly = (fleet: Fleet, target: Parameters<typeof billOf>[1], terms = {}): string =>
  dollars(totalOf(billOf(fleet, target, terms)));

test("the guide's table of costs follows from its prices and counts", () => {
  const rows = fleets.map((devices) => {
    const fleet = fleetOf(devices);
    const connector = dollars(privateCa(enrolmentsOf(fleet)), 0);
    return `| ${[...headOf(fleet), ...ways.map((way) => monthly(fleet, way)), connector].join(' | ')} |`;
  });
  const head = 'AWS Private CA + Connector |\n|---|---|---|---|---|---|\n';
  assert.deepEqual(tableOf('costs.md', head), rows);
});

test("the guide's table of costs with 1 % revoked follows from its prices and counts", () => {
  const unfree = { cloudFrontFree: false };
  const rows = fleets.map((devices) => {
    const fleet = fleetOf(devices, 0.01);
    const several = fleetOf(devices, 0.01, 32);
    const ours = [
      ...ways.map((way) => monthly(fleet, way)),
      monthly(several, 'cloudfront'),
      monthly(several, 'cloudfront', unfree),
    ];
    return `| ${[...headOf(fleet), ...ours].join(' | ')} |`;
  });
  const head = "without CloudFront's free tier |\n|---|---|---|---|---|---|---|\n";
  assert.deepEqual(tableOf('costs.md', head), rows);
});

test('the guide says what a million and ten thousand devices cost part by part, and which class of the table is cheaper', () => {
  const [large, small] = [fleetOf(1_000_000, 0.01, 32), fleetOf(10_000, 0.01)];
  const bills = [large, small].map((fleet) => billOf(fleet, 'cloudfront'));
  const rows = [
    ...parts.map((part) => [part, ...bills.map((bill) => dollars(bill[part]))]),
    ['total', ...bills.map((bill) => dollars(totalOf(bill)))],
    ...(['STANDARD', 'STANDARD_INFREQUENT_ACCESS'] as const).map((tableClass) => [
      `with the class ${tableClass}`,
      ...[large, small].map((fleet) => monthly(fleet, 'cloudfront', { tableClass })),
    ]),
  ].map((row) => `| ${row.join(' | ')} |`);
  const head = '10,000, one CRL |\n|---|---|---|\n';
  assert.deepEqual(tableOf('costs.md', head, rows.length), rows);
});

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

test('what the guide says in words about the goal follows from its prices, too', () => {
  const text = readFileSync(join(root, 'docs', 'costs.md'), 'utf8').replaceAll('\n', ' ');
  const [large, small] = [fleetOf(1_000_000, 0.01, 32), fleetOf(10_000, 0.01)].map((fleet) =>
    totalOf(billOf(fleet, 'cloudfront')),
  ) as [number, number];
  const { alarmed, own } = watched.cloudfront;
  const watching = alarmed * price.alarmed + own * price.metric;
  const fetches = 1_000_000 * 30 - price.cloudFrontFree;
  for (const words of [
    `still lacks**: ${dollars(large - 50)} and ${dollars(small - 13)}`,
    `(${dollars(fetches * price.cloudFront.http)} for requests beyond`,
    `pay ${dollars(3 * price.kmsKey + price.webAcl + price.secret + watching)} for what does not depend`,
    `which are ${dollars(10 * price.alarmed + own * price.metric)} of this`,
    `which is ${dollars(price.webAcl + price.secret)} less`,
    `about ${dollars(watching)} for ${alarmed} metrics`,
  ]) {
    assert.ok(text.includes(words), words);
  }
});

const whole = (count: number): string => Math.round(count).toLocaleString('en');

test('the table of CRLs in the page about scale follows from its prices and counts', () => {
  const rows = [100_000, 1_000_000, 10_000_000].flatMap((devices) =>
    [1, 32, 128, 1024].map((partitions) => {
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
