// Challenges that a caller signs offline: what is believed, for how long, how often, and which names its key may give.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LEASE_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { forged, makeSigner, type Signer, signed } from '../../support/jws.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment } from '../../support/messages.ts';
import { got, keys, refusedWith, type World, world } from '../../support/world.ts';

const mdm = makeSigner('mdm-2026');
const edge = makeSigner('edge', 'EdDSA');
const stranger = makeSigner('mdm-2026');
const endpoint = {
  enrol: {
    authorize: ['signedChallenge' as const],
    signedChallenge: {
      keys: {
        'mdm-2026': {
          publicKey: mdm.publicKey,
          names: { dns: ['*.corp.example'], upn: 'any' as const, ip: '10.0.0.0/8' },
        },
        edge: { publicKey: edge.publicKey, subject: { O: 'Test' } },
      },
    },
  },
};
const make = (more: object = {}) => world({ endpoint: { ...endpoint, ...more } });

let count = 0;
/** As a caller would say it. */
function claimsOf({ lab }: World, more: object = {}): object {
  const iat = Math.floor(lab.clock.at / 1000);
  return { aud: 'default', iat, exp: iat + 3600, jti: `device-${count++}`, ...more };
}
const sign = (w: World, more: object = {}, by: Signer = mdm) => signed(by, claimsOf(w, more));

describe('a signed challenge', () => {
  for (const by of [mdm, edge]) {
    test(`${by.alg}: is good for one certificate, with a record and an event from then on`, async () => {
      const w = await make();
      const [first, second] = await keys('s1', 's2');
      assert.ok(first && second);
      const challenge = sign(w, { device: 'SN-1', validity: '7d' }, by);
      const certificate = readCertificate(got(await w.ask({ challenge, key: first })));
      assert.ok(certificate.notAfter - w.lab.clock.at <= 7 * 86_400_000);
      const [record] = w.challenges();
      assert.deepEqual([record?.usesLeft, record?.signedBy], [0, by.kid]);
      const [created] = w.events().filter(({ type }) => type === 'challenge.created');
      assert.deepEqual(created?.actor, { kind: 'admin', id: `key ${by.kid}`, auth: 'signature' });
      assert.equal(created?.challengeId, record?.id);
      const [transaction] = w.transactions();
      assert.deepEqual(transaction?.authorizedBy, [`challenge ${record?.id}`]);
      assert.deepEqual(transaction?.challengeBy, { by: `key ${by.kid}`, auth: 'signature' });
      assert.equal(w.certificates()[0]?.device, 'SN-1');
      refusedWith('SCEP-304', await w.ask({ challenge, key: second }));
      // The same jti in another challenge is the same use.
      const { jti } = JSON.parse(String(Buffer.from(challenge.split('.')[1] ?? '', 'base64url')));
      refusedWith('SCEP-304', await w.ask({ challenge: sign(w, { jti }, by), key: second }));
      w.check();
    });
  }

  test('the same request again gets the same certificate', async () => {
    const w = await make();
    const sent = await enrolment(w.lab, { challenge: sign(w) });
    assert.deepEqual(got(await w.send(sent)), got(await w.send(sent)));
    assert.equal(w.certificates().length, 1);
    w.check();
  });

  test('three devices with one challenge at once: one certificate', async () => {
    const w = await make();
    const challenge = sign(w);
    const asked = await Promise.all(
      ['t1', 't2', 't3'].map(async (name) =>
        enrolment(w.lab, { challenge, key: await deviceKey(name) }),
      ),
    );
    const answers = await Promise.all(
      asked.map((sent) =>
        w.send(sent).then(
          ({ pkiStatus }) => pkiStatus,
          () => 'HTTP 503',
        ),
      ),
    );
    assert.equal(answers.filter((status) => status === 'SUCCESS').length, 1);
    assert.equal(w.certificates().filter(({ state }) => state === 'issued').length, 1);
    w.check();
  });

  test('an attempt that ends gives its use back', async () => {
    const w = await make();
    const [first, second] = await keys('g1', 'g2');
    assert.ok(first && second);
    const challenge = sign(w);
    await w.stuck(await enrolment(w.lab, { challenge, key: first }));
    w.lab.clock.at += LEASE_MS;
    got(await w.ask({ challenge, key: second }));
    assert.equal(w.certificates().filter(({ state }) => state === 'issued').length, 1);
    w.check();
  });

  test('a waiting request holds it', async () => {
    const w = await make({ approval: 'always' });
    const challenge = sign(w);
    const sent = await enrolment(w.lab, { challenge });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    refusedWith('SCEP-304', await w.ask({ challenge, key: await deviceKey('w2') }));
    const waiting = w.transactions().find(({ state }) => state === 'pending');
    await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'jane' });
    got(await w.poll());
    w.check();
  });

  test('its refusals are counted from the first one, and lock it', async () => {
    const w = await make();
    const challenge = sign(w, { subject: 'CN=right' });
    for (let i = 0; i < 10; i++) {
      refusedWith('SCEP-311', await w.ask({ challenge, subject: `CN=wrong ${i}` }));
      assert.equal(w.challenges()[0]?.failures, i + 1);
    }
    refusedWith('SCEP-305', await w.ask({ challenge, subject: 'CN=right' }));
    w.check();
  });

  test('its record, changed by another hand, lets nobody in', async () => {
    const w = await make();
    const challenge = sign(w, { subject: 'CN=right' });
    refusedWith('SCEP-311', await w.ask({ challenge, subject: 'CN=wrong' }));
    for (const change of [{ signedBy: 'edge' }, { usesLeft: 2 }, { binding: { names: [] } }]) {
      await w.forge('challenge', () => change as never);
      refusedWith('SCEP-302', await w.ask({ challenge, subject: 'CN=right' }));
    }
  });
});

