// Keys after the revocation of their certificate (RFC 5280 §5.3.1): one that was compromised is never
// certified again, wherever and however it is asked for; any other is free for other names.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { type RegisterReason, revocationReasons } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { goodOfKey } from '../../../lib/ca/query/certificates.ts';
import { keyHash } from '../../../lib/ca/record/keys.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { type ClientKey, readCaCertificates } from '../../../lib/protocol/scep/client/client.ts';
import { ok } from '../../support/api.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import { got, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const admin = { kind: 'admin', id: 'somebody' } as const;
const names = ['CN=device-1,O=Test', 'CN=device-2,O=Test'] as const;
const serialOf = ({ certificate }: Awaited<ReturnType<typeof held>>) => hex(certificate.serial);
const withdraw = (w: World, serial: string, reason: RegisterReason) =>
  revoke(w.lab.deps, { ca: 'default', serial, reason, actor: admin });
const blocked = (w: World) => w.store.dump().filter(({ kind }) => kind === 'blockedKey');
const again = async (w: World, key: ClientKey, subject: string = names[0]) =>
  w.ask({ key, subject, challenge: await w.lab.challenge() });

/** A certificate of this key was revoked for keyCompromise. */
async function compromised(options: LabOptions = {}) {
  const w = await world(options);
  const [key, other] = await keys('compromised', 'not compromised');
  assert.ok(key && other);
  const signer = await held(w, key);
  assert.equal(await withdraw(w, serialOf(signer), 'keyCompromise'), 'done');
  return { w, key, other, signer };
}

const two: LabOptions = {
  config: {
    cas: {
      default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
      second: { subject: 'CN=Second CA', key: 'rsa:2048' },
    },
    endpoints: {
      default: { ca: 'default' },
      other: { ca: 'default' },
      second: { ca: 'second' },
    },
  },
};

