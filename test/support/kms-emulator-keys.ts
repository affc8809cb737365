// The key material of the KMS emulator: signatures over digests that come from outside, which
// node:crypto does not make, and blobs that open only with their context.

import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  randomBytes,
  constants as rsa,
} from 'node:crypto';
import { integer, sequence } from '../../lib/asn1/writer.ts';
import { fromHex, hex } from '../../lib/base/bytes.ts';
import { rsaPrivateKey } from './rsa-keys.ts';

const rsaAlgorithms = ['PSS', 'PKCS1_V1_5'].flatMap((padding) =>
  [256, 384, 512].map((bits) => `RSASSA_${padding}_SHA_${bits}`),
);

type Curve = { readonly name: string; readonly order: bigint };

/** What asymmetric keys there are, and what they sign with. */
export const pairSpecs: Readonly<
  Record<string, { bits: number } | { curve: Curve; algorithm: string }>
> = {
  RSA_2048: { bits: 2048 },
  RSA_3072: { bits: 3072 },
  RSA_4096: { bits: 4096 },
  // SEC 2, 2.4.2 and 2.5.1: n.
  ECC_NIST_P256: {
    curve: {
      name: 'prime256v1',
      order: BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
    },
    algorithm: 'ECDSA_SHA_256',
  },
  ECC_NIST_P384: {
    curve: {
      name: 'secp384r1',
      order: BigInt(
        '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
      ),
    },
    algorithm: 'ECDSA_SHA_384',
  },
};

export const signingAlgorithmsOf = (keySpec: string): string[] => {
  const spec = pairSpecs[keySpec];
  if (!spec) return [];
  return 'bits' in spec ? rsaAlgorithms : [spec.algorithm];
};

export type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

const made = new Map<string, Pair>();

/**
 * The pair of this number; all emulators of a process have the same,
 * each of them every pair once.
 */
export function pairOf(keySpec: string, number: number): Pair {
  const name = `${keySpec} ${number}`;
  const spec = pairSpecs[keySpec];
  if (!spec) throw new TypeError(`no pair ${keySpec}`);
  const pair =
    made.get(name) ??
    ('bits' in spec
      ? rsaPair(spec.bits)
      : generateKeyPairSync('ec', { namedCurve: spec.curve.name }));
  made.set(name, pair);
  return pair;
}

function rsaPair(bits: number): Pair {
  const privateKey = rsaPrivateKey(bits);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

const bitsOf = (algorithm: string): 256 | 384 | 512 =>
  Number(algorithm.slice(-3)) as 256 | 384 | 512;
export const digestOctets = (algorithm: string): number => bitsOf(algorithm) / 8;
export const digestOf = (algorithm: string, message: Uint8Array): Uint8Array =>
  createHash(`sha${bitsOf(algorithm)}`)
    .update(message)
    .digest();

/** RFC 8017, 9.2, note 1: what stands before the digest. */
const digestInfo: Readonly<Record<number, string>> = {
  256: '3031300d060960864801650304020105000420',
  384: '3041300d060960864801650304020205000430',
  512: '3051300d060960864801650304020305000440',
};
const infoOf = (algorithm: string, digest: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(digestInfo[bitsOf(algorithm)] ?? '', 'hex'), digest]);

/** @param algorithm one of the key's, but none of PSS */
export function signDigest(
  keySpec: string,
  { privateKey }: Pair,
  algorithm: string,
  digest: Uint8Array,
): Uint8Array {
  const spec = pairSpecs[keySpec];
  if (!spec || 'bits' in spec) {
    const key = { key: privateKey, padding: rsa.RSA_PKCS1_PADDING };
    return privateEncrypt(key, infoOf(algorithm, digest));
  }
  const { order } = spec.curve;
  for (;;) {
    const k = number(randomBytes(order.toString(16).length / 2)) % order;
    if (k === 0n) continue;
    const r = pointX(spec.curve, k) % order;
    const s = (inverse(k, order) * (number(digest) + r * secretOf(privateKey))) % order;
    if (r !== 0n && s !== 0n) return sequence(integerOf(r), integerOf(s));
  }
}

