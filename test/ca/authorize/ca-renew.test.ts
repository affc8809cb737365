// Renewal (shared design 4.10): 17, or 19, signed with a certificate of ours.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { equal, hex } from '../../../lib/base/bytes.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import type { ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { generateKey } from '../../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import { type ChallengeOptions, type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';

const day = 86_400_000;
const subject = 'CN=device-1,O=Test';

type Held = { readonly certificate: Certificate; readonly key: ClientKey };

async function ask(lab: Lab, options: EnrolOptions, path = '/scep') {
  const sent = await enrolment(lab, options);
  return sent.read(await lab.operate(sent.message, path));
}

/** A certificate by an enrolment with a challenge. */
async function enrolled(lab: Lab, key: ClientKey, binding: ChallengeOptions = {}): Promise<Held> {
  const challenge = await lab.challenge(binding);
  const path = binding.endpoint ? `/scep/${binding.endpoint}` : '/scep';
  return {
    key,
    certificate: got(await ask(lab, { challenge, key, names: binding.names ?? [] }, path)),
  };
}

function got(answer: Awaited<ReturnType<typeof ask>>): Certificate {
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  return readCertificate(answer.certificates[0] ?? new Uint8Array(0));
}

async function renewed(
  lab: Lab,
  signer: Held,
  key: ClientKey,
  options: EnrolOptions = {},
): Promise<Held> {
  const certificate = got(await ask(lab, { signer, key, messageType: 'RenewalReq', ...options }));
  return { key, certificate };
}

async function refused(lab: Lab, code: string, options: EnrolOptions, path = '/scep') {
  const answer = await ask(lab, options, path);
  assert.ok(answer.pkiStatus === 'FAILURE', 'it was renewed');
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
}

const keys = (prefix: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => deviceKey(`${prefix} ${i}`)));

async function lab(options: LabOptions = {}) {
  const store = new MemoryStore();
  const made = await makeLab({ store, ...options });
  const record = ({ certificate }: Held): CertificateRecord | undefined =>
    store
      .dump()
      .find(({ kind, key }) => kind === 'certificate' && key.endsWith(hex(certificate.serial)))
      ?.record as CertificateRecord | undefined;
  return { lab: made, store, record };
}

describe('RFC 8894 §2.3, §2.5, §3.3.1: renewal', () => {
  for (const messageType of ['RenewalReq', 'PKCSReq'] as const) {
    test(`[9][57] ${messageType} with a new key, without a challenge`, async () => {
      const { lab: l, record, store } = await lab();
      const [first, second] = await keys('renew', 2);
      assert.ok(first && second);
      const old = await enrolled(l, first, { names: ['dns:a.example', 'upn:a@corp'] });
      const fresh = await renewed(l, old, second, { messageType });
      assert.ok(equal(fresh.certificate.subject, old.certificate.subject));
      assert.ok(!equal(fresh.certificate.serial, old.certificate.serial));
      const san = ({ certificate }: Held) =>
        certificate.extensions.get(extensionOids.subjectAltName)?.value;
      assert.deepEqual(san(fresh), san(old), 'names that the CSR left out stay');
      assert.equal(record(old)?.confirmed, true);
      assert.deepEqual(Object.keys(record(old)?.successors ?? {}), [hex(fresh.certificate.serial)]);
      const transactions = store
        .dump()
        .filter(({ kind }) => kind === 'transaction')
        .map(({ record }) => record as Transaction);
      assert.deepEqual(
        transactions.map(({ serial, renews }) => [serial, renews]),
        [
          [hex(old.certificate.serial), undefined],
          [hex(fresh.certificate.serial), hex(old.certificate.serial)],
        ],
        'the Transaction says what it renews',
      );
    });

    test(`[67] ${messageType} with the same key and the same transactionID is a new certificate`, async () => {
      const { lab: l } = await lab();
      const key = await deviceKey('renew same');
      const old = await enrolled(l, key);
      l.clock.at += day;
      const fresh = await renewed(l, old, key, { messageType });
      assert.ok(!equal(fresh.certificate.serial, old.certificate.serial));
      assert.equal(fresh.certificate.notAfter, old.certificate.notAfter + day);
    });
  }

  test('[14] a stale challenge along with it does not fail it', async () => {
    const { lab: l } = await lab();
    const key = await deviceKey('renew stale');
    const challenge = await l.challenge();
    const old = { key, certificate: got(await ask(l, { challenge, key })) };
    for (const stale of [challenge, 'never-a-challenge-of-ours', '']) {
      const next = await deviceKey(`renew stale ${stale}`);
      assert.ok(await renewed(l, old, next, { challenge: stale }));
    }
  });

  test('a renewal costs one read, two writes, one signature', async () => {
    const { lab: l } = await lab();
    const [first, second] = await keys('renew cost', 2);
    assert.ok(first && second);
    const old = await enrolled(l, first);
    l.calls.length = 0;
    await renewed(l, old, second);
    assert.deepEqual(l.calls, ['store.read', 'store.write', 'signer.sign', 'store.write']);
  });

  test('a chain of renewals, each signed by the last', async () => {
    const { lab: l } = await lab();
    let held = await enrolled(l, await deviceKey('chain 0'));
    for (const key of await keys('chain', 5)) {
      l.clock.at += 30 * day;
      held = await renewed(l, held, key);
    }
  });

  test('[72] a lost reply: the same renewal again gets the same certificate', async () => {
    const { lab: l } = await lab();
    const [first, second] = await keys('renew lost', 2);
    assert.ok(first && second);
    const old = await enrolled(l, first);
    const once = await renewed(l, old, second);
    const twice = await renewed(l, old, second, { messageType: 'PKCSReq', transactionID: 'other' });
    assert.ok(equal(once.certificate.der, twice.certificate.der));
  });
});

