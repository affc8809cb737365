// Attempts that end without a certificate: replaced, taken over, voided by the sweeper. Whatever they
// held goes back; nobody who had a challenge or an approval loses it to our own trouble.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import type { Bytes } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import type { Challenge } from '../../../lib/ports/records/records.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { checkCa } from '../../support/check-ca.ts';
import { deviceKey, memorySigner } from '../../support/keys.ts';
import { type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';
import { interleavedMemory } from '../../support/stores.ts';
import { atOnce } from './ca-at-once.contract.ts';

/** A lab whose CA key can be down. */
async function world(options: LabOptions = {}) {
  const store = new MemoryStore();
  const key = { down: false };
  const signer = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const lab = await makeLab({ store, signer, ...options });
  const delivered: Bytes[] = [];
  const all = <T>(kind: string) =>
    store
      .dump()
      .filter((row) => row.kind === kind)
      .map(({ record }) => record as T);
  const send = async (sent: Sent) => {
    const answer = await sent.read(await lab.operate(sent.message));
    if (answer.pkiStatus === 'SUCCESS') delivered.push(...answer.certificates);
    return answer;
  };
  return {
    lab,
    store,
    key,
    send,
    ask: async (ask: EnrolOptions) => send(await enrolment(lab, ask)),
    /** An attempt that is left behind. */
    stuck: async (sent: Sent) => {
      key.down = true;
      await assert.rejects(lab.operate(sent.message), /HTTP 503/);
      key.down = false;
    },
    check: () => checkCa(store.dump(), delivered),
    transactions: () => all<Transaction>('transaction').sort((x, y) => (x.id < y.id ? -1 : 1)),
    certificates: () => all<CertificateRecord>('certificate'),
    challenges: () => all<Challenge>('challenge'),
    delivered,
  };
}

type World = Awaited<ReturnType<typeof world>>;
const states = (w: World) => w.transactions().map(({ state }) => state);

describe('a lapsed intent, then', () => {
  test('an intent that has not lapsed is a 503 for the same request and for any other on its challenge', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { challenge });
    await w.stuck(sent);
    await assert.rejects(w.send(sent), /HTTP 503/);
    await assert.rejects(w.ask({ challenge, key: await deviceKey('lapse 2') }), /HTTP 503/);
    w.check();
  });

  test('the same CSR replaces it: same Transaction, new serial, the old one voided', async () => {
    const w = await world();
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.stuck(sent);
    const [before] = w.transactions();
    w.lab.clock.at += LEASE_MS;
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    const [after, ...more] = w.transactions();
    assert.deepEqual(more, []);
    assert.equal(after?.id, before?.id);
    assert.notEqual(after?.serial, before?.serial);
    assert.deepEqual(
      after?.timeline.map(({ state }) => state),
      ['intended', 'intended', 'issued'],
    );
    assert.deepEqual(
      w
        .certificates()
        .map(({ state }) => state)
        .sort(),
      ['issued', 'voided'],
    );
    w.check();
  });

  test('the same CSR, although the challenge has expired and locked in the meantime', async () => {
    const w = await world();
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge({ ttlMs: 5000 }) });
    await w.stuck(sent);
    w.lab.clock.at += LEASE_MS;
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a new key takes the challenge over; the first request is voided and then refused', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { challenge });
    await w.stuck(sent);
    w.lab.clock.at += LEASE_MS;
    assert.equal(
      (await w.ask({ challenge, key: await deviceKey('lapse 2') })).pkiStatus,
      'SUCCESS',
    );
    assert.deepEqual(states(w), ['voided', 'issued']);
    const late = await w.send(sent);
    assert.ok(late.pkiStatus === 'FAILURE' && /^SCEP-304/.test(late.text ?? ''));
    w.check();
  });

  test('the same key with a new subject', async () => {
    const w = await world();
    const challenge = await w.lab.challenge();
    await w.stuck(await enrolment(w.lab, { challenge, subject: 'CN=first' }));
    w.lab.clock.at += LEASE_MS;
    assert.equal((await w.ask({ challenge, subject: 'CN=second' })).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('the same key with a new subject on another challenge', async () => {
    const w = await world();
    await w.stuck(
      await enrolment(w.lab, { challenge: await w.lab.challenge(), subject: 'CN=first' }),
    );
    const second = await enrolment(w.lab, {
      challenge: await w.lab.challenge(),
      subject: 'CN=second',
    });
    await assert.rejects(w.send(second), /HTTP 503/);
    w.lab.clock.at += LEASE_MS;
    assert.equal((await w.send(second)).pkiStatus, 'SUCCESS');
    assert.deepEqual(
      w
        .challenges()
        .map(({ usesLeft }) => usesLeft)
        .sort(),
      [0, 1],
    );
    w.check();
  });

  test('the same key with a new subject, where the key is certified: it stays with its names', async () => {
    const w = await world();
    await w.ask({ challenge: await w.lab.challenge(), subject: 'CN=first' });
    w.lab.clock.at += 1000;
    await w.stuck(
      await enrolment(w.lab, { challenge: await w.lab.challenge(), subject: 'CN=first' }),
    );
    w.lab.clock.at += LEASE_MS;
    const other = await w.ask({ challenge: await w.lab.challenge(), subject: 'CN=second' });
    assert.ok(other.pkiStatus === 'FAILURE' && /^SCEP-341/.test(other.text ?? ''));
    assert.deepEqual(states(w), ['issued', 'intended', 'refused']);
    w.check();
  });

  test('the same key and subject on another challenge: one attempt at a time, and no trace of the first', async () => {
    const w = await world();
    const challenges = [await w.lab.challenge(), await w.lab.challenge()];
    const [first, second] = await Promise.all(
      challenges.map((challenge) => enrolment(w.lab, { challenge })),
    );
    assert.ok(first && second);
    await w.stuck(first);
    await assert.rejects(w.send(second), /HTTP 503/);
    w.lab.clock.at += LEASE_MS;
    await w.stuck(second);
    assert.deepEqual(states(w), ['voided', 'intended']);
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.deepEqual(states(w), ['voided', 'voided']);
    w.check();
  });

  test('another key on the challenge of an approved request: spent, whoever holds it is not done yet', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { challenge });
    await w.send(sent);
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    await w.stuck(sent);
    const other = { challenge, key: await deviceKey('lapse 2') };
    for (const wait of [0, LEASE_MS]) {
      w.lab.clock.at += wait;
      const answer = await w.ask(other);
      assert.ok(answer.pkiStatus === 'FAILURE' && /^SCEP-304/.test(answer.text ?? ''));
    }
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a renewal with another key', async () => {
    const w = await world();
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => deviceKey(`lapse ${name}`)));
    assert.ok(a && b && c);
    const first = await w.ask({ challenge: await w.lab.challenge(), key: a });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const signer = {
      key: a,
      certificate: readCertificate(first.certificates[0] ?? new Uint8Array(0)),
    };
    w.lab.clock.at += 1;
    await w.stuck(await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' }));
    const other = await enrolment(w.lab, { signer, key: c, messageType: 'RenewalReq' });
    await assert.rejects(w.send(other), /HTTP 503/);
    w.lab.clock.at += LEASE_MS;
    assert.equal((await w.send(other)).pkiStatus, 'SUCCESS');
    assert.deepEqual(states(w), ['issued', 'voided', 'issued']);
    w.check();
  });
});

