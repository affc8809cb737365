// Keys of devices that WebCrypto does not make, or not soon enough: Ed25519, and RSA of 8192 bits from a
// prime of RFC 3526 and one that was drawn for these tests. They are public, and guard nothing.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  getDiffieHellman,
  type KeyObject,
  sign,
} from 'node:crypto';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import type { ClientKey } from '../../lib/protocol/scep/client/client.ts';
import type { SignatureScheme } from '../../lib/x509/algorithm.ts';

const drawn =
  '/QvmyKiOtEAKgNtoABNYqa7ZlTDGga8rlZH3ICCqzlw6XQjFBhgJ9kx8DM/Yvf8RIBkoYxOQbzY2wbTY4r3y4yNLTBYn' +
  'CNAMwk2A4xKUK8i9MhS/bMBFrAFz6p/Pk1iYggIgwJE60Sn4pFpbK6JwPyHbpWKEpmpoNYURJk3JpVKV1bW4nLOoZQuV' +
  't/r4jbCgmMfOftbq2HfFE0CISsqicAsFr/aaZymkABowm4DxOiAgAiAd89oqGQHLQlvZSRhLdeA8hMC46MgI+5aHF+nT' +
  'vttkIOZmc3uEA9StYVsD9SILcBwM1rIECP2nJ7/YYTsEFWCjsRe6eHn/Bng2rEkb1X0rXlwAPC8+vMoYQF72JB0B0Hzu' +
  'A0eJFnU+672HCIXeo7O1dBcOWiwB2xEv4YHMwbIRlfq5fjmunMWNELXXAPbkPMGKhsjQCjBTK5ViTISU8G1Z7+FKUg2A' +
  'v20qwtJCyB40rM172nCygX+sgE8vgiV47iquqWba7rSJ1TgEVsLqlWRQWcaGPqtHZMrV9zdzdKlgOI8YyRiahKs8Npz/' +
  'jezST+B1rBAijFNnJ5J8Uhx/KDV+BXAMfKjQP3OXkYtwqcLCnB1OsFbOA+krK38J2GKSQMXYI0DcSj4JY55KTk8UUAZS' +
  'h6u8L01Kmh12ZJnb1qgYEBuXJ+2dRhfjsIOC7IU=';

const numberOf = (octets: Uint8Array): bigint => BigInt(`0x${Buffer.from(octets).toString('hex')}`);
const base64url = (value: bigint): string => {
  const digits = value.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString(
    'base64url',
  );
};

/** Of `a` modulo `m`, which share no factor. */
function inverse(a: bigint, m: bigint): bigint {
  let [r, next, x, then] = [a % m, m, 1n, 0n];
  while (next > 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [x, then] = [then, x - quotient * then];
  }
  return ((x % m) + m) % m;
}

function longPrivateKey(e: bigint): KeyObject {
  const p = numberOf(getDiffieHellman('modp16').getPrime());
  const q = numberOf(Buffer.from(drawn, 'base64'));
  const d = inverse(e, (p - 1n) * (q - 1n));
  const parts = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const key = Object.entries(parts).map(([name, value]) => [name, base64url(value)]);
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(key) }, format: 'jwk' });
}

function clientKey(privateKey: KeyObject, scheme: SignatureScheme, digest: string | null) {
  const octets = (key: KeyObject, type: 'spki' | 'pkcs8'): Bytes =>
    concat([key.export({ type, format: 'der' } as never) as unknown as Uint8Array]);
  return {
    spki: octets(createPublicKey(privateKey), 'spki'),
    pkcs8: octets(privateKey, 'pkcs8'),
    scheme,
    sign: async (message) => concat([sign(digest, message, privateKey)]),
  } satisfies ClientKey;
}

/** @param e the public exponent; each makes another key of the same modulus */
export const rsa8192 = (e: bigint): ClientKey =>
  clientKey(longPrivateKey(e), { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] }, 'sha256');

export const ed25519 = (): ClientKey =>
  clientKey(
    generateKeyPairSync('ed25519').privateKey,
    { kind: 'Ed25519', digest: digests['SHA-512'] },
    null,
  );