describe('a key whose certificate was revoked for keyCompromise', () => {
  test('the key is blocked in the write that revokes, with its event', async () => {
    const { w, key, signer } = await compromised();
    const [row] = blocked(w);
    assert.equal(row?.key, keyHash(key.spki));
    const event = w.events().find(({ type }) => type === 'key.blocked');
    assert.deepEqual(
      [event?.serial, event?.keyHash, event?.reason],
      [serialOf(signer), keyHash(key.spki), 'keyCompromise'],
    );
    w.check();
  });

  test('the key is certified at no endpoint and no CA, and spends and locks no challenge', async () => {
    const { w, key, other } = await compromised(two);
    const announced = readCaCertificates((await w.lab.deps.cas.of('second')).bag);
    for (const endpoint of ['default', 'other', 'second']) {
      const target = endpoint === 'second' ? { ...w.lab, announced } : w.lab;
      const challenge = await w.lab.challenge({ endpoint });
      const ask = async (its: ClientKey, transactionID: string) => {
        const sent = await enrolment(target, { challenge, key: its, transactionID });
        return w.send(sent, `/scep/${endpoint}`);
      };
      for (let n = 0; n < 12; n++) refusedWith('SCEP-343', await ask(key, `again ${n}`));
      got(await ask(other, 'the good one'));
    }
    assert.ok(w.challenges().every(({ failures }) => failures === 0));
    assert.deepEqual(await goodOfKey(w.lab.deps, keyHash(key.spki)), []);
    w.check();
  });

  test('the key is not certified by a renewal', async () => {
    const { w, key, other } = await compromised();
    const signer = await held(w, other);
    refusedWith('SCEP-343', await w.ask({ signer, key, messageType: 'RenewalReq' }));
    const [good] = await keys('a good one');
    assert.ok(good);
    got(await w.ask({ signer, key: good, messageType: 'RenewalReq' }));
    w.check();
  });

  test('the key signs no renewal by another certificate of it, nor gets one repeated', async () => {
    const w = await world();
    const [key, next] = await keys('compromised twice', 'its next');
    assert.ok(key && next);
    const first = await held(w, key);
    const challenge = await w.lab.challenge();
    const second = { key, certificate: (await held(w, key)).certificate };
    const sent = await enrolment(w.lab, { key, challenge });
    got(await w.send(sent));
    await withdraw(w, serialOf(first), 'keyCompromise');
    refusedWith('SCEP-343', await w.ask({ signer: second, key: next, messageType: 'RenewalReq' }));
    refusedWith('SCEP-343', await w.send(sent));
    w.check();
  });

  test('the key is denied to a request that was approved before', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const [key] = await keys('compromised while it waits');
    assert.ok(key);
    const approve = async () => {
      const waiting = w.transactions().find(({ state }) => state === 'pending');
      assert.equal(await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'b' }), 'done');
    };
    await again(w, key);
    await approve();
    got(await w.poll({ key }));
    const [{ serial } = { serial: '' }] = w.certificates();
    await w.ask({ key, challenge: await w.lab.challenge(), transactionID: 'second' });
    await approve();
    await withdraw(w, serial, 'keyCompromise');
    refusedWith('SCEP-343', await w.poll({ key, transactionID: 'second' }));
    const second = w.transactions().find(({ transactionIDs }) => transactionIDs.includes('second'));
    assert.equal(second?.state, 'denied');
    w.check();
  });

  test('the key is blocked, too, when the certificate had been revoked for another reason', async () => {
    const w = await world();
    const [key] = await keys('compromised later');
    assert.ok(key);
    const serial = serialOf(await held(w, key));
    await withdraw(w, serial, 'cessationOfOperation');
    const [before] = w.certificates();
    w.lab.clock.at += 5000;
    assert.equal(await withdraw(w, serial, 'keyCompromise'), 'done');
    const [raised] = w.certificates();
    assert.equal(raised?.revocationReason, 'keyCompromise');
    assert.equal(raised?.revokedAt, before?.revokedAt, 'its time stays');
    assert.equal(await withdraw(w, serial, 'keyCompromise'), 'unchanged');
    assert.equal(blocked(w).length, 1);
    refusedWith('SCEP-343', await again(w, key));
    w.check();
  });

  test('the key is not blocked by certificates that nobody has been given, nor by any other reason', async () => {
    const w = await world();
    const [a, b] = await keys('never given', 'otherwise revoked');
    assert.ok(a && b);
    await w.stuck(await enrolment(w.lab, { key: a, challenge: await w.lab.challenge() }));
    const [{ serial } = { serial: '' }] = w.certificates();
    assert.equal(await withdraw(w, serial, 'keyCompromise'), 'intended');
    for (const reason of revocationReasons.filter((one) => one !== 'keyCompromise')) {
      await withdraw(w, serialOf(await held(w, b)), reason);
    }
    assert.deepEqual(blocked(w), []);
    w.check();
  });

  test('the key is not certified by a request that is being signed at that moment', async () => {
    let meanwhile: (() => Promise<unknown>) | undefined;
    const w = await world({
      signer: {
        ...memorySigner,
        sign: async (...args: Parameters<typeof memorySigner.sign>) => {
          const work = meanwhile;
          meanwhile = undefined;
          await work?.();
          return memorySigner.sign(...args);
        },
      },
    });
    const [key, other] = await keys('compromised while it is signed', 'later');
    assert.ok(key && other);
    const serial = serialOf(await held(w, key));
    const challenge = await w.lab.challenge();
    meanwhile = () => withdraw(w, serial, 'keyCompromise');
    refusedWith('SCEP-343', await w.ask({ key, challenge }));
    assert.deepEqual(
      w.certificates().map(({ state }) => state),
      ['revoked', 'intended'],
    );
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.deepEqual(
      w.certificates().map(({ state }) => state),
      ['revoked', 'voided'],
    );
    assert.equal(w.challenges().at(-1)?.usesLeft, 1, 'its use is given back');
    w.check();
  });

  test('the key stays blocked when another hand changes the record: 503, until it is written again', async () => {
    const { w, key, signer } = await compromised();
    await w.forge('blockedKey', () => ({ serial: '00' }));
    await assert.rejects(again(w, key), /HTTP 503/);
    assert.equal(await withdraw(w, serialOf(signer), 'keyCompromise'), 'done');
    refusedWith('SCEP-343', await again(w, key));
  });

  test('the answer names its other certificates, of every CA, and none of another key', async () => {
    const w = await world(two);
    const [key, other] = await keys('named', 'not named');
    assert.ok(key && other);
    const first = serialOf(await held(w, key));
    const second = serialOf(await held(w, key));
    await held(w, other, names[1]);
    const body = { reason: 'keyCompromise' };
    const answer = await ok(w.lab, 'POST', `/certificates/default/${first}/revoke`, { body });
    const shown = answer.sameKey as { ca: string; serial: string; state: string }[];
    assert.deepEqual(
      shown.map(({ ca, serial, state }) => [ca, serial, state]),
      [['default', second, 'issued']],
    );
    const all = { reason: 'keyCompromise', withRenewals: true };
    const rest = await ok(w.lab, 'POST', `/certificates/default/${second}/revoke`, { body: all });
    assert.deepEqual([rest.state, rest.sameKey], ['revoked', []]);
    w.check();
  });
});