describe('the sweeper voids what nobody repeats', () => {
  const swept = async (w: World) => {
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS - 1;
    assert.equal((await sweep(w.lab.deps)).voided, 0);
    w.lab.clock.at += 1;
    assert.equal((await sweep(w.lab.deps)).voided, 1);
    assert.equal((await sweep(w.lab.deps)).voided, 0);
    w.check();
  };

  test('a one-time challenge: the use comes back, for any key', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ ttlMs: 10 * SWEEP_AFTER_MS });
    await w.stuck(await enrolment(w.lab, { challenge }));
    await swept(w);
    assert.deepEqual(
      w.challenges().map(({ usesLeft }) => usesLeft),
      [1],
    );
    assert.equal((await w.ask({ challenge, key: await deviceKey('swept') })).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('one of many uses', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ uses: 3 });
    await w.ask({ challenge, key: await deviceKey('multi 1') });
    await w.stuck(await enrolment(w.lab, { challenge }));
    await swept(w);
    assert.deepEqual(
      w.challenges().map(({ usesLeft }) => usesLeft),
      [2],
    );
  });

  test('a challenge whose record is gone', async () => {
    const w = await world();
    await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge() }));
    const row = w.store.dump().find(({ kind }) => kind === 'challenge');
    assert.ok(row);
    await w.store.write([{ do: 'delete', kind: 'challenge', key: row.key, rev: row.rev }]);
    await swept(w);
    assert.deepEqual(states(w), ['voided']);
  });

  test('an approved one: it is approved again, and its device still gets the certificate', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.send(sent);
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    await w.stuck(sent);
    await swept(w);
    assert.deepEqual(states(w), ['approved']);
    assert.deepEqual(
      w.challenges().map(({ usesLeft }) => usesLeft),
      [0],
    );
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a renewal: the certificate can be renewed as if nothing had been', async () => {
    const w = await world();
    const [a, b] = [await deviceKey('sr a'), await deviceKey('sr b')];
    const first = await w.ask({ challenge: await w.lab.challenge(), key: a });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const signer = {
      key: a,
      certificate: readCertificate(first.certificates[0] ?? new Uint8Array(0)),
    };
    const sent = await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' });
    await w.stuck(sent);
    await swept(w);
    const [old] = w.certificates().filter(({ state }) => state === 'issued');
    assert.deepEqual(old?.successors, {});
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a key owner goes back to what it was', async () => {
    const w = await world();
    const key = await deviceKey('owner');
    await w.ask({ challenge: await w.lab.challenge(), key });
    w.lab.clock.at += 1000;
    const again = await enrolment(w.lab, {
      challenge: await w.lab.challenge(),
      key,
      subject: 'O=Test,CN=device-1',
    });
    await w.stuck(again).catch(() => {});
    w.key.down = false;
    const owner = () =>
      JSON.stringify(w.store.dump().find(({ kind }) => kind === 'keyOwner')?.record);
    const [issued] = w.certificates().filter(({ state }) => state === 'issued');
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.ok(owner().includes(issued?.serial ?? 'none'));
    w.check();
  });

  test('two sweepers at once do it once', async () => {
    const w = await world();
    await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge() }));
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    const both = await Promise.all([sweep(w.lab.deps), sweep(w.lab.deps)]);
    assert.equal(both[0].voided + both[1].voided, 1);
    w.check();
  });

  test('pending and approved ones expire', async () => {
    const w = await world({ endpoint: { approval: 'always', pendingTtl: '1h' } });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.send(sent);
    await w.ask({ challenge: await w.lab.challenge(), key: await deviceKey('expires') });
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    w.lab.clock.at += SWEEP_AFTER_MS;
    assert.equal((await sweep(w.lab.deps)).expired, 2);
    assert.deepEqual(states(w), ['expired', 'expired']);
    w.check();
  });
});

