// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and the verification of signatures with it.
// Type, size and exponent are decided from lengths before any cryptography touches the key.

import {
  bitString,
  content,
  type Element,
  Fields,
  oid,
  raw,
  scan,
  strictly,
  tag,
} from '../asn1/reader.ts';
import { integer, sequence } from '../asn1/writer.ts';
import { type Bytes, concat } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_RSA_BITS, MAX_RSA_EXPONENT_BITS, MIN_RSA_BITS } from '../base/limits.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type CurveName, curveOf, curves, oids } from '../crypto/algorithms.ts';
import { type NativePublicKey, nativePublicKey, verifyNatively } from '../crypto/native.ts';
import { readAlgorithm, type SignatureScheme } from './algorithm.ts';

export type PublicKey = {
  /** The whole SubjectPublicKeyInfo as it came, DER. */
  readonly spki: Bytes;
  readonly kind: KeyKind;
  /** As the platform holds it: one import serves every signature, and the reply. @throws for no key */
  native(): NativePublicKey;
  /** The same of WebCrypto, by scheme and digest. */
  readonly imported: SingleFlight<CryptoKey>;
};
export type KeyKind =
  | { readonly type: 'RSA'; readonly bits: number }
  | { readonly type: 'EC'; readonly curve: CurveName }
  | { readonly type: 'Ed25519' };

/** For people and logs: `RSA-2048`, `P-256`, `Ed25519`. */
export function keyName(kind: KeyKind): string {
  return kind.type === 'RSA' ? `RSA-${kind.bits}` : kind.type === 'EC' ? kind.curve : kind.type;
}

/**
 * @returns undefined when the key is of a type, size or exponent that is not accepted anywhere
 * @throws {Malformed} when it is not a SubjectPublicKeyInfo in DER
 */
export function readPublicKey(element: Element): PublicKey | undefined {
  const fields = new Fields(strictly(element, 'SubjectPublicKeyInfo'), 'SubjectPublicKeyInfo');
  const algorithm = readAlgorithm(fields.next(tag.sequence, 'algorithm'));
  const key = bitString(fields.next(tag.bitString, 'subjectPublicKey'));
  fields.end();
  const kind = kindOf(algorithm, key);
  const spki = raw(element);
  let known: NativePublicKey | undefined;
  const native = (): NativePublicKey => {
    known ??= nativePublicKey(spki);
    return known;
  };
  return kind && { spki, kind, native, imported: new SingleFlight() };
}

function kindOf(
  { oid: algorithm, parameters }: ReturnType<typeof readAlgorithm>,
  key: Bytes,
): KeyKind | undefined {
  switch (algorithm) {
    case oids.rsaEncryption:
      // RFC 3279 §2.3.1: NULL; anything else would be a second encoding of the same key.
      return parameters?.tag === tag.null ? rsaKind(key) : undefined;
    case oids.ecPublicKey: {
      if (parameters?.tag !== tag.oid) return undefined;
      const curve = curveOf(oid(parameters));
      const fits = curve && key.length === 1 + 2 * curve.octets && key[0] === 4;
      return fits ? { type: 'EC', curve: curve.name } : undefined;
    }
    case oids.ed25519:
      return parameters === undefined && key.length === 32 ? { type: 'Ed25519' } : undefined;
    default:
      return undefined;
  }
}

/** RSAPublicKey (RFC 8017 A.1.1): the contents of its two INTEGERs. @throws {Malformed} */
export function readRsaPublicKey(key: Bytes): { modulus: Bytes; exponent: Bytes } {
  const fields = new Fields(strictly(scan(key), 'RSAPublicKey'), 'RSAPublicKey');
  const modulus = content(fields.next(tag.integer, 'modulus'));
  const exponent = content(fields.next(tag.integer, 'publicExponent'));
  fields.end();
  return { modulus, exponent };
}

