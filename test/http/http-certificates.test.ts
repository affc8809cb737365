// Certificates over the admin API: found in every way, revoked with every reason, among their renewals.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import { Outage } from '../../lib/base/errors.ts';
import { revocationReasons } from '../../lib/base/words.ts';
import { listCertificates } from '../../lib/ca/query/certificates.ts';
import { hash } from '../../lib/crypto/native.ts';
import { type ClientKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { type Body, call, ok, pages, tokenOf } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { enrolment } from '../support/messages.ts';
import { got, held, type World, world } from '../support/world.ts';

const HOUR = 3_600_000;
const key = (name: string): Promise<ClientKey> => deviceKey(name, { type: 'EC', curve: 'P-256' });
const serialOf = ({ certificate }: { readonly certificate: Certificate }): string =>
  hex(certificate.serial);
const list = async (w: World, query = ''): Promise<Body[]> =>
  (await pages(w.lab, `/certificates${query}`, 'certificates')).flat();
const serials = async (w: World, query = '') => (await list(w, query)).map(({ serial }) => serial);

/** Its device renews it, with a new key. */
async function renewed(w: World, signer: Awaited<ReturnType<typeof held>>, name: string) {
  const next = await key(name);
  const challenge = 'x'.repeat(16);
  const answer = await w.ask({ signer, key: next, challenge, messageType: 'RenewalReq' });
  return { key: next, certificate: readCertificate(got(answer)) };
}

describe('lists and searches', () => {
  test('certificates are found by serial number, subject, device, key, state and end, newest first', async () => {
    const w = await world({
      config: {
        cas: {
          default: { subject: 'CN=A', key: 'ec:P-256' },
          second: { subject: 'CN=B', key: 'ec:P-256' },
        },
        profiles: { short: { validity: '10d' } },
        endpoints: {
          default: { ca: 'default' },
          short: { ca: 'default', profile: 'short' },
          second: { ca: 'second' },
        },
      },
    });
    const enrol = async (name: string, endpoint: string, subject: string, names: string[] = []) => {
      w.lab.clock.at += 1000;
      const challenge = await w.lab.challenge({ endpoint, names });
      const lab = { ...w.lab, announced: await announced(w, endpoint) };
      const sent = await enrolment(lab, { challenge, key: await key(name), subject });
      const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
      return hex(readCertificate(got(await w.send(sent, path))).serial);
    };
    const first = await enrol('find 1', 'default', 'CN=Printer-1,O=X');
    const second = await enrol('find 2', 'second', 'CN=printer-2,O=X', ['dns:two.example']);
    const third = await enrol('find 3', 'short', 'CN=phone,O=X');
    assert.deepEqual(await serials(w), [third, second, first]);
    assert.deepEqual(await serials(w, '?limit=1'), [third, second, first]);
    assert.deepEqual(await serials(w, '?ca=second'), [second]);
    assert.deepEqual(await serials(w, '?endpoint=short'), [third]);
    assert.deepEqual(await serials(w, '?subject=cn=PRINTER'), [first, second]);
    assert.deepEqual(await serials(w, '?subject=cn=printer&ca=second'), [second]);
    assert.deepEqual(await serials(w, '?device=two'), [second]);
    assert.deepEqual(await serials(w, '?device=phone'), [third]);
    assert.deepEqual(await serials(w, `?serial=${second}`), [second]);
    const copied = second.toUpperCase().replace(/..(?=.)/g, '$&:');
    assert.deepEqual(await serials(w, `?serial=${copied}`), [second]);
    assert.deepEqual(await serials(w, `?serial=${second}&ca=default`), []);
    assert.deepEqual(await serials(w, '?serial=00'), []);
    const spki = hex(hash('SHA-256', (await key('find 1')).spki));
    assert.deepEqual(await serials(w, `?key=${spki}`), [first]);
    assert.deepEqual(await serials(w, `?key=${'0'.repeat(64)}`), []);
    for (const more of ['subject=CN%3Dphone', 'device=phone', 'ca=second', 'endpoint=short']) {
      assert.deepEqual(await serials(w, `?key=${spki}&${more}`), [], more);
      assert.deepEqual(await serials(w, `?serial=${first}&${more}`), [], more);
    }
    assert.deepEqual(await serials(w, `?key=${spki}&device=printer`), [first]);
    assert.deepEqual(await serials(w, '?subject=CN&device=two'), [second]);
    const days = (count: number) => new Date(w.lab.clock.at + count * 24 * HOUR).toISOString();
    assert.deepEqual(await serials(w, `?expiringBefore=${days(11)}`), [third]);
    assert.deepEqual(await serials(w, `?expiringBefore=${days(400)}`), [third, first, second]);
    assert.deepEqual(await serials(w, `?expiringBefore=${days(11)}&subject=CN`), [third]);
    await ok(w.lab, 'POST', `/certificates/second/${second}/revoke`, {
      body: { reason: 'keyCompromise' },
    });
    assert.deepEqual(await serials(w, '?state=revoked'), [second]);
    assert.deepEqual(await serials(w, '?state=issued'), [third, first]);
    assert.deepEqual(await serials(w, `?expiringBefore=${days(400)}`), [third, first]);
    w.lab.clock.at += 12 * 24 * HOUR;
    assert.deepEqual(await serials(w, `?expiringBefore=${days(400)}`), [first]);
  });

  test('an issued certificate past its end is expired wherever it is shown; one on hold or revoked stays what it is', async () => {
    const w = await world();
    const made = await held(w, await key('expired'));
    const later = await renewed(w, made, 'expired later');
    const other = await held(w, await key('expired hold'));
    const gone = await held(w, await key('expired gone'));
    const post = (one: { certificate: Certificate }, reason: string) =>
      ok(w.lab, 'POST', `/certificates/default/${serialOf(one)}/revoke`, { body: { reason } });
    await post(other, 'certificateHold');
    await post(gone, 'superseded');
    const states = async (path = '/certificates') =>
      new Map(
        ((await ok(w.lab, 'GET', path)).certificates as Body[]).map((one) => [
          one.serial,
          one.state,
        ]),
      );
    const { notAfter } = made.certificate;
    w.lab.clock.at = notAfter;
    assert.equal((await states()).get(serialOf(made)), 'issued', 'its last second is part of it');
    assert.deepEqual(await serials(w, '?state=expired'), []);
    w.lab.clock.at = later.certificate.notAfter + 1;
    const [a, b] = [serialOf(made), serialOf(later)];
    const now = await states();
    assert.deepEqual(
      [a, b, serialOf(other), serialOf(gone)].map((one) => now.get(one)),
      ['expired', 'expired', 'held', 'revoked'],
    );
    // The one that ended last comes first.
    assert.deepEqual((await serials(w, '?state=expired')).toSorted(), [a, b].toSorted());
    assert.deepEqual(await serials(w, '?state=issued'), []);
    assert.deepEqual(await serials(w, '?state=held'), [serialOf(other)]);
    assert.deepEqual(await serials(w, '?state=revoked'), [serialOf(gone)]);
    for (const [filter, found] of [
      [`serial=${a}`, [a]],
      [`key=${hex(hash('SHA-256', later.key.spki))}`, [b]],
      ['subject=CN%3D', [a, b]],
      ['endpoint=default', [a, b]],
      ['endpoint=other', []],
      [`expiringBefore=${new Date(w.lab.clock.at + HOUR).toISOString()}`, []],
    ] as const) {
      const all = await serials(w, `?state=expired&${filter}`);
      assert.deepEqual(all.toSorted(), [...found].toSorted(), filter);
      assert.deepEqual(await serials(w, `?state=issued&${filter}`), [], filter);
    }
    const one = await ok(w.lab, 'GET', `/certificates/default/${a}`);
    assert.equal(one.state, 'expired');
    const tree = await states(`/certificates/default/${a}/renewals`);
    assert.deepEqual([tree.get(a), tree.get(b)], ['expired', 'expired']);
    assert.equal((await post(made, 'keyCompromise')).state, 'revoked');
  });

  test('a page without a filter, and one of what has expired, read what they show, however many there are', async () => {
    const w = await world({
      config: {
        cas: { default: { subject: 'CN=A', key: 'ec:P-256' } },
        profiles: { short: { validity: '1d' } },
        endpoints: { default: { ca: 'default' }, short: { ca: 'default', profile: 'short' } },
      },
    });
    const enrol = async (name: string, endpoint: string) => {
      w.lab.clock.at += 1000;
      const sent = await enrolment(w.lab, {
        challenge: await w.lab.challenge({ endpoint }),
        key: await key(name),
      });
      const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
      return hex(readCertificate(got(await w.send(sent, path))).serial);
    };
    const first = await enrol('brief 1', 'short');
    const second = await enrol('brief 2', 'short');
    for (let i = 0; i < 5; i++) await enrol(`long ${i}`, 'default');
    w.lab.clock.at += 2 * 24 * HOUR;
    const read: string[] = [];
    const store = w.lab.deps.store;
    const counted = {
      ...w.lab.deps,
      store: {
        ...store,
        list: (query: Parameters<typeof store.list>[0]) => {
          read.push(`list ${query.list}`);
          return store.list(query);
        },
        read: (keys: Parameters<typeof store.read>[0]) => {
          read.push(`read ${keys.length}`);
          return store.read(keys);
        },
      },
    };
    const page = await listCertificates(counted, { ca: 'default', state: 'expired', limit: 20 });
    assert.deepEqual(
      page.certificates.map(({ serial }) => serial),
      [second, first],
      'the one that ended last comes first',
    );
    assert.deepEqual(read, ['list expiring', 'read 2']);
    read.length = 0;
    await listCertificates(counted, { ca: 'default', limit: 3 });
    assert.deepEqual(read, ['list certificates', 'read 3'], 'without a filter, what is shown');
  });

  test('a key that was certified several times is found in all of its certificates', async () => {
    const w = await world();
    const one = await key('find same');
    const before = await held(w, one);
    const challenge = 'y'.repeat(16);
    const answer = await w.ask({ signer: before, key: one, challenge, messageType: 'RenewalReq' });
    const after = hex(readCertificate(got(answer)).serial);
    await held(w, await key('find other'));
    const found = await serials(w, `?key=${hex(hash('SHA-256', one.spki))}`);
    assert.deepEqual(found.toSorted(), [serialOf(before), after].toSorted());
  });

  test('a key that two CAs certified for different names is found in both certificates', async () => {
    const w = await world({
      config: {
        cas: {
          default: { subject: 'CN=A', key: 'ec:P-256' },
          second: { subject: 'CN=B', key: 'ec:P-256' },
        },
        endpoints: { default: { ca: 'default' }, second: { ca: 'second' } },
      },
    });
    const one = await key('find at two');
    const first = await held(w, one, 'CN=here');
    const lab = { ...w.lab, announced: await announced(w, 'second') };
    const challenge = await w.lab.challenge({ endpoint: 'second' });
    const sent = await enrolment(lab, { challenge, key: one, subject: 'CN=there' });
    const second = hex(readCertificate(got(await w.send(sent, '/scep/second'))).serial);
    await held(w, await key('find other'), 'CN=nearby');
    const spki = hex(hash('SHA-256', one.spki));
    for (const more of ['', '&limit=1']) {
      assert.deepEqual(await serials(w, `?key=${spki}${more}`), [second, serialOf(first)]);
    }
    assert.deepEqual(await serials(w, `?key=${spki}&ca=second`), [second]);
  });

  test('a certificate that was never handed out is in no list, and is shown without its octets', async () => {
    const w = await world();
    await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge() }));
    const [intended] = w.certificates();
    assert.deepEqual(await serials(w), []);
    assert.deepEqual(await serials(w, `?serial=${intended?.serial}`), []);
    assert.deepEqual(await serials(w, '?subject=CN='), []);
    const shown = await ok(w.lab, 'GET', `/certificates/default/${intended?.serial}`);
    assert.deepEqual([shown.state, shown.der, shown.pem], ['intended', undefined, undefined]);
  });
});

