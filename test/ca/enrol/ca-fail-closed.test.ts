// What must not get through: envelopes signed anew by somebody else, certificates that their gate has
// not released, approvals of something else than was shown, a second use of what one request holds.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tag } from '../../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../../lib/asn1/writer.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, MAX_TRANSACTION_IDS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import { got, HOUR, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const only = (w: World): Transaction => {
  const [transaction, ...more] = w.transactions();
  assert.ok(transaction && more.length === 0);
  return transaction;
};
const approve = (w: World, id = only(w).id) =>
  decide(w.lab.deps, id, 'approved', { by: 'somebody' });

describe("a recorded pkcsPKIEnvelope in another device's message", () => {
  for (const messageType of ['PKCSReq', 'RenewalReq'] as const) {
    test(`${messageType} signed with a good certificate of ours: nothing is issued, the challenge is not spent`, async () => {
      const w = await world();
      const [a, b] = await keys('owner of it', 'thief of it');
      assert.ok(a && b);
      const thief = await held(w, b, 'CN=thief');
      const challenge = await w.lab.challenge();
      const victim = await enrolment(w.lab, { challenge, key: a, subject: 'CN=victim' });
      const { plaintext } = victim.request;
      refusedWith('SCEP-325', await w.ask({ signer: thief, plaintext, messageType }));
      w.lab.clock.at = thief.certificate.notAfter;
      refusedWith('SCEP-322', await w.ask({ signer: thief, plaintext, messageType }));
      const [, untouched] = w.challenges();
      assert.deepEqual([untouched?.usesLeft, untouched?.failures], [1, 0]);
      w.lab.clock.at = thief.certificate.notBefore + HOUR / 2;
      got(await w.send(victim));
      w.check();
    });
  }

  test('a recorded envelope does not even open in a message with a self-signed certificate', async () => {
    const w = await world();
    const [a, b] = await keys('owner of it', 'thief of it');
    assert.ok(a && b);
    const challenge = await w.lab.challenge();
    const victim = await enrolment(w.lab, { challenge, key: a });
    const { plaintext } = victim.request;
    refusedWith('SCEP-201', await w.ask({ key: b, plaintext }));
    got(await w.send(victim));
  });

  test('its own device may sign with an expired certificate: with a new key and a fresh challenge it enrols', async () => {
    const w = await world();
    const [a, b] = await keys('expired', 'fresh');
    assert.ok(a && b);
    const signer = await held(w, a);
    w.lab.clock.at = signer.certificate.notAfter;
    got(await w.ask({ signer, key: b, challenge: await w.lab.challenge() }));
  });
});

describe('the release gate holds', () => {
  const gatedBy = (notify: NonNullable<Validator['notify']>): LabOptions => ({
    validators: { gate: { validate: async () => ({ allow: true }), notify } },
    authorize: { enrol: ['challenge', 'gate'] },
  });
  const unreachable = gatedBy(async () => Promise.reject(new Error('not reachable')));

  test('the release gate holds on an instance that does not have its validator, or whose endpoint no longer asks it', async () => {
    const w = await world(unreachable);
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await assert.rejects(w.send(sent), /HTTP 503/);
    for (const other of [{ validators: {} }, { authorize: { enrol: ['challenge'] } }]) {
      const instance = await w.instance({ ...unreachable, ...other });
      await assert.rejects(w.send(sent, '/scep', instance), /HTTP 503/);
      instance.clock.at += LEASE_MS;
      assert.equal((await sweep(instance.deps)).released, 0);
    }
    assert.equal(only(w).state, 'signed');
  });

  test('no instance without the validator makes the certificate of an approved request', async () => {
    const options = { ...unreachable, endpoint: { approval: 'always' as const } };
    const w = await world(options);
    await w.ask({ challenge: await w.lab.challenge() });
    await approve(w);
    const instance = await w.instance({ ...options, validators: {} });
    const sent = await enrolment(instance, { messageType: 'CertPoll', envelope: 'absent' });
    await assert.rejects(w.send(sent, '/scep', instance), /HTTP 503/);
    assert.deepEqual(w.certificates(), []);
    assert.equal(only(w).state, 'approved');
  });

  test('a certificate that its gate refused is given to nobody, not even by its serial number', async () => {
    let verdict: 'release' | 'refuse' = 'release';
    const w = await world(gatedBy(async () => verdict));
    const [a, b] = await keys('gated', 'refused');
    assert.ok(a && b);
    const signer = await held(w, a);
    verdict = 'refuse';
    refusedWith('SCEP-353', await w.ask({ challenge: await w.lab.challenge(), key: b }));
    const unseen = w.certificates().find(({ state }) => state === 'revoked');
    assert.ok(unseen);
    const ask = (serial: string) => {
      const [ca] = w.lab.announced.chain;
      const plaintext = sequence(
        ca?.subject ?? sequence(),
        tlv(tag.integer, Buffer.from(serial, 'hex')),
      );
      return w.ask({ messageType: 'GetCert', signer, key: a, plaintext });
    };
    refusedWith('SCEP-502', await ask(unseen.serial));
    got(await ask(hex(signer.certificate.serial)));
  });
});

