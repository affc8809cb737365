// Lint of the names in a certificate: the subject's attributes and the subjectAltName. They come from
// the request or its binding, so that is where the blame lies.

import {
  BmpString,
  IA5String,
  PrintableString,
  TeletexString,
  UniversalString,
  Utf8String,
} from 'asn1js';
import type { Certificate } from 'pkijs';
import { type Bytes, fromLatin1 } from '../bytes.ts';
import { content, context, contextPrimitive, type Element, tag } from '../cms/der.ts';
import { only } from './algorithm.ts';
import { type CertificateSubject, extensionOf, ours, type Rule, request } from './lint-rule.ts';
import { readString } from './name.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** RFC 5280 A.1: DirectoryString, and IA5String for mail and domain components. */
const stringTypes = [
  Utf8String,
  PrintableString,
  TeletexString,
  BmpString,
  UniversalString,
  IA5String,
];
type Attribute = { type: string; text: string; string: boolean; value: unknown };

/** The subject's attributes; a value that is not a string has no text. */
function attributesOf({ subject }: Certificate): Attribute[] {
  return subject.typesAndValues.map(({ type, value }) => {
    const string = stringTypes.some((stringType) => value instanceof stringType);
    // asn1js reads a UTF8String that is not UTF-8 as Latin-1 and says nothing.
    const text: unknown =
      value instanceof Utf8String
        ? utf8.decode(value.valueBlock.valueHexView)
        : value.valueBlock.value;
    return { type, text: typeof text === 'string' ? text : '', string, value };
  });
}

const types = {
  country: '2.5.4.6',
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  dnQualifier: '2.5.4.46',
  domainComponent: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
} as const;

/** RFC 5280 appendix A.1, upper bounds in characters. */
const upperBounds: Readonly<Record<string, number>> = {
  [types.commonName]: 64,
  [types.serialNumber]: 64,
  [types.country]: 2,
  '2.5.4.7': 128,
  '2.5.4.8': 128,
  '2.5.4.10': 64,
  '2.5.4.11': 64,
  '2.5.4.12': 64,
  [types.emailAddress]: 255,
};

/** RFC 5280 A.1: attributes that are of one string type only. */
const onlyPrintable: readonly string[] = [types.country, types.serialNumber, types.dnQualifier];
const onlyIa5: readonly string[] = [types.domainComponent, types.emailAddress];

/** Characters that act on a terminal, a log or a reader's eye. */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u;

