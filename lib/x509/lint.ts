// Lint of a TBSCertificate before it is signed. What our own writer built is read back by pkijs, a
// parser we did not write, and every rule is asked of what that parser saw. A finding says whether
// the requester's names are to blame or we are.

import {
  BmpString,
  fromBER,
  IA5String,
  type OctetString,
  PrintableString,
  TeletexString,
  UniversalString,
  Utf8String,
} from 'asn1js';
import { BasicConstraints, Certificate, type Extension, ExtKeyUsage } from 'pkijs';
import { type Bytes, equal } from '../bytes.ts';
import { contextPrimitive, scan } from '../cms/der.ts';
import { bits, sequence, tlv } from '../cms/der-writer.ts';
import { type SignatureScheme, signatureAlgorithm } from './algorithm.ts';
import { extensionOids, keyIdentifier } from './extensions.ts';

export type LintContext = {
  /** The issuer's Name, DER, and its subjectKeyIdentifier. */
  readonly issuer: Bytes;
  readonly issuerKeyIdentifier: Bytes;
  /** Milliseconds since 1970. */
  readonly issuerNotBefore: number;
  readonly issuerNotAfter: number;
};

export type Finding = {
  readonly id: string;
  readonly citation: string;
  /** `request`: what the CSR or its binding supplied; `ours`: what we built. */
  readonly blame: 'request' | 'ours';
};

type Subject = {
  readonly certificate: Certificate;
  readonly tbs: Bytes;
  readonly context: LintContext;
  readonly extension: (id: keyof typeof extensionOids) => Extension | undefined;
};
type Rule = Finding & { readonly holds: (subject: Subject) => boolean };

const ours = (id: string, citation: string, holds: Rule['holds']): Rule => ({
  id,
  citation,
  blame: 'ours',
  holds,
});
const request = (id: string, citation: string, holds: Rule['holds']): Rule => ({
  id,
  citation,
  blame: 'request',
  holds,
});

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

/** The subject's attributes; a value that is not a string has no text. */
function attributesOf({ subject }: Certificate): { type: string; text: string; string: boolean }[] {
  return subject.typesAndValues.map(({ type, value }) => {
    const string = stringTypes.some((stringType) => value instanceof stringType);
    // asn1js reads a UTF8String that is not UTF-8 as Latin-1 and says nothing.
    const text: unknown =
      value instanceof Utf8String
        ? utf8.decode(value.valueBlock.valueHexView)
        : value.valueBlock.value;
    return { type, text: typeof text === 'string' ? text : '', string };
  });
}

/** The octets inside an extension's value that is itself one primitive type. */
function innerOctets(extension: Extension): Uint8Array {
  const inner = fromBER(extension.extnValue.getValue()).result as OctetString;
  return inner.valueBlock.valueHexView;
}

/** RFC 5280 appendix A.1, upper bounds in characters. */
const upperBounds: Readonly<Record<string, number>> = {
  '2.5.4.3': 64,
  '2.5.4.5': 64,
  '2.5.4.6': 2,
  '2.5.4.7': 128,
  '2.5.4.8': 128,
  '2.5.4.10': 64,
  '2.5.4.11': 64,
  '1.2.840.113549.1.9.1': 255,
};

