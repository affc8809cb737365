// Revocation: effective at once for everything that rests on the certificate, final, and the same
// answer when it is asked for again.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence, tlv } from '../../../lib/asn1/writer.ts';
import { type Bytes, hex } from '../../../lib/base/bytes.ts';
import { type RegisterReason, revocationReasons } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { readRegister } from '../../../lib/ca/revoke/register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import type { EventRecord } from '../../../lib/ports/records/records.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { checkCa } from '../../support/check-ca.ts';
import { eventIn } from '../../support/event-in.ts';
import { deviceKey } from '../../support/keys.ts';
import { type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';

const admin = { kind: 'admin', id: 'somebody' } as const;

async function world(options: LabOptions = {}) {
  const store = new MemoryStore();
  const lab = await makeLab({ store, ...options });
  const delivered: Bytes[] = [];
  const all = <T>(kind: string) =>
    store
      .dump()
      .filter((row) => row.kind === kind)
      .map(({ record }) => record as T);
  const ask = async (wanted: EnrolOptions) => {
    const sent = await enrolment(lab, wanted);
    const answer = await sent.read(await lab.operate(sent.message));
    if (answer.pkiStatus === 'SUCCESS') delivered.push(...answer.certificates);
    return answer;
  };
  const held = async (wanted: EnrolOptions) => {
    const key = wanted.key ?? (await deviceKey());
    const answer = await ask({ ...wanted, key });
    assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
    const certificate = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
    return { key, certificate, serial: hex(certificate.serial) };
  };
  return {
    lab,
    store,
    ask,
    held,
    withdraw: (serial: string) =>
      revoke(lab.deps, { ca: 'default', serial, reason: 'privilegeWithdrawn', actor: admin }),
    transactions: () => all<Transaction>('transaction'),
    certificates: () => all<CertificateRecord>('certificate'),
    events: () => all<EventRecord>('event').map(eventIn),
    check: () => checkCa(store.dump(), delivered),
  };
}

type World = Awaited<ReturnType<typeof world>>;

async function refused(w: World, code: string, wanted: EnrolOptions): Promise<void> {
  const answer = await w.ask(wanted);
  assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
}

describe('a certificate that is revoked', () => {
  test('a revocation is on record in one write: certificate, Transaction, event', async () => {
    const w = await world();
    const { serial } = await w.held({ challenge: await w.lab.challenge() });
    w.lab.calls.length = 0;
    w.lab.clock.at += 5000;
    assert.equal(await w.withdraw(serial), 'done');
    assert.deepEqual(w.lab.calls, ['store.read', 'store.read', 'store.write']);
    const [certificate] = w.certificates();
    assert.equal(certificate?.state, 'revoked');
    assert.equal(certificate?.revokedAt, w.lab.clock.at);
    assert.equal(certificate?.revocationReason, 'privilegeWithdrawn');
    const [transaction] = w.transactions();
    assert.equal(transaction?.state, 'revoked');
    assert.deepEqual(transaction?.timeline.at(-1), {
      at: w.lab.clock.at,
      state: 'revoked',
      by: 'somebody',
    });
    const event = w.events().find(({ type }) => type === 'certificate.revoked');
    assert.equal(event?.serial, serial);
    assert.equal(event?.reason, 'privilegeWithdrawn');
    assert.deepEqual(event?.actor, admin);
    w.check();
  });

  test('a revoked certificate stays as it is when it is revoked again', async () => {
    const w = await world();
    const { serial } = await w.held({ challenge: await w.lab.challenge() });
    assert.equal(await w.withdraw(serial), 'done');
    const before = JSON.stringify(w.store.dump());
    w.lab.clock.at += 5000;
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin }),
      'unchanged',
    );
    assert.equal(JSON.stringify(w.store.dump()), before);
  });

  test('a revoked certificate is renewed by nobody', async () => {
    const w = await world();
    const signer = await w.held({ challenge: await w.lab.challenge() });
    await w.withdraw(signer.serial);
    const key = await deviceKey('revoke 2');
    await refused(w, 'SCEP-323', { signer, key, messageType: 'RenewalReq' });
    w.check();
  });

  test('the same request does not get a revoked certificate again, and its challenge stays spent', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    const { serial } = await w.held({ challenge });
    await w.withdraw(serial);
    await refused(w, 'SCEP-304', { challenge });
    w.check();
  });

  test('a revocation frees the device to enrol the same key again, with a fresh challenge', async () => {
    const w = await world();
    const { serial } = await w.held({ challenge: await w.lab.challenge() });
    await w.withdraw(serial);
    const again = await w.held({ challenge: await w.lab.challenge() });
    assert.notEqual(again.serial, serial);
    w.check();
  });

  test('a poll does not get a revoked certificate', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    await w.ask({ challenge: await w.lab.challenge() });
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    const plaintext = sequence(w.lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
    const { serial } = await w.held({ messageType: 'CertPoll', plaintext });
    await w.withdraw(serial);
    await refused(w, 'SCEP-501', { messageType: 'CertPoll', plaintext });
    w.check();
  });

  test('a revoked certificate lets its holder ask for nothing', async () => {
    const w = await world();
    const signer = await w.held({ challenge: await w.lab.challenge() });
    await w.withdraw(signer.serial);
    const [ca] = w.lab.announced.chain;
    assert.ok(ca);
    const plaintext = sequence(ca.subject, tlv(0x02, signer.certificate.serial));
    for (const messageType of ['GetCert', 'GetCRL'] as const) {
      await refused(w, 'SCEP-502', { messageType, plaintext, signer, key: signer.key });
    }
  });
});