test('the CA key is down for two hours; then every device enrols with what it had', async () => {
  const w = await world();
  const approving = await makeLab({
    store: w.store,
    endpoint: { approval: 'always' },
    now: w.lab.clock.at,
  });
  const waiting = await enrolment(approving, {
    challenge: await approving.challenge(),
    key: await deviceKey('down approved'),
  });
  await approving.operate(waiting.message);
  const [pending] = w.transactions();
  await decide(approving.deps, pending?.id ?? '', 'approved', { by: 'somebody' });
  const sent = [waiting];
  for (let i = 0; i < 4; i++) {
    const challenge = await w.lab.challenge({ ttlMs: 20 * SWEEP_AFTER_MS, uses: i % 2 ? 5 : 1 });
    sent.push(await enrolment(w.lab, { challenge, key: await deviceKey(`down ${i}`) }));
  }
  w.key.down = true;
  for (let minute = 0; minute < 120; minute += 20) {
    for (const one of sent) await assert.rejects(w.send(one), /HTTP 503/);
    w.lab.clock.at += 20 * 60_000;
    await sweep(w.lab.deps);
  }
  w.key.down = false;
  w.lab.clock.at += LEASE_MS;
  for (const one of sent) assert.equal((await w.send(one)).pkiStatus, 'SUCCESS');
  w.check();
});

