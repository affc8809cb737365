// RSA keys with a known weakness, made from the published description of each. Every run makes others;
// that they are weak does not depend on chance.

import { checkPrimeSync, createPrivateKey, generatePrimeSync, randomBytes } from 'node:crypto';
import { bits, integer, nullValue, objectIdentifier, sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, base64url, concat, fromHex } from '../../lib/base/bytes.ts';
import { type ClientKey, importKey } from '../../lib/protocol/scep/client/client.ts';

export const random = (bitCount: number): bigint =>
  BigInt(`0x${randomBytes(bitCount / 8).toString('hex')}`) % 2n ** BigInt(bitCount);

/** One in 65,537 primes has no private exponent to the usual public one. */
const hasInverse = (prime: bigint): boolean => prime % 65_537n !== 1n;

export function randomPrime(bitCount: number): bigint {
  for (;;) {
    const prime = generatePrimeSync(bitCount, { bigint: true });
    if (hasInverse(prime)) return prime;
  }
}

export function octetsOf(value: bigint): Bytes {
  const digits = value.toString(16);
  return fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
}

/** SubjectPublicKeyInfo, DER. */
export const rsaSpki = (modulus: bigint, exponent = 65_537n): Bytes =>
  sequence(
    sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullValue),
    bits(sequence(integer(octetsOf(modulus)), integer(octetsOf(exponent)))),
  );

export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

export function nextPrime(from: bigint): bigint {
  let candidate = from | 1n;
  while (!checkPrimeSync(candidate) || !hasInverse(candidate)) candidate += 2n;
  return candidate;
}

/** Nemec et al. 2017, §2.1: how many of the first primes M is the product of, by bits of the modulus. */
const primesInM = (bitCount: number): number =>
  bitCount < 992 ? 39 : bitCount < 1984 ? 71 : bitCount < 3968 ? 126 : 225;

/** Primes to 701 cannot divide such a number, for moduli from 2048 bits on. */
const noSmallFactor = (value: bigint): boolean =>
  [709n, 719n, 727n, 733n, 739n, 743n, 751n].every((prime) => value % prime !== 0n);

/** k·M + (65537^a mod M), of half the bits of the modulus; a prime only where that is asked for. */
export function rocaFactor(modulusBits: number, prime: boolean): bigint {
  let [m, count, last] = [1n, 0, 1n];
  while (count < primesInM(modulusBits)) {
    last = nextPrime(last + 1n);
    if (count === 0) last = 2n;
    m *= last;
    count++;
  }
  // The two top bits are set, so that the product of two has all the bits it should.
  const low = (3n << BigInt(modulusBits / 2 - 2)) / m + 1n;
  const high = (1n << BigInt(modulusBits / 2)) / m;
  for (;;) {
    const k = low + (random(128) % (high - low));
    const factor = k * m + power(65_537n, random(256), m);
    if (prime ? checkPrimeSync(factor) && hasInverse(factor) : noSmallFactor(factor)) return factor;
  }
}

export function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

/** A key that signs, from its two primes. */
export async function rsaKey(p: bigint, q: bigint, e = 65_537n): Promise<ClientKey> {
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const jwk = Object.entries(numbers).map(([name, value]) => [name, base64url(octetsOf(value))]);
  const key = createPrivateKey({
    key: { kty: 'RSA', ...Object.fromEntries(jwk) },
    format: 'jwk',
  });
  const made = await importKey(concat([key.export({ type: 'pkcs8', format: 'der' })]));
  if (!made) throw new Error('the key cannot be imported');
  return made;
}