test('every final reason of RFC 5280 §5.3.1 can be given', async () => {
  const w = await world();
  for (const reason of revocationReasons) {
    const key = await deviceKey(`revoke for ${reason}`, { type: 'EC', curve: 'P-256' });
    const { serial } = await w.held({ key, challenge: await w.lab.challenge() });
    assert.equal(await revoke(w.lab.deps, { ca: 'default', serial, reason, actor: admin }), 'done');
  }
  const given = w.certificates().map(({ revocationReason }) => revocationReason);
  assert.deepEqual(given.sort(), [...revocationReasons].sort());
  w.check();
});

describe('a reason that is raised', () => {
  const revoked = async (w: Awaited<ReturnType<typeof world>>, serial: string) => {
    const { latest } = await readRegister(w.store, 'default', 0);
    const { at, reason } = latest.get(serial) ?? assert.fail();
    const [one] = w.certificates().filter((record) => record.serial === serial);
    assert.deepEqual([one?.revokedAt, one?.revocationReason], [at, reason]);
    const transaction = w.transactions().find((record) => record.serial === serial);
    assert.equal(transaction?.reason, reason);
    return { at, reason };
  };

  test('a higher reason takes the place of a lower one, in the certificate, its Transaction and the CRL; the date stays', async () => {
    const w = await world();
    const { serial } = await w.held({ challenge: await w.lab.challenge() });
    const since = w.lab.clock.at;
    const steps: [RegisterReason, RegisterReason, string][] = [
      ['unspecified', 'unspecified', 'done'],
      ['unspecified', 'unspecified', 'unchanged'],
      ['superseded', 'superseded', 'done'],
      ['affiliationChanged', 'superseded', 'unchanged'],
      ['unspecified', 'superseded', 'unchanged'],
      ['cACompromise', 'cACompromise', 'done'],
      ['keyCompromise', 'keyCompromise', 'done'],
      ['aACompromise', 'keyCompromise', 'unchanged'],
      ['certificateHold', 'keyCompromise', 'revoked'],
      ['removeFromCRL', 'keyCompromise', 'revoked'],
    ];
    for (const [reason, stands, said] of steps) {
      const asked = { ca: 'default', serial, reason, actor: admin };
      assert.equal(await revoke(w.lab.deps, asked), said, reason);
      assert.deepEqual(await revoked(w, serial), { at: since, reason: stands }, reason);
      w.lab.clock.at += 5000;
    }
    const raised = w.events().filter(({ type }) => type === 'certificate.reasonRaised');
    assert.deepEqual(
      raised.map(({ reason }) => reason),
      ['superseded', 'cACompromise', 'keyCompromise'],
    );
    assert.equal(w.events().filter(({ type }) => type === 'certificate.revoked').length, 1);
    w.check();
  });

  test('a certificate that its renewal superseded, and whose key was compromised, was revoked by a person from then on', async () => {
    const w = await world();
    const signer = await w.held({ challenge: await w.lab.challenge() });
    const renewal = async (name: string) => ({
      ...{ signer, key: await deviceKey(name), messageType: 'RenewalReq' as const },
    });
    const lost = await w.held(await renewal('raised, lost'));
    await w.held(await renewal('raised, second'));
    const asked = { ca: 'default', serial: lost.serial, actor: admin };
    const found = () => w.certificates().find(({ serial }) => serial === lost.serial);
    const { revokedAt } = found() ?? {};
    w.lab.clock.at += 5000;
    assert.equal(await revoke(w.lab.deps, { ...asked, reason: 'keyCompromise' }), 'done');
    assert.ok(revokedAt);
    const { supersededBy, revocationReason, revokedAt: at } = found() ?? {};
    assert.deepEqual([supersededBy, revocationReason, at], [undefined, 'keyCompromise', revokedAt]);
    await refused(w, 'SCEP-421', await renewal('raised, third'));
    w.check();
  });

  test('a renewal that a revocation has ended stays ended when the reason is raised to superseded', async () => {
    const w = await world();
    const signer = await w.held({ challenge: await w.lab.challenge() });
    const renewing = async (by: typeof signer, name: string) => ({
      ...{ signer: by, key: await deviceKey(name), messageType: 'RenewalReq' as const },
    });
    const renewal = await w.held(await renewing(signer, 'ended, second'));
    const asked = { ca: 'default', serial: signer.serial, actor: admin };
    for (const reason of ['unspecified', 'superseded'] as const) {
      assert.equal(await revoke(w.lab.deps, { ...asked, reason }), 'done');
      await refused(w, 'SCEP-421', await renewing(renewal, 'ended, third'));
    }
    w.check();
  });
});

