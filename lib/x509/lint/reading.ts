// A certificate as our own parser reads it, in the form in which the lint asks for it.

import { content, type Element, oid, scan, smallInteger, tag } from '../../asn1/reader.ts';
import { type Bytes, fromLatin1 } from '../../base/bytes.ts';
import { only } from '../algorithm.ts';
import { type Certificate, certificateOf, subjectPublicKeyOf } from '../certificate.ts';
import { readString } from '../names/name.ts';
import { type Attribute, type Reading, stringTags } from './rule.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export type OwnReading = {
  readonly parsed: Certificate;
  readonly tbs: Element;
  readonly certificate: Reading;
};

/** @throws {Malformed} */
function attributesOf(subject: Element): Attribute[] {
  return subject.children.flatMap(({ children }) =>
    children.map(({ children: [type, value] }) => {
      const string = stringTags.find((each) => each === value?.tag);
      const text = value && string !== undefined ? textOf(value) : '';
      return { type: type ? oid(type) : '', string, text };
    }),
  );
}

/** Octets that are not of the string's type come out as characters that a rule finds. */
function textOf(value: Element): string {
  switch (value.tag) {
    case tag.utf8String:
      return utf8.decode(content(value));
    case tag.printableString:
    case tag.ia5String:
      return fromLatin1(content(value));
    default:
      return readString(value) ?? '';
  }
}

/**
 * @param der a Certificate, of which the signature is not looked at
 * @throws {Malformed} also for what is not DER
 */
export function readOwn(der: Bytes): OwnReading {
  const element = scan(der);
  const parsed = certificateOf(element);
  const [tbs = element] = element.children;
  const [version, , signature] = tbs.children;
  const certificate = {
    version: version ? smallInteger(only(version)) : 0,
    serial: parsed.serial,
    signature: firstOid(signature),
    issuer: parsed.issuer,
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    subject: attributesOf(scan(parsed.subject)),
    keyType: firstOid(parsed.spki.children[0]),
    subjectPublicKey: subjectPublicKeyOf(parsed.spki),
    extensions: new Map(
      [...parsed.extensions].map(([id, { critical, value }]) => {
        return [id, { critical, value: scan(value) }];
      }),
    ),
    hasNames: () => true,
  };
  return { parsed, tbs, certificate };
}

const firstOid = (algorithm: Element | undefined): string =>
  algorithm?.children[0] ? oid(algorithm.children[0]) : '';