describe('GET of one certificate', () => {
  test('a certificate is shown with its octets', async () => {
    const w = await world();
    const made = await held(w, await key('show'));
    const shown = await ok(w.lab, 'GET', `/certificates/default/${serialOf(made)}`);
    const read = new X509Certificate(String(shown.pem));
    assert.equal(
      read.serialNumber.toLowerCase().padStart(serialOf(made).length, '0'),
      serialOf(made),
    );
    assert.equal(read.raw.toString('base64'), shown.der);
    assert.equal(Date.parse(read.validTo), Date.parse(String(shown.notAfter)));
    const transaction = await ok(w.lab, 'GET', `/transactions/${shown.transaction}`);
    assert.equal(transaction.certificate, shown.der);
    const found = await ok(w.lab, 'GET', `/transactions?serial=${serialOf(made)}`);
    assert.deepEqual(
      (found.transactions as Body[]).map(({ id }) => id),
      [shown.transaction],
    );
  });

  test('a serial number of another CA, or an unknown one, is a 404', async () => {
    const w = await world();
    const serial = serialOf(await held(w, await key('show')));
    for (const path of [
      `second/${serial}`,
      'default/00',
      'default/zz',
      `default/${serial}00`,
      '__proto__/00',
    ]) {
      assert.equal((await call(w.lab, 'GET', `/certificates/${path}`)).status, 404, path);
      assert.equal((await call(w.lab, 'GET', `/certificates/${path}/renewals`)).status, 404, path);
      const body = { reason: 'unspecified' };
      const asked = await call(w.lab, 'POST', `/certificates/${path}/revoke`, { body });
      assert.equal(asked.status, 404, path);
    }
  });
});

