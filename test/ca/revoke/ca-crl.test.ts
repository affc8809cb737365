// CRLs: what was revoked is in the next one, numbers only rise whoever publishes, and caches learn
// what they need.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { content, scan } from '../../../lib/asn1/reader.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { CRL_MEMORY_MS, MAX_CRL_AGE_S, MAX_REGISTER_ENTRIES } from '../../../lib/base/limits.ts';
import { revocationReasons } from '../../../lib/base/words.ts';
import { Draft, View } from '../../../lib/ca/record/unit-of-work.ts';
import { keepCrls, publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { enter, readRegister, registerChanges, shardOf } from '../../../lib/ca/revoke/register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';

import { readCertificate } from '../../../lib/x509/certificate.ts';
import { crlEntries, describeCrlEntry } from '../../../lib/x509/describe/describe.ts';
import { eventIn } from '../../support/event-in.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryCrls, MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';

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
const upkeep = async (lab: Lab) => {
  const [crl] = await keepCrls(lab.deps, await lab.deps.cas.of('default'));
  return crl;
};

/** A certificate of one day. */
async function shortLived(name: string): Promise<{ lab: Lab; serial: string }> {
  const lab = await makeLab({
    caKey: 'ec:P-256',
    endpoint: { profile: 'short' },
    config: { profiles: { short: { validity: '1d' } } },
  });
  return { lab, serial: await issued(lab, name) };
}

describe('the CRL', () => {
  test('RFC 5280 §5.3.1: lists every reason; a hold that has ended is gone; nothing else is in it', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const codes = [undefined, 1, 2, 3, 4, 5, 9, 10];
    const expected: Record<string, number | undefined> = {};
    for (const [i, reason] of revocationReasons.entries()) {
      const serial = await issued(lab, `crl-${reason}`);
      assert.equal(await revoke(lab.deps, { ca: 'default', serial, reason, actor: admin }), 'done');
      expected[serial] = codes[i];
    }
    const held = await issued(lab, 'crl-held');
    const ended = await issued(lab, 'crl-ended');
    await issued(lab, 'crl-good');
    for (const serial of [held, ended]) {
      assert.equal(
        await revoke(lab.deps, { ca: 'default', serial, reason: 'certificateHold', actor: admin }),
        'done',
      );
    }
    assert.equal(
      await revoke(lab.deps, {
        ca: 'default',
        serial: ended,
        reason: 'removeFromCRL',
        actor: admin,
      }),
      'done',
    );
    expected[held] = 6;
    const before = await newest(lab);
    await upkeep(lab);
    const crl = await newest(lab);
    assert.equal(crl.number, before.number + 1);
    assert.deepEqual(entriesOf(crl.der), expected);
  });

  test('a CRL is made again when something has changed, or half of its life is over, and not otherwise', async () => {
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
    await revoke(lab.deps, {
      ca: 'default',
      serial: await issued(lab, 'crl-again'),
      reason: 'keyCompromise',
      actor: admin,
    });
    await upkeep(lab);
    await upkeep(lab);
    const crl = await newest(lab);
    assert.equal(crl.number, 3);
    assert.equal(crl.nextUpdate - crl.thisUpdate, 4 * day);
  });

  test('RFC 5280 §3.3: an entry stays 30 days after its certificate has expired, and in one CRL after that', async () => {
    const { lab, serial } = await shortLived('crl-expired');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    const listed: boolean[] = [];
    for (const days of [0, 6, 20, 6, 6, 6]) {
      lab.clock.at += days * day;
      await upkeep(lab);
      listed.push(serial in entriesOf((await newest(lab)).der));
    }
    assert.deepEqual(listed, [true, true, true, true, false, false]);
  });

  test('50 publish at once while others revoke: numbers rise one by one, nothing is missing', async () => {
    const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
    const lab = await makeLab({ store, caKey: 'ec:P-256' });
    const ca = await lab.deps.cas.of('default');
    const serials: string[] = [];
    for (let i = 0; i < 10; i++) serials.push(await issued(lab, `crl-many-${i}`));
    const results = await Promise.all([
      ...Array.from({ length: 50 }, () => publishCrl(lab.deps, ca, { actor: admin })),
      ...serials.map(async (serial) => {
        assert.equal(
          await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin }),
          'done',
        );
        const crl = await publishCrl(lab.deps, ca, { actor: admin });
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
      .map(({ record }) => eventIn(record))
      .filter(({ type }) => type === 'crl.published')
      .map(({ number }) => number as number)
      .sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: last.number }, (_, i) => i + 1),
    );
  });

  test('caches get ETag, Last-Modified, Expires and 304, and keep a CRL for ten minutes at most', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const get = (headers: Record<string, string> = {}) =>
      lab.fetch('/crl/default.crl', { headers });
    const response = await get();
    const { number, thisUpdate, nextUpdate, der } = await newest(lab);
    assert.equal(response.headers.get('etag'), `"${number}"`);
    assert.equal(response.headers.get('last-modified'), new Date(thisUpdate).toUTCString());
    assert.equal(response.headers.get('expires'), new Date(nextUpdate).toUTCString());
    assert.equal(response.headers.get('cache-control'), 'public, max-age=595');
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

describe('whoever asks without a name', () => {
  const count = (lab: Lab, call: string) => lab.calls.filter((one) => one === call).length;
  const numberOf = async (lab: Lab) => (await lab.fetch('/crl/default.crl')).headers.get('etag');

  test('a flood of GETs of a CRL or a CA certificate is one read of each in five seconds', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const flood = async (path: string) => {
      const replies = await Promise.all(Array.from({ length: 100 }, () => lab.fetch(path)));
      assert.ok(replies.every(({ status }) => status === 200));
    };
    // Its own publication, at its start, is in its memory for so long.
    lab.clock.at += CRL_MEMORY_MS;
    for (let second = 0; second < CRL_MEMORY_MS; second += 1000) {
      await flood('/crl/default.crl');
      await flood('/aia/default.cer');
      lab.clock.at += 1000;
    }
    assert.equal(count(lab, 'crls.newest'), 1);
    assert.ok(count(lab, 'store.read') <= 1);
    await flood('/crl/default.crl');
    assert.equal(count(lab, 'crls.newest'), 2);
  });

  test('a flood of GETs of a CRL that is not there is one read, too', async () => {
    const lab = await makeLab({ uninitialised: ['default'] });
    for (let i = 0; i < 20; i++) {
      assert.equal((await lab.fetch('/crl/default.crl')).status, 503);
    }
    assert.equal(count(lab, 'crls.newest'), 1);
  });

  test('what this instance publishes is given out at once, what another does five seconds later', async () => {
    const [store, crls] = [new MemoryStore(), new MemoryCrls()];
    const [here, there] = [await makeLab({ store, crls }), await makeLab({ store, crls })];
    const before = await numberOf(here);
    assert.equal(await numberOf(there), before);
    const ca = await here.deps.cas.of('default');
    const { number } = await publishCrl(here.deps, ca, { actor: admin });
    assert.notEqual(`"${number}"`, before);
    assert.equal(await numberOf(here), `"${number}"`);
    const stale = await there.fetch('/crl/default.crl', {
      headers: { 'if-none-match': before ?? '' },
    });
    assert.equal(stale.status, 304);
    there.clock.at += CRL_MEMORY_MS;
    const fresh = await there.fetch('/crl/default.crl', {
      headers: { 'if-none-match': before ?? '' },
    });
    assert.deepEqual([fresh.status, fresh.headers.get('etag')], [200, `"${number}"`]);
  });

  test('a revocation is seen no later than ten minutes after its CRL, memory and caches together', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const control = (await lab.fetch('/crl/default.crl')).headers.get('cache-control') ?? '';
    const [, cached = ''] = /max-age=(\d+)/.exec(control) ?? [];
    assert.equal(Number(cached) + CRL_MEMORY_MS / 1000, MAX_CRL_AGE_S);
  });

  test('the one with the higher number is given out of two publications at once', async () => {
    const lab = await makeLab({ caKey: 'ec:P-256' });
    const crl = await newest(lab);
    const now = lab.clock.now();
    lab.deps.served.published('default', { ...crl, number: 7 }, now);
    lab.deps.served.published('default', { ...crl, number: 6 }, now);
    assert.equal(await numberOf(lab), '"7"');
  });
});

