// The one door to the keys of CAs: what a CA signs (certificates, CRLs, and a PKCS#10 for its own
// certificate) has been read back by the lint first, and each signature is verified before anybody sees it.

import { type Bytes, equal } from '../../base/bytes.ts';
import { Malformed, Outage } from '../../base/errors.ts';
import type { Signer, SignRequests } from '../../ports/signer.ts';
import type { SignatureScheme } from '../../x509/algorithm.ts';
import { signed } from '../../x509/certificate.ts';
import { readCertificationRequest } from '../../x509/csr.ts';
import { lintTbsCertList } from '../../x509/lint/crl.ts';
import { type Issued, lintIssued, type Templates } from '../../x509/lint/issued.ts';
import type { Finding, LintContext } from '../../x509/lint/rule.ts';
import { verifySignature } from '../../x509/public-key.ts';
import type { Issuer } from './ca-certificates.ts';

/** Octets in which the lint has found nothing. Only the functions of this file make one. */
class LintedOctets {
  readonly #tbs: Bytes;

  constructor(tbs: Bytes) {
    this.#tbs = tbs;
  }

  get tbs(): Bytes {
    return this.#tbs;
  }
}
export type Linted = LintedOctets;

/** A device's certificate. @param templates those of its CA */
export const lintedIssued = async (
  issued: Issued,
  templates: Templates,
): Promise<Linted | Finding> =>
  (await lintIssued(issued, templates)) ?? new LintedOctets(issued.tbs);

/** A certificate of the CA itself or of its RA.
 * @param tbs TBSCertificate, DER @param scheme what it is about to be signed with */
export async function lintedCertificate(
  tbs: Bytes,
  scheme: SignatureScheme,
  context: LintContext,
): Promise<Linted | Finding> {
  const { lintTbsCertificate } = await import('../../x509/lint/certificate.ts');
  return lintTbsCertificate(tbs, scheme, context) ?? new LintedOctets(tbs);
}

/** @param tbs TBSCertList, DER */
export function lintedCrl(
  tbs: Bytes,
  context: Parameters<typeof lintTbsCertList>[1],
): Linted | Finding {
  return lintTbsCertList(tbs, context) ?? new LintedOctets(tbs);
}

/** @param info CertificationRequestInfo, DER, which must be for this name and key */
export function lintedRequest(
  info: Bytes,
  { scheme, key }: CaKey,
  subject: Bytes,
): Linted | Finding {
  const request = requestOf(signed(info, scheme, new Uint8Array(1)));
  const isOurs =
    request?.publicKey !== undefined &&
    equal(request.publicKey.spki, key.spki) &&
    equal(request.subject, subject) &&
    equal(request.info, info);
  return isOurs ? new LintedOctets(info) : { id: 'request', citation: 'RFC 2986', blame: 'ours' };
}

function requestOf(der: Bytes) {
  try {
    return readCertificationRequest(der);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Returns what passed the lint; a finding is a fault of this service. @throws {Outage} */
export function requireClean(what: string, result: Linted | Finding): Linted {
  if (result instanceof LintedOctets) return result;
  throw new Outage(`lint ${result.id} (${result.citation}) of our own ${what}`);
}

export type CaKey = Pick<Issuer, 'keyReference' | 'algorithm' | 'key' | 'scheme'>;

export type Signed = {
  /** With the signature. */
  readonly der: Bytes;
  /** For the event of what was signed. */
  readonly requests: SignRequests;
};

/** The octets with the CA's signature. It has been verified: a faulty one would be worse than none. */
export async function sign(
  { signer }: { readonly signer: Pick<Signer, 'sign'> },
  ca: CaKey,
  { tbs }: Linted,
): Promise<Signed> {
  const { octets: signature, requests } = await signer.sign(ca.keyReference, ca.algorithm, tbs);
  if (!(await verifySignature(ca.key, ca.scheme, tbs, signature))) {
    throw new Outage('the CA key gave a signature that does not verify');
  }
  return { der: signed(tbs, ca.scheme, signature), requests };
}

/** A serial number: positive and of full length: the top bit clear, the next one set. */
export function drawSerial(random: Bytes): Bytes {
  random[0] = ((random[0] ?? 0) & 0x7f) | 0x40;
  return random;
}
