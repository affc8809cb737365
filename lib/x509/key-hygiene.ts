// Finds keys of an accepted type and size that must still not be certified: their public numbers show that
// others can compute the private key, or that they are not valid keys.
//
// All work is bounded by construction, whatever the key: one remainder for each group of 132
// small primes, a table look-up for each of 38, a square root and FERMAT_ROUNDS additions for
// RSA, one more root for each of them that might be it; one equation for a point. It does not
// test whether a modulus is itself a prime: that takes an exponentiation as long as the modulus,
// more than everything else in an enrolment together, and would only tell a holder that he gave
// his own key away. Individual keys that are known to be bad (Debian's of 2008, leaked ones) belong in
// `blockedKeys`.

import { scan } from '../asn1/reader.ts';
import { type Bytes, hex } from '../base/bytes.ts';
import { FERMAT_ROUNDS, MIN_CERTIFIED_EXPONENT, SMALL_FACTOR_BOUND } from '../base/limits.ts';
import { type CurveName, curves } from '../crypto/algorithms.ts';
import { subjectPublicKeyOf } from './certificate.ts';
import { type PublicKey, readRsaPublicKey } from './public-key.ts';

export type Weakness = 'smallExponent' | 'smallFactor' | 'closePrimes' | 'roca' | 'notOnCurve';

/** The first thing that is wrong with a key of an accepted type and size. */
export function weaknessOf({ spki, kind }: PublicKey): Weakness | undefined {
  const key = subjectPublicKeyOf(scan(spki));
  switch (kind.type) {
    case 'RSA':
      return rsaWeakness(key);
    case 'EC':
      return isOnCurve(key, kind.curve) ? undefined : 'notOnCurve';
    case 'Ed25519':
      return isOfLargeOrder(key) ? undefined : 'notOnCurve';
  }
}

const number = (octets: Bytes): bigint => BigInt(`0x${hex(octets)}`);

function rsaWeakness(key: Bytes): Weakness | undefined {
  const { modulus, exponent } = readRsaPublicKey(key);
  // That it is odd and at most MAX_RSA_EXPONENT_BITS long was decided when the key was read.
  if (number(exponent) < MIN_CERTIFIED_EXPONENT) return 'smallExponent';
  const n = number(modulus);
  const residues = primeGroups.flatMap(({ product, primes }) => {
    const rest = Number(n % product);
    return primes.map((prime) => rest % prime);
  });
  if (residues.includes(0)) return 'smallFactor';
  if (isRoca(residues)) return 'roca';
  return hasClosePrimes(n) ? 'closePrimes' : undefined;
}

/** The odd ones below SMALL_FACTOR_BOUND, in order. */
const smallPrimes: readonly number[] = Array.from({ length: SMALL_FACTOR_BOUND }, (_, i) => i)
  .slice(3)
  .filter((candidate) => {
    for (let d = 2; d * d <= candidate; d++) if (candidate % d === 0) return false;
    return true;
  });

/** The same in their order, in groups whose product a number holds: one long division serves a group. */
const primeGroups = smallPrimes.reduce<{ product: bigint; primes: number[] }[]>((groups, prime) => {
  const last = groups.at(-1);
  if (last && last.product * BigInt(prime) <= BigInt(Number.MAX_SAFE_INTEGER)) {
    last.product *= BigInt(prime);
    last.primes.push(prime);
  } else groups.push({ product: BigInt(prime), primes: [prime] });
  return groups;
}, []);

/**
 * Infineon's generator (CVE-2017-15361; Nemec et al., "The Return of Coppersmith's Attack", 2017)
 * makes both primes as k·M + (65537^a mod M), M the product of the first primes, of 39 (to 167) or
 * more. So N is a power of 65537 modulo M, hence modulo each prime to 167.
 */
const ROCA_GENERATOR = 65_537;
const ROCA_LAST_PRIME = 167;

/** For each prime: the powers of the generator modulo it, with their exponents. */
const rocaLogarithms: readonly ReadonlyMap<number, number>[] = smallPrimes
  .filter((prime) => prime <= ROCA_LAST_PRIME)
  .map((prime) => {
    const logarithms = new Map<number, number>();
    for (let power = 1; !logarithms.has(power); power = (power * ROCA_GENERATOR) % prime) {
      logarithms.set(power, logarithms.size);
    }
    return logarithms;
  });