describe('successors', () => {
  test('up to three lost ones may be replaced; each is superseded; a fifth in seven days is refused', async () => {
    const { lab: l, record } = await lab();
    const [first, ...more] = await keys('successors', 7);
    assert.ok(first);
    const old = await enrolled(l, first);
    const made: Held[] = [];
    for (const key of more.slice(0, 4)) made.push(await renewed(l, old, key));
    assert.deepEqual(
      made.map((held) => record(held)?.state),
      ['revoked', 'revoked', 'revoked', 'issued'],
    );
    assert.equal(record(made[0] ?? old)?.revocationReason, 'superseded');
    const [fifth, sixth] = more.slice(4);
    assert.ok(fifth && sixth);
    await refused(l, 'SCEP-328', { signer: old, key: fifth, messageType: 'RenewalReq' });
    l.clock.at += 7 * day;
    await renewed(l, old, sixth);
  });

  test('one that has been used ends the old certificate', async () => {
    const { lab: l } = await lab();
    const [a, b, c, d] = await keys('confirmed', 4);
    assert.ok(a && b && c && d);
    const first = await enrolled(l, a);
    const second = await renewed(l, first, b);
    await renewed(l, second, c);
    await refused(l, 'SCEP-327', { signer: first, key: d, messageType: 'RenewalReq' });
  });

  test('a superseded one cannot renew', async () => {
    const { lab: l } = await lab();
    const [a, b, c, d] = await keys('superseded', 4);
    assert.ok(a && b && c && d);
    const first = await enrolled(l, a);
    const lost = await renewed(l, first, b);
    await renewed(l, first, c);
    await refused(l, 'SCEP-323', { signer: lost, key: d, messageType: 'RenewalReq' });
  });
});