describe('the release gate', () => {
  const gated = async (notify: NonNullable<Validator['notify']>) => {
    const gate: Validator = { validate: async () => ({ allow: true }), notify };
    return world({ validators: { gate }, authorize: { enrol: ['challenge', 'gate'] } });
  };

  test('nothing is released before the gate has said so', async () => {
    let open = false;
    const w = await gated(async () => {
      if (!open) throw new Error('not reachable');
      return 'release';
    });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await assert.rejects(w.send(sent), /HTTP 503/);
    assert.deepEqual(states(w), ['signed']);
    await assert.rejects(w.send(sent), /HTTP 503/);
    w.check();
    open = true;
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    assert.equal(w.certificates().length, 1);
    w.check();
  });

  test('the sweeper asks again; after an hour without an answer the certificate is revoked unseen', async () => {
    const w = await gated(async () => {
      throw new Error('not reachable');
    });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await assert.rejects(w.send(sent), /HTTP 503/);
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS - 1;
    await sweep(w.lab.deps);
    assert.deepEqual(states(w), ['signed']);
    w.lab.clock.at += 1;
    await sweep(w.lab.deps);
    assert.deepEqual(states(w), ['revoked']);
    const late = await w.send(sent);
    assert.equal(late.pkiStatus, 'FAILURE');
    w.check();
  });

  test('the sweeper asks again from the moment on at which the lease of the attempt is over', async () => {
    let asked = 0;
    const w = await gated(async () => {
      asked++;
      throw new Error('not reachable');
    });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await assert.rejects(w.send(sent), /HTTP 503/);
    const before = asked;
    w.lab.clock.at += LEASE_MS - 1;
    await sweep(w.lab.deps);
    assert.equal(asked, before);
    w.lab.clock.at += 1;
    await sweep(w.lab.deps);
    assert.equal(asked, before + 1);
  });

  test('a definite refusal revokes it at once', async () => {
    const w = await gated(async () => 'refuse');
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    const answer = await w.send(sent);
    assert.ok(answer.pkiStatus === 'FAILURE' && /^SCEP-353/.test(answer.text ?? ''));
    assert.deepEqual(
      w.certificates().map(({ state }) => state),
      ['revoked'],
    );
    w.check();
  });

  test('a validator that refuses, or cannot be asked', async () => {
    for (const [answer, said, left] of [
      [async () => ({ allow: false as const, note: 'unknown device' }), /SCEP-331/, ['refused']],
      [async () => Promise.reject(new Error('down')), /HTTP 503/, []],
    ] as const) {
      const w = await world({
        validators: { v: { validate: answer } },
        authorize: { enrol: ['challenge', 'v'] },
      });
      const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
      const got = await w.send(sent).catch((error: Error) => ({ text: error.message }));
      assert.match('text' in got ? (got.text ?? '') : '', said);
      assert.deepEqual(states(w), left);
    }
  });
});

atOnce('memory, interleaved', interleavedMemory);

test('a poll during an attempt is PENDING', async () => {
  const w = await world({ endpoint: { approval: 'always' } });
  const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
  await w.send(sent);
  await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
  await w.stuck(sent);
  const plaintext = sequence(w.lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
  assert.deepEqual(await w.ask({ messageType: 'CertPoll', plaintext }), { pkiStatus: 'PENDING' });
  w.lab.clock.at += LEASE_MS;
  assert.equal((await w.ask({ messageType: 'CertPoll', plaintext })).pkiStatus, 'SUCCESS');
  w.check();
});
