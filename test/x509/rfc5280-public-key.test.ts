// SubjectPublicKeyInfo: which keys are accepted at all, decided from lengths before any cryptography;
// keys that are accepted by their shape and are still no keys verify nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scan, tag } from '../../lib/asn1/reader.ts';
import {
  bits,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromHex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_RSA_BITS, MAX_RSA_EXPONENT_BITS, MIN_RSA_BITS } from '../../lib/base/limits.ts';
import { curves, digests } from '../../lib/crypto/algorithms.ts';
import { keyName, readPublicKey, verifySignature } from '../../lib/x509/public-key.ts';
import { indefinite } from '../support/messages.ts';
import { signers } from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

const oid = objectIdentifier;
const [rsaOid, ecOid, ed25519Oid] = ['1.2.840.113549.1.1.1', '1.2.840.10045.2.1', '1.3.101.112'];
const read = (spki: Bytes) => readPublicKey(scan(spki));
const kindOf = (spki: Bytes) => read(spki)?.kind;

/** An odd modulus of so many bits. */
const modulus = (bitCount: number): Bytes => {
  const magnitude = new Uint8Array(Math.ceil(bitCount / 8)).fill(0xff);
  magnitude[0] = 0xff >> ((8 - (bitCount % 8)) % 8);
  return magnitude;
};
type Rsa = { n?: Bytes; e?: Bytes; key?: Bytes; parameters?: readonly Bytes[] };
const rsa = ({ n = modulus(2048), e = Uint8Array.of(1, 0, 1), key, parameters }: Rsa = {}): Bytes =>
  sequence(
    sequence(oid(rsaOid), ...(parameters ?? [nullValue])),
    bits(key ?? sequence(integer(n), integer(e))),
  );

test('RFC 8017 A.1.1: an RSA modulus has 2048 to 8192 bits, a multiple of eight', () => {
  for (const accepted of [MIN_RSA_BITS, 2056, 3072, 4096, MAX_RSA_BITS]) {
    assert.deepEqual(kindOf(rsa({ n: modulus(accepted) })), { type: 'RSA', bits: accepted });
  }
  for (const refused of [1, 8, 512, 1024, 2040, 2047, 2049, 2052, 3071, 8191, 8200, 16_384]) {
    assert.equal(kindOf(rsa({ n: modulus(refused) })), undefined, `${refused} bits`);
  }
  assert.equal(kindOf(rsa({ n: new Uint8Array(1) })), undefined);
});

test('RFC 8017 §3.1: an even modulus is refused', () => {
  for (const last of [0, 2, 0x80, 0xfe]) {
    const n = modulus(2048);
    n[n.length - 1] = last;
    assert.equal(kindOf(rsa({ n })), undefined);
  }
});

test('RFC 8017 §3.1: a public exponent is odd, above one, and of at most 33 bits', () => {
  const accepted = ['03', '05', '11', '010001', '0100000001', '01ffffffff'];
  for (const e of accepted) assert.equal(kindOf(rsa({ e: fromHex(e) }))?.type, 'RSA', e);
  const refused = ['00', '01', '02', '04', '010000', '01fffffffe', '0200000001'];
  for (const e of [...refused, `${'ff'.repeat(256)}`]) {
    assert.equal(kindOf(rsa({ e: fromHex(e) })), undefined, e);
  }
  assert.equal(MAX_RSA_EXPONENT_BITS, 33);
});

test('RFC 8017 A.1.1: a negative modulus or exponent is refused', () => {
  const negative = (magnitude: Bytes) => tlv(tag.integer, magnitude);
  const e = integer(65_537);
  const n = new Uint8Array(256).fill(0xa5);
  assert.equal(kindOf(rsa({ n }))?.type, 'RSA');
  assert.equal(kindOf(rsa({ key: sequence(negative(n), e) })), undefined);
  const negativeE = negative(Uint8Array.of(0x81, 0x01));
  assert.equal(kindOf(rsa({ key: sequence(integer(modulus(2048)), negativeE) })), undefined);
});

test('RFC 8017 A.1.1: an RSAPublicKey that is not two INTEGERs in DER is refused', () => {
  const [n, e] = [integer(modulus(2048)), integer(65_537)];
  for (const key of [
    new Uint8Array(0),
    utf8('garbage'),
    sequence(),
    sequence(n),
    sequence(n, e, e),
    sequence(octets(modulus(2048)), e),
    concat([sequence(n, e), Uint8Array.of(0)]),
    indefinite(tag.sequence, n, e),
    sequence(tlv(tag.integer, concat([new Uint8Array(2), modulus(2048)])), e),
  ]) {
    assert.throws(() => read(rsa({ key })), malformed(/./));
  }
});

test('RFC 3279 §2.3.1: the parameters of an RSA key are NULL, so that one key has one encoding', () => {
  assert.equal(kindOf(rsa())?.type, 'RSA');
  for (const parameters of [[], [sequence()], [octets(new Uint8Array(0))], [integer(0)]]) {
    assert.equal(kindOf(rsa({ parameters })), undefined);
  }
});

const ec = (parameters: readonly Bytes[], point: Bytes): Bytes =>
  sequence(sequence(oid(ecOid), ...parameters), bits(point));
const pointOf = (curve: 'P-256' | 'P-384' | 'P-521'): Bytes =>
  signers[curve].spki.slice(-(1 + 2 * curves[curve].octets));

