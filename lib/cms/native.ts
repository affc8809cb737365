// The one file with node:crypto: what SCEP needs and WebCrypto lacks. Raw RSA (SCEP clients send
// RSAES-PKCS1-v1_5, and platforms disagree on how its padding fails, so `key-transport.ts` unpads),
// CBC without padding, 3DES and DES, a synchronous digest, and RSASSA-PKCS1-v1_5, which WebCrypto has
// without MD5 and SHA-224 and with a hop to another thread that costs more than a verification.
// Node and workerd both have every call made here.
//
// Secret keys are handed on as KeyObjects and public ones come as PEM: of any other object Node first
// asks whether it is a KeyObject, or a CryptoKey, and answers itself with exceptions, four for a key in
// DER, that cost more than the cipher or the key.

import { Buffer } from 'node:buffer';
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash as hashAtOnce,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  sign,
  verify,
} from 'node:crypto';
import type { ContentCipherName, DigestName } from '../algorithms.ts';
import { type Bytes, concat, pem } from '../bytes.ts';

const digestNames: Record<DigestName, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

const cipherNames: Record<ContentCipherName, string> = {
  'AES-128': 'aes-128-cbc',
  'AES-192': 'aes-192-cbc',
  'AES-256': 'aes-256-cbc',
  '3DES': 'des-ede3-cbc',
  DES: 'des-ede3-cbc',
};

/** An RSA private key held by the platform. */
export type RsaPrivateKey = KeyObject;

export function rsaPrivateKey(pkcs8: Bytes): RsaPrivateKey {
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
}

/** A public key as the platform holds it. */
export type NativePublicKey = KeyObject;

/** @throws when the platform finds that it is no key */
export function nativePublicKey(spki: Bytes): NativePublicKey {
  return createPublicKey(pem('PUBLIC KEY', spki));
}

/**
 * RSADP (RFC 8017 §5.1.2) as octets of the modulus's length. A representative that is not below the
 * modulus gives zeros: that is a fact of public values, and the caller's unpadding refuses zeros.
 */
export function rsaDecryptRaw(key: RsaPrivateKey, ciphertext: Uint8Array): Uint8Array {
  try {
    return privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, ciphertext);
  } catch {
    return new Uint8Array(ciphertext.length);
  }
}

/** RSAES-PKCS1-v1_5 encryption (RFC 8017 §7.2.1). */
export function rsaesPkcs1Encrypt(key: NativePublicKey, message: Uint8Array): Bytes {
  return concat([publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, message)]);
}

export function hash(name: DigestName, message: Uint8Array): Bytes {
  return concat([hashAtOnce(digestNames[name], message, 'buffer')]);
}

/** HMAC with SHA-256 (RFC 2104), without the hop to another thread that WebCrypto takes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Bytes {
  return concat([createHmac('sha256', createSecretKey(key)).update(message).digest()]);
}

/** RSASSA-PKCS1-v1_5, or ECDSA in DER form, by the type of the key. */
export function verifyNatively(
  name: DigestName,
  key: NativePublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verify(digestNames[name], message, key, signature);
}

/** RSASSA-PKCS1-v1_5. */
export function signNatively(name: DigestName, key: RsaPrivateKey, message: Uint8Array): Bytes {
  return concat([sign(digestNames[name], message, key)]);
}

/** CBC over whole blocks, no padding added or removed. */
export function cbcEncrypt(
  name: ContentCipherName,
  key: Uint8Array,
  iv: Uint8Array,
  blocks: Uint8Array,
): Bytes {
  const secret = secretKey(name, key);
  const cipher = createCipheriv(cipherNames[name], secret, iv).setAutoPadding(false);
  return concat([cipher.update(blocks), cipher.final()]);
}

export function cbcDecrypt(
  name: ContentCipherName,
  key: Uint8Array,
  iv: Uint8Array,
  blocks: Uint8Array,
): Bytes {
  const secret = secretKey(name, key);
  const cipher = createDecipheriv(cipherNames[name], secret, iv).setAutoPadding(false);
  return concat([cipher.update(blocks), cipher.final()]);
}

/** Node has no single DES: 3DES under K, K, K is the same cipher. */
const secretKey = (name: ContentCipherName, key: Uint8Array): KeyObject =>
  createSecretKey(name === 'DES' ? concat([key, key, key]) : key);