describe('POST revoke', () => {
  for (const reason of revocationReasons) {
    test(`${reason}: at once, once, by an admin`, async () => {
      const w = await world();
      const signer = await held(w, await key('revoke'));
      const path = `/certificates/default/${serialOf(signer)}/revoke`;
      for (const role of ['auditor', 'approver', 'challenger'] as const) {
        const token = await tokenOf(w.lab.deps.store, role);
        assert.equal((await call(w.lab, 'POST', path, { body: { reason }, token })).status, 403);
      }
      const revoked = await ok(w.lab, 'POST', path, { body: { reason } });
      assert.deepEqual([revoked.state, revoked.revocationReason], ['revoked', reason]);
      const before = JSON.stringify(w.store.dump());
      for (const same of [reason, 'unspecified']) {
        const again = await ok(w.lab, 'POST', path, { body: { reason: same } });
        const { unchanged, ...rest } = again;
        assert.equal(unchanged, true);
        assert.deepEqual({ ...rest, sameKey: undefined }, { ...revoked, sameKey: undefined });
      }
      assert.equal(JSON.stringify(w.store.dump()), before);
      const challenge = 'x'.repeat(16);
      const renewal = { signer, key: await key('revoke 2'), challenge };
      const answer = await w.ask({ ...renewal, messageType: 'RenewalReq' });
      assert.equal(answer.pkiStatus, 'FAILURE');
      w.check();
    });
  }

  test('only removeFromCRL ends a hold', async () => {
    const w = await world();
    const path = `/certificates/default/${serialOf(await held(w, await key('hold')))}/revoke`;
    const ask = async (reason: string) => {
      const { status, json } = await call(w.lab, 'POST', path, { body: { reason } });
      return [status, status === 200 ? json.state : json.detail, ...(json.unchanged ? ['so'] : [])];
    };
    assert.deepEqual(await ask('removeFromCRL'), [200, 'issued', 'so']);
    assert.deepEqual(await ask('certificateHold'), [200, 'held']);
    assert.deepEqual(await ask('certificateHold'), [200, 'held', 'so']);
    assert.deepEqual(await ask('removeFromCRL'), [200, 'issued']);
    assert.deepEqual(await ask('certificateHold'), [200, 'held']);
    assert.deepEqual(await ask('keyCompromise'), [200, 'revoked']);
    for (const reason of ['removeFromCRL', 'certificateHold']) {
      assert.deepEqual(await ask(reason), [409, 'the certificate is revoked']);
    }
    w.check();
  });

  test('revocation with renewals revokes all good certificates of the lineage, and a repeat has the same answer', async () => {
    const w = await world();
    const a = await held(w, await key('with a'));
    const lost = await renewed(w, a, 'with lost');
    const b = await renewed(w, a, 'with b');
    const other = await held(w, await key('with other'), 'CN=other');
    const post = (one: typeof a, name: string, withRenewals = true) =>
      call(w.lab, 'POST', `/certificates/default/${serialOf(one)}/revoke`, {
        body: { reason: 'affiliationChanged', withRenewals },
        headers: { 'idempotency-key': name },
      });
    const first = await post(a, 'one');
    assert.equal(first.status, 200, first.text);
    assert.equal(first.json.state, 'revoked');
    assert.deepEqual(first.json.withRenewals, [serialOf(b)]);
    assert.deepEqual((await post(a, 'one')).json, first.json);
    // Another request for it finds nothing to do, whichever certificate it names.
    for (const one of [a, b, lost]) {
      const again = await post(one, `again ${serialOf(one)}`);
      assert.equal(again.status, 200, again.text);
      assert.deepEqual([again.json.state, again.json.withRenewals], ['revoked', []]);
      assert.equal(again.json.unchanged, true);
    }
    assert.equal((await post(a, 'alone', false)).json.unchanged, true);
    const get = (one: typeof a) => ok(w.lab, 'GET', `/certificates/default/${serialOf(one)}`);
    assert.equal((await get(other)).state, 'issued');
    assert.equal((await get(lost)).supersededBy, serialOf(b));
    assert.equal((await get(lost)).lineage, serialOf(a));
    assert.equal((await get(b)).endedBy, serialOf(a));
    const missing = `/certificates/default/${'ab'.repeat(16)}/revoke`;
    const body = { reason: 'unspecified', withRenewals: true };
    assert.equal((await call(w.lab, 'POST', missing, { body })).status, 404);
    w.check();
  });

  test('revocation with renewals that fails half-way is completed by a repeat', async () => {
    const w = await world();
    const a = await held(w, await key('between a'));
    const b = await renewed(w, a, 'between b');
    // The first request notes when its token was used.
    assert.equal((await call(w.lab, 'GET', '/status')).status, 200);
    const { write } = w.store;
    let writes = 0;
    w.store.write = async (actions) => {
      if (++writes === 2) throw new Outage('down');
      return write.call(w.store, actions);
    };
    const path = `/certificates/default/${serialOf(b)}/revoke`;
    const asked = {
      body: { reason: 'unspecified', withRenewals: true },
      headers: { 'idempotency-key': 'between' },
    };
    assert.equal((await call(w.lab, 'POST', path, asked)).status, 503);
    assert.deepEqual(
      w
        .certificates()
        .map(({ state }) => state)
        .sort(),
      ['issued', 'revoked'],
    );
    assert.equal((await call(w.lab, 'POST', path, asked)).status, 200);
    assert.deepEqual(
      w.certificates().map(({ state }) => state),
      ['revoked', 'revoked'],
    );
    w.check();
  });

  test('an unknown reason is a 422 that lists the reasons', async () => {
    const w = await world();
    const path = `/certificates/default/${serialOf(await held(w, await key('hold')))}/revoke`;
    for (const body of [
      {},
      { reason: 'because' },
      { reason: 4 },
      { reason: 'superseded', at: 1 },
    ]) {
      const { status, json } = await call(w.lab, 'POST', path, { body });
      assert.equal(status, 422);
      assert.match(
        String(json.detail),
        /reason: must be "unspecified", "keyCompromise"|"at" is not a field/,
      );
    }
  });
});

describe('GET renewals', () => {
  test('every certificate of a lineage shows the whole tree', async () => {
    const w = await world();
    const later = () => {
      w.lab.clock.at += HOUR;
    };
    const a = await held(w, await key('tree a'));
    later();
    const lost = await renewed(w, a, 'tree lost');
    later();
    const b = await renewed(w, a, 'tree b');
    later();
    const c = await renewed(w, b, 'tree c');
    await held(w, await key('tree other'), 'CN=other');
    for (const one of [a, lost, b, c]) {
      const path = `/certificates/default/${serialOf(one)}/renewals`;
      const { certificates, more } = await ok(w.lab, 'GET', path);
      assert.equal(more, false);
      assert.deepEqual(
        (certificates as Body[]).map(({ serial, renews, state }) => [serial, renews, state]),
        [
          [serialOf(a), undefined, 'issued'],
          [serialOf(lost), serialOf(a), 'revoked'],
          [serialOf(b), serialOf(a), 'issued'],
          [serialOf(c), serialOf(b), 'issued'],
        ],
      );
    }
  });
});

async function announced(w: World, endpoint: string) {
  return readCaCertificates((await w.lab.deps.cas.of(w.lab.endpoint(endpoint).ca)).bag);
}
