// Weak keys, each made from the published description of its weakness, and several hundred sound ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scan } from '../../lib/asn1/reader.ts';
import { bits, objectIdentifier, sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromBase64, hex } from '../../lib/base/bytes.ts';
import {
  FERMAT_ROUNDS,
  MIN_CERTIFIED_EXPONENT,
  SMALL_FACTOR_BOUND,
} from '../../lib/base/limits.ts';
import { type CurveName, curves } from '../../lib/crypto/algorithms.ts';
import { reasons } from '../../lib/refusal/reasons.ts';
import { weaknessOf } from '../../lib/x509/key-hygiene.ts';
import { readPublicKey } from '../../lib/x509/public-key.ts';
import { signers } from '../support/signed-data.ts';
import { vectorText } from '../support/vectors.ts';
import {
  inverse,
  nextPrime,
  octetsOf,
  power,
  random,
  randomPrime,
  rocaFactor,
  rsaSpki,
} from '../support/weak-keys.ts';

function weakness(spki: Bytes): string {
  const key = readPublicKey(scan(spki));
  assert.ok(key, 'the key is refused for its type or size already');
  return weaknessOf(key) ?? 'none';
}

const goodModuli = vectorText('keys/rsa-moduli.txt')
  .trim()
  .split('\n')
  .map((line) => BigInt(`0x${hex(fromBase64(line))}`));
const [goodModulus = 0n] = goodModuli;

test('no key of openssl, of 2048 to 8192 bits, is called weak', () => {
  const sizes = new Set(goodModuli.map((modulus) => modulus.toString(2).length));
  assert.deepEqual([...sizes], [2048, 3072, 4096, 2304, 6144, 8192]);
  assert.ok(goodModuli.length >= 300);
  assert.equal(new Set(goodModuli).size, goodModuli.length);
  for (const modulus of goodModuli) assert.equal(weakness(rsaSpki(modulus)), 'none');
});

test('no fresh key of WebCrypto is called weak', async () => {
  for (let i = 0; i < 5; i++) {
    const name = 'RSASSA-PKCS1-v1_5';
    const publicExponent = Uint8Array.of(1, 0, 1);
    const { publicKey } = await crypto.subtle.generateKey(
      { name, modulusLength: 2048, publicExponent, hash: 'SHA-256' },
      false,
      ['sign', 'verify'],
    );
    const spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));
    assert.equal(weakness(spki), 'none');
  }
});

test('FIPS 186-5 §5.1: an exponent below 65537 is refused, a larger odd one is not', () => {
  for (const e of [3n, 5n, 17n, 257n, 65_535n]) {
    assert.equal(weakness(rsaSpki(goodModulus, e)), 'smallExponent', `${e}`);
  }
  for (const e of [65_537n, 65_539n, 2n ** 32n + 15n, 2n ** 33n - 1n]) {
    assert.equal(weakness(rsaSpki(goodModulus, e)), 'none', `${e}`);
  }
  assert.equal(MIN_CERTIFIED_EXPONENT, 65_537);
});

test('FIPS 186-5 §5.1: an even exponent, 1, and an exponent of more than 33 bits make no key', () => {
  for (const e of [1n, 2n, 65_536n, 2n ** 33n + 1n, 2n ** 255n + 1n]) {
    assert.equal(readPublicKey(scan(rsaSpki(goodModulus, e))), undefined, `${e}`);
  }
});

/** A multiple of the factor by a prime, of 2048 bits. */
const with2048Bits = (factor: bigint): bigint => {
  for (;;) {
    const cofactor = nextPrime((3n << 2046n) / factor + random(1024));
    const modulus = factor * cofactor;
    if (modulus.toString(2).length === 2048) return modulus;
  }
};

test('NIST SP 800-89 §5.3.3: a factor below 752 is found, one above is not looked for', () => {
  for (const factor of [3n, 167n, 751n]) {
    assert.equal(weakness(rsaSpki(with2048Bits(factor))), 'smallFactor', `${factor}`);
  }
  assert.equal(weakness(rsaSpki(with2048Bits(757n))), 'none');
  assert.equal(SMALL_FACTOR_BOUND, 752);
});

test('CVE-2017-15361: keys as the Infineon library made them are found, of all sizes', () => {
  for (const size of [2048, 3072, 3968, 4096, 8192]) {
    const modulus = rocaFactor(size, false) * rocaFactor(size, false);
    assert.equal(modulus.toString(2).length, size);
    assert.equal(weakness(rsaSpki(modulus)), 'roca', `${size}`);
  }
  const prime = rocaFactor(2048, true) * rocaFactor(2048, true);
  assert.equal(weakness(rsaSpki(prime)), 'roca');
});

/** Chinese remainder: the number below the product of the moduli with these remainders. */
function chinese(congruences: readonly (readonly [number, number])[]): bigint {
  const product = congruences.reduce((all, [, modulus]) => all * BigInt(modulus), 1n);
  return congruences.reduce((sum, [remainder, modulus]) => {
    const others = product / BigInt(modulus);
    return (sum + BigInt(remainder) * others * inverse(others, BigInt(modulus))) % product;
  }, 0n);
}

const primesTo167 = Array.from({ length: 166 }, (_, i) => i + 2).filter((n) =>
  Array.from({ length: n - 2 }, (_, i) => i + 2).every((d) => n % d !== 0),
);