describe('names', () => {
  test('are those that its key may give', async () => {
    const w = await make();
    for (const names of [['dns:a.corp.example'], ['upn:jane@corp', 'ip:10.1.2.3']]) {
      const key = await deviceKey(`n ${names[0]}`);
      got(await w.ask({ challenge: sign(w, { san: names }), key, names }));
    }
    for (const [by, names] of [
      [mdm, ['dns:a.b.corp.example']],
      [mdm, ['dns:evil.example']],
      [mdm, ['ip:192.0.2.1']],
      [mdm, ['email:ceo@corp.example']],
      [edge, ['dns:a.corp.example']],
    ] as const) {
      const key = await deviceKey(`n ${names[0]}`);
      const challenge = sign(w, { san: names }, by);
      refusedWith('SCEP-307', await w.ask({ challenge, key, names: [...names] }));
    }
    const other = { challenge: sign(w, {}, edge), subject: 'CN=x,O=Other' };
    refusedWith('SCEP-314', await w.ask(other));
    w.check();
  });

  test('what the profile never certifies is not believed, whoever signs it', async () => {
    const w = await make();
    const sid = sign(w, { san: ['sid:S-1-5-21-1-2-3-1001'] });
    refusedWith('SCEP-302', await w.ask({ challenge: sid }));
    w.lab.clock.at += 1000;
    const ages = sign(w, { validity: '3650d' });
    refusedWith('SCEP-302', await w.ask({ challenge: ages, subject: 'CN=y' }));
    const [first, second] = w.transactions().map(({ evidence }) => String(evidence?.detail));
    assert.match(first ?? '', /^san: .*no names of type sid/);
    assert.match(second ?? '', /^validity: /);
    assert.deepEqual(w.challenges(), []);
  });
});

