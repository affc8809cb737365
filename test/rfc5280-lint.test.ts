// The lint before every signature: a good certificate passes, and each rule finds its own sample. The
// samples differ from the good certificate in one thing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digests } from '../lib/algorithms.ts';
import { type Bytes, concat, utf8 } from '../lib/bytes.ts';
import { contextPrimitive, tag } from '../lib/cms/der.ts';
import {
  boolean,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  timeOf,
  tlv,
} from '../lib/cms/der-writer.ts';
import { type SignatureScheme, signatureAlgorithm } from '../lib/x509/algorithm.ts';
import { readCertificate, subjectPublicKeyOf } from '../lib/x509/certificate.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  crlDistributionPoint,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../lib/x509/extensions.ts';
import { lintTbsCertificate } from '../lib/x509/lint.ts';
import { parseName } from '../lib/x509/name.ts';
import { certify, signers } from './support/signed-data.ts';

const scheme: SignatureScheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] };
const oid = objectIdentifier;
const [notBefore, notAfter] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];
const issuer = parseName('CN=Lint CA,O=Test');
const issuerKeyIdentifier = new Uint8Array(20).fill(0xca);
const context = {
  issuer,
  issuerKeyIdentifier,
  issuerNotBefore: notBefore,
  issuerNotAfter: notAfter,
};

const keyIdentifierOf = (spki: Bytes) =>
  keyIdentifier(
    subjectPublicKeyOf(readCertificate(certify(spki, signers.rsa.privateKey, {})).spki),
  );
const rsa = { spki: signers.rsa.spki, identifier: keyIdentifierOf(signers.rsa.spki) };
const ec = { spki: signers['P-256'].spki, identifier: keyIdentifierOf(signers['P-256'].spki) };
const clientAuth = '1.3.6.1.5.5.7.3.2';

/** The extensions of the good certificate, by name. */
const extensions = (identifier: Bytes) => ({
  keyUsage: [keyUsage(['digitalSignature', 'keyEncipherment'])],
  extKeyUsage: [extKeyUsage([clientAuth])],
  subjectKeyIdentifier: [subjectKeyIdentifier(identifier)],
  authorityKeyIdentifier: [authorityKeyIdentifier(issuerKeyIdentifier)],
  others: [crlDistributionPoint('http://scep.example/crl/default.crl')],
});
type Extensions = Partial<Record<keyof ReturnType<typeof extensions>, readonly Bytes[]>>;
const fields = {
  version: [explicit(0, integer(2))],
  serial: [integer(new Uint8Array(16).fill(0x5a))],
  algorithm: [signatureAlgorithm(scheme)],
  issuer: [issuer],
  validity: [sequence(timeOf(notBefore), timeOf(notAfter))],
  subject: [parseName('CN=device,O=Test')],
};
type Fields = Partial<Record<keyof typeof fields, readonly Bytes[]>>;

type Changes = Fields & { readonly extensions?: Extensions; readonly key?: typeof rsa };
function lint({ extensions: changed, key = rsa, ...changes }: Changes = {}): string {
  const list = Object.values({ ...extensions(key.identifier), ...changed }).flat();
  const tbs = sequence(
    ...Object.values({ ...fields, ...changes }).flat(),
    key.spki,
    explicit(3, sequence(...list)),
  );
  const finding = lintTbsCertificate(tbs, scheme, context);
  return finding ? `${finding.blame}: ${finding.id}, ${finding.citation}` : 'passes';
}
const finds = (expected: string, changes: Changes, what = '') =>
  assert.equal(lint(changes), expected, what);

test('RFC 5280 §4: the certificate that the samples are made from passes', () => {
  assert.equal(lint(), 'passes');
  const signingOnly = { keyUsage: [keyUsage(['digitalSignature'])] };
  assert.equal(lint({ key: ec, extensions: signingOnly }), 'passes');
});

