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
  X509Certificate,
} from 'node:crypto';
import { type Bytes, concat, equal, pem } from '../base/bytes.ts';
import { type ContentCipherName, contentCiphers, type DigestName, digests } from './algorithms.ts';

/** An RSA private key held by the platform. */
export type RsaPrivateKey = KeyObject;

export function rsaPrivateKey(pkcs8: Bytes): RsaPrivateKey {
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
}

/** A public key as the platform holds it. */
export type NativePublicKey = KeyObject;

/** @throws when the platform finds that the key is invalid */
export function nativePublicKey(spki: Bytes): NativePublicKey {
  return createPublicKey(pem('PUBLIC KEY', spki));
}

/** What the platform's own parser reads in a certificate, as it prints it. */
export type PlatformReading = {
  /** Hexadecimal, in lower case. */
  readonly serial: string;
  /** A line for each RDN. */
  readonly subject: string;
  /** Milliseconds since 1970; NaN for what is no time. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly subjectAltName: string;
  readonly hasKey: (key: NativePublicKey) => boolean;
};

/** @param der a Certificate, of which the signature is not looked at @throws when it cannot be read */
export function readNatively(der: Bytes): PlatformReading {
  const read = new X509Certificate(der);
  return {
    serial: read.serialNumber.toLowerCase(),
    // Both are undefined where there is none, whatever the types say.
    subject: read.subject ?? '',
    notBefore: Date.parse(read.validFrom),
    notAfter: Date.parse(read.validTo),
    subjectAltName: read.subjectAltName ?? '',
    hasKey(key) {
      const { publicKey } = read;
      if (publicKey.equals(key)) return true;
      // workerd says of equal keys that they are not.
      const form = { type: 'spki', format: 'der' } as const;
      return equal(publicKey.export(form), key.export(form));
    },
  };
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
  return concat([hashAtOnce(digests[name].node, message, 'buffer')]);
}

/** HMAC with SHA-256 (RFC 2104), without the hop to another thread that WebCrypto takes.
 * @param key octets that do not change: what the platform makes of them is kept as long as they are */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Bytes {
  const secret = hmacKeys.get(key) ?? createSecretKey(key);
  hmacKeys.set(key, secret);
  return concat([createHmac('sha256', secret).update(message).digest()]);
}
const hmacKeys = new WeakMap<Uint8Array, KeyObject>();

/** RSASSA-PKCS1-v1_5, or ECDSA in DER form, by the type of the key. */
export function verifyNatively(
  name: DigestName,
  key: NativePublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verify(digests[name].node, message, key, signature);
}

/** RSASSA-PKCS1-v1_5, on another thread where the platform has them: a signature takes ten times the hop. */
export function signNatively(
  name: DigestName,
  key: RsaPrivateKey,
  message: Uint8Array,
): Promise<Bytes> {
  return new Promise((resolve, reject) =>
    sign(digests[name].node, message, key, (error, signature) =>
      error ? reject(error) : resolve(concat([signature])),
    ),
  );
}

/** CBC over whole blocks, no padding added or removed. */
export function cbcEncrypt(
  name: ContentCipherName,
  key: Uint8Array,
  iv: Uint8Array,
  blocks: Uint8Array,
): Bytes {
  const secret = secretKey(name, key);
  const cipher = createCipheriv(contentCiphers[name].node, secret, iv).setAutoPadding(false);
  return concat([cipher.update(blocks), cipher.final()]);
}

export function cbcDecrypt(
  name: ContentCipherName,
  key: Uint8Array,
  iv: Uint8Array,
  blocks: Uint8Array,
): Bytes {
  const secret = secretKey(name, key);
  const cipher = createDecipheriv(contentCiphers[name].node, secret, iv).setAutoPadding(false);
  return concat([cipher.update(blocks), cipher.final()]);
}

const secretKey = (name: ContentCipherName, key: Uint8Array): KeyObject =>
  createSecretKey(name === 'DES' ? concat([key, key, key]) : key);