test('CVE-2017-15361: a modulus that is a power of 65537 modulo each prime, by different exponents, is accepted', () => {
  // As the first test of a ROCA fingerprint has it: one sound key in 2^28 passes that.
  const residues = (exponents: (prime: number) => bigint) =>
    primesTo167.map((prime) => [Number(power(65_537n, exponents(prime), BigInt(prime))), prime]);
  const product = primesTo167.reduce((all, prime) => all * BigInt(prime), 1n);
  const withResidues = (exponents: (prime: number) => bigint): bigint => {
    const least = chinese(residues(exponents) as [number, number][]);
    for (let k = (3n << 2046n) / product; ; k++) {
      const modulus = k * product + least;
      if (weakness(rsaSpki(modulus)) !== 'smallFactor') return modulus;
    }
  };
  assert.equal(weakness(rsaSpki(withResidues(() => 123_456_789n))), 'roca');
  // 11 and 13 both have even orders: an odd and an even exponent are no one exponent.
  const odd = new Set([11]);
  const mixed = withResidues((prime) => (odd.has(prime) ? 123_456_789n : 123_456_788n));
  assert.equal(weakness(rsaSpki(mixed)), 'none');
});

test('BR 6.1.1.3: primes that a hundred rounds of Fermat find are refused, others are not', () => {
  const root = (value: bigint): bigint => {
    let [low, high] = [0n, 1n << 600n];
    while (high - low > 1n) {
      const middle = (low + high) / 2n;
      if (middle * middle <= value) low = middle;
      else high = middle;
    }
    return low;
  };
  for (const size of [1024, 2048]) {
    const p = randomPrime(size);
    for (const q of [nextPrime(p + 2n), nextPrime(p + (1n << 100n))]) {
      assert.equal(weakness(rsaSpki(p * q)), 'closePrimes', `${size}`);
    }
  }
  // Fermat's round r finds (p + q) / 2 = √N rounded up + r - 1: numbers around the last one.
  const p = randomPrime(1024) | 1n;
  const found = (distance: bigint) => weakness(rsaSpki(p * nextPrime(p + 2n * distance)));
  // (p + q)/2 - √(pq) is about distance² / 2√(pq).
  const distanceFor = (rounds: number) => root(2n * BigInt(rounds) * p);
  assert.equal(found(distanceFor(FERMAT_ROUNDS - 5)), 'closePrimes');
  assert.equal(found(distanceFor(FERMAT_ROUNDS + 5)), 'none');
  assert.equal(FERMAT_ROUNDS, 100);
});

test('the square of a prime is refused as two primes that are as close as can be', () => {
  assert.equal(weakness(rsaSpki(randomPrime(1024) ** 2n)), 'closePrimes');
});

const ecSpki = (name: CurveName, x: bigint, y: bigint): Bytes => {
  const { octets, oid } = curves[name];
  const coordinate = (value: bigint) => {
    const digits = octetsOf(value);
    return concat([new Uint8Array(octets - digits.length), digits]);
  };
  return sequence(
    sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier(oid)),
    bits(concat([Uint8Array.of(4), coordinate(x), coordinate(y)])),
  );
};

test('NIST SP 800-186 §3.2.1: the points of real keys lie on their curves', () => {
  for (const name of ['P-256', 'P-384', 'P-521'] as const) {
    assert.equal(weakness(signers[name].spki), 'none', name);
  }
});

test('SP 800-56A §5.6.2.3.3: a point beside its curve, zero and a coordinate from the prime on are refused', () => {
  for (const { name, octets, prime, b } of Object.values(curves)) {
    const point = signers[name].spki.slice(-2 * octets);
    const x = BigInt(`0x${hex(point.subarray(0, octets))}`);
    const y = BigInt(`0x${hex(point.subarray(octets))}`);
    assert.equal(weakness(ecSpki(name, x, prime - y)), 'none', 'the point opposite');
    for (const [wrongX, wrongY] of [
      [x, y ^ 1n],
      [y, x],
      [0n, 0n],
      [x, 0n],
    ] as const) {
      assert.equal(weakness(ecSpki(name, wrongX, wrongY)), 'notOnCurve', name);
    }
    // The same point, written a second way: a small x, so that x + prime still fits its octets.
    for (let small = 1n; ; small++) {
      const right = (small ** 3n - 3n * small + b) % prime;
      const root = power((right + prime) % prime, (prime + 1n) / 4n, prime);
      if ((root * root - right) % prime !== 0n) continue;
      assert.equal(weakness(ecSpki(name, small, root)), 'none');
      assert.equal(weakness(ecSpki(name, small + prime, root)), 'notOnCurve');
      break;
    }
  }
});

const edSpki = (octets: Bytes): Bytes =>
  sequence(sequence(objectIdentifier('1.3.101.112')), bits(octets));
const edOctets = (y: bigint, sign: 0 | 1 = 0): Bytes => {
  const octets = new Uint8Array(32);
  let left = y | (BigInt(sign) << 255n);
  for (let i = 0; i < 32; i++, left >>= 8n) octets[i] = Number(left & 255n);
  return octets;
};

test('RFC 8032 §5.1: Ed25519 keys of small order, which anybody can sign for, are refused', () => {
  const p = 2n ** 255n - 19n;
  // The y of points of order eight, as libsodium and others list them.
  const eight = BigInt('0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7');
  for (const y of [0n, 1n, p - 1n, eight, p - eight, p, p + 1n]) {
    for (const sign of [0, 1] as const) {
      assert.equal(weakness(edSpki(edOctets(y, sign))), 'notOnCurve', `${y} ${sign}`);
    }
  }
  assert.equal(weakness(signers.Ed25519.spki), 'none');
});

test('every refusal of a key has a reason and a code of its own', () => {
  const codes = Object.values(reasons).map(({ code }) => code);
  assert.equal(new Set(codes).size, codes.length);
  const hygiene = codes.filter((code) => code.startsWith('SCEP-41'));
  assert.equal(hygiene.length, 7);
});
