// Describes certificates, requests, CRLs and keys for `inspect` and the admin API. It reports what they
// hold and trusts none of it. Their texts come from strangers: whoever shows them escapes them first
// (`visible`).

import { elementsIn } from '../../asn1/elements.ts';
import { extensionOids } from '../../asn1/oids.ts';
import {
  bitString,
  content,
  context,
  type Element,
  oid,
  raw,
  scan,
  strictly,
  tag,
} from '../../asn1/reader.ts';
import { readTime } from '../../asn1/time.ts';
import { type Bytes, hex } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { isoSeconds } from '../../base/text.ts';
import { oids } from '../../crypto/algorithms.ts';
import { hash } from '../../crypto/native.ts';
import { readAlgorithm, readSignatureAlgorithm, type SignatureScheme } from '../algorithm.ts';
import { type Certificate, readCertificate } from '../certificate.ts';
import { reasonNames } from '../crl.ts';
import { type CertificationRequest, readCertificationRequest } from '../csr.ts';
import { readExtensions } from '../extensions.ts';
import { printName } from '../names/name.ts';
import { keyName, readPublicKey, readRsaPublicKey, verifySignature } from '../public-key.ts';
import {
  type DescribedExtension,
  describeExtensions,
  describeGeneralName,
  orOctets,
} from './extensions.ts';

export type DescribedKey = {
  /** `RSA-2048`, `P-256`, `Ed25519`, or the OID of an algorithm that the registry does not have. */
  readonly algorithm: string;
  /** Whether any endpoint could take it. */
  readonly accepted: boolean;
  /** SHA-256 of the SubjectPublicKeyInfo: as `blockedKeys` and `cert list --key` have it. */
  readonly sha256: string;
};

/** Times are ISO 8601 in UTC, serial numbers and digests hexadecimal, names RFC 4514. */
export type DescribedCertificate = {
  readonly type: 'certificate';
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: DescribedKey;
  readonly signatureAlgorithm: string;
  readonly extensions: readonly DescribedExtension[];
  readonly sha256: string;
  readonly sha1: string;
};

export type DescribedRequest = {
  readonly type: 'request';
  readonly subject: string;
  /** The subjectAltNames that it asks for. */
  readonly names: readonly string[];
  readonly key: DescribedKey;
  /** Its value is a secret and is never in a description; from a record it has been removed. */
  readonly challengePassword: 'present' | 'removed' | 'absent';
  readonly requestedExtensions: readonly DescribedExtension[];
  readonly signatureAlgorithm: string;
  /** Whether its own key has signed it; absent for a request from a record, where it is not verified. */
  readonly proof?: 'good' | 'wrong' | 'unchecked';
  /** Of the request as it came; absent where its challengePassword has been removed since. */
  readonly sha256?: string;
};

export type DescribedPublicKey = { readonly type: 'publicKey'; readonly key: DescribedKey };

export type DescribedCrl = {
  readonly type: 'crl';
  readonly issuer: string;
  readonly thisUpdate: string;
  readonly nextUpdate?: string;
  readonly signatureAlgorithm: string;
  readonly extensions: readonly DescribedExtension[];
  readonly sha256: string;
  readonly sha1: string;
  readonly revoked: readonly RevokedEntry[];
};
export type RevokedEntry = {
  readonly serial: string;
  readonly revokedAt: string;
  readonly reason?: string;
};

const fingerprints = (der: Bytes) => ({
  sha256: hex(hash('SHA-256', der)),
  sha1: hex(hash('SHA-1', der)),
});

/** @throws {Malformed} */
export const describeCertificate = (der: Bytes): DescribedCertificate =>
  describedCertificate(readCertificate(der));

export const describedCertificate = (certificate: Certificate): DescribedCertificate => ({
  type: 'certificate',
  subject: printName(certificate.subject),
  issuer: printName(certificate.issuer),
  serial: hex(certificate.serial),
  notBefore: isoSeconds(certificate.notBefore),
  notAfter: isoSeconds(certificate.notAfter),
  key: describeKey(certificate.spki),
  signatureAlgorithm: describeSignature(certificate.signatureAlgorithm),
  extensions: describeExtensions(certificate.extensions),
  ...fingerprints(certificate.der),
});

/** @throws {Malformed} */
export const describeRequest = (der: Bytes): DescribedRequest =>
  describedRequest(readCertificationRequest(der));

function describedRequest(request: CertificationRequest): DescribedRequest {
  const { der, challengePassword: secret, subjectAltName: names } = request;
  const removed = secret === '';
  return {
    type: 'request',
    subject: printName(request.subject),
    names: names
      ? [orOctets(names, () => scan(names).children.map(describeGeneralName))].flat()
      : [],
    key: describeKey(request.spki),
    challengePassword: secret === undefined ? 'absent' : removed ? 'removed' : 'present',
    requestedExtensions: describeExtensions(request.requestedExtensions),
    signatureAlgorithm: describeSignature(scan(der).children[1] ?? none),
    ...(removed ? {} : { sha256: hex(hash('SHA-256', der)) }),
  };
}