describe('the CRL of a clock that jumps', () => {
  const listed = async (lab: Lab, serial: string) => {
    await upkeep(lab);
    return serial in entriesOf((await newest(lab)).der);
  };

  test('lists a revocation in every CRL of a clock that is five days ahead, and after it', async () => {
    const { lab, serial } = await shortLived('crl-five-days');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    const seen = [await listed(lab, serial)];
    lab.clock.at += 5 * day;
    seen.push(await listed(lab, serial));
    lab.clock.at += 4 * day;
    seen.push(await listed(lab, serial));
    lab.clock.at -= 9 * day;
    seen.push(await listed(lab, serial));
    assert.deepEqual(seen, [true, true, true, true]);
  });

  test('lists again, with the first CRL when the clock is right, what one years ahead left out', async () => {
    const { lab, serial } = await shortLived('crl-years');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    assert.equal(await listed(lab, serial), true);
    lab.clock.at += 730 * day;
    assert.equal(await listed(lab, serial), true, 'the first CRL of the wrong clock');
    lab.clock.at += 5 * day;
    await upkeep(lab);
    lab.clock.at -= 735 * day;
    for (let n = 0; n < 3; n++) {
      assert.equal(await listed(lab, serial), true, `CRL ${n} of the right clock`);
      lab.clock.at += day / 4;
      await publishCrl(lab.deps, await lab.deps.cas.of('default'), { actor: admin });
    }
  });

  test('lists a revocation under a clock that went back, and after it', async () => {
    const { lab, serial } = await shortLived('crl-back');
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    lab.clock.at -= 730 * day;
    assert.equal(await listed(lab, serial), true);
    lab.clock.at += 730 * day;
    assert.equal(await listed(lab, serial), true);
  });

  test('a CRL dates no revocation after itself: whoever reads it might take it for one to come', async () => {
    const { lab, serial } = await shortLived('crl-dated');
    lab.clock.at += 730 * day;
    await revoke(lab.deps, { ca: 'default', serial, reason: 'keyCompromise', actor: admin });
    lab.clock.at -= 730 * day;
    assert.equal(await listed(lab, serial), true);
    const { der, thisUpdate } = await newest(lab);
    const [entry] = crlEntries(der).map(describeCrlEntry);
    assert.equal(entry?.serial, serial);
    assert.ok(Date.parse(entry.revokedAt) <= thisUpdate, entry.revokedAt);
  });
});

test('the register goes on when a shard is full, and every entry is found', async () => {
  const store = new MemoryStore();
  const count = MAX_REGISTER_ENTRIES * 2 + 5;
  const serials = Array.from({ length: count }, (_, i) => `40${String(i).padStart(6, '0')}0a`);
  for (const serial of serials) {
    const view = new View(store);
    const certificateKey = { kind: 'certificate', key: `default/${serial}` } as const;
    await view.load([certificateKey, { kind: 'register', key: shardOf('default', serial) }]);
    const draft = new Draft(view);
    const certificate = {
      ca: 'default',
      serial,
      notAfter: 10,
    } as unknown as CertificateRecord<'issued'>;
    enter(draft, certificate, { reason: 'superseded', at: 5 });
    assert.equal(await store.write(draft.actions), 'done');
  }
  assert.equal((await registerChanges(store, ['default']))('default'), count);
  const { changes, revoked } = await readRegister(store, 'default', 10);
  assert.equal(changes, count);
  assert.deepEqual(
    revoked.map(({ serial }) => hex(serial)),
    serials,
  );
  assert.deepEqual((await readRegister(store, 'default', 11)).revoked, []);
  assert.deepEqual((await readRegister(store, 'other', 0)).revoked, []);
});
