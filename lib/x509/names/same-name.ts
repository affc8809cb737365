// RFC 5280 §7.1: whether two Names are one, whatever string types, case and spaces they are written in.
// It is for finding the certificate that a message or an issuer names, where a signature or a key then
// decides. What a certificate may say is compared by `sameAttributes`, exactly.

import { scan } from '../../asn1/reader.ts';
import { type Bytes, equal, hex } from '../../base/bytes.ts';
import { type NameAttribute, readName } from './name.ts';

/**
 * The same RDNs in the same order.
 * @param a Name, BER
 * @param b Name, BER
 */
export function sameName(a: Bytes, b: Bytes): boolean {
  if (equal(a, b)) return true;
  try {
    return folded(a) === folded(b);
  } catch {
    return false; // octets that are not a Name equal no Name
  }
}

const folded = (der: Bytes): string =>
  JSON.stringify(readName(scan(der)).map((rdn) => rdn.map(foldedAttribute).sort()));

/** RFC 4518 §2, as far as letters and spaces go. */
const foldedAttribute = ({ type, value, der }: NameAttribute): string =>
  value === undefined
    ? `${type}#${hex(der)}`
    : `${type}=${value.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')}`;
