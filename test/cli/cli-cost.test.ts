// scepter cost: a bill before anything is deployed. That its arithmetic is the guides' is for test/infra/cost.test.ts.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parts, privateCa } from '../../lib/cli/plan/arithmetic.ts';
import { assumed, price } from '../../lib/cli/plan/prices.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { encodeTbsCertList } from '../../lib/x509/crl.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());
const run = (...args: string[]) => terminal.run(['cost', ...args]);
type Billed = Readonly<Record<string, Readonly<Record<string, number>>>>;
const billed = async (...args: string[]): Promise<Billed> => {
  const { code, out } = await run('--json', ...args);
  assert.equal(code, 0);
  return JSON.parse(out) as Billed;
};

test('a bill has each part for each target, and their sums', async () => {
  const { code, out } = await run('--devices', '10,000');
  assert.equal(code, 0);
  const lines = out.split('\n');
  for (const part of [...parts, 'total']) {
    assert.equal(lines.filter((line) => line.startsWith(`${part}  `)).length, 1, part);
  }
  const bill = await billed('--devices', '10000');
  for (const target of ['functionUrl', 'httpApi', 'cloudfront', 'workers']) {
    const { total = Number.NaN, ...each } = bill[target] ?? {};
    const sum = Object.values(each).reduce((all, one) => all + one, 0);
    assert.ok(Math.abs(sum - total) < 1e-9, target);
  }
});

test('a million devices with one in a hundred revoked pay for the traffic of the CRL above all', async () => {
  const { cloudfront = {} } = await billed('--devices', '1000000', '--revoked', '1%');
  const { 'CRL traffic': traffic = 0, total = 0 } = cloudfront;
  assert.ok(traffic > 1200 && traffic / total > 0.9, `${traffic} of ${total}`);
  const without = await billed('--devices', '1000000', '--revoked', '1%', '--crl-fetches', '0');
  assert.equal(without.cloudfront?.['CRL traffic'], 0);
});

test('CRLs come from CloudFront by http, without a web ACL, with their headers, and without its free tier it costs more', async () => {
  const wanted = ['--devices', '1000000', '--revoked', '1%', '--partitions', '32'];
  const found = await billed(...wanted);
  const none = await billed(...wanted, '--crl-fetches', '0');
  const fetches = 1_000_000 * 30;
  const { 'API or edge': edge = 0 } = found.cloudfront ?? {};
  const paid = edge - (none.cloudfront?.['API or edge'] ?? 0);
  // The free tier is for http first, which leaves the requests of enrolments to pay.
  const enrolments = 100_000 * assumed.requests * price.cloudFront.https;
  const beyond = (fetches - price.cloudFrontFree) * price.cloudFront.http;
  assert.ok(Math.abs(paid - beyond - enrolments) < 1e-6, `${paid}`);
  const { withoutCloudFrontFree = {} } = found;
  const octets = assumed.crlOctets.empty + assumed.crlOctets.partition + assumed.headerOctets;
  const egress = (fetches * (octets + (10_000 / 32) * assumed.crlOctets.entry)) / 1e9;
  const free = price.cloudFrontFree * price.cloudFront.http + egress * price.cloudFrontEgress;
  const { total = 0 } = found.cloudfront ?? {};
  assert.ok(Math.abs((withoutCloudFrontFree.cloudfront ?? 0) - total - free) < 1e-6);
});

test('the class of the table is the cheaper one: infrequent access where storage is most of it', async () => {
  const of = async (...args: string[]) =>
    (await billed(...args)).tableClass as unknown as Readonly<Record<string, string>>;
  assert.equal((await of('--devices', '10000')).cloudfront, 'STANDARD');
  assert.equal((await of('--devices', '1000000')).cloudfront, 'STANDARD_INFREQUENT_ACCESS');
  const { out } = await run('--devices', '1000000');
  assert.match(out, /^class of the table +(standard-IA +){3}standard-IA$/m);
  assert.match(out, /^without CloudFront's free tier /m);
});

test('several CRLs take the traffic of one away, and cost a look at each every minute', async () => {
  const wanted = ['--devices', '1000000', '--revoked', '1%'];
  const { cloudfront: one = {} } = await billed(...wanted);
  const { cloudfront: many = {} } = await billed(...wanted, '--partitions', '128');
  assert.ok((many['CRL traffic'] ?? 1) < (one['CRL traffic'] ?? 0) / 10);
  assert.ok((many.upkeep ?? 0) > (one.upkeep ?? 0));
});

test('a storm day names the inputs and the quotas that are too low for it', async () => {
  const wanted = ['--devices', '10000000', '--storm'];
  const { out } = await run(...wanted, '10%');
  assert.match(out, /HTTP requests +278 +100 +10,000 +requestsPerSecond\n/);
  assert.match(out, /KMS Sign +69 +500\n/);
  assert.match((await run(...wanted, '100%')).out, /KMS Sign +694 +500 +quota\n/);
  assert.doesNotMatch((await run(...wanted, '1%')).out, /requestsPerSecond|quota/);
  assert.doesNotMatch((await run('--devices', '10')).out, /STORM/);
});

test('more renewals, new devices and years cost more', async () => {
  const { cloudfront: usual = {} } = await billed('--devices', '100000');
  for (const [option, value, part] of [
    ['--renewals', '4', 'signatures'],
    ['--new', '100%', 'writes and reads'],
    ['--years', '6', 'storage'],
  ] as const) {
    const { cloudfront: more = {} } = await billed('--devices', '100000', option, value);
    assert.ok((more[part] ?? 0) > (usual[part] ?? 0), option);
  }
});

test('AWS Private CA asks for the authority and, in tiers, for each certificate', () => {
  assert.deepEqual([0, 1000, 10_000, 11_000].map(privateCa), [400, 1150, 4300, 4301]);
});

test('a wrong number is a sentence that says what may be given', async () => {
  for (const [args, sentence] of [
    [['--devices', 'many'], /give a whole number, 1 or more/],
    [['--devices', '0'], /give a whole number, 1 or more/],
    [['--devices', '5', '--revoked', '120%'], /give a share of the devices, as 1% or 0\.01/],
    [['--devices', '5', '--renewals', '-1'], /give a number, or a share as 1%/],
    [[], /required option '--devices <count>' not specified/],
  ] as const) {
    const { code, err } = await run(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, sentence);
  }
});

test('a CRL that no function can answer with is warned of', async () => {
  const { err } = await run('--devices', '1000000', '--revoked', '20%');
  assert.match(err, /more than 6 MB/);
});

test('a CRL has no more octets than are assumed, and few less', () => {
  const serial = new Uint8Array(16).fill(0x41);
  const [thisUpdate, revokedAt, nextUpdate] = [1e12, 1e12, 1e12];
  const octetsOf = (entries: number): number =>
    encodeTbsCertList({
      scheme: { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] },
      issuer: parseName('CN=Device CA,O=Example'),
      issuerKeyIdentifier: new Uint8Array(20),
      ...{ thisUpdate, nextUpdate, number: 1 },
      revoked: Array(entries).fill({ serial, revokedAt, reason: 'keyCompromise' }),
    }).length;
  const { empty, entry } = assumed.crlOctets;
  const signature = 384 + 40;
  for (const entries of [0, 1000]) {
    const share = (octetsOf(entries) + signature) / (empty + entries * entry);
    assert.ok(share > 0.8 && share <= 1, `${entries} entries: ${share}`);
  }
});