test('a serial number that does not exist is missing, of whatever CA', async () => {
  const w = await world();
  const { serial } = await w.held({ challenge: await w.lab.challenge() });
  assert.equal(await w.withdraw('00ff'), 'missing');
  assert.equal(
    await revoke(w.lab.deps, { ca: 'other', serial, reason: 'unspecified', actor: admin }),
    'missing',
  );
});

test('what nobody has been given is not revoked but waits for its gate', async () => {
  const gate: Validator = {
    validate: async () => ({ allow: true }),
    notify: async () => Promise.reject(new Error('not reachable')),
  };
  const w = await world({
    validators: { gate },
    authorize: { enrol: ['challenge', 'gate'] },
  });
  await assert.rejects(w.ask({ challenge: await w.lab.challenge() }), /HTTP 503/);
  assert.equal(await w.withdraw(w.certificates()[0]?.serial ?? ''), 'signed');
  w.check();
});

test('one of ten that revoke at once does it', async () => {
  const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
  const lab = await makeLab({ store });
  const sent = await enrolment(lab, { challenge: await lab.challenge() });
  const answer = await sent.read(await lab.operate(sent.message));
  assert.ok(answer.pkiStatus === 'SUCCESS');
  const serial = hex(readCertificate(answer.certificates[0] ?? new Uint8Array(0)).serial);
  const said = await Promise.all(
    Array.from({ length: 10 }, () =>
      revoke(lab.deps, { ca: 'default', serial, reason: 'unspecified', actor: admin }),
    ),
  );
  assert.deepEqual(said.sort(), ['done', ...Array(9).fill('unchanged')]);
  checkCa(store.dump(), answer.certificates);
});
