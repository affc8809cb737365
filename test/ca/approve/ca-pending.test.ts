// Requests that wait for an approver, and polls for them (RFC 8894 §2.5, §3.3.3, §4.4).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sequence } from '../../../lib/asn1/writer.ts';
import { equal } from '../../../lib/base/bytes.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Row } from '../../../lib/ports/store.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab, putToken } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';

const hour = 3_600_000;

async function ask(lab: Lab, options: EnrolOptions) {
  const sent = await enrolment(lab, options);
  return sent.read(await lab.operate(sent.message));
}

type Shown = {
  readonly transactions: readonly { readonly id: string; readonly subject: string }[];
  readonly next: string | null;
  readonly state: string;
  readonly timeline: readonly { readonly at: string }[];
  readonly detail: string;
};

const poll = (lab: Lab, options: EnrolOptions = {}) =>
  ask(lab, {
    messageType: 'CertPoll',
    plaintext: sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test')),
    ...options,
  });

async function waiting(options: LabOptions = {}) {
  const store = new MemoryStore();
  const lab = await makeLab({
    store,
    endpoint: { approval: 'always', ...options.endpoint },
    ...options,
  });
  const call = async (path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${lab.adminToken}` };
    const response = await lab.fetch(`/api/v1/transactions${path}`, { headers, ...init });
    return { status: response.status, json: (await response.json()) as Shown };
  };
  const decide = (id: string, verdict: 'approve' | 'deny') =>
    call(`/${id}/${verdict}`, { method: 'POST', body: '{"reason":"because"}' });
  const transactions = () =>
    store
      .dump()
      .filter(({ kind }) => kind === 'transaction')
      .map(({ record }) => record as Transaction);
  const only = () => {
    const [transaction, ...more] = transactions();
    assert.ok(transaction && more.length === 0);
    return transaction;
  };
  return { lab, store, call, decide, transactions, only };
}

describe('RFC 8894 §2.5: pending, approved, issued', () => {
  test('[61][65] PENDING has no envelope and no failInfo; polls stay PENDING; approval makes it SUCCESS', async () => {
    const { lab, decide, only } = await waiting();
    const challenge = await lab.challenge();
    assert.deepEqual(await ask(lab, { challenge }), { pkiStatus: 'PENDING' });
    assert.ok(!lab.calls.includes('signer.sign'));
    assert.deepEqual(await poll(lab), { pkiStatus: 'PENDING' });
    assert.deepEqual(await poll(lab), { pkiStatus: 'PENDING' });
    assert.equal((await decide(only().id, 'approve')).status, 200);
    const answer = await poll(lab);
    assert.ok(answer.pkiStatus === 'SUCCESS');
    const again = await poll(lab);
    assert.ok(again.pkiStatus === 'SUCCESS');
    assert.deepEqual(answer.certificates, again.certificates);
    assert.deepEqual(
      only().timeline.map(({ state }) => state),
      ['pending', 'approved', 'intended', 'issued'],
    );
  });

  test('the repeated request itself finds out too (micromdm)', async () => {
    const { lab, decide, only } = await waiting();
    const sent = await enrolment(lab, { challenge: await lab.challenge() });
    const send = async () => sent.read(await lab.operate(sent.message));
    assert.deepEqual(await send(), { pkiStatus: 'PENDING' });
    assert.deepEqual(await send(), { pkiStatus: 'PENDING' });
    await decide(only().id, 'approve');
    assert.equal((await send()).pkiStatus, 'SUCCESS');
    assert.equal((await poll(lab)).pkiStatus, 'SUCCESS');
  });

  test('a repeat under another transactionID can be polled under both', async () => {
    const { lab, only } = await waiting();
    const challenge = await lab.challenge();
    for (const transactionID of ['one', 'two']) await ask(lab, { challenge, transactionID });
    for (const transactionID of ['one', 'two']) {
      assert.deepEqual(await poll(lab, { transactionID }), { pkiStatus: 'PENDING' });
    }
    assert.deepEqual(only().transactionIDs, ['one', 'two']);
  });

  test('[62][63] a poll is not decrypted: SHA-1, 3DES and nonsense inside are answered, in the algorithms of the request (Apple)', async () => {
    const { lab } = await waiting();
    await ask(lab, { challenge: await lab.challenge(), digest: 'SHA-512', cipher: 'AES-256' });
    assert.deepEqual(await poll(lab, { digest: 'SHA-1', cipher: '3DES' }), {
      pkiStatus: 'PENDING',
    });
    assert.deepEqual(await poll(lab, { envelope: new Uint8Array([1, 2, 3]) }), {
      pkiStatus: 'PENDING',
    });
    assert.deepEqual(await poll(lab, { envelope: 'absent' }), { pkiStatus: 'PENDING' });
    const strict = await poll(lab, { digest: 'MD5' });
    assert.ok(strict.pkiStatus === 'FAILURE' && strict.failInfo === 'badAlg');
  });

  test('[64] the poll of another key, transactionID or endpoint finds nothing', async () => {
    const { lab, decide, only } = await waiting();
    await ask(lab, { challenge: await lab.challenge(), transactionID: 'mine' });
    await decide(only().id, 'approve');
    const thief = await deviceKey('thief');
    for (const options of [{ key: thief, transactionID: 'mine' }, { transactionID: 'other' }]) {
      const answer = await poll(lab, options);
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badCertId');
    }
    assert.equal((await poll(lab, { transactionID: 'mine' })).pkiStatus, 'SUCCESS');
  });

  test('an EC client gets its reply under the challengePassword that it sent with the request', async () => {
    const { lab, store, decide, only } = await waiting();
    const key = await deviceKey('ec pending', { type: 'EC', curve: 'P-256' });
    const challenge = await lab.challenge();
    assert.deepEqual(await ask(lab, { key, challenge }), { pkiStatus: 'PENDING' });
    assert.ok(only().sealedPassword);
    assert.ok(!JSON.stringify(store.dump()).includes(challenge));
    await decide(only().id, 'approve');
    assert.equal((await poll(lab, { key, challenge })).pkiStatus, 'SUCCESS');
    assert.ok(!JSON.stringify(store.dump()).includes(challenge));
  });

  test('an EC client whose reply got lost polls again and can open the answer', async () => {
    const { lab, decide, only } = await waiting();
    const key = await deviceKey('ec pending', { type: 'EC', curve: 'P-256' });
    const challenge = await lab.challenge();
    await ask(lab, { key, challenge });
    await decide(only().id, 'approve');
    const first = await poll(lab, { key, challenge });
    const again = await poll(lab, { key, challenge });
    assert.ok(first.pkiStatus === 'SUCCESS' && again.pkiStatus === 'SUCCESS');
    assert.deepEqual(again.certificates, first.certificates);
  });

  test('the password of an EC client is erased when there is nothing more to give out', async () => {
    const { lab, decide, only } = await waiting();
    const key = await deviceKey('ec pending', { type: 'EC', curve: 'P-256' });
    await ask(lab, { key, challenge: await lab.challenge() });
    await decide(only().id, 'deny');
    assert.equal(only().sealedPassword, undefined);
  });

  test('a renewal waits too, and its signer is asked about again', async () => {
    const { lab, decide, transactions } = await waiting();
    const [a, b] = [await deviceKey('pr a'), await deviceKey('pr b')];
    const newest = () => transactions().sort((x, y) => (x.id < y.id ? 1 : -1))[0];
    await ask(lab, { challenge: await lab.challenge(), key: a });
    await decide(newest()?.id ?? '', 'approve');
    const answer = await poll(lab, { key: a });
    assert.ok(answer.pkiStatus === 'SUCCESS');
    const signer = {
      key: a,
      certificate: readCertificate(answer.certificates[0] ?? new Uint8Array(0)),
    };
    lab.clock.at += 1000;
    assert.deepEqual(await ask(lab, { signer, key: b, messageType: 'RenewalReq' }), {
      pkiStatus: 'PENDING',
    });
    const waits = newest();
    assert.equal(waits?.renews !== undefined, true);
    await decide(waits?.id ?? '', 'approve');
    const fresh = await poll(lab, {
      signer,
      key: b,
      transactionID: waits?.transactionIDs[0] ?? '',
    });
    assert.ok(fresh.pkiStatus === 'SUCCESS');
    assert.ok(!equal(fresh.certificates[0] ?? new Uint8Array(0), signer.certificate.der));
  });
});

describe('denied and expired', () => {
  test('a denial answers repeats and polls, with its reason on record; after the window the request is new', async () => {
    const { lab, decide, only } = await waiting();
    const challenge = await lab.challenge({ ttlMs: 100 * hour });
    const sent = await enrolment(lab, { challenge });
    const send = async () => sent.read(await lab.operate(sent.message));
    await send();
    assert.equal((await decide(only().id, 'deny')).status, 200);
    for (const answer of [await poll(lab), await send()]) {
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badRequest');
      assert.match(answer.text ?? '', /^SCEP-351: /);
    }
    lab.clock.at += 25 * hour;
    const later = await poll(lab);
    assert.ok(later.pkiStatus === 'FAILURE' && later.failInfo === 'badCertId');
    const anew = await send();
    assert.ok(anew.pkiStatus === 'FAILURE' && /^SCEP-304: /.test(anew.text ?? ''));
  });

  test('what the lint would refuse never waits for an approver', async () => {
    const { lab, store } = await waiting();
    const answer = await ask(lab, { challenge: await lab.challenge(), subject: 'CN=a\\0ab' });
    assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
    assert.match(answer.text ?? '', /^SCEP-403: /);
    const rows = store.dump().filter(({ kind }) => kind === 'transaction');
    assert.deepEqual(
      rows.map(({ record }) => (record as Transaction).state),
      ['refused'],
    );
  });

  test('no approver allowed it in time', async () => {
    const { lab, decide, only } = await waiting({
      endpoint: { approval: 'always', pendingTtl: '2h' },
    });
    await ask(lab, { challenge: await lab.challenge() });
    lab.clock.at += 2 * hour;
    const answer = await poll(lab);
    assert.ok(answer.pkiStatus === 'FAILURE' && /^SCEP-352: /.test(answer.text ?? ''));
    assert.equal(only().state, 'expired');
    assert.equal((await decide(only().id, 'approve')).status, 409);
  });

  test('an approved request that is never fetched expires', async () => {
    const { lab, decide, only } = await waiting({
      endpoint: { approval: 'always', pendingTtl: '2h' },
    });
    await ask(lab, { challenge: await lab.challenge() });
    await decide(only().id, 'approve');
    lab.clock.at += 2 * hour;
    const answer = await poll(lab);
    assert.ok(answer.pkiStatus === 'FAILURE' && /^SCEP-352: /.test(answer.text ?? ''));
  });

  test('a request that was approved under a profile that the endpoint no longer has is denied', async () => {
    const { lab, store, decide, only } = await waiting();
    await ask(lab, { challenge: await lab.challenge() });
    await decide(only().id, 'approve');
    const other = await makeLab({
      store,
      endpoint: { profile: 'short', approval: 'always' },
      config: { profiles: { short: { validity: '1d' } } },
      now: lab.clock.at,
    });
    const answer = await poll(other);
    assert.ok(answer.pkiStatus === 'FAILURE' && /^SCEP-351: /.test(answer.text ?? ''));
  });
});

describe('whoever can write records cannot widen them', () => {
  const bend: [string, (transaction: Transaction) => Partial<Transaction>][] = [
    ['other names', () => ({ names: ['dns:admin.example'] })],
    [
      'an approval that nobody gave',
      () => ({ approval: { by: 'mallory', at: 1, mac: 'test.00' } }),
    ],
    [
      'another approver',
      ({ approval }) => (approval ? { approval: { ...approval, by: 'mallory' } } : {}),
    ],
    [
      'an approval from another address',
      ({ approval }) => (approval ? { approval: { ...approval, from: '192.0.2.66' } } : {}),
    ],
    ['another maker of the challenge', () => ({ challengeBy: { by: 'mallory' } })],
    ['another profile', () => ({ profile: 'other' })],
  ];
  for (const [what, changes] of bend) {
    test(`${what}: an outage for the operator, nothing for the device`, async () => {
      const { lab, store, decide, only } = await waiting();
      await ask(lab, { challenge: await lab.challenge() });
      await decide(only().id, 'approve');
      const row = store.dump().find(({ kind }) => kind === 'transaction');
      assert.ok(row);
      const record = { ...only(), ...changes(only()) } as Transaction;
      await lab.deps.store.write([
        { do: 'put', kind: 'transaction', key: row.key, rev: row.rev, record },
      ]);
      await assert.rejects(poll(lab), /HTTP 503/);
      assert.ok(lab.log.some(({ detail }) => /does not hold/.test(String(detail))));
      assert.ok(!lab.calls.includes('signer.sign'));
    });
  }

  test('another CSR: an outage for the operator, nothing for the device', async () => {
    const { lab, store, decide, only } = await waiting();
    await ask(lab, { challenge: await lab.challenge() });
    await decide(only().id, 'approve');
    const row = store.dump().find(({ kind }) => kind === 'request') as Row<'request'>;
    const record = { ...row.record, csr: row.record.csr?.replace('A', 'B') ?? assert.fail() };
    await lab.deps.store.write([
      { do: 'put', kind: 'request', key: row.key, rev: row.rev, record },
    ]);
    await assert.rejects(poll(lab), /HTTP 503/);
    assert.ok(lab.log.some(({ detail }) => /does not hold/.test(String(detail))));
    assert.ok(!lab.calls.includes('signer.sign'));
  });

  test('pending that calls itself approved', async () => {
    const { lab, store, only } = await waiting();
    await ask(lab, { challenge: await lab.challenge() });
    const row = store.dump().find(({ kind }) => kind === 'transaction');
    assert.ok(row);
    const record = { ...only(), state: 'approved' } as Transaction;
    await lab.deps.store.write([
      { do: 'put', kind: 'transaction', key: row.key, rev: row.rev, record },
    ]);
    await assert.rejects(poll(lab), /HTTP 503/);
  });
});

describe('/api/v1/transactions', () => {
  test('lists, newest first, by state and page by page; shows one with its timeline and no secrets', async () => {
    const { lab, call, decide } = await waiting();
    for (let i = 0; i < 5; i++) {
      lab.clock.at += 1;
      const key = await deviceKey(`list ${i}`, { type: 'EC', curve: 'P-256' });
      await ask(lab, { challenge: await lab.challenge(), key, subject: `CN=list-${i}` });
    }
    const all = await call('');
    const list = all.json.transactions;
    assert.deepEqual(
      list.map(({ subject }) => subject),
      [4, 3, 2, 1, 0].map((i) => `CN=list-${i}`),
    );
    const first = await call('?limit=2');
    const second = await call(`?limit=2&cursor=${encodeURIComponent(String(first.json.next))}`);
    assert.deepEqual(
      second.json.transactions.map(({ subject }) => subject),
      ['CN=list-2', 'CN=list-1'],
    );
    await decide(list[0]?.id ?? '', 'deny');
    assert.equal((await call('?state=pending')).json.transactions.length, 4);
    assert.equal((await call('?state=denied')).json.transactions.length, 1);
    const one = await call(`/${list[1]?.id}`);
    assert.equal(one.json.state, 'pending');
    const text = JSON.stringify(one.json);
    for (const secret of ['sealedPassword', 'pendingMac', 'undo'])
      assert.ok(!text.includes(secret), secret);
    assert.match(String(one.json.timeline[0]?.at), /^\d{4}-.*Z$/);
  });

  test('what cannot be: 404, 409, 422', async () => {
    const { lab, call, decide, only } = await waiting();
    assert.equal((await call('/01ARZ3NDEKTSV4RRFFQ69G5FAV')).status, 404);
    assert.equal((await decide('01ARZ3NDEKTSV4RRFFQ69G5FAV', 'approve')).status, 404);
    await ask(lab, { challenge: await lab.challenge() });
    await decide(only().id, 'deny');
    const late = await decide(only().id, 'approve');
    assert.equal(late.status, 409);
    assert.equal(late.json.detail, 'the transaction is denied, not pending');
    assert.equal((await call('?state=open')).status, 422);
    assert.equal((await call('?limit=0')).status, 422);
    assert.equal((await call('?cursor=%22%3B')).status, 422);
    assert.equal((await call('?endpoint=nowhere')).status, 422);
  });

  test('roles: an auditor reads, an approver decides, a challenger does neither', async () => {
    const { lab, only } = await waiting();
    await ask(lab, { challenge: await lab.challenge() });
    const statuses: Record<string, number[]> = {};
    for (const role of ['auditor', 'challenger', 'approver'] as const) {
      const token = `token-of-${role}`.padEnd(43, 'x');
      await putToken(lab.deps.store, token, { name: role, roles: [role] });
      const headers = { authorization: `Bearer ${token}` };
      const path = `/api/v1/transactions/${only().id}`;
      const read = await lab.fetch(path, { headers });
      const write = await lab.fetch(`${path}/approve`, { method: 'POST', body: '{}', headers });
      statuses[role] = [read.status, write.status];
    }
    assert.deepEqual(statuses, {
      auditor: [200, 403],
      challenger: [403, 403],
      approver: [200, 200],
    });
    assert.equal(only().approval?.by, 'approver');
  });
});