test('X.690 §10: the lint finds what is not DER', () => {
  const critical = Uint8Array.of(tag.boolean, 1, 1);
  const loose = sequence(oid('2.5.29.15'), critical, octets(Uint8Array.of(3, 2, 5, 0xa0)));
  finds('ours: reparse, X.690 §10', { extensions: { keyUsage: [loose] } });
  const long = concat([Uint8Array.of(tag.utf8String, 0x81, 1), utf8('a')]);
  const subject = sequence(setOf(sequence(oid('2.5.4.3'), long)));
  finds('ours: reparse, X.690 §10', { subject: [subject] });
});

test('RFC 5280 §4.1.2.1: the lint finds a version other than v3', () => {
  finds('ours: version, RFC 5280 §4.1.2.1', { version: [explicit(0, integer(1))] });
  finds('ours: version, RFC 5280 §4.1.2.1', { version: [explicit(0, integer(3))] });
});

test('RFC 5280 §4.1.2.2: the lint finds a serial number that is negative, too short or too long', () => {
  const expected = 'ours: serial, RFC 5280 §4.1.2.2';
  finds(expected, { serial: [integer(1)] });
  finds(expected, { serial: [integer(new Uint8Array(8).fill(0x7f))] });
  finds(expected, { serial: [integer(new Uint8Array(20).fill(0xff))] });
  finds(expected, { serial: [integer(new Uint8Array(21).fill(0x7f))] });
  finds(expected, { serial: [tlv(tag.integer, new Uint8Array(16).fill(0x85))] });
  assert.equal(lint({ serial: [integer(new Uint8Array(9).fill(0x7f))] }), 'passes');
  assert.equal(lint({ serial: [integer(new Uint8Array(20).fill(0x7f))] }), 'passes');
});

test('RFC 5280 §4.1.2.3: the lint finds a signature algorithm that is not the one outside', () => {
  const expected = 'ours: signature, RFC 5280 §4.1.2.3';
  const other = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-512'] } as const;
  finds(expected, { algorithm: [signatureAlgorithm(other)] });
  finds(expected, { algorithm: [sequence(oid(digests['SHA-256'].rsaOid))] });
});

test('RFC 5280 §4.1.2.4: the lint finds an issuer that is not the subject of the CA', () => {
  const expected = 'ours: issuer, RFC 5280 §4.1.2.4';
  finds(expected, { issuer: [parseName('CN=Other CA,O=Test')] });
  finds(expected, { issuer: [parseName('O=Test,CN=Lint CA')] });
});

test('RFC 5280 §4.1.2.5: the lint finds a validity that is empty or outside that of the CA', () => {
  const expected = 'ours: validity, RFC 5280 §4.1.2.5';
  const from = (start: number, end: number) => ({
    validity: [sequence(timeOf(start), timeOf(end))],
  });
  finds(expected, from(notBefore, notBefore));
  finds(expected, from(notAfter, notBefore));
  finds(expected, from(notBefore - 1000, notAfter));
  finds(expected, from(notBefore, notAfter + 1000));
  assert.equal(lint(from(notBefore, notBefore + 1000)), 'passes');
});

test('RFC 5280 §4.2.1.9: the lint finds an end entity that says it is a CA', () => {
  const expected = 'ours: basic-constraints, RFC 5280 §4.2.1.9';
  finds(expected, { extensions: { others: [caBasicConstraints(0)] } });
  finds(expected, { extensions: { others: [caBasicConstraints(undefined)] } });
  const endEntity = sequence(oid('2.5.29.19'), octets(sequence()));
  assert.equal(lint({ extensions: { others: [endEntity] } }), 'passes');
});

test('RFC 5280 §4.2.1.3: the lint finds a keyUsage that is missing, not critical, or not of its key', () => {
  const expected = 'ours: key-usage, RFC 5280 §4.2.1.3';
  const notCritical = sequence(oid('2.5.29.15'), octets(Uint8Array.of(3, 2, 5, 0xa0)));
  for (const usage of [
    [],
    [notCritical],
    [keyUsage([])],
    [keyUsage(['digitalSignature', 'keyCertSign'])],
    [keyUsage(['cRLSign'])],
  ]) {
    finds(expected, { extensions: { keyUsage: usage } });
  }
  const encrypting = { keyUsage: [keyUsage(['digitalSignature', 'keyEncipherment'])] };
  finds(expected, { key: ec, extensions: encrypting });
});

