// What a rule of the lint tables is, and what it is asked of.

import { extensionOids } from '../../asn1/oids.ts';
import { content, type Element, octetString, tag } from '../../asn1/reader.ts';
import { readTime } from '../../asn1/time.ts';
import type { Bytes } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { SignatureScheme } from '../algorithm.ts';

export type Finding = {
  readonly id: string;
  readonly citation: string;
  /** `request`: what the CSR or its binding supplied; `ours`: what we built. */
  readonly blame: 'request' | 'ours';
};

/** A rule, by the finding that it makes when it does not hold of a subject. */
export type Rule<Subject> = Finding & { readonly holds: (subject: Subject) => boolean };

export type LintContext = {
  /** A certificate of the CA itself, or one for a device or an RA. */
  readonly role: 'ca' | 'endEntity';
  /** The issuer's Name, DER, and its subjectKeyIdentifier. */
  readonly issuer: Bytes;
  readonly issuerKeyIdentifier: Bytes;
  /** Milliseconds since 1970. */
  readonly issuerNotBefore: number;
  readonly issuerNotAfter: number;
  /** Where its CRL is; absent where it names none. */
  readonly crlUrl?: string;
};

export type ReadExtension = {
  readonly critical: boolean;
  readonly value: Element;
};

/** RFC 5280 A.1: DirectoryString, and IA5String for mail and domain components. */
export const stringTags: readonly number[] = [
  tag.utf8String,
  tag.printableString,
  tag.t61String,
  tag.bmpString,
  tag.universalString,
  tag.ia5String,
];

/** An attribute of a subject. */
export type Attribute = {
  /** Dotted OID. */
  readonly type: string;
  /** The universal tag of a string, or undefined for a value that is none. */
  readonly string: number | undefined;
  /** Empty for a value that is no string. */
  readonly text: string;
};

/** What a certificate says, as one parser reads it. */
export type Reading = {
  /** As it is encoded: 2 is v3. */
  readonly version: number;
  /** Content octets of the INTEGER. */
  readonly serial: Bytes;
  /** Dotted OID of the algorithm that it says it is signed with. */
  readonly signature: string;
  /** Name, DER. */
  readonly issuer: Bytes;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly subject: readonly Attribute[];
  /** Dotted OID of the key's algorithm. */
  readonly keyType: string;
  readonly subjectPublicKey: Bytes;
  /** By OID. */
  readonly extensions: ReadonlyMap<string, ReadExtension>;
  /** Whether this parser finds in a GeneralNames what ours finds there. */
  readonly hasNames: (names: Element) => boolean;
};

/** A TBSCertificate as two parsers see it: one that we did not write, and our own, which keeps the
 * encoding that the other takes away. */
export type CertificateSubject = {
  readonly certificate: Reading;
  readonly tbs: Element;
  readonly scheme: SignatureScheme;
  readonly context: LintContext;
};

const rule =
  (blame: Finding['blame']) =>
  <Subject = CertificateSubject>(
    id: string,
    citation: string,
    holds: Rule<Subject>['holds'],
  ): Rule<Subject> => ({ id, citation, blame, holds });
export const ours = rule('ours');
export const request = rule('request');

/** The first rule that does not hold; one that cannot be asked does not hold. */
export function firstFinding<Subject>(
  rules: readonly Rule<Subject>[],
  subject: Subject,
): Finding | undefined {
  return rules.find((each) => {
    try {
      return !each.holds(subject);
    } catch (error) {
      if (error instanceof Malformed) return true;
      throw error;
    }
  });
}

export const extensionOf = (
  { certificate }: CertificateSubject,
  id: keyof typeof extensionOids,
): ReadExtension | undefined => certificate.extensions.get(extensionOids[id]);

/** RFC 5280 §4.1.2.5: to the second, in UTC; UTCTime through 2049, GeneralizedTime from 2050 on. */
export function timeIsEncoded(element: Element | undefined): boolean {
  if (!element) return false;
  const year = new Date(readTime(element)).getUTCFullYear();
  return element.tag === (year < 2050 ? tag.utcTime : tag.generalizedTime);
}

/** Extensions of which each stands once and says `critical` only where it is not the default. */
export const extensionsAreDistinct = (list: readonly Element[]): boolean =>
  new Set(list.map(({ children: [id] }) => id && String(content(id)))).size === list.length;
export const extensionsAreDer = (list: readonly Element[]): boolean =>
  list.every(({ children }) => {
    const [, critical] = children;
    const stated = children.length === 3;
    const value = children.at(-1);
    if (value) octetString(value);
    return !stated || (critical?.tag === tag.boolean && content(critical)[0] === 0xff);
  });
