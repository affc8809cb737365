// The certificate and CRL extensions in use (RFC 5280 §4.2, §5.2): OIDs, reading of a list, and one
// small writer for each. Writers give the whole Extension, DER, with the criticality that the RFC
// asks for.

import { accessMethods, extensionOids, extKeyUsages, otherPurposes } from '../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  octetString,
  oid,
  scan,
  tag,
} from '../asn1/reader.ts';
import {
  bits,
  boolean,
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  tlv,
} from '../asn1/writer.ts';
import { type Bytes, fromLatin1, latin1 } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { hash } from '../crypto/native.ts';
import {
  encodeGeneralNames,
  encodeSecurityIdentifier,
  type GeneralName,
} from './names/general-name.ts';

type Extension = { readonly critical: boolean; readonly value: Bytes };
export type Extensions = ReadonlyMap<string, Extension>;

/** @throws {Malformed} also for an extension that stands twice (RFC 5280 §4.2) */
export function readExtensions(list: Element): Extensions {
  if (list.tag !== tag.sequence) throw new Malformed('not a list of extensions');
  const extensions = new Map<string, Extension>();
  for (const element of list.children) {
    const fields = new Fields(element, 'Extension');
    const id = oid(fields.next(tag.oid, 'extnID'));
    const critical = fields.optional(tag.boolean);
    const value = octetString(fields.next(tag.octetString, 'extnValue'));
    fields.end();
    if (extensions.has(id)) throw new Malformed(`the extension ${id} stands twice`);
    extensions.set(id, { critical: critical !== undefined && content(critical)[0] !== 0, value });
  }
  return extensions;
}

const encodedOids = new Map(
  Object.entries(extensionOids).map(([name, dotted]) => [name, objectIdentifier(dotted)]),
);

function extension(id: keyof typeof extensionOids, critical: boolean, value: Bytes): Bytes {
  const oid = encodedOids.get(id) ?? objectIdentifier(extensionOids[id]);
  return sequence(oid, ...(critical ? [boolean(true)] : []), octets(value));
}

/** RFC 5280 §4.2.1.3, in the order of its bits. */
export const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const;
export type KeyUsage = (typeof keyUsages)[number];

export function keyUsage(usages: readonly KeyUsage[]): Bytes {
  let mask = 0;
  for (const usage of usages) mask |= 0x80 >> keyUsages.indexOf(usage);
  const unused = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
  return extension(
    'keyUsage',
    true,
    bits(mask === 0 ? new Uint8Array(0) : Uint8Array.of(mask), unused),
  );
}

/** The names of the bits that are set, with those that only key agreement has. @throws {Malformed} */
export function readKeyUsage(value: Element): string[] {
  if (value.tag !== tag.bitString) throw new Malformed('no KeyUsage');
  const [, ...octets] = content(value);
  const named = [...keyUsages, 'encipherOnly', 'decipherOnly'];
  return named.filter((_, bit) => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

/** Purposes by which a TLS client takes a certificate for a server's: OpenSSL honours two from before
 * RFC 5280. */
const tlsServerPurposes: ReadonlySet<string> = new Set([
  extKeyUsages.serverAuth,
  otherPurposes.microsoftServerGatedCrypto,
  otherPurposes.netscapeServerGatedCrypto,
]);
/** @param purposes dotted OIDs */
export const isForTlsServers = (purposes: readonly string[]): boolean =>
  purposes.some((purpose) => tlsServerPurposes.has(purpose));

export const extKeyUsage = (purposes: readonly string[]): Bytes =>
  extension('extKeyUsage', false, sequence(...purposes.map(objectIdentifier)));

/** A CA certificate's; end entities carry none. */
export const caBasicConstraints = (pathLength: number | undefined): Bytes =>
  extension(
    'basicConstraints',
    true,
    sequence(boolean(true), ...(pathLength === undefined ? [] : [integer(pathLength)])),
  );

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the subjectPublicKey. */
export const keyIdentifier = (subjectPublicKey: Bytes): Bytes =>
  hash('SHA-256', subjectPublicKey).slice(0, 20);

export const subjectKeyIdentifier = (identifier: Bytes): Bytes =>
  extension('subjectKeyIdentifier', false, octets(identifier));

export const authorityKeyIdentifier = (identifier: Bytes): Bytes =>
  extension('authorityKeyIdentifier', false, sequence(tlv(contextPrimitive(0), identifier)));

/** Critical if and only if the subject is empty (RFC 5280 §4.2.1.6). */
export const subjectAltName = (names: readonly GeneralName[], subjectEmpty: boolean): Bytes =>
  extension('subjectAltName', subjectEmpty, encodeGeneralNames(names));

/** @param sid text, such as `S-1-5-21-1-2-3-1001` */
export const securityIdentifier = (sid: string): Bytes =>
  extension('securityIdentifier', false, encodeSecurityIdentifier(sid));

const uri = (url: string): Bytes => tlv(contextPrimitive(6), latin1(url));

/** DistributionPointName of RFC 5280 §4.2.1.13 under its tag: full names. */
const fullName = (...urls: string[]): Bytes => explicit(0, tlv(context(0), ...urls.map(uri)));

/** CRLDistributionPoints of RFC 5280 §4.2.1.13: one point of one full name. */
export const distributionPoints = (url: string): Bytes => sequence(sequence(fullName(url)));

export const crlDistributionPoint = (url: string): Bytes =>
  extension('cRLDistributionPoints', false, distributionPoints(url));

/** RFC 5280 §5.2.5: with a distributionPoint alone. */
export const issuingDistributionPoint = (urls: readonly string[]): Bytes =>
  extension('issuingDistributionPoint', true, sequence(fullName(...urls)));

/** The URLs in an issuingDistributionPoint that has a distributionPoint of URLs alone. @throws {Malformed} */
export function readIssuingDistributionPoint(value: Bytes): string[] {
  const [point, ...more] = scan(value).children;
  const [names] = point?.tag === context(0) ? point.children : [];
  const urls = names?.tag === context(0) ? names.children : [];
  const isPlain = more.length === 0 && urls.every(({ tag: form }) => form === contextPrimitive(6));
  if (!isPlain || urls.length === 0) throw new Malformed('not a distributionPoint of URLs alone');
  return urls.map((url) => fromLatin1(content(url)));
}

const caIssuersOid = objectIdentifier(accessMethods.caIssuers);

/** RFC 5280 §4.2.2.1: where the issuer's certificate is. */
export const caIssuers = (url: string): Bytes =>
  extension('authorityInfoAccess', false, sequence(sequence(caIssuersOid, uri(url))));

/** RFC 5280 §5.3.1: an ENUMERATED. */
export const crlReason = (code: number): Bytes =>
  extension('reasonCode', false, tlv(tag.enumerated, Uint8Array.of(code)));

export const crlNumber = (number: number): Bytes => extension('crlNumber', false, integer(number));