test('RFC 5280 §4.2.1.12: the lint finds an extKeyUsage that is missing or allows everything', () => {
  const expected = 'ours: ext-key-usage, RFC 5280 §4.2.1.12';
  finds(expected, { extensions: { extKeyUsage: [] } });
  finds(expected, { extensions: { extKeyUsage: [extKeyUsage(['2.5.29.37.0'])] } });
  finds(expected, { extensions: { extKeyUsage: [extKeyUsage([clientAuth, '2.5.29.37.0'])] } });
});

test('RFC 5280 §4.2.1.2: the lint finds a subjectKeyIdentifier that is missing or of another key', () => {
  const expected = 'ours: subject-key-identifier, RFC 5280 §4.2.1.2';
  finds(expected, { extensions: { subjectKeyIdentifier: [] } });
  const other = { subjectKeyIdentifier: [subjectKeyIdentifier(ec.identifier)] };
  finds(expected, { extensions: other });
});

test('RFC 5280 §4.2.1.1: the lint finds an authorityKeyIdentifier that is missing or of another CA', () => {
  const expected = 'ours: authority-key-identifier, RFC 5280 §4.2.1.1';
  finds(expected, { extensions: { authorityKeyIdentifier: [] } });
  const other = authorityKeyIdentifier(new Uint8Array(20));
  finds(expected, { extensions: { authorityKeyIdentifier: [other] } });
  const empty = sequence(oid('2.5.29.35'), octets(sequence()));
  finds(expected, { extensions: { authorityKeyIdentifier: [empty] } });
});

test('RFC 5280 §4.2: the lint finds an extension that is critical and must not be', () => {
  const expected = 'ours: critical, RFC 5280 §4.2';
  const unknown = sequence(oid('1.2.3'), boolean(true), octets(nullValue));
  finds(expected, { extensions: { others: [unknown] } });
  const usage = sequence(oid('2.5.29.37'), boolean(true), octets(sequence(oid(clientAuth))));
  finds(expected, { extensions: { extKeyUsage: [usage] } });
});

const dns = [{ kind: 'dns', value: 'host.example' }] as const;

test('RFC 5280 §4.2.1.6: the lint finds a subjectAltName of the wrong criticality', () => {
  const expected = 'ours: subject-alt-name-criticality, RFC 5280 §4.2.1.6';
  finds(expected, { extensions: { others: [subjectAltName(dns, true)] } });
  finds(expected, { subject: [sequence()], extensions: { others: [subjectAltName(dns, false)] } });
  assert.equal(lint({ extensions: { others: [subjectAltName(dns, false)] } }), 'passes');
  const critical = { others: [subjectAltName(dns, true)] };
  assert.equal(lint({ subject: [sequence()], extensions: critical }), 'passes');
});

test('RFC 5280 §4.1.2.6: the lint finds a certificate that names nothing', () => {
  finds('request: nameless, RFC 5280 §4.1.2.6', { subject: [sequence()] });
});

const attribute = (type: string, value: Bytes) => sequence(setOf(sequence(oid(type), value)));
const utf8String = (text: string) => tlv(tag.utf8String, utf8(text));
const subjectOf = (type: string, value: Bytes) => ({ subject: [attribute(type, value)] });

test('RFC 5280 §4.1.2.4: the lint finds a subject whose value is blank or no string', () => {
  const expected = 'request: subject-strings, RFC 5280 §4.1.2.4';
  for (const value of ['', ' ', '   ', '\u00a0', '\u3000']) {
    finds(expected, subjectOf('2.5.4.3', utf8String(value)), JSON.stringify(value));
  }
  for (const value of [integer(5), octets(utf8('a')), sequence(utf8String('a')), nullValue]) {
    finds(expected, subjectOf('2.5.4.3', value));
  }
});

test('RFC 5280 A.1: the lint finds a subject whose value is a time or a string no name may be', () => {
  const expected = 'request: subject-strings, RFC 5280 §4.1.2.4';
  finds(expected, subjectOf('2.5.4.3', timeOf(notBefore)));
  finds(expected, subjectOf('2.5.4.3', tlv(0x1a, utf8('VisibleString'))));
  finds(expected, subjectOf('2.5.4.3', tlv(0x12, utf8('123'))));
  finds(expected, subjectOf('2.5.4.3', tlv(contextPrimitive(0), utf8('tagged'))));
});

