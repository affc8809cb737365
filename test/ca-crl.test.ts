// CRLs: what was revoked is in the next one, numbers only rise whoever publishes, and caches learn
// what they need.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../lib/adapters/memory.ts';
import { hex } from '../lib/bytes.ts';
import { keepCrl, publishCrl } from '../lib/ca/crl.ts';
import { enter, readRegister, registerChanges, registerKeys } from '../lib/ca/register.ts';
import { revoke } from '../lib/ca/revoke.ts';
import { Draft, View } from '../lib/ca/view.ts';
import { content, scan } from '../lib/cms/der.ts';
import { MAX_REGISTER_ENTRIES } from '../lib/limits.ts';
import type { CertificateRecord, EventRecord } from '../lib/ports/records.ts';
import { revocationReasons } from '../lib/ports/records.ts';
import { readCertificate } from '../lib/x509/certificate.ts';
import { deviceKey } from './support/keys.ts';
import { type Lab, makeLab } from './support/lab.ts';
import { enrolment } from './support/messages.ts';

const admin = { kind: 'admin', id: 'somebody' } as const;
const day = 86_400_000;

async function issued(lab: Lab, name: string): Promise<string> {
  const key = await deviceKey(name, { type: 'EC', curve: 'P-256' });
  const sent = await enrolment(lab, {
    key,
    challenge: await lab.challenge(),
    subject: `CN=${name}`,
  });
  const answer = await sent.read(await lab.operate(sent.message));
  assert.ok(answer.pkiStatus === 'SUCCESS');
  return hex(readCertificate(answer.certificates[0] ?? new Uint8Array(0)).serial);
}

/** Serials and reason codes of a CertificateList, as they stand in its DER. */
function entriesOf(der: Uint8Array<ArrayBuffer>): Record<string, number | undefined> {
  const [tbs] = scan(der).children;
  const list = tbs?.children.find(
    ({ tag, children: [first] }) =>
      tag === 0x30 && first?.tag === 0x30 && first.children[0]?.tag === 0x02,
  );
  return Object.fromEntries(
    (list?.children ?? []).map(({ children: [serial, , extensions] }) => {
      const value = extensions?.children[0]?.children[1];
      return [serial ? hex(content(serial)) : '', value && content(scan(content(value)))[0]];
    }),
  );
}

const newest = async (lab: Lab) => {
  const crl = await lab.deps.crls.newest('default');
  assert.ok(crl);
  return crl;
};
const upkeep = async (lab: Lab) => keepCrl(lab.deps, await lab.deps.cas.of('default'));

