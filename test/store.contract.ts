// What every store promises, whatever it is made of: run over each adapter by store.test.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromHex, utf8 } from '../lib/bytes.ts';
import type { CertificateRecord } from '../lib/ports/certificates.ts';
import type { Challenge } from '../lib/ports/challenges.ts';
import type { Intent, Transaction } from '../lib/ports/transactions.ts';
import type { Store } from './support/lab.ts';

const now = 1_800_000_000_000;

const challengeRecord = (key: string, changes: Partial<Challenge> = {}): Challenge => ({
  key: `default/k/${key}`,
  id: `id-${key}`,
  endpoint: 'default',
  binding: { subject: 'CN=x', names: ['dns:a.example'] },
  bindingMac: '00',
  uses: 1,
  usesLeft: 1,
  createdAt: now,
  expiresAt: now + 1000,
  failures: 0,
  holder: undefined,
  ...changes,
});

const intentFor = (id: string, challenge: string, changes: Partial<Transaction> = {}): Intent => {
  const transaction: Transaction = {
    id,
    endpoint: 'default',
    ca: 'default',
    state: 'intended',
    messageType: 'PKCSReq',
    signer: 'key:00',
    requestHash: `hash-${id}`,
    transactionID: 'odd \u0000 \u00ff "id"',
    csr: fromHex('3000'),
    csrHash: 'aa',
    serial: `40${id}`,
    leaseUntil: now + 10_000,
    challenge,
    createdAt: now,
    ...changes,
  };
  const certificate: CertificateRecord = {
    ca: 'default',
    serial: transaction.serial,
    state: 'intended',
    tbsHash: 'bb',
    der: undefined,
    transaction: transaction.id,
    notAfter: now + 5000,
  };
  return { now, transaction, certificate, supersedes: undefined };
};