/**
 * Whether one exponent x gives N = 65537^x modulo all the primes at once. Being a power modulo each
 * of them would by chance hold for one sound key in 2^28; one x for all, for one in 2^150.
 */
function isRoca(residues: readonly number[]): boolean {
  let exponent = 0n;
  let period = 1n;
  for (const [i, logarithms] of rocaLogarithms.entries()) {
    const logarithm = logarithms.get(residues[i] ?? 0);
    if (logarithm === undefined) return false;
    // The Chinese remainder theorem, for periods that share factors: at most `order` steps.
    const order = BigInt(logarithms.size);
    const shared = gcd(period, order);
    if ((BigInt(logarithm) - exponent) % shared !== 0n) return false;
    while ((exponent - BigInt(logarithm)) % order !== 0n) exponent += period;
    period = (period / shared) * order;
  }
  return true;
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

/**
 * Fermat: N = a² - b² for an `a` close above √N. The first round finds the square of a prime. What b²
 * leaves modulo SQUARE_MODULUS goes along from round to round, and rules out nearly every one.
 */
function hasClosePrimes(n: bigint): boolean {
  let a = squareRoot(n);
  if (a * a < n) a++;
  let residue = Number((a * a - n) % BigInt(SQUARE_MODULUS));
  let step = Number((2n * a + 1n) % BigInt(SQUARE_MODULUS));
  for (let round = 0; round < FERMAT_ROUNDS; round++) {
    if (mayBeSquare(residue) && isSquare((a + BigInt(round)) ** 2n - n)) return true;
    residue = (residue + step) % SQUARE_MODULUS;
    step = (step + 2) % SQUARE_MODULUS;
  }
  return false;
}

/** Residues that squares have; of other numbers one in 300 has them modulo both. */
const residuesOfSquares = (modulus: number): ReadonlySet<number> =>
  new Set(Array.from({ length: modulus }, (_, i) => (i * i) % modulus));
const BITS_MODULUS = 1024;
const PRIMES_MODULUS = 9 * 5 * 7 * 11 * 13;
const SQUARE_MODULUS = BITS_MODULUS * PRIMES_MODULUS;
const squaresByBits = residuesOfSquares(BITS_MODULUS);
const squaresByPrimes = residuesOfSquares(PRIMES_MODULUS);

const mayBeSquare = (residue: number): boolean =>
  squaresByBits.has(residue % BITS_MODULUS) && squaresByPrimes.has(residue % PRIMES_MODULUS);
const isSquare = (value: bigint): boolean => squareRoot(value) ** 2n === value;

/** Rounded down. Newton's method from above: about as many steps as the logarithm of the length. */
function squareRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt(2 * value.toString(16).length);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/**
 * An uncompressed point (RFC 5480 §2.2), both coordinates below the prime: otherwise one key would
 * have several encodings, and block-list and key owner would know only one of them.
 */
function isOnCurve(point: Bytes, name: CurveName): boolean {
  const { octets, prime, b } = curves[name];
  const x = number(point.subarray(1, 1 + octets));
  const y = number(point.subarray(1 + octets));
  return x < prime && y < prime && (x * x * x - 3n * x + b - y * y) % prime === 0n;
}

const ed25519 = {
  prime: 2n ** 255n - 19n,
  d: 37095705934669439343138083508754565189542113879843219016388785533085940283555n,
} as const;

/**
 * RFC 8032 §5.1.3: y below the prime, and not the y of one of the eight points of small order, for
 * which anybody can sign: y = 0, 1 or -1, or, for order eight, d·y⁴ + 2y² = 1. The verified signature
 * has shown before that the octets are a point.
 */
function isOfLargeOrder(octets: Bytes): boolean {
  const { prime, d } = ed25519;
  const y = BigInt.asUintN(255, number(octets.toReversed()));
  const square = (y * y) % prime;
  const small =
    square === 0n || square === 1n || (d * square * square + 2n * square - 1n) % prime === 0n;
  return y < prime && !small;
}