describe('the CRL', () => {
  test('RFC 5280 §5.3.1: lists every reason; a hold that has ended is gone; nothing else is in it', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const codes = [undefined, 1, 2, 3, 4, 5, 9, 10];
    const expected: Record<string, number | undefined> = {};
    for (const [i, reason] of revocationReasons.entries()) {
      const serial = await issued(lab, `crl-${reason}`);
      assert.equal(await revoke(lab.deps, 'default', serial, reason, admin), 'done');
      expected[serial] = codes[i];
    }
    const held = await issued(lab, 'crl-held');
    const ended = await issued(lab, 'crl-ended');
    await issued(lab, 'crl-good');
    for (const serial of [held, ended]) {
      assert.equal(await revoke(lab.deps, 'default', serial, 'certificateHold', admin), 'done');
    }
    assert.equal(await revoke(lab.deps, 'default', ended, 'removeFromCRL', admin), 'done');
    expected[held] = 6;
    const before = await newest(lab);
    await upkeep(lab);
    const crl = await newest(lab);
    assert.equal(crl.number, before.number + 1);
    assert.deepEqual(entriesOf(crl.der), expected);
  });

  test('is made again when something has changed, or half of its life is over, and not otherwise', async () => {
    const lab = await makeLab({
      config: { cas: { default: { subject: 'CN=a', key: 'ec:P-256', crlValidity: '4d' } } },
    });
    assert.equal((await newest(lab)).number, 1);
    await upkeep(lab);
    lab.clock.at += 2 * day - 2000;
    await upkeep(lab);
    assert.equal((await newest(lab)).number, 1);
    lab.clock.at += 2000;
    await upkeep(lab);
    assert.equal((await newest(lab)).number, 2);
    await revoke(lab.deps, 'default', await issued(lab, 'crl-again'), 'keyCompromise', admin);
    await upkeep(lab);
    await upkeep(lab);
    const crl = await newest(lab);
    assert.equal(crl.number, 3);
    assert.equal(crl.nextUpdate - crl.thisUpdate, 4 * day);
  });

  test('RFC 5280 §3.3: an entry stays in one CRL after its certificate has expired', async () => {
    const lab = await makeLab({
      caKey: 'ec:P-256',
      endpoint: { profile: 'short' },
      config: { profiles: { short: { validity: '1d' } } },
    });
    const serial = await issued(lab, 'crl-expired');
    await revoke(lab.deps, 'default', serial, 'keyCompromise', admin);
    const listed: boolean[] = [];
    for (const days of [0, 6, 6, 6]) {
      lab.clock.at += days * day;
      await upkeep(lab);
      listed.push(serial in entriesOf((await newest(lab)).der));
    }
    assert.deepEqual(listed, [true, true, false, false]);
  });

  test('50 publish at once while others revoke: numbers rise one by one, nothing is missing', async () => {
    const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
    const lab = await makeLab({ store, caKey: 'ec:P-256' });
    const ca = await lab.deps.cas.of('default');
    const serials: string[] = [];
    for (let i = 0; i < 10; i++) serials.push(await issued(lab, `crl-many-${i}`));
    const results = await Promise.all([
      ...Array.from({ length: 50 }, () => publishCrl(lab.deps, ca, admin)),
      ...serials.map(async (serial) => {
        assert.equal(await revoke(lab.deps, 'default', serial, 'keyCompromise', admin), 'done');
        const crl = await publishCrl(lab.deps, ca, admin);
        assert.ok(serial in entriesOf(crl.der), 'what was acknowledged is in it');
        return crl;
      }),
    ]);
    const last = await newest(lab);
    assert.deepEqual(Object.keys(entriesOf(last.der)).sort(), [...serials].sort());
    assert.ok(results.every(({ number }) => number <= last.number));
    const numbers = store
      .dump()
      .filter(({ kind }) => kind === 'event')
      .map(({ record }) => JSON.parse((record as EventRecord).body))
      .filter(({ type }) => type === 'crl.published')
      .map(({ number }) => number as number)
      .sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: last.number }, (_, i) => i + 1),
    );
  });

  test('for caches: ETag, Last-Modified, Expires, 304, and no longer than ten minutes', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const get = (headers: Record<string, string> = {}) =>
      lab.fetch('/crl/default.crl', { headers });
    const response = await get();
    const { number, thisUpdate, nextUpdate, der } = await newest(lab);
    assert.equal(response.headers.get('etag'), `"${number}"`);
    assert.equal(response.headers.get('last-modified'), new Date(thisUpdate).toUTCString());
    assert.equal(response.headers.get('expires'), new Date(nextUpdate).toUTCString());
    assert.equal(response.headers.get('cache-control'), 'public, max-age=600');
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), new Uint8Array(der));
    for (const tag of [`"${number}"`, `W/"${number}"`, '*', `"x", "${number}"`]) {
      const known = await get({ 'if-none-match': tag });
      assert.equal(known.status, 304, tag);
      assert.equal(await known.text(), '');
    }
    assert.equal((await get({ 'if-none-match': '"0"' })).status, 200);
    lab.clock.at = nextUpdate - 5000;
    assert.equal((await get()).headers.get('cache-control'), 'public, max-age=5');
    lab.clock.at = nextUpdate + 5000;
    assert.equal((await get()).headers.get('cache-control'), 'public, max-age=0');
  });
});

test('the register goes on when a shard is full, and every entry is found', async () => {
  const store = new MemoryStore();
  const count = MAX_REGISTER_ENTRIES * 2 + 5;
  const serials = Array.from({ length: count }, (_, i) => `40${String(i).padStart(6, '0')}0a`);
  for (const serial of serials) {
    const view = new View(store);
    const certificateKey = { kind: 'certificate', key: `default/${serial}` } as const;
    await view.load([certificateKey, ...registerKeys('default', [serial])]);
    const draft = new Draft(view);
    const certificate = { ca: 'default', serial, notAfter: 10 } as unknown as CertificateRecord;
    enter(draft, certificate, 'superseded', 5);
    assert.equal(await store.write(draft.actions), 'done');
  }
  assert.equal(await registerChanges(store, 'default'), count);
  const { changes, revoked } = await readRegister(store, 'default', 10);
  assert.equal(changes, count);
  assert.deepEqual(
    revoked.map(({ serial }) => hex(serial)),
    serials,
  );
  assert.deepEqual((await readRegister(store, 'default', 11)).revoked, []);
  assert.deepEqual((await readRegister(store, 'other', 0)).revoked, []);
});