function rsaKind(key: Bytes): KeyKind | undefined {
  const { modulus, exponent } = readRsaPublicKey(key);
  const bits = bitLength(modulus);
  const exponentBits = bitLength(exponent);
  const odd = ((modulus.at(-1) ?? 0) & (exponent.at(-1) ?? 0) & 1) === 1;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || bits % 8 !== 0 || !odd) return undefined;
  if (exponentBits < 2 || exponentBits > MAX_RSA_EXPONENT_BITS) return undefined;
  return { type: 'RSA', bits };
}

/** Of a DER INTEGER's content; 0 for a negative one. */
function bitLength(octets: Bytes): number {
  const digits = octets[0] === 0 ? octets.subarray(1) : octets;
  const first = digits[0] ?? 0;
  if (digits === octets && first >= 0x80) return 0;
  return digits.length * 8 - (Math.clz32(first) - 24);
}

/**
 * Whether `signature` over `message` is this key's. False, never an error, for a key that does not
 * fit the scheme, for a signature of the wrong shape, and for a point that is not on its curve.
 */
export async function verifySignature(
  key: PublicKey,
  scheme: SignatureScheme,
  message: Bytes,
  signature: Bytes,
): Promise<boolean> {
  if (!fits(key.kind, scheme)) return false;
  try {
    if (scheme.kind === 'RSASSA-PKCS1-v1_5' || !scheme.digest.webCrypto) {
      return verifyNatively(scheme.digest.name, key.native(), message, signature);
    }
    const octets =
      key.kind.type === 'EC' ? rawEcdsa(signature, curves[key.kind.curve].octets) : signature;
    const cryptoKey = await importKey(key, scheme);
    return await crypto.subtle.verify(verification(scheme), cryptoKey, octets, message);
  } catch {
    return false; // WebCrypto throws only for a key or signature that does not fit its type
  }
}

export function fits(kind: KeyKind, scheme: SignatureScheme): boolean {
  switch (scheme.kind) {
    case 'RSASSA-PKCS1-v1_5':
    case 'RSA-PSS':
      return kind.type === 'RSA';
    case 'ECDSA':
      return kind.type === 'EC';
    case 'Ed25519':
      return kind.type === 'Ed25519';
  }
}

function importKey(key: PublicKey, scheme: SignatureScheme): Promise<CryptoKey> {
  const algorithm =
    key.kind.type === 'EC'
      ? { name: 'ECDSA', namedCurve: key.kind.curve }
      : { name: scheme.kind, hash: scheme.digest.name };
  return key.imported.get(`${scheme.kind} ${scheme.digest.name}`, () =>
    crypto.subtle.importKey('spki', key.spki, algorithm, false, ['verify']),
  );
}

function verification(scheme: SignatureScheme) {
  switch (scheme.kind) {
    case 'RSA-PSS':
      return { name: 'RSA-PSS', saltLength: scheme.saltOctets };
    case 'ECDSA':
      return { name: 'ECDSA', hash: scheme.digest.name };
    default:
      return { name: scheme.kind };
  }
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3) to r and s side by side, as WebCrypto has them. */
export function rawEcdsa(signature: Bytes, octets: number): Bytes {
  const fields = new Fields(strictly(scan(signature), 'Ecdsa-Sig-Value'), 'Ecdsa-Sig-Value');
  const halves = [fields.next(tag.integer, 'r'), fields.next(tag.integer, 's')].map((half) => {
    const digits = content(half);
    const magnitude = digits[0] === 0 ? digits.subarray(1) : digits;
    if ((digits[0] ?? 0x80) >= 0x80 || magnitude.length > octets) {
      throw new Malformed('an ECDSA signature out of range');
    }
    return concat([new Uint8Array(octets - magnitude.length), magnitude]);
  });
  fields.end();
  return concat(halves);
}

/** The inverse: WebCrypto's r and s side by side to an Ecdsa-Sig-Value. */
export function derEcdsa(signature: Bytes): Bytes {
  const half = signature.length / 2;
  return sequence(integer(signature.subarray(0, half)), integer(signature.subarray(half)));
}
