// The captured renewals and polls of real clients, sent as they are to a CA that has the key and the
// certificates of the one they were captured at: what it answers, and what it has on record after.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { raw, tag } from '../../../lib/asn1/reader.ts';
import {
  type Bytes,
  base64,
  concat,
  equal,
  fromBase64,
  fromLatin1,
  fromPem,
  fromUtf8,
  hex,
} from '../../../lib/base/bytes.ts';
import type { CertificateState } from '../../../lib/base/words.ts';
import { challengeKeys, mac } from '../../../lib/ca/challenge/challenges.ts';
import { guarded } from '../../../lib/ca/record/guarded-store.ts';
import { certificateKey } from '../../../lib/ca/record/keys.ts';
import { readEnvelopedData } from '../../../lib/cms/enveloped-data.ts';
import { singleAttribute, verifySignedData } from '../../../lib/cms/signed-data.ts';
import { hash } from '../../../lib/crypto/native.ts';
import type { RaKeys } from '../../../lib/ports/ra-keys.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import { newLineage } from '../../../lib/ports/records/lineage.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { Signer } from '../../../lib/ports/signer.ts';
import { decodePkiMessage } from '../../../lib/protocol/scep/wire/decode.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { readCertificationRequest } from '../../../lib/x509/csr.ts';
import { printName } from '../../../lib/x509/names/name.ts';
import { memoryMacKeys, memorySigner } from '../../support/keys.ts';
import { type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { vector, vectorText } from '../../support/vectors.ts';

const file = (name: string): Bytes => vector(`captures/${name}`);
const pkcs8Of = (name: string): Bytes => {
  const [pkcs8] = fromPem('PRIVATE KEY', vectorText(`captures/pki/${name}.key`));
  assert.ok(pkcs8);
  return pkcs8;
};
const certificateOf = (name: string): Certificate => {
  const [der] = fromPem('CERTIFICATE', vectorText(`captures/pki/${name}.pem`));
  assert.ok(der);
  return readCertificate(der);
};
const ca = certificateOf('ca');
const ra = certificateOf('ra');
const caKey = createPrivateKey({ key: Buffer.from(pkcs8Of('ca')), format: 'der', type: 'pkcs8' });

/** The captured CA's key, and those of labs beside it. */
const signer: Signer = {
  create: memorySigner.create,
  publicKey: async (reference) =>
    reference === 'captured'
      ? concat([createPublicKey(caKey).export({ type: 'spki', format: 'der' })])
      : memorySigner.publicKey(reference),
  sign: async (reference, algorithm, tbs) =>
    reference === 'captured'
      ? { octets: concat([sign('sha256', tbs, caKey)]), requests: {} }
      : memorySigner.sign(reference, algorithm, tbs),
};
const raKeys: RaKeys = {
  generate: () => Promise.reject(new Error('the captured RA is all there is')),
  unseal: async () => pkcs8Of('ra'),
};

const hour = 3_600_000;
const day = 24 * hour;
/** Three days after the captures. */
const now = Date.UTC(2026, 10, 25);

const legacy = { sha1: true, des3: true, des: true };

/** A CA with the captured RA; `ours`: the captured CA itself, `foreign`: one with another key. */
async function captured(which: 'ours' | 'foreign', options: LabOptions = {}) {
  const store = new MemoryStore();
  const other = await makeLab({ caKey: 'ec:P-256', now });
  const [foreign] = other.announced.chain;
  assert.ok(foreign);
  const own =
    which === 'ours'
      ? { keyReference: 'captured', chain: [base64(ca.der)] }
      : { keyReference: 'ca default P-256', chain: [base64(foreign.der)] };
  const generation = {
    id: 1,
    state: 'current',
    certificate: base64(ra.der),
    sealedKey: '',
  } as const;
  const record = { ca: 'default', ...own, generations: [generation] };
  const asOurs = guarded(store, memoryMacKeys, () => {});
  await asOurs.write([{ do: 'put', kind: 'authority', key: 'default', rev: 0, record }]);
  const lab = await makeLab({ store, signer, raKeys, legacy, now, ...options });
  return { lab, store };
}

/** A challenge with this text, which no CA of ours would draw. */
async function knownChallenge(lab: Lab, challenge: string, names: readonly string[]) {
  const { store, macKeys } = lab.deps;
  const [macKey] = await macKeys.live('challenge');
  const [key = ''] = challengeKeys([macKey], 'default', challenge);
  const fixed = { id: 'known', endpoint: 'default', uses: 1, expiresAt: lab.clock.now() + hour };
  const bindingMac = hex(mac(macKey, 'binding', { key, ...fixed, binding: { names } }));
  const more = { usesLeft: 1, createdAt: 0, failures: 0, open: {}, binding: { names }, bindingMac };
  const record = { ...fixed, ...more };
  await store.write([{ do: 'put', kind: 'challenge', key, rev: 0, record }]);
}

/** The certificate that signed a captured message goes on record as one that was issued here. */
async function putOnRecord(lab: Lab, name: string, state: CertificateState = 'issued') {
  const { certificate } = decodePkiMessage(file(`${name}.der`)).signedData;
  const { der, tbs, subject, notBefore, notAfter } = certificate;
  const serial = hex(certificate.serial);
  const record = {
    ...{ ca: 'default', serial, state, endpoint: 'default', transaction: 'captured' },
    ...{ subject: printName(subject), tbsHash: hex(hash('SHA-256', tbs)), der: base64(der) },
    keyHash: hex(hash('SHA-256', raw(certificate.spki))),
    ...{ notBefore, notAfter, confirmed: false, successors: {} },
    lineage: newLineage({ serial, notAfter }),
  } as CertificateRecord;
  const key = certificateKey('default', serial);
  await lab.deps.store.write([{ do: 'put', kind: 'certificate', key, rev: 0, record }]);
  return serial;
}

/** The CertRep to a captured message, checked as every client would, and what it says. */
async function answer(lab: Lab, name: string) {
  const request = decodePkiMessage(file(`${name}.der`));
  const reply = decodePkiMessage(await lab.operate(file(`${name}.der`)));
  const { signedData } = reply;
  const { key, scheme, attributes } = signedData;
  assert.ok(key && scheme);
  assert.equal(await verifySignedData(signedData, key, scheme), 'good');
  assert.deepEqual(signedData.certificate.der, lab.announced.ra.der);
  assert.equal(reply.messageType, '3');
  assert.equal(reply.transactionID, request.transactionID);
  const nonce = singleAttribute(attributes, attributeOids.recipientNonce, tag.octetString);
  assert.deepEqual(nonce, request.senderNonce);
  const text = (type: string, of: number = tag.printableString) => {
    const value = singleAttribute(attributes, type, of);
    return value && (of === tag.utf8String ? fromUtf8(value) : fromLatin1(value));
  };
  const status = text(attributeOids.pkiStatus);
  if (status === '3') return { status: 'PENDING' } as const;
  if (status === '2') {
    const [code = ''] = (text(attributeOids.failInfoText, tag.utf8String) ?? '').split(': ');
    return { status: 'FAILURE', failInfo: text(attributeOids.failInfo), code } as const;
  }
  assert.equal(status, '0');
  const envelope = readEnvelopedData(signedData.eContent ?? new Uint8Array(0));
  const asked = readEnvelopedData(request.signedData.eContent ?? new Uint8Array(0));
  // For the key that signed, in the cipher of the request.
  assert.equal(envelope.recipients.length, 1);
  assert.ok(envelope.recipients[0]?.names(request.signedData.certificate));
  assert.equal(envelope.cipher?.name, asked.cipher?.name);
  return { status: 'SUCCESS' } as const;
}

const failure = (failInfo: string, code: string) => ({ status: 'FAILURE', failInfo, code });
const badMessageCheck = '1';
const badRequest = '2';
const badCertId = '4';

const transactionsIn = (store: MemoryStore): Transaction[] =>
  store
    .dump()
    .filter(({ kind }) => kind === 'transaction')
    .map(({ record }) => record as Transaction);

const issuedIn = (store: MemoryStore): CertificateRecord[] =>
  store
    .dump()
    .filter(({ kind }) => kind === 'certificate')
    .map(({ record }) => record as CertificateRecord)
    .filter(({ transaction }) => transaction !== 'captured');

const renewals = [
  'certmonger/renewal-same-key-type19',
  'certmonger/renewal-rekey-type19',
  'micromdm-scepclient/renewal-type17',
  'strongswan-pki/renewal-type17',
];

describe('captured renewals', () => {
  for (const name of renewals) {
    test(`RFC 8894 §2.3, §3.3.1 [9][57]: ${name} gets a certificate for its key, with the names of the one that signed`, async () => {
      const { lab, store } = await captured('ours');
      const renewed = await putOnRecord(lab, name);
      assert.deepEqual(await answer(lab, name), { status: 'SUCCESS' });
      const [transaction] = transactionsIn(store);
      assert.equal(transaction?.state, 'issued');
      assert.equal(transaction.renews, renewed);
      assert.equal(transaction.asked, name.endsWith('17') ? 'renewal' : 'enrolment');
      const [record, ...more] = issuedIn(store);
      assert.ok(record?.der && more.length === 0);
      const certificate = readCertificate(fromBase64(record.der));
      const csr = readCertificationRequest(file(`${name}.plain.der`));
      const old = decodePkiMessage(file(`${name}.der`)).signedData.certificate;
      assert.deepEqual(publicKeyOf(certificate)?.spki, csr.publicKey?.spki);
      assert.deepEqual(certificate.subject, csr.subject);
      const san = ({ extensions }: Certificate) =>
        extensions.get(extensionOids.subjectAltName)?.value;
      assert.deepEqual(san(certificate), san(old));
      assert.equal(certificate.notAfter, now + 365 * day);
      const sameKey = equal(publicKeyOf(old)?.spki ?? old.der, csr.publicKey?.spki ?? csr.der);
      assert.equal(sameKey, !/rekey|strongswan/.test(name));
    });

    test(`RFC 8894 §5.2 [72]: ${name} sent again gets the same certificate`, async () => {
      const { lab, store } = await captured('ours');
      await putOnRecord(lab, name);
      for (let times = 0; times < 3; times++) {
        assert.deepEqual(await answer(lab, name), { status: 'SUCCESS' });
        lab.clock.at += day;
      }
      assert.equal(issuedIn(store).length, 1);
      assert.equal(transactionsIn(store).length, 1);
    });

    test(`${name} is refused when its certificate is not on record, revoked or expired`, async () => {
      const unknown = await captured('ours');
      assert.deepEqual(await answer(unknown.lab, name), failure(badRequest, 'SCEP-321'));
      const revoked = await captured('ours');
      await putOnRecord(revoked.lab, name, 'revoked');
      assert.deepEqual(await answer(revoked.lab, name), failure(badRequest, 'SCEP-323'));
      const expired = await captured('ours');
      await putOnRecord(expired.lab, name);
      expired.lab.clock.at = Date.UTC(2027, 1, 21);
      assert.deepEqual(await answer(expired.lab, name), failure(badRequest, 'SCEP-322'));
      for (const { store } of [unknown, revoked, expired]) {
        assert.deepEqual(
          transactionsIn(store).map(({ state }) => state),
          ['refused'],
        );
      }
    });

    test(`RFC 8894 §2.3 [10]: ${name} signed with a certificate of another CA is no renewal, even when a record has its serial number`, async () => {
      const { lab, store } = await captured('foreign');
      await putOnRecord(lab, name);
      // With another key than the signer's there is nothing to go by; with the same one a challenge
      // that is not known.
      const otherKey = /rekey|strongswan/.test(name);
      const refused = otherKey
        ? failure(badMessageCheck, 'SCEP-201')
        : failure(badRequest, 'SCEP-302');
      assert.deepEqual(await answer(lab, name), refused);
      assert.deepEqual(
        transactionsIn(store).map(({ state }) => state),
        otherKey ? [] : ['refused'],
        'what was not proven is not kept',
      );
    });

    test(`${name} at a CA with another RA: it cannot be opened`, async () => {
      const lab = await makeLab({ legacy, now });
      assert.deepEqual(await answer(lab, name), failure(badMessageCheck, 'SCEP-123'));
    });
  }

  test('a foreign certificate beside a good challenge is an enrolment, and says so', async () => {
    const { lab, store } = await captured('foreign');
    await knownChallenge(lab, 'secret', []);
    assert.deepEqual(await answer(lab, 'micromdm-scepclient/renewal-type17'), {
      status: 'SUCCESS',
    });
    const [transaction] = transactionsIn(store);
    assert.equal(transaction?.renews, undefined);
    assert.deepEqual(transaction?.authorizedBy, ['challenge known']);
  });

  test('the two of certmonger, one after the other, as they were captured', async () => {
    const { lab, store } = await captured('ours');
    for (const name of renewals.slice(0, 2)) {
      await putOnRecord(lab, name);
      assert.deepEqual(await answer(lab, name), { status: 'SUCCESS' });
    }
    assert.equal(new Set(issuedIn(store).map(({ serial }) => serial)).size, 2);
  });

  test('a renewal that an approver has to allow is PENDING, then gets its certificate', async () => {
    const { lab, store } = await captured('ours', { endpoint: { approval: 'always' } });
    for (const name of renewals) {
      const renewed = await putOnRecord(lab, name);
      assert.deepEqual(await answer(lab, name), { status: 'PENDING' });
      const waiting = transactionsIn(store).find(({ state }) => state === 'pending');
      assert.equal(waiting?.renews, renewed);
      await approve(lab, waiting.id);
      assert.deepEqual(await answer(lab, name), { status: 'SUCCESS' });
    }
  });
});

async function approve(lab: Lab, id: string): Promise<void> {
  const response = await lab.fetch(`/api/v1/transactions/${id}/approve`, {
    method: 'POST',
    body: '{}',
    headers: { authorization: `Bearer ${lab.adminToken}` },
  });
  assert.equal(response.status, 200);
}

describe('captured polls', () => {
  const polls = ['strongswan-pki/poll-type20', 'strongswan-pki/poll-type20-2'];

  test('RFC 8894 §4.4 [64]: without the request they belong to: badCertId, whatever RA they are for', async () => {
    const { lab } = await captured('ours');
    const strange = await makeLab({ now });
    for (const name of polls) {
      assert.deepEqual(await answer(lab, name), failure(badCertId, 'SCEP-501'));
      assert.deepEqual(await answer(strange, name), failure(badCertId, 'SCEP-501'));
    }
  });

  test('RFC 8894 §2.5, §4.4 [65]: strongSwan asks, polls, is approved, polls again', async () => {
    const { lab, store } = await captured('ours', { endpoint: { approval: 'always' } });
    await knownChallenge(lab, 'secret', ['dns:ss-host.example.test']);
    assert.deepEqual(await answer(lab, 'strongswan-pki/poll-type19'), { status: 'PENDING' });
    assert.deepEqual(await answer(lab, polls[0] ?? ''), { status: 'PENDING' });
    const [waiting] = transactionsIn(store);
    assert.ok(waiting);
    await approve(lab, waiting.id);
    assert.deepEqual(await answer(lab, polls[1] ?? ''), { status: 'SUCCESS' });
    const [{ der = '' } = assert.fail()] = issuedIn(store);
    const csr = readCertificationRequest(file('strongswan-pki/poll-type19.plain.der'));
    assert.deepEqual(readCertificate(fromBase64(der)).subject, csr.subject);
    assert.deepEqual(
      transactionsIn(store)[0]?.timeline.map(({ state }) => state),
      ['pending', 'approved', 'intended', 'issued'],
    );
  });

  test('RFC 8894 §2.5: certmonger asks, is denied, and its repeat is told so', async () => {
    const { lab, store } = await captured('ours', { endpoint: { approval: 'always' } });
    await knownChallenge(lab, 'secret', ['dns:capd.example.test']);
    assert.deepEqual(await answer(lab, 'certmonger/poll-type19'), { status: 'PENDING' });
    const [waiting] = transactionsIn(store);
    const response = await lab.fetch(`/api/v1/transactions/${waiting?.id}/deny`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: `Bearer ${lab.adminToken}` },
    });
    assert.equal(response.status, 200);
    const denied = failure(badRequest, 'SCEP-351');
    assert.deepEqual(await answer(lab, 'certmonger/poll-type19'), denied);
    assert.deepEqual(issuedIn(store), []);
  });

  test('the poll of one client finds nothing of another', async () => {
    const { lab } = await captured('ours', { endpoint: { approval: 'always' } });
    await knownChallenge(lab, 'secret', ['dns:capd.example.test']);
    assert.deepEqual(await answer(lab, 'certmonger/poll-type19'), { status: 'PENDING' });
    assert.deepEqual(await answer(lab, polls[0] ?? ''), failure(badCertId, 'SCEP-501'));
  });
});
