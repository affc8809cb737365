// Number, times and signed part of a CertificateList (RFC 5280 §5.1, §5.2.3), read without its entries, of
// which there may be very many. Nothing is verified here.

import { elementsIn } from '../asn1/elements.ts';
import { extensionOids } from '../asn1/oids.ts';
import { bitString, content, context, type Element, scan, strictly, tag } from '../asn1/reader.ts';
import { readTime } from '../asn1/time.ts';
import type { Bytes } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { readSignatureAlgorithm, type SignatureScheme } from './algorithm.ts';
import { type Extensions, readExtensions, readIssuingDistributionPoint } from './extensions.ts';

type CrlHead = {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** URLs of the certificates that it tells of; empty where it tells of all. */
  readonly distributionPoint: readonly string[];
  readonly tbs: Bytes;
  readonly scheme: SignatureScheme;
  readonly signature: Bytes;
};

/** @returns undefined unless it is a CRL in the form in which the CAs of this service write them */
export function readCrlHead(der: Bytes): CrlHead | undefined {
  try {
    const [tbs, algorithm, signed] = [...elementsIn(der)];
    const scheme = algorithm && readSignatureAlgorithm(scan(algorithm));
    if (!tbs || !scheme || !signed) return undefined;
    const { times, extensions } = fieldsOf(tbs);
    const [thisUpdate, nextUpdate] = times;
    const number = extensions?.get(extensionOids.crlNumber)?.value;
    if (thisUpdate === undefined || nextUpdate === undefined || number === undefined) {
      return undefined;
    }
    const point = extensions?.get(extensionOids.issuingDistributionPoint)?.value;
    return {
      number: numberOf(scan(number)),
      thisUpdate: readTime(thisUpdate),
      nextUpdate: readTime(nextUpdate),
      distributionPoint: point ? readIssuingDistributionPoint(point) : [],
      ...{ tbs, scheme, signature: bitString(scan(signed)) },
    };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** thisUpdate and nextUpdate, and crlExtensions. */
function fieldsOf(tbs: Bytes): { readonly times: Element[]; readonly extensions?: Extensions } {
  const times: Element[] = [];
  let extensions: Extensions | undefined;
  for (const octets of elementsIn(tbs)) {
    const first = octets[0];
    if (first === tag.utcTime || first === tag.generalizedTime) times.push(scan(octets));
    if (first !== context(0)) continue;
    const [list] = strictly(scan(octets), 'TBSCertList').children;
    extensions = list && readExtensions(list);
  }
  return { times, ...(extensions ? { extensions } : {}) };
}

/** A cRLNumber that fits a number, so that the next one can be computed. @throws {Malformed} */
function numberOf(element: Element): number {
  const octets = content(element);
  const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  if (element.tag !== tag.integer || !Number.isSafeInteger(number) || (octets[0] ?? 0x80) > 0x7f) {
    throw new Malformed('not a cRLNumber');
  }
  return number;
}