describe('SCEP-341: a key whose certificate was revoked by a person', () => {
  for (const reason of revocationReasons.filter((one) => one !== 'keyCompromise')) {
    test(`the key of a certificate that was revoked for ${reason} is free for other names`, async () => {
      const w = await world();
      const key = await deviceKey(`freed ${reason}`, { type: 'EC', curve: 'P-256' });
      const first = serialOf(await held(w, key));
      refusedWith('SCEP-341', await again(w, key, names[1]));
      assert.equal(await withdraw(w, first, reason), 'done');
      got(await again(w, key, names[1]));
      refusedWith('SCEP-341', await again(w, key, names[0]));
      w.check();
    });
  }

  test('the key of a held certificate is not free, nor is it by the end of the hold', async () => {
    const w = await world();
    const [key] = await keys('held names');
    assert.ok(key);
    const serial = serialOf(await held(w, key));
    for (const reason of ['certificateHold', 'removeFromCRL'] as const) {
      assert.equal(await withdraw(w, serial, reason), 'done');
      refusedWith('SCEP-341', await again(w, key, names[1]));
    }
    w.check();
  });

  test('the key is not freed by a renewal that superseded its certificate', async () => {
    const w = await world();
    const [a, b, c] = await keys('superseding', 'superseded', 'latest');
    assert.ok(a && b && c);
    const signer = await held(w, a);
    for (const key of [b, c]) got(await w.ask({ signer, key, messageType: 'RenewalReq' }));
    assert.ok(w.certificates().some(({ supersededBy }) => supersededBy !== undefined));
    refusedWith('SCEP-341', await again(w, b, names[1]));
    w.check();
  });

  test('the key is freed though an attempt for the old names was being made then, and lapsed', async () => {
    const w = await world();
    const [key] = await keys('lapsed names');
    assert.ok(key);
    const serial = serialOf(await held(w, key));
    w.lab.clock.at += 1000;
    await w.stuck(await enrolment(w.lab, { key, challenge: await w.lab.challenge() }));
    await withdraw(w, serial, 'affiliationChanged');
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    got(await again(w, key, names[1]));
    w.check();
  });

  test('the key is not freed where another certificate of it is the one that owns its names', async () => {
    const w = await world();
    const [key] = await keys('owned by the other');
    assert.ok(key);
    const first = serialOf(await held(w, key));
    w.lab.clock.at += 1000;
    const second = serialOf(await held(w, key));
    await withdraw(w, first, 'superseded');
    refusedWith('SCEP-341', await again(w, key, names[1]));
    await withdraw(w, second, 'superseded');
    got(await again(w, key, names[1]));
    w.check();
  });
});

describe('namesPerKey', () => {
  const configured = (other: 'one' | 'any'): LabOptions => ({
    endpoint: { namesPerKey: other },
    config: {
      endpoints: {
        default: { ca: 'default', namesPerKey: other },
        other: { ca: 'default', namesPerKey: other },
        strict: { ca: 'default' },
      },
    },
  });
  const ask = async (w: World, key: ClientKey, endpoint: string, subject: string) => {
    const challenge = await w.lab.challenge({ endpoint });
    return w.send(await enrolment(w.lab, { key, subject, challenge }), `/scep/${endpoint}`);
  };

  test('"any": a router with one key pair has a certificate at each of two trustpoints, and renews both', async () => {
    const w = await world(configured('any'));
    const [key, next] = await keys('router', 'router, later');
    assert.ok(key && next);
    got(await ask(w, key, 'default', names[0]));
    got(await ask(w, key, 'other', names[1]));
    assert.equal(w.certificates().filter(({ state }) => state === 'issued').length, 2);
  });

  test('"any" frees nothing at an endpoint that says "one"', async () => {
    const w = await world(configured('any'));
    const [key] = await keys('strict');
    assert.ok(key);
    got(await ask(w, key, 'strict', names[0]));
    got(await ask(w, key, 'other', names[1]));
    refusedWith('SCEP-341', await ask(w, key, 'strict', names[1]));
    got(await ask(w, key, 'strict', names[0]));
  });

  test('"one", the default, holds for all endpoints of a CA', async () => {
    const w = await world(configured('one'));
    const [key] = await keys('one name');
    assert.ok(key);
    got(await ask(w, key, 'default', names[0]));
    refusedWith('SCEP-341', await ask(w, key, 'other', names[1]));
    w.check();
  });
});

test('certificates are found by their key, however their subjects are ordered', async () => {
  const w = await world({
    endpoint: { profile: 'same' },
    config: { profiles: { same: { sameKey: true } } },
  });
  const [key, other] = await keys('reordered', 'another');
  assert.ok(key && other);
  const subjects = ['CN=device-1,O=Test', 'O=Test,CN=device-1'];
  const serials: string[] = [];
  for (const subject of subjects) serials.push(serialOf(await held(w, key, subject)));
  await held(w, other, names[1]);
  const { certificates } = await ok(w.lab, 'GET', `/certificates?key=${keyHash(key.spki)}`);
  const found = (certificates as { serial: string }[]).map(({ serial }) => serial);
  assert.deepEqual(found.sort(), serials.sort());
  assert.deepEqual(
    (await ok(w.lab, 'GET', `/certificates?key=${'0'.repeat(64)}`)).certificates,
    [],
  );
});
