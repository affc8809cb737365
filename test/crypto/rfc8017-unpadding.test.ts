// Unpadding with implicit rejection, exhaustively: the one right encoding gives the message, and every
// other that differs in any octet of the padding gives the fallback, as a new array, without a throw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bytes, concat, equal } from '../../lib/base/bytes.ts';
import { type OaepDigest, unpadOaep, unpadPkcs1 } from '../../lib/crypto/key-transport.ts';
import { hash } from '../../lib/crypto/native.ts';
import { runs } from '../support/vectors.ts';

const message = (length: number): Bytes => Uint8Array.from({ length }, (_, i) => 0x40 + (i % 64));
const fallbackOf = (length: number): Bytes => new Uint8Array(length).fill(0xee);

/** EM = 00 02 PS 00 M of `octets` octets. */
const pkcs1 = (octets: number, m: Bytes): Bytes =>
  concat([
    Uint8Array.of(0, 2),
    new Uint8Array(octets - m.length - 3).fill(0x5a),
    Uint8Array.of(0),
    m,
  ]);

test('RFC 8017 §7.2.2: the message behind a right padding is given, for every length that fits', () => {
  for (const octets of [32, 128, 256, 384, 512]) {
    for (const length of [0, 1, 8, 16, 24, 32, octets - 11]) {
      if (length > octets - 11) continue;
      const opened = unpadPkcs1(pkcs1(octets, message(length)), fallbackOf(length));
      assert.deepEqual(opened, message(length), `${length} of ${octets}`);
    }
  }
});

test('RFC 8017 §7.2.2: any one octet of the header or the separator changed gives the fallback', () => {
  const right = pkcs1(256, message(16));
  for (const at of [0, 1, 239]) {
    for (let mask = 1; mask < 256; mask++) {
      const wrong = right.slice();
      wrong[at] = (wrong[at] ?? 0) ^ mask;
      assert.deepEqual(unpadPkcs1(wrong, fallbackOf(16)), fallbackOf(16), `${at} ^ ${mask}`);
    }
  }
});

test('RFC 8017 §7.2.2: a zero at any place of PS gives the fallback, any other octet the message', () => {
  const right = pkcs1(256, message(16));
  for (let at = 2; at < 239; at++) {
    const wrong = right.slice();
    wrong[at] = 0;
    assert.deepEqual(unpadPkcs1(wrong, fallbackOf(16)), fallbackOf(16), `zero at ${at}`);
    for (const value of [1, 2, 0x7f, 0x80, 0xff]) {
      const other = right.slice();
      other[at] = value;
      assert.deepEqual(unpadPkcs1(other, fallbackOf(16)), message(16), `${value} at ${at}`);
    }
  }
});

test('RFC 8017 §7.2.2: block types 0 and 1, and a PS of zeros or of FF, give the fallback', () => {
  const block = (type: number, fill: number) => {
    const encoded = pkcs1(256, message(16)).fill(fill, 2, 239);
    encoded[1] = type;
    return encoded;
  };
  for (const wrong of [block(0, 0), block(0, 0x5a), block(1, 0xff), block(1, 0x5a), block(2, 0)]) {
    assert.deepEqual(unpadPkcs1(wrong, fallbackOf(16)), fallbackOf(16));
  }
  assert.deepEqual(unpadPkcs1(block(2, 0xff), fallbackOf(16)), message(16));
  for (const fill of [0, 1, 2, 0xff]) {
    assert.deepEqual(
      unpadPkcs1(new Uint8Array(256).fill(fill), fallbackOf(16)),
      fallbackOf(16),
      `all octets ${fill}`,
    );
  }
});

test('RFC 8017 §7.2.2: a message of another length than the key gives the fallback', () => {
  for (const wanted of [8, 16, 24, 32]) {
    for (let length = 0; length <= 48; length++) {
      const opened = unpadPkcs1(pkcs1(256, message(length)), fallbackOf(wanted));
      assert.deepEqual(opened, length === wanted ? message(wanted) : fallbackOf(wanted));
    }
  }
});

