// Verification of signatures with a SubjectPublicKeyInfo: Wycheproof's ECDSA vectors, each digest of the
// registry with each kind of key, and the shapes of an Ecdsa-Sig-Value that are refused.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { scan, tag } from '../../lib/asn1/reader.ts';
import { integer, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromHex, utf8 } from '../../lib/base/bytes.ts';
import { type CurveName, curves, type DigestName, digests } from '../../lib/crypto/algorithms.ts';
import type { SignatureScheme } from '../../lib/x509/algorithm.ts';
import { derEcdsa, rawEcdsa, readPublicKey, verifySignature } from '../../lib/x509/public-key.ts';
import { flipped, malformed, runs, tally, wycheproof } from '../support/vectors.ts';

type Group = { readonly publicKeyDer: string };
type Vector = { readonly msg: string; readonly sig: string };

test('RFC 5758 §3.2: ECDSA on P-256 with SHA-256 verifies exactly what Wycheproof calls valid', async () => {
  const ran = tally();
  const scheme = { kind: 'ECDSA', digest: digests['SHA-256'] } as const;
  for (const { publicKeyDer, tests } of wycheproof<Group, Vector>('ecdsa_secp256r1_sha256')) {
    const key = readPublicKey(scan(fromHex(publicKeyDer)));
    assert.ok(key);
    for (const { tcId, msg, sig, result } of tests) {
      const verified = await verifySignature(key, scheme, fromHex(msg), fromHex(sig));
      assert.equal(verified, result === 'valid', `vector ${tcId}`);
      ran.count(result);
    }
  }
  assert.deepEqual(ran.of, { valid: 174, invalid: 310 });
});

const nodeDigests: Record<DigestName, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};
const digestNames = Object.keys(digests) as DigestName[];
const message = utf8('what is signed');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = Object.values(curves).map(({ name }) => ({
  name,
  ...generateKeyPairSync('ec', { namedCurve: name }),
}));
const ed25519 = generateKeyPairSync('ed25519');
const keyOf = ({ publicKey }: Pick<typeof rsa, 'publicKey'>) => {
  const key = readPublicKey(scan(concat([publicKey.export({ type: 'spki', format: 'der' })])));
  assert.ok(key);
  return key;
};

test('RFC 4055 §5: RSASSA-PKCS1-v1_5 verifies with each digest and with no other', async () => {
  const key = keyOf(rsa);
  for (const name of digestNames) {
    const signature = concat([sign(nodeDigests[name], message, rsa.privateKey)]);
    for (const other of digestNames) {
      const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests[other] } as const;
      const verified = await verifySignature(key, scheme, message, signature);
      assert.equal(verified, other === name, `${name} as ${other}`);
    }
  }
});

test('RFC 5758 §3.2: ECDSA verifies with each digest on each curve, and with no other', async () => {
  for (const pair of ec) {
    const key = keyOf(pair);
    assert.deepEqual(key.kind, { type: 'EC', curve: pair.name });
    for (const name of digestNames) {
      if (digests[name].ecdsaOid === undefined) continue;
      const signature = concat([sign(nodeDigests[name], message, pair.privateKey)]);
      for (const other of digestNames) {
        const scheme = { kind: 'ECDSA', digest: digests[other] } as const;
        const verified = await verifySignature(key, scheme, message, signature);
        assert.equal(verified, other === name, `${pair.name}: ${name} as ${other}`);
      }
    }
  }
});

test('RFC 8410 §3: Ed25519 verifies, and one changed octet of the message does not', async () => {
  const key = keyOf(ed25519);
  const scheme = { kind: 'Ed25519', digest: digests['SHA-512'] } as const;
  const signature = concat([sign(null, message, ed25519.privateKey)]);
  assert.equal(await verifySignature(key, scheme, message, signature), true);
  assert.equal(await verifySignature(key, scheme, flipped(message, 3, 1), signature), false);
  assert.equal(await verifySignature(key, scheme, message, signature.slice(1)), false);
});