describe('what cannot be renewed', () => {
  test('[10] a certificate of another CA, one that this CA did not record, one of another endpoint', async () => {
    const { lab: l, store } = await lab();
    const foreign = await makeLab({
      config: { cas: { default: { subject: 'CN=Foreign', key: 'rsa:2048' } } },
    });
    const key = await deviceKey('foreign');
    const outsider = await enrolled(foreign, key);
    await refused(l, 'SCEP-301', { signer: outsider, key, messageType: 'RenewalReq' });
    const elsewhere = await enrolled(l, await deviceKey('elsewhere'), { endpoint: 'other' });
    const other = await deviceKey('elsewhere 2');
    await refused(l, 'SCEP-321', { signer: elsewhere, key: other, messageType: 'RenewalReq' });
    // Signed by the CA's key, unknown to the store: a restored or forged table must not count.
    const held = await enrolled(l, await deviceKey('unrecorded'));
    const row = store.dump().find(({ key: at }) => at.endsWith(hex(held.certificate.serial)));
    assert.ok(row);
    await store.write([{ do: 'delete', kind: 'certificate', key: row.key, rev: row.rev }]);
    await refused(l, 'SCEP-321', {
      signer: held,
      key: await deviceKey('u2'),
      messageType: 'RenewalReq',
    });
  });

  test('an expired one; a revoked one; one whose record says another certificate', async () => {
    const { lab: l, store, record } = await lab();
    const [a, b, c] = await keys('expired', 3);
    assert.ok(a && b && c);
    const old = await enrolled(l, a);
    const write = async (changes: Partial<CertificateRecord>) => {
      const row = store.dump().find(({ key }) => key.endsWith(hex(old.certificate.serial)));
      assert.ok(row?.kind === 'certificate');
      await l.deps.store.write([
        {
          do: 'put',
          kind: 'certificate',
          key: row.key,
          rev: row.rev,
          record: { ...(row.record as CertificateRecord), ...changes } as CertificateRecord,
        },
      ]);
    };
    const good = record(old);
    assert.ok(good?.der);
    await write({ state: 'revoked' });
    await refused(l, 'SCEP-323', { signer: old, key: b, messageType: 'RenewalReq' });
    await write({ state: 'voided' });
    await refused(l, 'SCEP-323', { signer: old, key: b, messageType: 'RenewalReq' });
    await write({ state: 'issued', der: 'MAA=' });
    await refused(l, 'SCEP-321', { signer: old, key: b, messageType: 'RenewalReq' });
    await write({ state: 'issued', der: good.der });
    l.clock.at = old.certificate.notAfter;
    await refused(l, 'SCEP-322', { signer: old, key: b, messageType: 'RenewalReq' });
    l.clock.at -= 1000;
    await renewed(l, old, c);
  });

  test('other names than the certificate has', async () => {
    const { lab: l } = await lab();
    const old = await enrolled(l, await deviceKey('names'), { names: ['dns:a.example'] });
    const key = await deviceKey('names 2');
    const base: EnrolOptions = { signer: old, key, messageType: 'RenewalReq' };
    await refused(l, 'SCEP-325', { ...base, subject: 'CN=device-2,O=Test' });
    await refused(l, 'SCEP-325', { ...base, names: ['dns:b.example'] });
    await refused(l, 'SCEP-325', { ...base, names: ['dns:a.example', 'dns:b.example'] });
    assert.ok(await renewed(l, old, key, { names: ['dns:a.example'] }));
  });

  test('a certificate does not renew before its window, nor with its own key where the profile wants a new one', async () => {
    const { lab: l } = await lab({
      endpoint: { renew: { window: '30d' }, profile: 'strict' },
      config: { profiles: { strict: { sameKey: false } } },
    });
    const [a, b] = await keys('window', 2);
    assert.ok(a && b);
    const old = await enrolled(l, a);
    await refused(l, 'SCEP-324', { signer: old, key: b, messageType: 'RenewalReq' });
    l.clock.at = old.certificate.notAfter - 30 * day;
    await refused(l, 'SCEP-326', { signer: old, key: a, messageType: 'RenewalReq' });
    assert.ok(await renewed(l, old, b));
  });

  test('a certificate does not renew before its last third, where the window is a fraction of the validity', async () => {
    const { lab: l } = await lab({
      endpoint: { renew: { window: '1/3' }, profile: 'season' },
      config: { profiles: { season: { validity: '90d' } } },
    });
    const [a, b] = await keys('third', 2);
    assert.ok(a && b);
    const old = await enrolled(l, a);
    const { notBefore, notAfter } = old.certificate;
    const opens = notAfter - (notAfter - notBefore) / 3;
    l.clock.at = opens - 1000;
    await refused(l, 'SCEP-324', { signer: old, key: b, messageType: 'RenewalReq' });
    l.clock.at = opens;
    assert.ok(await renewed(l, old, b));
  });

  test("[75] somebody else's certified key", async () => {
    const { lab: l } = await lab();
    const victim = await deviceKey('victim');
    const challenge = await l.challenge();
    got(await ask(l, { challenge, key: victim, subject: 'CN=victim' }));
    const old = await enrolled(l, await deviceKey('mallory'));
    // He cannot prove possession, so he would have to have the victim's PKCS#10.
    const sent = await enrolment(l, { key: victim, subject });
    await refused(l, 'SCEP-341', {
      signer: old,
      plaintext: sent.request.plaintext,
      messageType: 'RenewalReq',
    });
  });

  test('[15] what is no renewal is an enrolment if a good challenge comes along', async () => {
    const { lab: l } = await lab();
    const foreign = await makeLab({
      config: { cas: { default: { subject: 'CN=Foreign', key: 'rsa:2048' } } },
    });
    const key = await deviceKey('fallback');
    for (const signer of [await enrolled(foreign, key), await enrolled(l, key)]) {
      l.clock.at = Math.max(l.clock.at, signer.certificate.notAfter);
      const challenge = await l.challenge();
      got(await ask(l, { signer, key, challenge, messageType: 'RenewalReq' }));
    }
  });
});

describe('RFC 8894 §2.4: a key belongs to its names', () => {
  test('[75] for as long as its certificate', async () => {
    const { lab: l } = await lab();
    const key = await generateKey({ type: 'EC', curve: 'P-256' });
    const enrol = async (name: string) =>
      ask(l, { challenge: await l.challenge(), key, subject: name });
    const first = got(await enrol('CN=one'));
    const other = await enrol('CN=two');
    assert.ok(other.pkiStatus === 'FAILURE' && /^SCEP-341/.test(other.text ?? ''));
    got(await enrol('CN=one'));
    l.clock.at = first.notAfter + day;
    got(await enrol('CN=two'));
  });
});
