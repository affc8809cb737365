// Whoever recorded a message can sign its envelope anew: with a certificate of this CA, or with any key
// where the endpoint lets signers differ. A copy is the same request: it gets the certificate of whoever
// holds the requested key, takes nothing from them, and opens no reply to another.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { MAX_TRANSACTION_IDS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { type ClientKey, readCertRep } from '../../../lib/protocol/scep/client/client.ts';
import { publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';
import { got, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const any: LabOptions = { endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } };
const admin = { kind: 'admin', id: 'somebody' } as const;

async function two(): Promise<[owner: ClientKey, thief: ClientKey]> {
  const [a, b] = await keys('owner of the envelope', 'thief of the envelope');
  assert.ok(a && b);
  return [a, b];
}

/** The ways in which a copy may be signed, and what makes each of them possible. */
const thefts: Readonly<
  Record<string, { options: LabOptions; signed(w: World, by: ClientKey): Promise<EnrolOptions> }>
> = {
  'a certificate of this CA that has expired': {
    options: {},
    signed: async (w, by) => {
      const signer = await held(w, by);
      w.lab.clock.at = signer.certificate.notAfter;
      return { signer };
    },
  },
  'a certificate of this CA, whose endpoint does not renew it yet': {
    options: { endpoint: { renew: { window: '1d' } } },
    signed: async (w, by) => ({ signer: await held(w, by) }),
  },
  'any key': { options: any, signed: async (_, key) => ({ key }) },
};

const copyOf = async (w: World, { request: { plaintext } }: Sent, signed: EnrolOptions) =>
  w.send(await enrolment(w.lab, { ...signed, plaintext, transactionID: 'copy' }));

describe('a copy of an enrolment that another key has signed', () => {
  for (const [by, { options, signed }] of Object.entries(thefts)) {
    for (const messageType of ['PKCSReq', 'RenewalReq'] as const) {
      test(`${by}, ${messageType}: is the same request, before it and after it, and takes no further use`, async () => {
        const [owner, thief] = await two();
        for (const copyFirst of [true, false]) {
          const w = await world(options);
          const signer = { ...(await signed(w, thief)), messageType };
          const challenge = await w.lab.challenge({ uses: 2 });
          const original = await enrolment(w.lab, { challenge, key: owner });
          const copy = () => copyOf(w, original, signer);
          const answers = copyFirst
            ? [await copy(), await w.send(original), await copy()]
            : [await w.send(original), await copy(), await w.send(original)];
          const [first, ...others] = answers.map((answer) => hex(got(answer)));
          for (const other of others) assert.equal(other, first);
          const { spki } = publicKeyOf(readCertificate(got(answers[0] ?? assert.fail()))) ?? {};
          assert.deepEqual(spki, owner.spki);
          const [record] = w.challenges().filter(({ uses }) => uses === 2);
          assert.deepEqual([record?.usesLeft, record?.failures], [1, 0]);
          w.check();
        }
      });
    }

    test(`${by}: a one-time challenge still serves the device that it was made for`, async () => {
      const [owner, thief] = await two();
      const w = await world(options);
      const signer = await signed(w, thief);
      const challenge = await w.lab.challenge();
      const original = await enrolment(w.lab, { challenge, key: owner });
      got(await copyOf(w, original, signer));
      got(await w.send(original));
      w.check();
    });

    test(`${by}: is refused as the original is, and counts once with it`, async () => {
      const [owner, thief] = await two();
      const w = await world(options);
      const signer = await signed(w, thief);
      const challenge = await w.lab.challenge({ subject: 'CN=someone else' });
      const original = await enrolment(w.lab, { challenge, key: owner });
      const failures = () => Math.max(...w.challenges().map((record) => record.failures));
      assert.equal((await copyOf(w, original, signer)).pkiStatus, 'FAILURE');
      assert.equal(failures(), 1);
      refusedWith('SCEP-311', await w.send(original));
      assert.equal((await copyOf(w, original, signer)).pkiStatus, 'FAILURE');
      assert.equal(failures(), 1);
    });

    test(`${by}: does not undo the revocation of what answered`, async () => {
      const [owner, thief] = await two();
      const w = await world(options);
      const signer = await signed(w, thief);
      const challenge = await w.lab.challenge({ uses: 5 });
      const original = await enrolment(w.lab, { challenge, key: owner });
      const { serial } = readCertificate(got(await w.send(original)));
      await revoke(w.lab.deps, {
        ca: 'default',
        serial: hex(serial),
        reason: 'affiliationChanged',
        actor: admin,
      });
      refusedWith('SCEP-354', await w.send(original));
      const copy = await copyOf(w, original, signer);
      assert.ok(copy.pkiStatus === 'FAILURE', JSON.stringify(copy));
      assert.equal(w.challenges().find(({ uses }) => uses === 5)?.usesLeft, 4);
    });
  }

  test('a good certificate of the same subject: the key does not get the names of the thief', async () => {
    const [owner, thief] = await two();
    const w = await world();
    const subject = 'CN=device-1,O=Test';
    const signer = await held(w, thief, subject);
    const challenge = await w.lab.challenge({ names: ['dns:owner.example'] });
    const original = await enrolment(w.lab, { challenge, key: owner, subject });
    const copy = await copyOf(w, original, { signer });
    const answer = await w.send(original);
    assert.deepEqual(got(answer), got(copy));
    const names = w.transactions().flatMap((transaction) => transaction.names);
    assert.deepEqual(names, ['dns:owner.example']);
    w.check();
  });

  test('a good certificate of another subject gets nothing where signers must be the same', async () => {
    const [owner, thief] = await two();
    const w = await world();
    const signer = await held(w, thief, 'CN=thief');
    const original = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: owner });
    refusedWith('SCEP-325', await copyOf(w, original, { signer }));
    got(await w.send(original));
    refusedWith('SCEP-325', await copyOf(w, original, { signer }));
  });

  test('the reply to a key that cannot decrypt opens with the challenge inside alone', async () => {
    const [owner] = await two();
    const thief = await deviceKey('ec thief', { type: 'EC', curve: 'P-256' });
    const w = await world(any);
    const challenge = await w.lab.challenge();
    const { plaintext } = (await enrolment(w.lab, { challenge, key: owner })).request;
    const copy = await enrolment(w.lab, { key: thief, plaintext });
    const reply = await w.lab.operate(copy.message);
    await assert.rejects(readCertRep(reply, copy.request, undefined));
    await assert.rejects(readCertRep(reply, copy.request, 'a guess of 26 characters..'));
    assert.equal((await readCertRep(reply, copy.request, challenge)).pkiStatus, 'SUCCESS');
  });

  test('no reply is sealed with a static challenge for somebody to guess at', async () => {
    const [owner] = await two();
    const thief = await deviceKey('ec thief', { type: 'EC', curve: 'P-256' });
    const secret = 'known to many devices';
    const staticChallenge = { secret: 'env:SECRET', subject: { CN: 'device-*' } };
    const w = await world({
      endpoint: { enrol: { authorize: ['staticChallenge'], signer: 'any', staticChallenge } },
      staticSecrets: { 'env:SECRET': secret },
    });
    const original = await enrolment(w.lab, { challenge: secret, key: owner });
    refusedWith('SCEP-361', await copyOf(w, original, { key: thief }));
    got(await w.send(original));
    refusedWith('SCEP-361', await copyOf(w, original, { key: thief }));
  });
});

