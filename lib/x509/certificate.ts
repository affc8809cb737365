// Certificate and TBSCertificate (RFC 5280 §4.1): read from DER, and built for signing.
// Reading is outside-in and DER only; it decides nothing about trust.

import { extensionOids } from '../asn1/oids.ts';
import {
  bitString,
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  octetString,
  raw,
  scan,
  smallInteger,
  strictly,
  tag,
} from '../asn1/reader.ts';
import { readTime } from '../asn1/time.ts';
import { bits, explicit, integer, sequence, timeOf } from '../asn1/writer.ts';
import { type Bytes, hex } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_SERIAL_OCTETS } from '../base/limits.ts';
import { hash } from '../crypto/native.ts';
import {
  only,
  readSignatureAlgorithm,
  type SignatureScheme,
  signatureAlgorithm,
} from './algorithm.ts';
import { type Extensions, readExtensions } from './extensions.ts';
import { sameName } from './names/same-name.ts';
import { type PublicKey, readPublicKey, verifySignature } from './public-key.ts';

export type Certificate = {
  readonly der: Bytes;
  readonly tbs: Bytes;
  /** Content octets of the INTEGER as they came: they are compared and echoed, never computed with. */
  readonly serial: Bytes;
  /** Names, DER. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Element;
  readonly extensions: Extensions;
  readonly signatureAlgorithm: Element;
  readonly signature: Bytes;
};

/** @throws {Malformed} */
export function readCertificate(der: Bytes): Certificate {
  return certificateOf(scan(der));
}

/** @throws {Malformed} */
export function certificateOf(element: Element): Certificate {
  const outer = new Fields(strictly(element, 'Certificate'), 'Certificate');
  const tbs = outer.next(tag.sequence, 'tbsCertificate');
  const algorithm = outer.next(tag.sequence, 'signatureAlgorithm');
  const signature = bitString(outer.next(tag.bitString, 'signatureValue'));
  outer.end();
  const fields = new Fields(tbs, 'TBSCertificate');
  const version = fields.optional(context(0));
  // Some devices write 3 for v3 into the certificate that they sign themselves.
  if (version && smallInteger(only(version)) > 3) throw new Malformed('a certificate after v3');
  const serial = content(fields.next(tag.integer, 'serialNumber'));
  if (serial.length > MAX_SERIAL_OCTETS) throw new Malformed('a serial number that is too long');
  fields.next(tag.sequence, 'signature');
  const issuer = raw(fields.next(tag.sequence, 'issuer'));
  const validity = new Fields(fields.next(tag.sequence, 'validity'), 'Validity');
  const notBefore = readTime(validity.any('notBefore'));
  const notAfter = readTime(validity.any('notAfter'));
  validity.end();
  const subject = raw(fields.next(tag.sequence, 'subject'));
  const spki = fields.next(tag.sequence, 'subjectPublicKeyInfo');
  fields.optional(contextPrimitive(1));
  fields.optional(contextPrimitive(2));
  const extensions = fields.optional(context(3));
  fields.end();
  return {
    der: raw(element),
    tbs: raw(tbs),
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    extensions: extensions ? readExtensions(only(extensions)) : new Map(),
    signatureAlgorithm: algorithm,
    signature,
  };
}

/** The certificate's key. @returns undefined for one that is not accepted anywhere */
export function publicKeyOf(certificate: Certificate): PublicKey | undefined {
  return readPublicKey(certificate.spki);
}

/**
 * Whether the CA with this subject and key issued the certificate: by its signature, not by a name.
 * @param subject Name, DER
 */
export async function isIssuedBy(
  certificate: Certificate,
  { subject, key }: { readonly subject: Bytes; readonly key: PublicKey | undefined },
): Promise<boolean> {
  const scheme = readSignatureAlgorithm(certificate.signatureAlgorithm);
  if (!scheme || !key || !sameName(certificate.issuer, subject)) return false;
  return verifySignature(key, scheme, certificate.tbs, certificate.signature);
}

/** The subjectKeyIdentifier, if the certificate has one. @throws {Malformed} */
export function subjectKeyIdentifierOf(certificate: Certificate): Bytes | undefined {
  const extension = certificate.extensions.get(extensionOids.subjectKeyIdentifier);
  return extension && octetString(scan(extension.value));
}

/** The octets a key identifier is computed over (RFC 5280 §4.2.1.2): without tag and length. */
export function subjectPublicKeyOf(spki: Element): Bytes {
  return bitString(spki.children[1] ?? spki);
}

export type TbsCertificate = {
  /** Magnitude, at most 20 octets. */
  readonly serial: Bytes;
  readonly scheme: SignatureScheme;
  /** Names and SubjectPublicKeyInfo, DER; copied as they are. */
  readonly issuer: Bytes;
  readonly subject: Bytes;
  readonly spki: Bytes;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whole Extensions, DER, in the order in which they stand. */
  readonly extensions: readonly Bytes[];
};

/** Milliseconds in whole seconds, as a Time has them. */
export function validity(from: number, to: number): { notBefore: number; notAfter: number } {
  const second = (ms: number) => Math.floor(ms / 1000) * 1000;
  return { notBefore: second(from), notAfter: second(to) };
}

export function encodeTbsCertificate(tbs: TbsCertificate): Bytes {
  return sequence(
    explicit(0, integer(2)),
    integer(tbs.serial),
    signatureAlgorithm(tbs.scheme),
    tbs.issuer,
    sequence(timeOf(tbs.notBefore), timeOf(tbs.notAfter)),
    tbs.subject,
    tbs.spki,
    explicit(3, sequence(...tbs.extensions)),
  );
}

/** What was signed, its algorithm and its signature: Certificate, CertificateList, PKCS#10 alike. */
export const signed = (tbs: Bytes, scheme: SignatureScheme, signature: Bytes): Bytes =>
  sequence(tbs, signatureAlgorithm(scheme), bits(signature));

/** SHA-256 of a certificate, hexadecimal. */
export const fingerprint = (der: Bytes): string => hex(hash('SHA-256', der));
