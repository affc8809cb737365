// OCSP (RFC 6960) as whoever relies on a certificate speaks it: a request about one certificate, and what the
// response says of it. A response is judged by its signature, not by where it came from.

import { extensionOids, ocspResponseTypes, otherPurposes } from '../asn1/oids.ts';
import {
  bitString,
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  octetString,
  oid,
  raw,
  scan,
  tag,
} from '../asn1/reader.ts';
import { readTime } from '../asn1/time.ts';
import { octets, sequence, tlv } from '../asn1/writer.ts';
import { type Bytes, equal } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { digests } from '../crypto/algorithms.ts';
import { hash } from '../crypto/native.ts';
import { digestAlgorithm, only, readSignatureAlgorithm } from './algorithm.ts';
import {
  type Certificate,
  certificateOf,
  isIssuedBy,
  publicKeyOf,
  subjectPublicKeyOf,
} from './certificate.ts';
import { verifySignature } from './public-key.ts';

/** §4.1.1, with SHA-1 as every responder knows it (RFC 5019 §2.1.1); it protects nothing here. */
function certId({ serial }: Certificate, issuer: Certificate): Bytes {
  return sequence(
    digestAlgorithm(digests['SHA-1']),
    octets(hash('SHA-1', issuer.subject)),
    octets(hash('SHA-1', subjectPublicKeyOf(issuer.spki))),
    tlv(tag.integer, serial),
  );
}

/** An OCSPRequest, DER. */
export const encodeOcspRequest = (certificate: Certificate, issuer: Certificate): Bytes =>
  sequence(sequence(sequence(sequence(certId(certificate, issuer)))));

export type OcspStatus = {
  readonly status: 'good' | 'revoked' | 'unknown';
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  /** By the issuer, or by a responder to whom the issuer has delegated it, and whose certificate is valid now
   * (§4.2.2.2). */
  readonly trusted: boolean;
};

/** By its number: §4.2.1. */
const statusNames = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  'code 4',
  'sigRequired',
  'unauthorized',
];

/**
 * What a response says of the certificate.
 * @returns the name of the error that the responder answers with
 * @throws {Malformed} when it is no OCSPResponse, or says nothing of the certificate
 */
export async function readOcspResponse(
  response: Bytes,
  certificate: Certificate,
  { issuer, now }: { readonly issuer: Certificate; readonly now: number },
): Promise<OcspStatus | string> {
  const outer = new Fields(scan(response), 'OCSPResponse');
  const [code = 0] = content(outer.next(tag.enumerated, 'responseStatus'));
  if (code !== 0) return statusNames[code] ?? `code ${code}`;
  const bytes = new Fields(only(outer.next(context(0), 'responseBytes')), 'ResponseBytes');
  if (oid(bytes.next(tag.oid, 'responseType')) !== ocspResponseTypes.basic) {
    throw new Malformed('an OCSP response of an unknown type');
  }
  const basic = new Fields(
    scan(octetString(bytes.next(tag.octetString, 'response'))),
    'BasicOCSPResponse',
  );
  const data = basic.next(tag.sequence, 'tbsResponseData');
  const scheme = readSignatureAlgorithm(basic.next(tag.sequence, 'signatureAlgorithm'));
  const signature = bitString(basic.next(tag.bitString, 'signature'));
  const bag = basic.optional(context(0));
  const certificates = bag ? only(bag).children.map(certificateOf) : [];
  const signers = [issuer];
  for (const one of certificates) {
    const isValid = one.notBefore <= now && now <= one.notAfter;
    if (isValid && (await isDelegated(one, issuer))) signers.push(one);
  }
  const verdicts = signers
    .map(publicKeyOf)
    .map(async (key) =>
      key && scheme ? verifySignature(key, scheme, raw(data), signature) : false,
    );
  const trusted = (await Promise.all(verdicts)).includes(true);
  return { ...singleResponse(data, certId(certificate, issuer)), trusted };
}

async function isDelegated(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  const usage = certificate.extensions.get(extensionOids.extKeyUsage);
  if (!usage || !scan(usage.value).children.some((one) => oid(one) === otherPurposes.OCSPSigning)) {
    return false;
  }
  return isIssuedBy(certificate, { subject: issuer.subject, key: publicKeyOf(issuer) });
}

const certStatuses: Readonly<Record<number, OcspStatus['status']>> = {
  [contextPrimitive(0)]: 'good',
  [context(1)]: 'revoked',
  [contextPrimitive(2)]: 'unknown',
};

function singleResponse(data: Element, wanted: Bytes) {
  const responses = data.children.find(({ tag: type }) => type === tag.sequence)?.children ?? [];
  for (const one of responses) {
    const fields = new Fields(one, 'SingleResponse');
    if (!equal(raw(fields.next(tag.sequence, 'certID')), wanted)) continue;
    const status = certStatuses[fields.any('certStatus').tag];
    const thisUpdate = readTime(fields.next(tag.generalizedTime, 'thisUpdate'));
    const next = fields.optional(context(0));
    if (!status) throw new Malformed('a certStatus that does not exist');
    return { status, thisUpdate, nextUpdate: next && readTime(only(next)) };
  }
  throw new Malformed('an OCSP response about other certificates');
}