test('RFC 5280 §4.1.1.2: a scheme never verifies with a key of another kind', async () => {
  const digest = digests['SHA-256'];
  const schemes: SignatureScheme[] = [
    { kind: 'RSASSA-PKCS1-v1_5', digest },
    { kind: 'RSA-PSS', digest, saltOctets: 32 },
    { kind: 'ECDSA', digest },
    { kind: 'Ed25519', digest: digests['SHA-512'] },
  ];
  const [p256] = ec;
  assert.ok(p256);
  const signed: [typeof rsa, SignatureScheme['kind'], Bytes][] = [
    [rsa, 'RSASSA-PKCS1-v1_5', concat([sign('sha256', message, rsa.privateKey)])],
    [p256, 'ECDSA', concat([sign('sha256', message, p256.privateKey)])],
    [ed25519, 'Ed25519', concat([sign(null, message, ed25519.privateKey)])],
  ];
  for (const [pair, kind, signature] of signed) {
    for (const scheme of schemes) {
      const verified = await verifySignature(keyOf(pair), scheme, message, signature);
      assert.equal(verified, scheme.kind === kind, `${kind} as ${scheme.kind}`);
    }
  }
});

test('RFC 5280 §4.1.1.3: signatures of any other length or of no octets verify false', async () => {
  const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
  const signature = concat([sign('sha256', message, rsa.privateKey)]);
  const zero = new Uint8Array(1);
  for (const wrong of [
    new Uint8Array(0),
    new Uint8Array(256),
    new Uint8Array(256).fill(0xff),
    signature.slice(1),
    signature.slice(0, -1),
    concat([zero, signature]),
    concat([signature, zero]),
  ]) {
    assert.equal(await verifySignature(keyOf(rsa), scheme, message, wrong), false);
  }
});

const halves = (curve: CurveName) => {
  const half = fc.uint8Array({ minLength: curves[curve].octets, maxLength: curves[curve].octets });
  return fc.tuple(half, half).map((pair) => concat(pair));
};

test('RFC 3279 §2.2.3: r and s go to an Ecdsa-Sig-Value and back, leading zeros included', () => {
  for (const { name, octets } of Object.values(curves)) {
    const sparse = fc
      .tuple(fc.nat({ max: octets }), fc.nat({ max: octets }))
      .map(([r, s]) => new Uint8Array(2 * octets).fill(0x81, r, octets).fill(0x7f, octets + s));
    fc.assert(
      fc.property(fc.oneof(halves(name), sparse), (raw) => {
        assert.deepEqual(rawEcdsa(derEcdsa(raw), octets), raw);
      }),
      runs(100),
    );
  }
});

test('RFC 3279 §2.2.3: an Ecdsa-Sig-Value of another shape is refused', () => {
  const refuses = (value: Bytes, sentence: RegExp) =>
    assert.throws(() => rawEcdsa(value, 32), malformed(sentence));
  const one = integer(1);
  refuses(sequence(one), /no s/);
  refuses(sequence(), /no r/);
  refuses(sequence(one, one, one), /field too many/);
  refuses(tlv(tag.set, one, one), /Ecdsa-Sig-Value/);
  refuses(concat([sequence(one, one), Uint8Array.of(0)]), /after the end/);
  refuses(sequence(one, tlv(tag.integer, Uint8Array.of(0xff))), /out of range/);
  refuses(sequence(one, tlv(tag.integer, Uint8Array.of(0, 1))), /not DER/);
  refuses(sequence(one, integer(new Uint8Array(33).fill(1))), /out of range/);
  refuses(sequence(integer(new Uint8Array(5000).fill(1)), one), /out of range/);
  refuses(tlv(0x30, one, tlv(tag.enumerated, Uint8Array.of(1))), /no s/);
  assert.equal(rawEcdsa(sequence(integer(new Uint8Array(32).fill(0xff)), one), 32).length, 64);
});