test('what is not believed: nothing is issued, nothing is kept but the refusal, the reason is in the record', async () => {
  const w = await make();
  const now = Math.floor(w.lab.clock.at / 1000);
  const good = claimsOf(w);
  const big = { device: 'x'.repeat(256), subject: `CN=${'y'.repeat(560)}` };
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['no signature', forged(mdm, good, 'none'), /no signed challenge/],
    ['an HMAC with the public key', forged(mdm, good, 'HS256'), /no JWS that is accepted/],
    ['another key of the same kid', signed(stranger, good), /signature does not verify/],
    ['an unknown kid', signed({ ...mdm, kid: 'other' }, good), /names no key/],
    ['no kid', signed(mdm, good, { kid: undefined }), /names no key/],
    ['a kid of an object', signed(mdm, good, { kid: { a: 1 } }), /names no key/],
    ['the kid of another algorithm', signed({ ...mdm, kid: 'edge' }, good), /not EdDSA/],
    ['EdDSA for a P-256 key', signed({ ...edge, kid: 'mdm-2026' }, good), /not ES256/],
    ['no encoding', signed(mdm, good, { b64: false, crit: ['b64'] }), /header has|no JWS/],
    ['a critical extension', signed(mdm, good, { crit: ['x'], x: 1 }), /no JWS|header has/],
    ['a key of its own', signed(mdm, good, { jwk: {} }), /header has "jwk"/],
    ['a key by address', signed(mdm, good, { jku: 'https://evil.example' }), /has "jku"/],
    ['another endpoint', sign(w, { aud: 'other' }), /another endpoint/],
    ['no endpoint', sign(w, { aud: undefined }), /^aud: /],
    ['two endpoints', sign(w, { aud: ['default', 'other'] }), /^aud: /],
    ['eight days', sign(w, { exp: now + 8 * 86_400 }), /7 days/],
    ['no end', sign(w, { exp: undefined }), /^exp: /],
    ['an end that is no number', sign(w, { exp: '9' }), /^exp: /],
    ['an end before its beginning', sign(w, { exp: now - 1 }), /not after/],
    ['a beginning in an hour', sign(w, { iat: now + 3600, exp: now + 7200 }), /in the future/],
    ['no jti', sign(w, { jti: undefined }), /^jti: /],
    ['a jti of two characters', sign(w, { jti: 'ab' }), /^jti: /],
    ['an unknown claim', sign(w, { uses: 5 }), /uses/],
    ['no JSON', signed(mdm, 'hello'), /must be JSON/],
    ['a list', signed(mdm, []), /^the payload: .*must be an object/],
    ['more octets than are read', sign(w, big), /no signed challenge/],
    ['a dot more', `${signed(mdm, good)}.`, /no signed challenge/],
    ['a changed payload', changed(signed(mdm, good)), /signature does not verify/],
  ];
  for (const [name, challenge, why] of cases) {
    const before = w.transactions().length;
    w.lab.clock.at += 1000;
    refusedWith('SCEP-302', await w.ask({ challenge, subject: `CN=${name}` }));
    assert.match(String(w.transactions()[before]?.evidence?.detail), why, name);
  }
  assert.deepEqual([w.certificates(), w.challenges()], [[], []]);
  const expired = sign(w);
  w.lab.clock.at += 3_600_000;
  refusedWith('SCEP-303', await w.ask({ challenge: expired }));
});

/** With one claim more. */
function changed(jws: string): string {
  const [header, payload = '', signature] = jws.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const other = Buffer.from(JSON.stringify({ ...claims, device: 'x' })).toString('base64url');
  return [header, other, signature].join('.');
}

test('no record, event or log line holds it, but sealed', async () => {
  const w = await make();
  const challenge = sign(w);
  got(await w.ask({ challenge }));
  refusedWith('SCEP-304', await w.ask({ challenge, key: await deviceKey('h2') }));
  const all = JSON.stringify([w.store.dump(), w.lab.log]);
  for (const part of challenge.split('.').slice(1)) assert.ok(!all.includes(part));
});