/** A request as it came, with the judgement of its signature. @throws {Malformed} */
export async function describeProven(der: Bytes): Promise<DescribedRequest> {
  const request = readCertificationRequest(der);
  const { publicKey, scheme, info, signature } = request;
  const described = describedRequest(request);
  if (described.challengePassword === 'removed') return described;
  if (!publicKey || !scheme) return { ...described, proof: 'unchecked' };
  const good = await verifySignature(publicKey, scheme, info, signature);
  return { ...described, proof: good ? 'good' : 'wrong' };
}

/** A SubjectPublicKeyInfo. */
function describeKey(spki: Element): DescribedKey {
  const sha256 = hex(hash('SHA-256', raw(spki)));
  const described = orOctets(raw(spki), () => {
    const key = readPublicKey(spki);
    return { algorithm: key ? keyName(key.kind) : algorithmOf(spki), accepted: key !== undefined };
  });
  return typeof described === 'string'
    ? { algorithm: 'unreadable', accepted: false, sha256 }
    : { ...described, sha256 };
}

/** @throws {Malformed} */
export const describePublicKey = (der: Bytes): DescribedPublicKey => ({
  type: 'publicKey',
  key: describeKey(scan(der)),
});

/** The description of a key that no endpoint accepts. */
function algorithmOf({ children: [identifier, key] }: Element): string {
  const { oid: algorithm, parameters } = readAlgorithm(identifier ?? none);
  if (algorithm === oids.rsaEncryption) {
    const { modulus } = readRsaPublicKey(bitString(key ?? none));
    const digits = modulus[0] === 0 ? modulus.subarray(1) : modulus;
    return `RSA-${digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24}`;
  }
  return parameters?.tag === tag.oid ? `${algorithm} ${oid(parameters)}` : algorithm;
}

/** Stands for a missing element: it has no type. */
const none: Element = scan(Uint8Array.of(tag.null, 0));

export const schemeName = ({ kind, digest }: SignatureScheme): string =>
  kind === 'Ed25519' ? kind : `${kind} with ${digest.name}`;

/** An AlgorithmIdentifier of a signature. */
const describeSignature = (algorithm: Element): string =>
  orOctets(raw(algorithm), () => {
    const scheme = readSignatureAlgorithm(algorithm);
    return scheme ? schemeName(scheme) : readAlgorithm(algorithm).oid;
  });

/** A CRL of any number of entries. @throws {Malformed} */
export function describeCrl(der: Bytes): DescribedCrl {
  const { fields, algorithm, entries } = partsOf(der);
  const [thisUpdate, nextUpdate] = fields.filter(isTime);
  const issuer = fields.find((_, at) => isTime(fields[at + 1]));
  if (!thisUpdate || issuer?.tag !== tag.sequence) throw new Malformed('not a TBSCertList');
  const extensions = fields.find((field) => field.tag === context(0))?.children[0];
  return {
    type: 'crl',
    issuer: printName(raw(issuer)),
    thisUpdate: isoSeconds(readTime(thisUpdate)),
    ...(nextUpdate ? { nextUpdate: isoSeconds(readTime(nextUpdate)) } : {}),
    signatureAlgorithm: describeSignature(scan(algorithm)),
    extensions: extensions ? describeExtensions(readExtensions(extensions)) : [],
    ...fingerprints(der),
    revoked: entries.map(describeCrlEntry),
  };
}

/** The entries of a CRL, none of them read: there may be very many. @throws {Malformed} */
export const crlEntries = (der: Bytes): Bytes[] => partsOf(der).entries;

function partsOf(der: Bytes) {
  const [tbs, algorithm] = [...elementsIn(der)];
  if (!tbs || !algorithm) throw new Malformed('not a CertificateList');
  const fields: Element[] = [];
  let entries: Bytes[] = [];
  for (const octets of elementsIn(tbs)) {
    // revokedCertificates is the one SEQUENCE that stands behind a Time.
    if (isTime(fields.at(-1)) && octets[0] === tag.sequence) entries = [...elementsIn(octets)];
    else fields.push(strictly(scan(octets), 'TBSCertList'));
  }
  return { fields, algorithm, entries };
}

const isTime = (element: Element | undefined): boolean =>
  element?.tag === tag.utcTime || element?.tag === tag.generalizedTime;

/** @throws {Malformed} */
export function describeCrlEntry(octets: Bytes): RevokedEntry {
  const { at, ...entry } = readCrlEntry(octets);
  return { ...entry, revokedAt: isoSeconds(readTime(at)) };
}

/** Its time is not read: that is most of the work, and there may be very many. @throws {Malformed} */
export function readCrlEntry(
  octets: Bytes,
): Pick<RevokedEntry, 'serial' | 'reason'> & { readonly at: Element } {
  const [serial, at, list] = scan(octets).children;
  if (!serial || !at) throw new Malformed('not an entry of a CRL');
  const value = list && readExtensions(list).get(extensionOids.reasonCode)?.value;
  const code = value && content(scan(value));
  const reason = code && (reasonNames.get(code[0] ?? -1) ?? `code ${code.join(' ')}`);
  return { serial: hex(content(serial)), at, ...(reason ? { reason } : {}) };
}