describe('a copy of an enrolment that waits for its approver', () => {
  const waiting: LabOptions = {
    endpoint: { approval: 'always', enrol: { authorize: ['challenge'], signer: 'any' } },
  };
  const approve = async (w: World) => {
    const [transaction, ...more] = w.transactions();
    assert.ok(transaction && more.length === 0, 'one request');
    await decide(w.lab.deps, transaction.id, 'approved', { by: 'somebody' });
  };

  test('a copy waits with the enrolment, and both are answered with the same certificate', async () => {
    const [owner, thief] = await two();
    const w = await world(waiting);
    const original = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: owner });
    assert.equal((await copyOf(w, original, { key: thief })).pkiStatus, 'PENDING');
    assert.equal((await w.send(original)).pkiStatus, 'PENDING');
    await approve(w);
    const polled = got(await w.poll({ key: owner }));
    assert.deepEqual(got(await copyOf(w, original, { key: thief })), polled);
    w.check();
  });

  test('a copy leaves a device that cannot decrypt the password of its reply', async () => {
    const owner = await deviceKey('ec owner', { type: 'EC', curve: 'P-256' });
    const [, thief] = await two();
    const w = await world(waiting);
    const challenge = await w.lab.challenge();
    const original = await enrolment(w.lab, { challenge, key: owner });
    assert.equal((await copyOf(w, original, { key: thief })).pkiStatus, 'PENDING');
    assert.equal((await w.send(original)).pkiStatus, 'PENDING');
    await approve(w);
    got(await w.poll({ key: thief, transactionID: 'copy' }));
    got(await w.poll({ key: owner, challenge }));
  });

  test('a copy leaves room for the transactionIDs of the device', async () => {
    const [owner, thief] = await two();
    const w = await world(waiting);
    const original = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: owner });
    const { plaintext } = original.request;
    for (let i = 0; i < 2 * MAX_TRANSACTION_IDS; i++) {
      const copy = await w.ask({ key: thief, plaintext, transactionID: `copy ${i}` });
      assert.equal(copy.pkiStatus, 'PENDING');
    }
    assert.equal((await w.send(original)).pkiStatus, 'PENDING');
    await approve(w);
    got(await w.poll({ key: owner }));
  });
});

describe('a request and the certificate that answered it', () => {
  test('the same octets, signed with that certificate, ask for the next one', async () => {
    const [owner] = await two();
    const w = await world();
    const challenge = await w.lab.challenge();
    const original = await enrolment(w.lab, { challenge, key: owner });
    const first = got(await w.send(original));
    const signer = { key: owner, certificate: readCertificate(first) };
    const { plaintext } = original.request;
    const next = await w.send(await enrolment(w.lab, { signer, plaintext }));
    assert.notDeepEqual(got(next), first);
    w.check();
  });

  test('both are refused, and not answered with the certificate, where that is not yet in its time for renewal', async () => {
    const [owner] = await two();
    const w = await world({ endpoint: { renew: { window: '1d' } } });
    const challenge = await w.lab.challenge();
    const original = await enrolment(w.lab, { challenge, key: owner });
    const signer = { key: owner, certificate: readCertificate(got(await w.send(original))) };
    const { plaintext } = original.request;
    refusedWith('SCEP-324', await w.send(await enrolment(w.lab, { signer, plaintext })));
  });
});