test('RFC 8017 §7.2.2: PS has at least eight octets', () => {
  for (const length of [16, 24, 32]) {
    for (let octets = length; octets <= length + 16; octets++) {
      const encoded = octets >= length + 3 ? pkcs1(octets, message(length)) : message(octets);
      const expected = octets >= length + 11 ? message(length) : fallbackOf(length);
      assert.deepEqual(unpadPkcs1(encoded, fallbackOf(length)), expected, `${octets} octets`);
    }
  }
  assert.deepEqual(unpadPkcs1(new Uint8Array(0), fallbackOf(16)), fallbackOf(16));
});

test('RFC 8017 §7.2.2: octets of the message are taken as they are, zeros included', () => {
  for (const fill of [0, 1, 2, 0xff]) {
    const m = new Uint8Array(32).fill(fill);
    assert.deepEqual(unpadPkcs1(pkcs1(256, m), fallbackOf(32)), m);
  }
});

/** MGF1 (RFC 8017 B.2.1), written here once more, by the text of the standard. */
function mgf1(digest: OaepDigest, seed: Bytes, length: number): Bytes {
  let mask: Bytes = new Uint8Array(0);
  for (let counter = 0; mask.length < length; counter++) {
    const octets = new Uint8Array(4);
    new DataView(octets.buffer).setUint32(0, counter);
    mask = concat([mask, hash(digest, concat([seed, octets]))]);
  }
  return mask.slice(0, length);
}
const xor = (a: Bytes, b: Bytes): Bytes => a.map((octet, i) => octet ^ (b[i] ?? 0));

type Oaep = { readonly digest: OaepDigest; readonly mgf1: OaepDigest };
const seedOf = (length: number): Bytes => Uint8Array.from({ length }, (_, i) => 0xa0 ^ i);

/** EM = 00 maskedSeed maskedDB from a data block as it is given. */
function maskOaep(
  octets: number,
  dataBlock: Bytes,
  { digest, mgf1: mask }: Oaep,
  first = 0,
): Bytes {
  const hashOctets = hash(digest, new Uint8Array(0)).length;
  const seed = seedOf(hashOctets);
  const maskedBlock = xor(dataBlock, mgf1(mask, seed, octets - hashOctets - 1));
  const maskedSeed = xor(seed, mgf1(mask, maskedBlock, hashOctets));
  return concat([Uint8Array.of(first), maskedSeed, maskedBlock]);
}

/** DB = lHash PS 01 M. */
function dataBlock(octets: number, m: Bytes, digest: OaepDigest, label: Bytes = message(0)): Bytes {
  const lHash = hash(digest, label);
  const zeros = new Uint8Array(octets - 2 * lHash.length - m.length - 2);
  return concat([lHash, zeros, Uint8Array.of(1), m]);
}

const variants: Oaep[] = [
  { digest: 'SHA-1', mgf1: 'SHA-1' },
  { digest: 'SHA-256', mgf1: 'SHA-256' },
  { digest: 'SHA-256', mgf1: 'SHA-1' },
  { digest: 'SHA-1', mgf1: 'SHA-256' },
];

test('RFC 8017 §7.1.2: the message of a right encoding is given, for every length that fits', () => {
  for (const oaep of variants) {
    const hashOctets = hash(oaep.digest, new Uint8Array(0)).length;
    for (const octets of [128, 256, 384]) {
      for (const length of [0, 1, 8, 16, 24, 32, octets - 2 * hashOctets - 2]) {
        const encoded = maskOaep(octets, dataBlock(octets, message(length), oaep.digest), oaep);
        assert.deepEqual(unpadOaep(encoded, fallbackOf(length), oaep), message(length));
      }
    }
  }
});

test('RFC 8017 §7.1.2: any octet of lHash, PS or the separator changed gives the fallback', () => {
  for (const oaep of variants) {
    const right = dataBlock(256, message(16), oaep.digest);
    for (let at = 0; at < right.length - 16; at++) {
      for (const mask of [0x01, 0x02, 0x80, 0xff]) {
        const wrong = right.slice();
        wrong[at] = (wrong[at] ?? 0) ^ mask;
        const opened = unpadOaep(maskOaep(256, wrong, oaep), fallbackOf(16), oaep);
        assert.deepEqual(opened, fallbackOf(16), `${at} ^ ${mask}`);
      }
    }
  }
});