test('RFC 5280 A.1: the lint finds a subject whose value is longer than its upper bound', () => {
  const expected = 'request: subject-length, RFC 5280 A.1';
  const bounds = { '2.5.4.3': 64, '2.5.4.5': 64, '2.5.4.10': 64, '2.5.4.11': 64, '2.5.4.7': 128 };
  for (const [type, bound] of Object.entries({ ...bounds, '2.5.4.8': 128, '1.2.3.4': 1024 })) {
    finds('passes', subjectOf(type, utf8String('x'.repeat(bound))), type);
    finds(expected, subjectOf(type, utf8String('x'.repeat(bound + 1))), type);
    // Characters are counted, not octets or UTF-16 units.
    finds('passes', subjectOf(type, utf8String('🔑'.repeat(bound))), type);
  }
  const mail = (length: number) =>
    subjectOf('1.2.840.113549.1.9.1', tlv(tag.ia5String, utf8('x'.repeat(length))));
  finds('passes', mail(255));
  finds(expected, mail(256));
  finds(expected, subjectOf('2.5.4.6', utf8String('DEU')));
});

test('RFC 5280 §4.1.2.4: the lint finds a subject with characters that act on a reader', () => {
  const expected = 'request: subject-characters, RFC 5280 §4.1.2.4';
  for (const value of ['a\0b', 'a\nb', '\x1b[31m', 'a\u202eb', 'a\u200bb', '\ufeffa', 'a\u2028b']) {
    finds(expected, subjectOf('2.5.4.3', utf8String(value)), JSON.stringify(value));
  }
  finds(expected, subjectOf('2.5.4.3', utf8String('a\ufffdb')));
  finds(expected, subjectOf('2.5.4.3', tlv(tag.utf8String, Uint8Array.of(0x61, 0xff))));
  finds('passes', subjectOf('2.5.4.3', utf8String('sécret ☃ 🔑')));
});

test('RFC 5280 A.1: the lint finds a country that is not two letters', () => {
  const expected = 'request: country, RFC 5280 A.1';
  for (const value of ['D', 'D1', '12', 'é1'])
    finds(expected, subjectOf('2.5.4.6', utf8String(value)));
  finds('passes', subjectOf('2.5.4.6', utf8String('DE')));
});

test('X.680 §41.4: the lint finds a PrintableString with characters it does not have', () => {
  const expected = 'request: printable-string, X.680 §41.4';
  const printable = (text: string) => subjectOf('2.5.4.3', tlv(tag.printableString, utf8(text)));
  for (const value of ['a!', 'a#b', 'a;b', 'a<b', 'a"b', 'a\\b']) finds(expected, printable(value));
  finds('passes', printable("Az09 '()+,-./:=?"));
});

test('RFC 6125 §6.4.4: the lint finds a subject with two common names', () => {
  const expected = 'request: repeated-common-name, RFC 6125 §6.4.4';
  finds(expected, { subject: [parseName('CN=a,CN=b')] });
  finds(expected, { subject: [parseName('CN=a+CN=b')] });
  finds('passes', { subject: [parseName('OU=a,OU=b,CN=c')] });
});

test('RFC 5280 §4.1.2.4: the lint lets RDNs of several attributes and of any known string type pass', () => {
  for (const subject of ['CN=a+serialNumber=1,O=Test', 'UID=x+CN=y+OU=z', 'CN=a,O=b+OU=c,C=DE']) {
    assert.equal(lint({ subject: [parseName(subject)] }), 'passes', subject);
  }
  const wide = concat([Uint8Array.from(Buffer.from('Test', 'utf16le').swap16())]);
  for (const value of [
    tlv(tag.printableString, utf8('Test')),
    tlv(tag.t61String, utf8('Test')),
    tlv(tag.bmpString, wide),
    tlv(tag.ia5String, utf8('Test')),
  ]) {
    assert.equal(lint(subjectOf('2.5.4.10', value)), 'passes');
  }
});