describe('while a request waits', () => {
  test('it keeps what an attempt before it held: switched to approval, one challenge is one certificate', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ ttlMs: 10 * HOUR });
    const sent = await enrolment(w.lab, { challenge });
    await w.stuck(sent);
    w.lab.clock.at += LEASE_MS;
    const approving = await w.instance({ endpoint: { approval: 'always' } });
    assert.equal((await w.send(sent, '/scep', approving)).pkiStatus, 'PENDING');
    assert.deepEqual(
      w.transactions().map(({ state }) => state),
      ['voided', 'pending'],
    );
    w.check();
    w.lab.clock.at += SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    const [key] = await keys('second use');
    refusedWith('SCEP-304', await w.ask({ challenge, ...(key ? { key } : {}) }));
    w.check();
  });

  test('it takes over from a lapsed attempt of another on its challenge', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    await w.stuck(await enrolment(w.lab, { challenge }));
    w.lab.clock.at += LEASE_MS;
    const approving = await w.instance({ endpoint: { approval: 'always' } });
    const [key] = await keys('taking over');
    const other = await enrolment(approving, { challenge, ...(key ? { key } : {}) });
    assert.equal((await w.send(other, '/scep', approving)).pkiStatus, 'PENDING');
    w.check();
  });

  test('its signer is in use: an older certificate cannot supersede it', async () => {
    const w = await world();
    const [a, b, c, d] = await keys('first', 'second', 'third', 'late');
    assert.ok(a && b && c && d);
    const first = await held(w, a);
    const renewed = await w.ask({ signer: first, key: b, messageType: 'RenewalReq' });
    const second = { key: b, certificate: readCertificate(got(renewed)) };
    const approving = await w.instance({ endpoint: { approval: 'always' } });
    const waiting = await enrolment(approving, {
      signer: second,
      key: c,
      messageType: 'RenewalReq',
    });
    assert.equal((await w.send(waiting, '/scep', approving)).pkiStatus, 'PENDING');
    refusedWith('SCEP-327', await w.ask({ signer: first, key: d, messageType: 'RenewalReq' }));
    w.check();
  });

  test('its device can poll under sixteen transactionIDs, and no more are kept', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const challenge = await w.lab.challenge();
    for (let i = 0; i < MAX_TRANSACTION_IDS + 5; i++) {
      const answer = await w.ask({ challenge, transactionID: `id ${i}` });
      assert.equal(answer.pkiStatus, 'PENDING');
    }
    assert.equal(only(w).transactionIDs.length, MAX_TRANSACTION_IDS);
    const pointers = w.store.dump().filter(({ kind }) => kind === 'poll');
    assert.equal(pointers.length, MAX_TRANSACTION_IDS);
  });

  for (const [what, change] of [
    ['shown as another', () => ({ subject: 'CN=harmless' })],
    ['waiting for longer', ({ expiresAt = 0 }) => ({ expiresAt: expiresAt + HOUR })],
    ['authorized by something else', () => ({ authorizedBy: ['challenge of the boss'] })],
  ] as [string, (transaction: Transaction) => Partial<Transaction>][]) {
    test(`${what}, it is not what was approved`, async () => {
      const w = await world({ endpoint: { approval: 'always' } });
      await w.ask({ challenge: await w.lab.challenge() });
      await w.bend('transaction', change);
      await approve(w);
      await assert.rejects(w.poll(), /HTTP 503/);
      assert.deepEqual(w.certificates(), []);
    });
  }

  test('an EC client whose first answer got lost polls again and can open that too', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const key = await deviceKey('fail closed ec', { type: 'EC', curve: 'P-256' });
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { key, challenge });
    await w.send(sent);
    await approve(w);
    const first = got(await w.poll({ key, challenge }));
    assert.deepEqual(got(await w.poll({ key, challenge })), first);
    assert.deepEqual(got(await w.send(sent)), first);
  });
});

test('an approval that was given is kept through a lapsed attempt and used once', async () => {
  const w = await world({ endpoint: { approval: 'always' } });
  const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
  await w.send(sent);
  await approve(w);
  await w.stuck(sent);
  w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
  await sweep(w.lab.deps);
  assert.equal(only(w).state, 'approved');
  const answers = [...(await Promise.all([w.send(sent), w.send(sent)])), await w.poll()];
  assert.equal(new Set(answers.map((answer) => hex(got(answer)))).size, 1);
  w.check();
});
