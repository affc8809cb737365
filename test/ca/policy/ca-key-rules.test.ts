// Keys that no request may come with: what each is told, and that it costs nothing and nobody.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, base64, hex, utf8 } from '../../../lib/base/bytes.ts';
import { RA_RELOAD_MS, REFUSAL_PLACES } from '../../../lib/base/limits.ts';
import { hash } from '../../../lib/crypto/native.ts';
import type { Challenge } from '../../../lib/ports/records/records.ts';
import type { AuthorityRecord } from '../../../lib/ports/records/registry.ts';
import type { Transaction } from '../../../lib/ports/records/transaction.ts';
import { type ClientKey, importKey, selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey, memoryRaKeys } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type EnrolOptions, enrolment, random } from '../../support/messages.ts';
import { nextPrime, randomPrime, rocaFactor, rsaKey } from '../../support/weak-keys.ts';

const spkiHash = ({ spki }: ClientKey): string => hex(hash('SHA-256', spki));

async function ask(lab: Lab, options: EnrolOptions) {
  const sent = await enrolment(lab, options);
  return sent.read(await lab.operate(sent.message));
}

async function refused(lab: Lab, code: string, options: EnrolOptions): Promise<string> {
  const answer = await ask(lab, options);
  assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
  return answer.failInfo;
}

/** The pair that the test's key store keeps under this name. */
async function heldKey(name: string): Promise<ClientKey> {
  const pkcs8 = await memoryRaKeys.unseal(utf8(name), { ca: 'default', purpose: 'ra' });
  const key = await importKey(pkcs8);
  assert.ok(key);
  return key;
}

const primeTwoModThree = (): bigint => {
  for (;;) {
    const prime = randomPrime(1024);
    if (prime % 3n === 2n) return prime;
  }
};

const p = randomPrime(1024);
const weak: readonly (readonly [string, string, () => Promise<ClientKey>])[] = [
  ['SCEP-411', 'badAlg', () => rsaKey(primeTwoModThree(), primeTwoModThree(), 3n)],
  ['SCEP-412', 'badRequest', () => rsaKey(randomPrime(2038), 751n)],
  ['SCEP-413', 'badRequest', () => rsaKey(p, nextPrime(p + 2n))],
  ['SCEP-414', 'badRequest', () => rsaKey(rocaFactor(2048, true), rocaFactor(2048, true))],
];

describe('RFC 8894 §3.2.1.4: keys that are not certified', () => {
  for (const [code, failInfo, make] of weak) {
    test(`a weak key is refused as ${code} before anything is read, and spends no challenge`, async () => {
      const store = new MemoryStore();
      const lab = await makeLab({ store });
      const challenge = await lab.challenge();
      const key = await make();
      lab.calls.length = 0;
      for (let i = 0; i < 12; i++) {
        assert.equal(await refused(lab, code, { challenge, key }), failInfo);
      }
      // The budget of refusals gives ten places.
      const writes = Array(1 + REFUSAL_PLACES).fill('store.write');
      assert.deepEqual(lab.calls, ['store.read', ...writes], 'only that they were refused');
      const said = lab.log.at(-1);
      assert.equal(said?.code, code);
      assert.equal(said?.spkiHash, spkiHash(key));
      const good = await ask(lab, { challenge, key: await deviceKey('rules good') });
      assert.equal(good.pkiStatus, 'SUCCESS', 'the challenge is as it was');
    });
  }

  test('a blocked key is refused as SCEP-416, whatever the case of its hash in the configuration', async () => {
    const key = await deviceKey('rules blocked');
    for (const digits of [spkiHash(key), spkiHash(key).toUpperCase()]) {
      const lab = await makeLab({ config: { blockedKeys: ['0'.repeat(64), digits] } });
      const challenge = await lab.challenge();
      assert.equal(await refused(lab, 'SCEP-416', { challenge, key }), 'badRequest');
      const other = await deviceKey('rules not blocked');
      assert.equal((await ask(lab, { challenge, key: other })).pkiStatus, 'SUCCESS');
    }
  });

  test('a key that was blocked after its certificate was made signs no renewal', async () => {
    const store = new MemoryStore();
    const before = await makeLab({ store });
    const key = await deviceKey('rules compromised');
    const answer = await ask(before, { challenge: await before.challenge(), key });
    assert.ok(answer.pkiStatus === 'SUCCESS');
    const certificate = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
    const next = await deviceKey('rules successor');
    const renewal = { signer: { certificate, key }, key: next, messageType: 'RenewalReq' } as const;
    const after = await makeLab({ store, config: { blockedKeys: [spkiHash(key)] } });
    await refused(after, 'SCEP-416', renewal);
    assert.equal(after.log.at(-1)?.keyOf, 'signer');
    assert.equal((await ask(before, renewal)).pkiStatus, 'SUCCESS', 'it would have been renewed');
  });

  test('a request that waits is denied when its key is blocked before it is approved', async () => {
    const store = new MemoryStore();
    const endpoint = { approval: 'always' } as const;
    const before = await makeLab({ store, endpoint });
    const key = await deviceKey('rules pending');
    const challenge = await before.challenge();
    assert.equal((await ask(before, { challenge, key })).pkiStatus, 'PENDING');
    const after = await makeLab({ store, endpoint, config: { blockedKeys: [spkiHash(key)] } });
    const transaction = () =>
      store.dump().find(({ kind }) => kind === 'transaction')?.record as Transaction;
    const headers = { authorization: `Bearer ${after.adminToken}` };
    const approve = `/api/v1/transactions/${transaction().id}/approve`;
    const done = await after.fetch(approve, { method: 'POST', headers, body: '{}' });
    assert.equal(done.status, 200);
    await refused(after, 'SCEP-416', {
      key,
      messageType: 'CertPoll',
      plaintext: new Uint8Array(0),
    });
    assert.equal(transaction().state, 'denied');
    const used = store.dump().find(({ kind }) => kind === 'challenge')?.record as Challenge;
    assert.equal(used.failures, 0);
  });
});

describe('RFC 8894 §3.2.1.4: keys of our own', () => {
  const two = {
    cas: {
      default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
      second: { subject: 'CN=Second CA', key: 'rsa:2048' },
    },
  } as const;
  for (const name of ['ca default rsa2048', 'ca second rsa2048', 'ra default', 'ra second']) {
    test(`the key "${name}" is never a device's`, async () => {
      const lab = await makeLab({ config: two });
      const key = await heldKey(name);
      const challenge = await lab.challenge();
      assert.equal(await refused(lab, 'SCEP-417', { challenge, key }), 'badRequest');
    });
  }

  test('a retired RA generation stays one of our keys', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    const key = await deviceKey('rules retired');
    const now = lab.clock.now();
    const retired: Bytes = (await selfSigned(key, parseName('CN=old RA'), now, random)).der;
    const row = store.dump().find(({ kind }) => kind === 'authority');
    assert.ok(row);
    const authority = row.record as AuthorityRecord;
    const generation = {
      id: 0,
      state: 'retired',
      certificate: base64(retired),
      sealedKey: '',
    } as const;
    const record = { ...authority, generations: [...authority.generations, generation] };
    const { key: id, rev } = row;
    await lab.deps.store.write([{ do: 'put', kind: 'authority', key: id, rev, record }]);
    lab.clock.at += RA_RELOAD_MS;
    await refused(lab, 'SCEP-417', { challenge: await lab.challenge(), key });
  });
});
