// Number, times and signed part of a CertificateList (RFC 5280 §5.1, §5.2.3), read without its entries, of
// which there may be very many. Nothing is verified here.

import { elementsIn } from '../asn1/elements.ts';
import { extensionOids } from '../asn1/oids.ts';
import { bitString, content, context, type Element, scan, strictly, tag } from '../asn1/reader.ts';
import { readTime } from '../asn1/time.ts';
import type { Bytes } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { readSignatureAlgorithm, type SignatureScheme } from './algorithm.ts';
import { readExtensions } from './extensions.ts';

type CrlHead = {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
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
    const [thisUpdate, nextUpdate, number] = fieldsOf(tbs);
    if (thisUpdate === undefined || nextUpdate === undefined || number === undefined) {
      return undefined;
    }
    const times = { thisUpdate: readTime(thisUpdate), nextUpdate: readTime(nextUpdate) };
    return { number: numberOf(number), ...times, tbs, scheme, signature: bitString(scan(signed)) };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** thisUpdate, nextUpdate and the value of cRLNumber. */
function fieldsOf(tbs: Bytes): (Element | undefined)[] {
  const times: Element[] = [];
  let number: Element | undefined;
  for (const octets of elementsIn(tbs)) {
    const first = octets[0];
    if (first === tag.utcTime || first === tag.generalizedTime) times.push(scan(octets));
    if (first !== context(0)) continue;
    const [list] = strictly(scan(octets), 'TBSCertList').children;
    const value = list && readExtensions(list).get(extensionOids.crlNumber)?.value;
    number = value && scan(value);
  }
  return [times[0], times[1], number];
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