test('RFC 5480 §2: an EC key names one of three curves and has an uncompressed point of it', () => {
  for (const { name, oid: curve, octets: size } of Object.values(curves)) {
    const point = pointOf(name);
    assert.deepEqual(kindOf(ec([oid(curve)], point)), { type: 'EC', curve: name });
    const compressed = concat([Uint8Array.of(2), point.subarray(1, 1 + size)]);
    for (const first of [0, 2, 3, 5, 6, 7]) {
      const other = point.slice();
      other[0] = first;
      assert.equal(kindOf(ec([oid(curve)], other)), undefined, `${name} ${first}`);
    }
    const longer = concat([point, Uint8Array.of(0)]);
    for (const odd of [compressed, point.slice(1), point.slice(0, -1), longer, Uint8Array.of(0)]) {
      assert.equal(kindOf(ec([oid(curve)], odd)), undefined);
    }
  }
  assert.equal(kindOf(ec([oid(curves['P-256'].oid)], new Uint8Array(0))), undefined);
});

test('RFC 5480 §2.1.1: a point of another curve than the named one is refused', () => {
  const names = ['P-256', 'P-384', 'P-521'] as const;
  for (const named of names) {
    for (const other of names) {
      const kind = kindOf(ec([oid(curves[named].oid)], pointOf(other)));
      assert.equal(kind?.type, named === other ? 'EC' : undefined, `${other} as ${named}`);
    }
  }
});

test('RFC 5480 §2.1.1: parameters other than one of the three named curves are refused', () => {
  const point = pointOf('P-256');
  const explicitCurve = sequence(integer(1), sequence(oid('1.2.840.10045.1.1'), integer(7)));
  for (const parameters of [[], [nullValue], [explicitCurve], [octets(point)]]) {
    assert.equal(kindOf(ec(parameters, point)), undefined);
  }
  for (const curve of ['1.3.132.0.10', '1.2.840.10045.3.1.1', '1.3.36.3.3.2.8.1.1.7', '1.2.3']) {
    assert.equal(kindOf(ec([oid(curve)], point)), undefined);
  }
});

test('RFC 5480 §2.2: a point that is not on its curve verifies nothing', async () => {
  const message = utf8('message');
  const signature = sequence(integer(1), integer(1));
  for (const { name, oid: curve, octets: size } of Object.values(curves)) {
    const off = pointOf(name);
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
    const zero = concat([Uint8Array.of(4), new Uint8Array(2 * size)]);
    const beyond = concat([Uint8Array.of(4), new Uint8Array(2 * size).fill(0xff)]);
    for (const point of [off, zero, beyond]) {
      const key = read(ec([oid(curve)], point));
      assert.ok(key);
      const scheme = { kind: 'ECDSA', digest: digests['SHA-256'] } as const;
      assert.equal(await verifySignature(key, scheme, message, signature), false);
      assert.equal(await verifySignature(key, scheme, message, signature), false, 'once more');
      const native = { kind: 'ECDSA', digest: digests['SHA-224'] } as const;
      assert.equal(await verifySignature(key, native, message, signature), false);
    }
  }
});

test('RFC 8017 §8.2.2: a modulus that is not a product of primes verifies nothing and causes no error', async () => {
  const key = read(rsa());
  assert.ok(key);
  for (const digest of [digests['SHA-256'], digests.MD5]) {
    const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest } as const;
    for (const signature of [new Uint8Array(256), new Uint8Array(256).fill(1), modulus(2048)]) {
      assert.equal(await verifySignature(key, scheme, utf8('message'), signature), false);
    }
  }
});

test('RFC 8410 §4: an Ed25519 key has 32 octets and no parameters', () => {
  const ed = (parameters: readonly Bytes[], length: number) =>
    sequence(sequence(oid(ed25519Oid), ...parameters), bits(new Uint8Array(length).fill(9)));
  assert.deepEqual(kindOf(ed([], 32)), { type: 'Ed25519' });
  assert.equal(kindOf(ed([nullValue], 32)), undefined);
  for (const length of [0, 31, 33, 57]) assert.equal(kindOf(ed([], length)), undefined);
});

test('RFC 5280 §4.1.2.7: keys of other types are accepted nowhere', () => {
  const key = bits(new Uint8Array(32));
  for (const type of ['1.2.840.10040.4.1', '1.3.101.113', '1.3.101.110', '1.2.840.113549.1.1.10']) {
    assert.equal(kindOf(sequence(sequence(oid(type)), key)), undefined);
    assert.equal(kindOf(sequence(sequence(oid(type), nullValue), key)), undefined);
  }
});

test('RFC 5280 §4.1.2.7: a SubjectPublicKeyInfo with a field missing, too many or in BER is refused', () => {
  const [algorithm, key] = [sequence(oid(rsaOid), nullValue), bits(sequence())];
  for (const spki of [
    sequence(),
    sequence(algorithm),
    sequence(key, algorithm),
    sequence(algorithm, octets(modulus(2048))),
    sequence(algorithm, key, nullValue),
    sequence(sequence(), key),
    sequence(sequence(oid(rsaOid), nullValue, nullValue), key),
    sequence(algorithm, bits(Uint8Array.of(0x80), 7)),
    indefinite(tag.sequence, rsa().subarray(4)),
    nullValue,
  ]) {
    assert.throws(() => read(spki), malformed(/./));
  }
});

test('RFC 5280 §4.1.2.7: a key is named for people, and its octets are kept as they came', () => {
  const named = [rsa({ n: modulus(3072) }), signers['P-384'].spki, signers.Ed25519.spki].map(read);
  assert.deepEqual(
    named.map((key) => key && keyName(key.kind)),
    ['RSA-3072', 'P-384', 'Ed25519'],
  );
  assert.deepEqual(named[1]?.spki, signers['P-384'].spki);
});
