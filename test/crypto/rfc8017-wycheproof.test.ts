// Wycheproof through the code that opens requests and verifies signatures. `unwrapKey` knows how long
// the key must be, so a valid vector is asked for at its own length and at others; an invalid one
// gives exactly the fallback at every length. How many vectors ran in each class is asserted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, fromHex } from '../../lib/base/bytes.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { type KeyTransport, unwrapKey } from '../../lib/crypto/key-transport.ts';
import { rsaPrivateKey } from '../../lib/crypto/native.ts';
import { readPublicKey, verifySignature } from '../../lib/x509/public-key.ts';
import { tally, wycheproof } from '../support/vectors.ts';

type DecryptionGroup = { readonly privateKeyPkcs8: string; readonly keySize: number };
type DecryptionTest = { readonly msg: string; readonly ct: string; readonly label?: string };

/** Content-encryption keys have 8 (DES), 16, 24 or 32 octets; the others are neighbours. */
const lengths = [0, 1, 7, 8, 9, 15, 16, 17, 20, 24, 31, 32, 33, 48, 64, 128];
const fallbackOf = (length: number): Bytes => new Uint8Array(length).fill(0xee);

function decryption(name: string, transport: KeyTransport): Record<string, number> {
  const ran = tally();
  for (const group of wycheproof<DecryptionGroup, DecryptionTest>(name)) {
    const key = rsaPrivateKey(fromHex(group.privateKeyPkcs8));
    for (const { tcId, msg, ct, label, result } of group.tests) {
      const open = (length: number) => unwrapKey(transport, key, fromHex(ct), fallbackOf(length));
      const message = fromHex(msg);
      const labelled = label !== undefined && label !== '';
      const opens = result === 'valid' && !labelled;
      ran.count(labelled ? `${result}, labelled` : result);
      for (const length of new Set([...lengths, message.length])) {
        const expected = opens && length === message.length ? message : fallbackOf(length);
        assert.deepEqual(open(length), expected, `vector ${tcId} at ${length} octets`);
      }
    }
  }
  return { ...ran.of };
}

test('RFC 8017 §7.2.2: RSAES-PKCS1-v1_5 opens and rejects as Wycheproof asks, 2048 bits', () => {
  const ran = decryption('rsa_pkcs1_2048', { kind: 'RSAES-PKCS1-v1_5' });
  assert.deepEqual(ran, { valid: 42, invalid: 25 });
});

test('RFC 8017 §7.2.2: RSAES-PKCS1-v1_5 opens and rejects as Wycheproof asks, 3072 bits', () => {
  const ran = decryption('rsa_pkcs1_3072', { kind: 'RSAES-PKCS1-v1_5' });
  assert.deepEqual(ran, { valid: 41, invalid: 26 });
});

test('RFC 8017 §7.1.2: RSAES-OAEP with SHA-1 opens without a label and rejects as Wycheproof asks', () => {
  const transport: KeyTransport = { kind: 'RSAES-OAEP', digest: 'SHA-1', mgf1: 'SHA-1' };
  const ran = decryption('rsa_oaep_2048_sha1_mgf1sha1', transport);
  assert.deepEqual(ran, { valid: 10, 'valid, labelled': 7, invalid: 19 });
});

test('RFC 8017 §7.1.2: RSAES-OAEP with SHA-256 opens without a label and rejects as asked', () => {
  const transport: KeyTransport = { kind: 'RSAES-OAEP', digest: 'SHA-256', mgf1: 'SHA-256' };
  for (const bits of [2048, 3072]) {
    const ran = decryption(`rsa_oaep_${bits}_sha256_mgf1sha256`, transport);
    assert.deepEqual(ran, { valid: 10, 'valid, labelled': 8, invalid: 19 });
  }
});

test('RFC 8017 §7.1: a vector of one digest or mask gives the fallback under any other', () => {
  const sha = ['SHA-1', 'SHA-256'] as const;
  const others: KeyTransport[] = [
    { kind: 'RSAES-PKCS1-v1_5' },
    ...sha.flatMap((digest) => sha.map((mgf1) => ({ kind: 'RSAES-OAEP', digest, mgf1 }) as const)),
  ];
  for (const [name, digest] of [
    ['rsa_oaep_2048_sha1_mgf1sha1', 'SHA-1'],
    ['rsa_oaep_2048_sha256_mgf1sha256', 'SHA-256'],
  ] as const) {
    const [group] = wycheproof<DecryptionGroup, DecryptionTest>(name);
    const vector = group?.tests.find(({ result, msg }) => result === 'valid' && msg.length === 64);
    assert.ok(group && vector);
    const key = rsaPrivateKey(fromHex(group.privateKeyPkcs8));
    const opened = others.filter((transport) =>
      Buffer.from(unwrapKey(transport, key, fromHex(vector.ct), fallbackOf(32))).equals(
        fromHex(vector.msg),
      ),
    );
    assert.deepEqual(opened, [{ kind: 'RSAES-OAEP', digest, mgf1: digest }]);
  }
});

type SignatureGroup = { readonly publicKeyDer: string };
type SignatureTest = { readonly msg: string; readonly sig: string };

test('RFC 8017 §8.2.2: RSASSA-PKCS1-v1_5 verifies as Wycheproof asks, and nothing acceptable', async () => {
  const ran = tally();
  const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
  for (const group of wycheproof<SignatureGroup, SignatureTest>('rsa_signature_2048_sha256')) {
    const key = readPublicKey(scan(fromHex(group.publicKeyDer)));
    assert.ok(key);
    for (const { tcId, msg, sig, result } of group.tests) {
      const verified = await verifySignature(key, scheme, fromHex(msg), fromHex(sig));
      assert.equal(verified, result === 'valid', `vector ${tcId}`);
      ran.count(result);
    }
  }
  assert.deepEqual(ran.of, { valid: 9, acceptable: 1, invalid: 249 });
});
