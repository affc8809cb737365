// Lint of the names in a certificate: the subject's attributes and the subjectAltName. They come from
// the request or its binding, so that is where the blame lies.

import { attributeTypes } from '../../asn1/oids.ts';
import { content, context, contextPrimitive, type Element, oid, tag } from '../../asn1/reader.ts';
import { type Bytes, fromLatin1 } from '../../base/bytes.ts';
import { only } from '../algorithm.ts';
import { isForTlsServers } from '../extensions.ts';
import { isEndpointManagerUri } from '../names/general-name.ts';
import { readString } from '../names/name.ts';
import {
  type Attribute,
  type CertificateSubject,
  extensionOf,
  ours,
  type Rule,
  request,
} from './rule.ts';

const isCommonName = ({ type }: Attribute): boolean => type === attributeTypes.commonName;

/** RFC 5280 appendix A.1, upper bounds in characters. */
const upperBounds: Readonly<Record<string, number>> = {
  [attributeTypes.commonName]: 64,
  [attributeTypes.serialNumber]: 64,
  [attributeTypes.countryName]: 2,
  [attributeTypes.localityName]: 128,
  [attributeTypes.stateOrProvinceName]: 128,
  [attributeTypes.organizationName]: 64,
  [attributeTypes.organizationalUnitName]: 64,
  [attributeTypes.title]: 64,
  [attributeTypes.emailAddress]: 255,
};

/** RFC 5280 A.1: attributes that are of one string type only. */
const onlyPrintable: readonly string[] = [
  attributeTypes.countryName,
  attributeTypes.serialNumber,
  attributeTypes.dnQualifier,
];
const onlyIa5: readonly string[] = [attributeTypes.domainComponent, attributeTypes.emailAddress];

/** Characters that act on a terminal, a log or a reader's eye. */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u;

function isOfTlsServer(subject: CertificateSubject): boolean {
  const purposes = extensionOf(subject, 'extKeyUsage')?.value.children ?? [];
  return isForTlsServers(purposes.map(oid));
}

/** A text like a host name in which `*` is anything but the whole first label. */
const isPartialWildcard = (text: string): boolean =>
  /^[\w.*-]+$/.test(text) && text.includes('.') && text.replace(/^\*\./, '').includes('*');

export const subjectRules: readonly Rule<CertificateSubject>[] = [
  request('nameless', 'RFC 5280 §4.1.2.6', (subject) => {
    return (
      subject.certificate.subject.length > 0 || extensionOf(subject, 'subjectAltName') !== undefined
    );
  }),
  ours('ca-nameless', 'RFC 5280 §4.1.2.6', ({ certificate, context: { role } }) => {
    return role !== 'ca' || certificate.subject.length > 0;
  }),
  request('subject-strings', 'RFC 5280 §4.1.2.4', ({ certificate }) =>
    certificate.subject.every(({ string, text }) => string !== undefined && text.trim() !== ''),
  ),
  request('subject-length', 'RFC 5280 A.1', ({ certificate }) =>
    certificate.subject.every(({ type, text }) => {
      return [...text].length <= (upperBounds[type] ?? 1024);
    }),
  ),
  request('subject-characters', 'RFC 5280 §4.1.2.4', ({ certificate }) =>
    certificate.subject.every(({ text }) => !acting.test(text)),
  ),
  request('country', 'RFC 5280 A.1', ({ certificate }) =>
    certificate.subject
      .filter(({ type }) => type === attributeTypes.countryName)
      .every(({ text }) => /^[A-Za-z]{2}$/.test(text)),
  ),
  request('printable-string', 'X.680 §41.4', ({ certificate }) => {
    return certificate.subject
      .filter(({ string }) => string === tag.printableString)
      .every(({ text }) => /^[A-Za-z0-9 '()+,\-./:=?*&@_]*$/.test(text));
  }),
  request('attribute-string-type', 'RFC 5280 A.1', ({ certificate }) =>
    certificate.subject.every(({ type, string }) => {
      if (onlyPrintable.includes(type)) return string === tag.printableString;
      return !onlyIa5.includes(type) || string === tag.ia5String;
    }),
  ),
  request('ia5-string', 'X.680 §41.2', ({ certificate }) => {
    return certificate.subject
      .filter(({ string }) => string === tag.ia5String)
      .every(({ text }) => /^[\0-\x7f]*$/.test(text));
  }),
  // A user's name in a directory has several (CN=Jane Doe,CN=Users,DC=corp,DC=example). Of a server's,
  // clients differ in which one they take for its host.
  request('repeated-common-name', 'RFC 6125 §6.4.4', (subject) => {
    const names = subject.certificate.subject.filter(isCommonName);
    const mayRepeat = subject.context.role === 'endEntity' && !isOfTlsServer(subject);
    return mayRepeat || names.length <= 1;
  }),
  // Some TLS clients, OpenSSL among them, take `f*.example` for every host that begins with f.
  request('partial-wildcard', 'RFC 6125 §6.4.3', (subject) => {
    const names = subject.certificate.subject.filter(isCommonName);
    return !isOfTlsServer(subject) || !names.some(({ text }) => isPartialWildcard(text));
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
/** An address is not a host name: no top-level label is all digits (RFC 1123 §2.1). */
export const isDnsName = (text: string): boolean =>
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
    const empty = subject.certificate.subject.length === 0;
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
    alternatives(subject, contextPrimitive(6)).every((name) => {
      return isAbsoluteUri(text(name)) || isEndpointManagerUri(text(name));
    }),
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
  ours('general-names', 'RFC 5280 §4.2.1.6, MS-WCCE §2.2.2.7.7.4', (subject) => {
    const found = (['subjectAltName', 'securityIdentifier'] as const).flatMap((id) => {
      return extensionOf(subject, id)?.value ?? [];
    });
    return found.every((names) => subject.certificate.hasNames(names));
  }),
];