const rules: readonly Rule[] = [
  ours(
    'reparse',
    'X.690 §10',
    ({ certificate, tbs }) => equal(new Uint8Array(certificate.tbsView), tbs) && scan(tbs).der,
  ),
  ours('version', 'RFC 5280 §4.1.2.1', ({ certificate }) => certificate.version === 2),
  ours('serial', 'RFC 5280 §4.1.2.2', ({ certificate: { serialNumber } }) => {
    const octets = serialNumber.valueBlock.valueHexView;
    return octets.length >= 9 && octets.length <= 20 && (octets[0] ?? 0x80) < 0x80;
  }),
  ours('signature', 'RFC 5280 §4.1.2.3', ({ certificate: { signature, signatureAlgorithm } }) =>
    signature.isEqual(signatureAlgorithm),
  ),
  ours('issuer', 'RFC 5280 §4.1.2.4', ({ certificate, context }) =>
    equal(new Uint8Array(certificate.issuer.valueBeforeDecode), context.issuer),
  ),
  ours('validity', 'RFC 5280 §4.1.2.5', ({ certificate, context }) => {
    const from = certificate.notBefore.value.getTime();
    const to = certificate.notAfter.value.getTime();
    return from < to && from >= context.issuerNotBefore && to <= context.issuerNotAfter;
  }),
  ours('basic-constraints', 'RFC 5280 §4.2.1.9', ({ extension }) => {
    const constraints = extension('basicConstraints')?.parsedValue;
    return !constraints || (constraints instanceof BasicConstraints && !constraints.cA);
  }),
  ours('key-usage', 'RFC 5280 §4.2.1.3', ({ certificate, extension }) => {
    const usage = extension('keyUsage');
    const octet = usage ? (innerOctets(usage)[0] ?? 0) : 0;
    const encrypts = (octet & 0x20) !== 0;
    const rsa = certificate.subjectPublicKeyInfo.algorithm.algorithmId === '1.2.840.113549.1.1.1';
    return usage?.critical === true && octet !== 0 && (octet & 0x06) === 0 && (rsa || !encrypts);
  }),
  ours('ext-key-usage', 'RFC 5280 §4.2.1.12', ({ extension }) => {
    const usage = extension('extKeyUsage')?.parsedValue;
    return usage instanceof ExtKeyUsage && !usage.keyPurposes.includes('2.5.29.37.0');
  }),
  ours('subject-key-identifier', 'RFC 5280 §4.2.1.2', ({ certificate, extension }) => {
    const wanted = keyIdentifier(
      new Uint8Array(certificate.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView),
    );
    const found = extension('subjectKeyIdentifier');
    return found !== undefined && equal(innerOctets(found), wanted);
  }),
  ours('authority-key-identifier', 'RFC 5280 §4.2.1.1', ({ extension, context }) => {
    const value = extension('authorityKeyIdentifier')?.extnValue.getValue();
    const wanted = sequence(tlv(contextPrimitive(0), context.issuerKeyIdentifier));
    return value !== undefined && equal(new Uint8Array(value), wanted);
  }),
  ours('critical', 'RFC 5280 §4.2', ({ certificate, extension }) => {
    const critical = (certificate.extensions ?? []).filter((found) => found.critical);
    const allowed = [extension('keyUsage'), extension('subjectAltName')];
    return critical.every((found) => allowed.includes(found));
  }),
  ours('subject-alt-name-criticality', 'RFC 5280 §4.2.1.6', ({ certificate, extension }) => {
    const names = extension('subjectAltName');
    const empty = certificate.subject.typesAndValues.length === 0;
    return names === undefined || names.critical === empty;
  }),
  request('nameless', 'RFC 5280 §4.1.2.6', ({ certificate, extension }) => {
    return (
      certificate.subject.typesAndValues.length > 0 || extension('subjectAltName') !== undefined
    );
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
    attributesOf(certificate).every(({ text }) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u.test(text)),
  ),
  request('country', 'RFC 5280 A.1', ({ certificate }) =>
    attributesOf(certificate)
      .filter(({ type }) => type === '2.5.4.6')
      .every(({ text }) => /^[A-Za-z]{2}$/.test(text)),
  ),
  request('printable-string', 'X.680 §41.4', ({ certificate }) => {
    return certificate.subject.typesAndValues
      .filter(({ value }) => value instanceof PrintableString)
      .every(({ value }) => /^[A-Za-z0-9 '()+,\-./:=?*&@_]*$/.test(value.valueBlock.value));
  }),
  request('repeated-common-name', 'RFC 6125 §6.4.4', ({ certificate }) => {
    return certificate.subject.typesAndValues.filter(({ type }) => type === '2.5.4.3').length <= 1;
  }),
];

/**
 * The first rule that does not hold, or undefined.
 * @param tbs TBSCertificate, DER
 * @param scheme what it is about to be signed with
 */
export function lintTbsCertificate(
  tbs: Bytes,
  scheme: SignatureScheme,
  context: LintContext,
): Finding | undefined {
  const unsigned = sequence(tbs, signatureAlgorithm(scheme), bits(new Uint8Array(1)));
  const certificate = Certificate.fromBER(unsigned);
  const extension: Subject['extension'] = (id) =>
    certificate.extensions?.find(({ extnID }) => extnID === extensionOids[id]);
  const subject = { certificate, tbs, context, extension };
  return rules.find((rule) => !rule.holds(subject));
}
