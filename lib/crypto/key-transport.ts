// RFC 8017: RSAES-PKCS1-v1_5 and RSAES-OAEP decryption of a content-encryption key, over raw RSA.
//
// Both unpaddings look at every octet whatever they find, and on any failure give the random octets
// the caller drew before (implicit rejection): nothing here throws, branches or returns early on a
// decrypted value, so a wrong padding shows only later, as content that is not a PKCS#10.

import { type Bytes, concat, equal } from '../base/bytes.ts';
import { digests } from './algorithms.ts';
import {
  hash,
  type NativePublicKey,
  type RsaPrivateKey,
  rsaDecryptRaw,
  rsaesPkcs1Encrypt,
} from './native.ts';

/** RFC 8017 §7.1, §7.2. OAEP always with an empty label; its MGF1 may use another digest. */
export type KeyTransport =
  | { readonly kind: 'RSAES-PKCS1-v1_5' }
  | { readonly kind: 'RSAES-OAEP'; readonly digest: OaepDigest; readonly mgf1: OaepDigest };
export type OaepDigest = 'SHA-1' | 'SHA-256';

/**
 * The content-encryption key, or `fallback` when the padding or the length is wrong.
 * @param encryptedKey octets, as long as the modulus
 * @param fallback fresh random octets, as many as the content cipher's key has
 */
export function unwrapKey(
  transport: KeyTransport,
  key: RsaPrivateKey,
  encryptedKey: Uint8Array,
  fallback: Bytes,
): Bytes {
  const encoded = rsaDecryptRaw(key, encryptedKey);
  return transport.kind === 'RSAES-PKCS1-v1_5'
    ? unpadPkcs1(encoded, fallback)
    : unpadOaep(encoded, fallback, transport);
}

/** Whether a private key opens what is encrypted to this public one. */
export function isPair(publicKey: NativePublicKey, key: RsaPrivateKey): boolean {
  const probe = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  const sealed = rsaesPkcs1Encrypt(publicKey, probe);
  return equal(unwrapKey({ kind: 'RSAES-PKCS1-v1_5' }, key, sealed, new Uint8Array(16)), probe);
}

/** All ones when `value` is zero, else all zeros; `value` is 0 to 255. */
const zeroMask = (value: number): number => ((value - 1) >> 8) & 0xff;

/** EM = 00 02 PS 00 M (RFC 8017 §7.2.2). The length of M is known, so nothing is searched for. */
export function unpadPkcs1(encoded: Uint8Array, fallback: Bytes): Bytes {
  const message = encoded.length - fallback.length;
  if (message < 11) return fallback; // by public lengths alone: the modulus is too short for the key
  let wrong = octet(encoded, 0) | (octet(encoded, 1) ^ 2) | octet(encoded, message - 1);
  for (let i = 2; i < message - 1; i++) wrong |= zeroMask(octet(encoded, i));
  return select(zeroMask(wrong), encoded.subarray(message), fallback);
}

/** EM = 00 maskedSeed maskedDB; DB = lHash PS 01 M (RFC 8017 §7.1.2). */
export function unpadOaep(
  encoded: Uint8Array,
  fallback: Bytes,
  { digest, mgf1 }: { readonly digest: OaepDigest; readonly mgf1: OaepDigest },
): Bytes {
  const { octets } = digests[digest];
  const message = encoded.length - fallback.length;
  if (message < 2 * octets + 2) return fallback; // by public lengths alone, as above
  const seed = encoded.slice(1, 1 + octets);
  const block = encoded.slice(1 + octets);
  xorMask(seed, mgf1, block);
  xorMask(block, mgf1, seed);
  const at = message - 1 - octets; // of M in the data block
  const label = hash(digest, new Uint8Array(0));
  let wrong = octet(encoded, 0) | (octet(block, at - 1) ^ 1);
  for (let i = 0; i < octets; i++) wrong |= octet(block, i) ^ octet(label, i);
  for (let i = octets; i < at - 1; i++) wrong |= octet(block, i);
  return select(zeroMask(wrong), block.subarray(at), fallback);
}

/** XORs MGF1(seed) (RFC 8017 B.2.1) into `target`. */
function xorMask(target: Uint8Array, digest: OaepDigest, seed: Uint8Array): void {
  for (let at = 0, counter = 0; at < target.length; counter++) {
    const mask = hash(digest, concat([seed, Uint8Array.of(0, 0, 0, counter)]));
    for (const byte of mask.subarray(0, target.length - at)) {
      target[at] = octet(target, at) ^ byte;
      at++;
    }
  }
}

function select(mask: number, chosen: Uint8Array, otherwise: Uint8Array): Bytes {
  const result = new Uint8Array(otherwise.length);
  for (let i = 0; i < result.length; i++) {
    result[i] = (octet(chosen, i) & mask) | (octet(otherwise, i) & ~mask);
  }
  return result;
}

/** In range by construction; `| 0` gives the type checker its number without a branch on the value. */
const octet = (bytes: Uint8Array, i: number): number => (bytes[i] as number) | 0;