export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`store: ${name}`, () => {
    const seeded = async (changes: Partial<Challenge> = {}) => {
      const store = await open();
      const challenge = challengeRecord('one', changes);
      await store.challenges.create(challenge);
      const lookup = (id: string) => ({ requestHash: `hash-${id}`, challenges: [challenge.key] });
      return { store, challenge, lookup };
    };

    test('an empty store knows nothing', async () => {
      const store = await open();
      assert.deepEqual(await store.transactions.recall({ requestHash: 'x', challenges: ['y'] }), {
        transaction: undefined,
        certificate: undefined,
        challenge: undefined,
      });
      assert.equal(await store.certificates.find('default', '01'), undefined);
      assert.equal(await store.authorities.find('default'), undefined);
      assert.equal(await store.authorities.crl('default'), undefined);
      assert.equal(await store.tokens.find('x'), undefined);
    });

    test('a challenge comes back as it was put, and exists once', async () => {
      const { store, challenge, lookup } = await seeded();
      assert.deepEqual((await store.transactions.recall(lookup('a'))).challenge, challenge);
      await assert.rejects(store.challenges.create(challenge));
      const found = await store.transactions.recall({
        requestHash: 'x',
        challenges: ['default/other/one', challenge.key],
      });
      assert.deepEqual(found.challenge, challenge);
    });

    test('intend writes Transaction, Certificate and the use, all at once', async () => {
      const { store, challenge, lookup } = await seeded();
      const intent = intentFor('a', challenge.key);
      assert.equal(await store.transactions.intend(intent), 'done');
      const recalled = await store.transactions.recall(lookup('a'));
      assert.deepEqual(recalled.transaction, intent.transaction);
      assert.deepEqual(recalled.certificate, intent.certificate);
      assert.deepEqual(recalled.challenge, {
        ...challenge,
        usesLeft: 0,
        holder: { transaction: 'a', requestHash: 'hash-a' },
      });
    });

    const refusals: [string, Partial<Challenge>, number?][] = [
      ['no use left', { usesLeft: 0 }],
      ['an expired challenge', { expiresAt: now }],
      ['a locked challenge', { failures: 10 }],
    ];
    for (const [why, changes] of refusals) {
      test(`intend with ${why} is a conflict and writes nothing`, async () => {
        const { store, challenge, lookup } = await seeded(changes);
        assert.equal(await store.transactions.intend(intentFor('a', challenge.key)), 'conflict');
        const recalled = await store.transactions.recall(lookup('a'));
        assert.equal(recalled.transaction, undefined);
        assert.deepEqual(recalled.challenge, challenge);
        assert.equal(await store.certificates.find('default', '40a'), undefined);
      });
    }

    test('intend with a challenge that is not there is a conflict', async () => {
      const { store } = await seeded();
      assert.equal(await store.transactions.intend(intentFor('a', 'default/k/gone')), 'conflict');
    });

    test('intend against another Transaction of the same request is a conflict', async () => {
      const { store, challenge } = await seeded({ uses: 3, usesLeft: 3 });
      assert.equal(await store.transactions.intend(intentFor('a', challenge.key)), 'done');
      const same = { requestHash: 'hash-a' };
      const second = intentFor('b', challenge.key, same);
      assert.equal(await store.transactions.intend(second), 'conflict');
      assert.equal(await store.transactions.intend({ ...second, supersedes: 'zz' }), 'conflict');
      assert.equal(await store.transactions.intend({ ...second, supersedes: 'a' }), 'done');
      const recalled = await store.transactions.recall({ ...same, challenges: [] });
      assert.equal(recalled.transaction?.id, 'b');
    });

    test('a serial number is never taken twice', async () => {
      const { store, challenge } = await seeded({ uses: 3, usesLeft: 3 });
      assert.equal(await store.transactions.intend(intentFor('a', challenge.key)), 'done');
      const second = intentFor('b', challenge.key, { serial: '40a' });
      assert.equal(await store.transactions.intend(second), 'serialTaken');
      const { challenge: after } = await store.transactions.recall({
        requestHash: 'x',
        challenges: [challenge.key],
      });
      assert.equal(after?.usesLeft, 2);
    });

    test('commit gives the certificate its DER, once', async () => {
      const { store, challenge, lookup } = await seeded();
      await store.transactions.intend(intentFor('a', challenge.key));
      const der = utf8('certificate');
      assert.equal(await store.transactions.commit('a', '40zz', der), 'lost');
      assert.equal(await store.transactions.commit('zz', '40a', der), 'lost');
      assert.equal(await store.transactions.commit('a', '40a', der), 'done');
      assert.equal(await store.transactions.commit('a', '40a', utf8('other')), 'lost');
      const recalled = await store.transactions.recall(lookup('a'));
      assert.equal(recalled.transaction?.state, 'issued');
      assert.deepEqual(recalled.certificate?.der, der);
      assert.deepEqual(await store.certificates.find('default', '40a'), recalled.certificate);
    });

    test('100 at once on one challenge: one gets it', async () => {
      const { store, challenge } = await seeded();
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          store.transactions.intend(intentFor(`t${i}`, challenge.key)),
        ),
      );
      assert.equal(answers.filter((answer) => answer === 'done').length, 1);
      assert.equal(answers.filter((answer) => answer === 'conflict').length, 99);
    });

    test('100 at once on 50 uses: fifty get it', async () => {
      const { store, challenge } = await seeded({ uses: 50, usesLeft: 50 });
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          store.transactions.intend(intentFor(`t${i}`, challenge.key)),
        ),
      );
      assert.equal(answers.filter((answer) => answer === 'done').length, 50);
    });

    test('failures are counted; of what is gone, silently not', async () => {
      const { store, challenge, lookup } = await seeded();
      await Promise.all([1, 2, 3].map(() => store.challenges.countFailure(challenge.key)));
      await store.challenges.countFailure('default/k/gone');
      assert.equal((await store.transactions.recall(lookup('a'))).challenge?.failures, 3);
    });

    test('a CA is made once', async () => {
      const store = await open();
      const record = {
        ca: 'default',
        keyReference: 'key',
        chain: [fromHex('3001ff'), fromHex('3000')],
        generations: [
          { id: 1, state: 'current', certificate: fromHex('30'), sealedKey: fromHex('ff') },
        ],
      } as const;
      const [chain] = [record.chain];
      const put = { ...record, chain: [chain[0], chain[1]] as const };
      assert.equal(await store.authorities.create({ ...put, chain: [chain[0], chain[1]] }), 'done');
      assert.equal(
        await store.authorities.create({ ...put, keyReference: 'other', chain: [chain[0]] }),
        'exists',
      );
      assert.deepEqual(await store.authorities.find('default'), record);
    });

    test('CRL numbers only rise', async () => {
      const store = await open();
      const crl = (number: number) => ({
        number,
        der: utf8(`crl ${number}`),
        thisUpdate: now,
        nextUpdate: now + 1,
      });
      assert.equal(await store.authorities.publishCrl('default', crl(1)), 'done');
      assert.equal(await store.authorities.publishCrl('default', crl(1)), 'stale');
      assert.equal(await store.authorities.publishCrl('default', crl(3)), 'done');
      assert.equal(await store.authorities.publishCrl('default', crl(2)), 'stale');
      assert.deepEqual(await store.authorities.crl('default'), crl(3));
    });

    test('a token is found by its hash, and replaced by its name', async () => {
      const store = await open();
      await store.tokens.put({ name: 'a', hash: 'one', roles: ['admin'] });
      await store.tokens.put({ name: 'a', hash: 'two', roles: ['auditor', 'approver'] });
      assert.equal(await store.tokens.find('one'), undefined);
      assert.deepEqual(await store.tokens.find('two'), {
        name: 'a',
        hash: 'two',
        roles: ['auditor', 'approver'],
      });
    });
  });
}