test('RFC 8017 §7.1.2: a first octet other than zero gives the fallback', () => {
  for (const oaep of variants) {
    for (let first = 1; first < 256; first++) {
      const encoded = maskOaep(256, dataBlock(256, message(16), oaep.digest), oaep, first);
      assert.deepEqual(unpadOaep(encoded, fallbackOf(16), oaep), fallbackOf(16));
    }
  }
});

test('RFC 8017 §7.1.2: any octet of the masked seed or block changed never gives the message', () => {
  const [oaep = { digest: 'SHA-1', mgf1: 'SHA-1' }] = variants;
  const encoded = maskOaep(256, dataBlock(256, message(16), oaep.digest), oaep);
  for (let at = 0; at < encoded.length; at++) {
    const wrong = encoded.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 0x01;
    assert.deepEqual(unpadOaep(wrong, fallbackOf(16), oaep), fallbackOf(16), `octet ${at}`);
  }
});

test('RFC 8017 §7.1.2: a message of another length than the key gives the fallback', () => {
  const oaep = { digest: 'SHA-256', mgf1: 'SHA-256' } as const;
  for (const wanted of [8, 16, 24, 32]) {
    for (let length = 0; length <= 48; length++) {
      const encoded = maskOaep(256, dataBlock(256, message(length), 'SHA-256'), oaep);
      const opened = unpadOaep(encoded, fallbackOf(wanted), oaep);
      assert.deepEqual(opened, length === wanted ? message(wanted) : fallbackOf(wanted));
    }
  }
});

test('RFC 8017 §7.1: a label that is not empty, or another digest or mask, gives the fallback', () => {
  const labelled = dataBlock(256, message(16), 'SHA-1', message(1));
  const sha1 = { digest: 'SHA-1', mgf1: 'SHA-1' } as const;
  assert.deepEqual(unpadOaep(maskOaep(256, labelled, sha1), fallbackOf(16), sha1), fallbackOf(16));
  for (const written of variants) {
    const encoded = maskOaep(256, dataBlock(256, message(16), written.digest), written);
    for (const read of variants) {
      const expected = read === written ? message(16) : fallbackOf(16);
      assert.deepEqual(unpadOaep(encoded, fallbackOf(16), read), expected);
    }
  }
});

test('RFC 8017 §7.1.1: a modulus too short for the key gives the fallback', () => {
  const sha256 = { digest: 'SHA-256', mgf1: 'SHA-256' } as const;
  for (let octets = 0; octets < 2 * 32 + 2 + 16; octets++) {
    const encoded = new Uint8Array(octets);
    assert.deepEqual(unpadOaep(encoded, fallbackOf(16), sha256), fallbackOf(16));
  }
});

test('RFC 8017 §7.2.2: any octets are opened exactly when they read 00 02 PS 00 M', () => {
  const octet = fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.integer({ min: 0, max: 255 }));
  const tail = fc.array(octet, { maxLength: 60 });
  const likely = fc
    .tuple(fc.uint8Array({ min: 1, minLength: 7, maxLength: 9 }), tail)
    .map(([ps, rest]) => [0, 2, ...ps, 0, ...rest]);
  fc.assert(
    fc.property(fc.oneof(tail, likely), fc.constantFrom(8, 16, 24, 32), (list, length) => {
      const encoded = Uint8Array.from(list);
      const at = encoded.length - length;
      const right =
        at >= 11 &&
        encoded[0] === 0 &&
        encoded[1] === 2 &&
        encoded.subarray(2, at - 1).every((each) => each !== 0) &&
        encoded[at - 1] === 0;
      const expected = right ? encoded.slice(at) : fallbackOf(length);
      assert.deepEqual(unpadPkcs1(encoded, fallbackOf(length)), expected);
    }),
    runs(500),
  );
});

test('RFC 8017 §7.1.2: random octets give the fallback, and never an error', () => {
  const oaep = { digest: 'SHA-1', mgf1: 'SHA-256' } as const;
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(8, 16, 24, 32),
      (encoded, length) => {
        assert.ok(equal(unpadOaep(encoded, fallbackOf(length), oaep), fallbackOf(length)));
      },
    ),
    runs(200),
  );
});
