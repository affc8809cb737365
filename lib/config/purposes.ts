// Extended key usages (RFC 5280 §4.2.1.12) as the configuration and challenges name them.

import { extKeyUsages, otherPurposes } from '../asn1/oids.ts';
import { isDottedOid } from '../x509/names/name.ts';

export const purposes = [
  'clientAuth',
  'serverAuth',
  'emailProtection',
  'ipsecIKE',
  'smartcardLogon',
];
export const purposeText = `must be ${purposes.join(', ')} or a dotted OID`;
/** As the configuration names it, or its dotted OID. */
export const purposeName = (oid: string): string =>
  purposes.find((name) => purposeOid(name) === oid) ?? oid;

/** Dotted OID of a purpose by its name or OID. */
export const purposeOid = (name: string): string =>
  extKeyUsages[name as keyof typeof extKeyUsages] ?? name;

/** anyExtendedKeyUsage is refused: it would allow every purpose. */
export const isPurpose = (text: string): boolean =>
  purposes.includes(text) ||
  (isDottedOid(text) && text.length <= 128 && text !== otherPurposes.anyExtendedKeyUsage);

/** Purposes that are refused: their holder could act as a part of the CA itself. */
export const ofTheCa: Readonly<Record<string, string>> = {
  [otherPurposes.OCSPSigning]:
    'OCSPSigning lets its holder answer for the CA which certificates are good',
  [extKeyUsages.certificateRequestAgent]: 'Certificate Request Agent is what the CA has its RA for',
};