export const subjectRules: readonly Rule<CertificateSubject>[] = [
  request('nameless', 'RFC 5280 §4.1.2.6', (subject) => {
    const { typesAndValues } = subject.certificate.subject;
    return typesAndValues.length > 0 || extensionOf(subject, 'subjectAltName') !== undefined;
  }),
  ours('ca-nameless', 'RFC 5280 §4.1.2.6', ({ certificate, context: { role } }) => {
    return role !== 'ca' || certificate.subject.typesAndValues.length > 0;
  }),
  request('subject-strings', 'RFC 5280 §4.1.2.4', ({ certificate }) =>
    attributesOf(certificate).every(({ string, text }) => string && text.trim() !== ''),
  ),
  request('subject-length', 'RFC 5280 A.1', ({ certificate }) =>
    attributesOf(certificate).every(({ type, text }) => {
      return [...text].length <= (upperBounds[type] ?? 1024);
    }),
  ),
  request('subject-characters', 'RFC 5280 §4.1.2.4', ({ certificate }) =>
    attributesOf(certificate).every(({ text }) => !acting.test(text)),
  ),
  request('country', 'RFC 5280 A.1', ({ certificate }) =>
    attributesOf(certificate)
      .filter(({ type }) => type === types.country)
      .every(({ text }) => /^[A-Za-z]{2}$/.test(text)),
  ),
  request('printable-string', 'X.680 §41.4', ({ certificate }) => {
    return certificate.subject.typesAndValues
      .filter(({ value }) => value instanceof PrintableString)
      .every(({ value }) => /^[A-Za-z0-9 '()+,\-./:=?*&@_]*$/.test(value.valueBlock.value));
  }),
  request('attribute-string-type', 'RFC 5280 A.1', ({ certificate }) =>
    attributesOf(certificate).every(({ type, value }) => {
      if (onlyPrintable.includes(type)) return value instanceof PrintableString;
      return !onlyIa5.includes(type) || value instanceof IA5String;
    }),
  ),
  request('ia5-string', 'X.680 §41.2', ({ certificate }) => {
    return certificate.subject.typesAndValues
      .filter(({ value }) => value instanceof IA5String)
      .every(({ value }) => /^[\0-\x7f]*$/.test(value.valueBlock.value));
  }),
  request('repeated-common-name', 'RFC 6125 §6.4.4', ({ certificate }) => {
    return (
      certificate.subject.typesAndValues.filter(({ type }) => type === types.commonName).length <= 1
    );
  }),
  request('relative-distinguished-name', 'X.501 §9.3', ({ tbs }) =>
    (tbs.children[5]?.children ?? []).every(({ children }) => {
      const found = children.map(({ children: [type] }) => type && String(content(type)));
      return found.length > 0 && new Set(found).size === found.length;
    }),
  ),
];

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
/** RFC 1034 §3.5 as changed by RFC 1123 §2.1; a wildcard stands for the whole first label. */
const hostName = new RegExp(`^${label}(\\.${label})*$`, 'i');
const isHostName = (text: string): boolean => text.length <= 253 && hostName.test(text);
/** An address is none: no top-level label is all digits (RFC 1123 §2.1). */
const isDnsName = (text: string): boolean =>
  isHostName(text.replace(/^\*\./, '')) && !/(^|\.)\d+$/.test(text);
/** RFC 2821 §4.1.2, without quoted strings and address literals. */
const localPart = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;

function isMailbox(text: string): boolean {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  return at > 0 && at <= 64 && localPart.test(local) && isHostName(text.slice(at + 1));
}

/** RFC 3986: a scheme and something behind it; where there is an authority, it names a host. */
export function isAbsoluteUri(text: string): boolean {
  const match = /^[a-z][a-z0-9+.-]*:((?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+)$/i.exec(text);
  const [, authority] = /^\/\/([^/?#]*)/.exec(match?.[1] ?? '') ?? [];
  if (!match || authority === undefined) return match !== null;
  const host = authority.replace(/^[^@]*@/, '').replace(/:\d*$/, '');
  return isHostName(host) || /^\[[0-9a-f:.]+\]$/i.test(host);
}

const alternatives = (subject: CertificateSubject, wanted?: number): readonly Element[] =>
  (extensionOf(subject, 'subjectAltName')?.value.children ?? []).filter(
    (name) => wanted === undefined || name.tag === wanted,
  );
const kinds: readonly number[] = [
  context(0),
  contextPrimitive(1),
  contextPrimitive(2),
  contextPrimitive(6),
  contextPrimitive(7),
];
const text = (element: Element): string => fromLatin1(content(element));
const octets = (element: Element): Bytes => content(element);

export const alternativeRules: readonly Rule<CertificateSubject>[] = [
  ours('subject-alt-name', 'RFC 5280 §4.2.1.6', (subject) => {
    const extension = extensionOf(subject, 'subjectAltName');
    if (!extension) return true;
    const { tag: identifier, children } = extension.value;
    return identifier === tag.sequence && children.length > 0;
  }),
  ours('subject-alt-name-kind', 'RFC 5280 §4.2.1.6', (subject) =>
    alternatives(subject).every((name) => kinds.includes(name.tag)),
  ),
  ours('subject-alt-name-criticality', 'RFC 5280 §4.2.1.6', (subject) => {
    const empty = subject.certificate.subject.typesAndValues.length === 0;
    const names = extensionOf(subject, 'subjectAltName');
    return names === undefined || names.critical === empty;
  }),
  request('dns-name', 'RFC 5280 §4.2.1.6, RFC 1123 §2.1', (subject) =>
    alternatives(subject, contextPrimitive(2)).every((name) => isDnsName(text(name))),
  ),
  request('rfc822-name', 'RFC 5280 §4.2.1.6, RFC 2821 §4.1.2', (subject) =>
    alternatives(subject, contextPrimitive(1)).every((name) => isMailbox(text(name))),
  ),
  request('uri', 'RFC 5280 §4.2.1.6, RFC 3986 §4.3', (subject) =>
    alternatives(subject, contextPrimitive(6)).every((name) => isAbsoluteUri(text(name))),
  ),
  ours('ip-address', 'RFC 5280 §4.2.1.6', (subject) =>
    alternatives(subject, contextPrimitive(7)).every((name) => {
      return [4, 16].includes(octets(name).length);
    }),
  ),
  request('other-name', 'RFC 5280 §4.2.1.6', (subject) =>
    alternatives(subject, context(0)).every(({ children: [type, value, ...more] }) => {
      if (type?.tag !== tag.oid || value?.tag !== context(0) || more.length > 0) return false;
      const said = readString(only(value));
      return said === undefined || (said.trim() !== '' && !acting.test(said));
    }),
  ),
];