export function verifyDigest(
  keySpec: string,
  { publicKey, privateKey }: Pair,
  algorithm: string,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const spec = pairSpecs[keySpec];
  try {
    if (!spec || 'bits' in spec) {
      const key = { key: publicKey, padding: rsa.RSA_PKCS1_PADDING };
      return publicDecrypt(key, signature).equals(infoOf(algorithm, digest));
    }
    const { order } = spec.curve;
    const [r, s] = integersOf(signature);
    if (r === undefined || s === undefined || r >= order || s >= order || s === 0n) return false;
    // u1 G + u2 Q is (u1 + u2 d) G, and d is here.
    const w = inverse(s, order);
    const factor = (w * (number(digest) + r * secretOf(privateKey))) % order;
    return pointX(spec.curve, factor) % order === r;
  } catch {
    return false;
  }
}

const number = (octets: Uint8Array): bigint => BigInt(`0x${hex(octets) || '0'}`);
const secretOf = (key: KeyObject): bigint =>
  number(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'));

/** x of the point `factor` G. */
function pointX({ name, order }: Curve, factor: bigint): bigint {
  const ecdh = createECDH(name);
  const digits = order.toString(16).length;
  ecdh.setPrivateKey(factor.toString(16).padStart(digits, '0'), 'hex');
  return number(ecdh.getPublicKey().subarray(1, 1 + digits / 2));
}

/** Fermat: the order is a prime. */
function inverse(value: bigint, prime: bigint): bigint {
  let [result, base] = [1n, value % prime];
  for (let exponent = prime - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % prime;
    base = (base * base) % prime;
  }
  return result;
}

const integerOf = (value: bigint): Uint8Array<ArrayBuffer> => {
  const text = value.toString(16);
  return integer(fromHex(text.length % 2 === 0 ? text : `0${text}`));
};

/** Of a SEQUENCE of INTEGERs, all with short lengths. */
function integersOf(der: Uint8Array): bigint[] {
  const found: bigint[] = [];
  for (let at = 2; at < der.length; at += 2 + (der[at + 1] ?? 0)) {
    found.push(number(der.subarray(at + 2, at + 2 + (der[at + 1] ?? 0))));
  }
  return found;
}

/** What a symmetric key seals, as KMS does: the blob names its key; the context is authenticated. */
const MAGIC = Buffer.from('01020200', 'hex');
const ID_OCTETS = 36;

export function sealBlob(
  keyId: string,
  secret: Uint8Array,
  context: string,
  plaintext: Uint8Array,
): Buffer {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', secret, iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([MAGIC, Buffer.from(keyId, 'latin1'), iv, cipher.getAuthTag(), sealed]);
}

/** The id of the key that sealed it, if it is a blob at all. */
export function sealerOf(blob: Buffer): string | undefined {
  const isBlob = blob.length > MAGIC.length + ID_OCTETS + 28 && blob.indexOf(MAGIC) === 0;
  return isBlob
    ? blob.subarray(MAGIC.length, MAGIC.length + ID_OCTETS).toString('latin1')
    : undefined;
}

/** @returns undefined when it was not sealed with this key and context, or has been changed */
export function openBlob(secret: Uint8Array, context: string, blob: Buffer): Buffer | undefined {
  const rest = blob.subarray(MAGIC.length + ID_OCTETS);
  const decipher = createDecipheriv('aes-256-gcm', secret, rest.subarray(0, 12))
    .setAAD(Buffer.from(context))
    .setAuthTag(rest.subarray(12, 28));
  try {
    return Buffer.concat([decipher.update(rest.subarray(28)), decipher.final()]);
  } catch {
    return undefined;
  }
}
