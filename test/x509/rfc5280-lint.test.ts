// The lint before every signature: a good certificate passes, and each rule finds its own sample. The
// samples differ from the good certificate in one thing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextPrimitive, tag } from '../../lib/asn1/reader.ts';
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
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { type SignatureScheme, signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import { readCertificate, subjectPublicKeyOf } from '../../lib/x509/certificate.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  crlDistributionPoint,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  securityIdentifier,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../lib/x509/extensions.ts';
import { lintTbsCertificate } from '../../lib/x509/lint/certificate.ts';
import type { LintContext } from '../../lib/x509/lint/rule.ts';
import { certificateRules } from '../../lib/x509/lint/rules.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { certify, signers } from '../support/signed-data.ts';

const scheme: SignatureScheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] };
const oid = objectIdentifier;
const [notBefore, notAfter] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];
const issuer = parseName('CN=Lint CA,O=Test');
const issuerKeyIdentifier = new Uint8Array(20).fill(0xca);
const context: LintContext = {
  role: 'endEntity',
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

type Changes = Fields & {
  readonly extensions?: Extensions;
  readonly key?: typeof rsa;
  readonly role?: LintContext['role'];
  /** What stands between the key and the extensions. */
  readonly between?: readonly Bytes[];
  readonly scheme?: SignatureScheme;
  readonly crlUrl?: string;
};
function lint(all: Changes = {}): string {
  const { extensions: changed, key = rsa, role = 'endEntity', between = [], ...rest } = all;
  const { scheme: with_ = scheme, crlUrl, ...changes } = rest;
  const list = Object.values({ ...extensions(key.identifier), ...changed }).flat();
  const tbs = sequence(
    ...Object.values({ ...fields, ...changes }).flat(),
    key.spki,
    ...between,
    explicit(3, sequence(...list)),
  );
  const finding = lintTbsCertificate(tbs, with_, {
    ...{ ...context, role },
    ...(crlUrl === undefined ? {} : { crlUrl }),
  });
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
  for (const usage of [[], [notCritical], [keyUsage([])]]) {
    finds(expected, { extensions: { keyUsage: usage } });
  }
  const role = 'ours: key-usage-role, RFC 5280 §4.2.1.3';
  for (const usage of [keyUsage(['digitalSignature', 'keyCertSign']), keyUsage(['cRLSign'])]) {
    finds(role, { extensions: { keyUsage: [usage] } });
  }
  const encrypting = { keyUsage: [keyUsage(['digitalSignature', 'keyEncipherment'])] };
  const unfit = 'ours: key-usage-key, RFC 3279 §2.3, RFC 8410 §5';
  finds(unfit, { key: ec, extensions: encrypting });
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
  const bounds = { '2.5.4.3': 64, '2.5.4.12': 64, '2.5.4.10': 64, '2.5.4.11': 64, '2.5.4.7': 128 };
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
  const serial = (length: number) =>
    subjectOf('2.5.4.5', tlv(tag.printableString, utf8('1'.repeat(length))));
  finds('passes', serial(64));
  finds(expected, serial(65));
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
  finds('passes', subjectOf('2.5.4.6', tlv(tag.printableString, utf8('DE'))));
});

test('X.680 §41.4: the lint finds a PrintableString with characters it does not have', () => {
  const expected = 'request: printable-string, X.680 §41.4';
  const printable = (text: string) => subjectOf('2.5.4.3', tlv(tag.printableString, utf8(text)));
  for (const value of ['a!', 'a#b', 'a;b', 'a<b', 'a"b', 'a\\b']) finds(expected, printable(value));
  finds('passes', printable("Az09 '()+,-./:=?"));
});

const serverAuth = '1.3.6.1.5.5.7.3.1';

test('RFC 6125 §6.4.4: the lint finds two common names in the subject of a CA or a TLS server, not of a client', () => {
  const expected = 'request: repeated-common-name, RFC 6125 §6.4.4';
  const subject = [parseName('CN=Jane Doe,CN=Users,DC=corp,DC=example')];
  finds('passes', { subject });
  finds('passes', { subject: [parseName('OU=a,OU=b,CN=c')] });
  const msServer = '1.3.6.1.4.1.311.10.3.3';
  for (const purpose of [serverAuth, msServer, '2.16.840.1.113730.4.1']) {
    const extKeyUsages = { extKeyUsage: [extKeyUsage([clientAuth, purpose])] };
    finds(expected, { subject, extensions: extKeyUsages }, purpose);
  }
  // In one RDN a type stands once, whatever it is for.
  finds('request: relative-distinguished-name, X.501 §9.3', { subject: [parseName('CN=a+CN=b')] });
});

test('RFC 6125 §6.4.3: the lint finds a common name with a part of a label as wildcard, in the subject of a TLS server', () => {
  const expected = 'request: partial-wildcard, RFC 6125 §6.4.3';
  const server = { extensions: { extKeyUsage: [extKeyUsage([clientAuth, serverAuth])] } };
  for (const text of ['f*.bank.example', '*f.bank.example', 'f*k.bank.example', 'a.*.example']) {
    const subject = [parseName(`O=Test,CN=${text}`)];
    finds(expected, { subject, ...server }, text);
    finds('passes', { subject }, text);
  }
  for (const text of ['*.bank.example', 'a*b', '*', 'J*. Doe', 'a.example']) {
    finds('passes', { subject: [parseName(`CN=${text}`)], ...server }, text);
  }
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

type Samples = { readonly good: readonly Changes[]; readonly bad: readonly Changes[] };
const ext = (dotted: string, value: Bytes, ...critical: Bytes[]) =>
  sequence(oid(dotted), ...critical, octets(value));
const others = (...list: Bytes[]): Changes => ({ extensions: { others: list } });
const usageBits = (...content: number[]) => ({
  extensions: {
    keyUsage: [ext('2.5.29.15', tlv(tag.bitString, Uint8Array.from(content)), boolean(true))],
  },
});
const purposes = (...list: string[]) => ({ extensions: { extKeyUsage: [extKeyUsage(list)] } });
const san = (...names: Bytes[]) => others(ext('2.5.29.17', sequence(...names)));
const name = (number: number, text: string) => tlv(contextPrimitive(number), utf8(text));
const upnOid = oid('1.3.6.1.4.1.311.20.2.3');
const upn = (text: string) => explicit(0, upnOid, explicit(0, utf8String(text)));
const cdp = (...points: Bytes[]) => others(ext('2.5.29.31', sequence(...points)));
const point = (...urls: Bytes[]) => sequence(explicit(0, explicit(0, ...urls)));
const aia = (...list: Bytes[]) => others(ext('1.3.6.1.5.5.7.1.1', sequence(...list)));
const access = (arc: number, url: string) => sequence(oid(`1.3.6.1.5.5.7.48.${arc}`), name(6, url));
const times = (from: Bytes, to: Bytes) => ({ validity: [sequence(from, to)] });
const utc = (text: string) => tlv(tag.utcTime, utf8(text));
const generalized = (text: string) => tlv(tag.generalizedTime, utf8(text));
const [from, to] = [timeOf(notBefore), timeOf(notAfter)];
const keyOf = (...algorithm: Bytes[]) => {
  const key = sequence(sequence(...algorithm), tlv(tag.bitString, new Uint8Array(66)));
  return { key: { spki: key, identifier: keyIdentifier(new Uint8Array(65)) } };
};
const wide = 'a'.repeat(63);
const ca: Changes = {
  role: 'ca',
  subject: [issuer],
  extensions: {
    keyUsage: [keyUsage(['keyCertSign', 'cRLSign'])],
    extKeyUsage: [],
    authorityKeyIdentifier: [],
    others: [caBasicConstraints(0)],
  },
};
const caWith = (extensions: Extensions): Changes => ({
  ...ca,
  extensions: { ...ca.extensions, ...extensions },
});
const ecdsa: SignatureScheme = { kind: 'ECDSA', digest: digests['SHA-256'] };
const ecdsaOid = oid('1.2.840.10045.4.3.2');
const printable = (text: string) => tlv(tag.printableString, utf8(text));

/** For each rule: certificates that it lets pass and that touch it, and some that only it finds. */
const samples: Readonly<Record<string, Samples>> = {
  reparse: { good: [{}], bad: [others(ext('1.2.3', Uint8Array.of(1, 1, 5)))] },
  version: { good: [{}], bad: [{ version: [] }] },
  serial: {
    good: [{ serial: [integer(new Uint8Array(20).fill(0x7f))] }],
    bad: [{ serial: [integer(new Uint8Array(20).fill(0xff))] }, { serial: [integer(0)] }],
  },
  'signature-parameters': {
    good: [{}, { scheme: ecdsa, algorithm: [sequence(ecdsaOid)] }],
    bad: [
      { algorithm: [sequence(oid(digests['SHA-256'].rsaOid))] },
      { algorithm: [sequence(oid(digests['SHA-256'].rsaOid), sequence())] },
      { scheme: ecdsa, algorithm: [sequence(ecdsaOid, nullValue)] },
    ],
  },
  signature: {
    good: [{}],
    bad: [{ algorithm: [sequence(oid(digests['SHA-512'].rsaOid), nullValue)] }],
  },
  issuer: { good: [{}], bad: [{ issuer: [sequence()] }] },
  'time-encoding': {
    good: [times(utc('260101000000Z'), utc('270101000000Z'))],
    bad: [
      times(generalized('20260101000000Z'), to),
      times(from, generalized('20270101000000Z')),
      times(utc('2601010000Z'), to),
      times(from, utc('270101000000+0000')),
      times(generalized('20260101000000.5Z'), to),
      { validity: [sequence(from, to, to)] },
    ],
  },
  validity: { good: [{}], bad: [times(to, from), times(from, from)] },
  'key-parameters': {
    good: [{}, { key: ec, ...usageBits(7, 0x80) }],
    bad: [
      keyOf(oid('1.2.840.113549.1.1.1')),
      keyOf(oid('1.2.840.10045.2.1'), oid('1.3.132.0.10')),
      keyOf(oid('1.2.840.10045.2.1'), nullValue),
      keyOf(oid('1.3.101.112'), nullValue),
      keyOf(oid('1.2.840.10040.4.1')),
    ],
  },
  'unique-identifiers': {
    good: [{}],
    bad: [{ between: [tlv(contextPrimitive(1), Uint8Array.of(0, 1))] }],
  },
  'extension-repeated': {
    good: [others(ext('1.2.3', nullValue), ext('1.2.4', nullValue))],
    bad: [others(ext('1.2.3', nullValue), ext('1.2.3', nullValue))],
  },
  'extension-encoding': {
    good: [others(ext('1.2.3', nullValue))],
    bad: [others(ext('1.2.3', nullValue, boolean(false)))],
  },
  'authority-key-identifier': {
    good: [{}, ca],
    bad: [
      { extensions: { authorityKeyIdentifier: [] } },
      { extensions: { authorityKeyIdentifier: [authorityKeyIdentifier(new Uint8Array(20))] } },
    ],
  },
  'subject-key-identifier': {
    good: [{}],
    bad: [
      { extensions: { subjectKeyIdentifier: [] } },
      { extensions: { subjectKeyIdentifier: [subjectKeyIdentifier(ec.identifier)] } },
    ],
  },
  'key-usage': { good: [{}, ca], bad: [{ extensions: { keyUsage: [] } }, usageBits(0)] },
  'key-usage-encoding': {
    good: [usageBits(5, 0xa0)],
    bad: [usageBits(4, 0xa0), usageBits(0, 0xa0), usageBits(7, 0xa0, 0x00)],
  },
  'key-usage-role': {
    good: [ca],
    bad: [usageBits(2, 0x84), usageBits(1, 0x82), caWith({ keyUsage: [keyUsage(['cRLSign'])] })],
  },
  'key-usage-key': {
    good: [{ key: ec, ...usageBits(3, 0x88) }, usageBits(4, 0xb0)],
    bad: [usageBits(3, 0x88), { key: ec, ...usageBits(5, 0xa0) }],
  },
  'key-usage-only': {
    good: [
      { key: ec, ...usageBits(0, 0x89) },
      { key: ec, ...usageBits(7, 0x88, 0x80) },
    ],
    bad: [
      { key: ec, ...usageBits(0, 0x81) },
      { key: ec, ...usageBits(7, 0x80, 0x80) },
    ],
  },
  'basic-constraints': {
    good: [ca, caWith({ others: [caBasicConstraints(undefined)] })],
    bad: [
      others(caBasicConstraints(0)),
      caWith({ others: [] }),
      caWith({ others: [ext('2.5.29.19', sequence(), boolean(true))] }),
      caWith({ others: [ext('2.5.29.19', sequence(boolean(true)))] }),
    ],
  },
  'ext-key-usage': {
    good: [purposes(clientAuth, '1.3.6.1.5.5.7.3.1'), ca],
    bad: [purposes(), purposes(clientAuth, clientAuth), purposes('2.5.29.37.0')],
  },
  'no-purpose': {
    good: [
      {
        ...purposes('1.3.6.1.5.5.7.3.1'),
        extensions: {
          ...usageBits(5, 0x20).extensions,
          ...purposes('1.3.6.1.5.5.7.3.1').extensions,
        },
      },
      { extensions: { ...usageBits(5, 0x20).extensions, ...purposes('1.2.3').extensions } },
    ],
    bad: [usageBits(5, 0x20)],
  },
  'crl-distribution-points': {
    good: [cdp(point(name(6, 'http://a.example/crl'), name(6, 'https://b.example:8443/crl')))],
    bad: [
      cdp(),
      cdp(point()),
      cdp(point(name(6, 'a.example/crl'))),
      cdp(point(name(6, 'http://'))),
      cdp(point(name(6, 'ftp://a.example/crl'))),
      cdp(point(name(2, 'a.example'))),
      cdp(sequence(tlv(contextPrimitive(1), Uint8Array.of(1, 6)))),
    ],
  },
  'crl-url': {
    good: [
      {},
      others(),
      { crlUrl: 'http://scep.example/crl/default.crl' },
      { ...others(crlDistributionPoint('http://a/1-2.crl')), crlUrl: 'http://a/1-2.crl' },
    ],
    bad: [
      { ...others(), crlUrl: 'http://scep.example/crl/default.crl' },
      { crlUrl: 'http://scep.example/crl/default/1-2.crl' },
      {
        ...cdp(point(name(6, 'http://a/1-2.crl'), name(6, 'http://b/1-2.crl'))),
        crlUrl: 'http://a/1-2.crl',
      },
    ],
  },
  'authority-info-access': {
    good: [aia(access(1, 'http://ocsp.example'), access(2, 'http://a.example/ca.cer'))],
    bad: [aia(), aia(access(3, 'http://a.example')), aia(access(2, 'ca.cer'))],
  },
  critical: {
    good: [
      { subject: [sequence()], ...others(subjectAltName([{ kind: 'dns', value: 'a' }], true)) },
    ],
    bad: [
      others(ext('1.2.3', nullValue, boolean(true))),
      caWith({ others: [caBasicConstraints(0), ext('1.2.3', nullValue, boolean(true))] }),
    ],
  },
  nameless: {
    good: [
      { subject: [sequence()], ...others(subjectAltName([{ kind: 'dns', value: 'a' }], true)) },
    ],
    bad: [{ subject: [sequence()] }],
  },
  'ca-nameless': {
    good: [ca],
    bad: [
      {
        ...caWith({ others: [caBasicConstraints(0), ext('2.5.29.17', sequence(name(2, 'a')))] }),
        subject: [sequence()],
      },
    ],
  },
  'subject-strings': {
    good: [subjectOf('2.5.4.3', printable('a'))],
    bad: [subjectOf('2.5.4.3', printable(' ')), subjectOf('2.5.4.3', integer(5))],
  },
  'subject-length': {
    good: [subjectOf('2.5.4.3', utf8String('x'.repeat(64)))],
    bad: [subjectOf('2.5.4.3', utf8String('x'.repeat(65)))],
  },
  'subject-characters': {
    good: [subjectOf('2.5.4.3', utf8String('é'))],
    bad: [subjectOf('2.5.4.3', utf8String('a\0'))],
  },
  country: {
    good: [subjectOf('2.5.4.6', printable('DE'))],
    bad: [subjectOf('2.5.4.6', printable('D1'))],
  },
  'printable-string': {
    good: [subjectOf('2.5.4.3', printable('a-b'))],
    bad: [subjectOf('2.5.4.3', printable('a!'))],
  },
  'attribute-string-type': {
    good: [
      subjectOf('2.5.4.5', printable('1')),
      subjectOf('1.2.840.113549.1.9.1', tlv(tag.ia5String, utf8('a@b'))),
      subjectOf('0.9.2342.19200300.100.1.25', tlv(tag.ia5String, utf8('example'))),
    ],
    bad: [
      subjectOf('2.5.4.6', utf8String('DE')),
      subjectOf('2.5.4.5', utf8String('1')),
      subjectOf('2.5.4.46', utf8String('1')),
      subjectOf('1.2.840.113549.1.9.1', utf8String('a@b')),
      subjectOf('0.9.2342.19200300.100.1.25', printable('example')),
    ],
  },
  'ia5-string': {
    good: [subjectOf('2.5.4.3', tlv(tag.ia5String, utf8('a@b')))],
    bad: [subjectOf('2.5.4.3', tlv(tag.ia5String, Uint8Array.of(0x61, 0xe9)))],
  },
  'repeated-common-name': {
    good: [{ subject: [parseName('CN=a,CN=b')] }],
    bad: [
      { ...purposes(serverAuth, clientAuth), subject: [parseName('CN=a,CN=b')] },
      { ...ca, subject: [parseName('CN=a,CN=b')] },
    ],
  },
  'partial-wildcard': {
    good: [
      { subject: [parseName('CN=f*.a.example')] },
      { ...purposes(serverAuth), subject: [parseName('CN=*.a.example')] },
    ],
    bad: [{ ...purposes(serverAuth), subject: [parseName('CN=f*.a.example')] }],
  },
  'relative-distinguished-name': {
    good: [{ subject: [parseName('CN=a+OU=b')] }],
    bad: [
      { subject: [parseName('OU=a+OU=b')] },
      { subject: [sequence(setOf(), ...[attribute('2.5.4.3', printable('a')).subarray(2)])] },
    ],
  },
  'subject-alt-name': { good: [san(name(2, 'a'))], bad: [san()] },
  'subject-alt-name-kind': {
    good: [san(name(2, 'a'), name(1, 'a@b'), name(6, 'tag:a'), upn('a@b'))],
    bad: [san(tlv(contextPrimitive(8), Uint8Array.of(42, 3))), san(explicit(4, issuer))],
  },
  'subject-alt-name-criticality': {
    good: [san(name(2, 'a'))],
    bad: [
      others(subjectAltName([{ kind: 'dns', value: 'a' }], true)),
      { ...san(name(2, 'a')), subject: [sequence()] },
    ],
  },
  'dns-name': {
    good: [
      san(name(2, 'host.example'), name(2, '*.host.example'), name(2, '1-a.Example')),
      san(name(2, `${wide}.${wide}.${wide}.${'a'.repeat(61)}`)),
    ],
    bad: [
      ' ',
      'a b',
      'a_b',
      '-a',
      'a-',
      'a..b',
      '192.0.2.7',
      '*.10',
      'a.1',
      '1',
      'a.',
      '.a',
      '*',
      'a.*',
      '*a.b',
      `${wide}a`,
      'é',
      '',
    ]
      .map((text) => san(name(2, text)))
      .concat(san(name(2, `${wide}.${wide}.${wide}.${'a'.repeat(62)}`))),
  },
  'rfc822-name': {
    good: [san(name(1, 'a.b+c@host.example'))],
    bad: ['a', '@a', 'a@', 'a..b@c', 'A <a@b>', 'a b@c', 'a@b_c', `${wide}aa@b`, '"a"@b'].map(
      (text) => san(name(1, text)),
    ),
  },
  uri: {
    good: [
      'https://a.example/b?c#d',
      'tag:microsoft.com,2022-09-14:sid:S-1-5',
      'ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e',
      'urn:uuid:1',
      'http://[::1]:8/',
      'ldap://u@h:1/%20',
    ].map((text) => san(name(6, text))),
    bad: [
      'a',
      '/a',
      '//a/b',
      'http:',
      'http:///a',
      'http://a b',
      '1a:b',
      'a:%zz',
      'http://a_b/',
      'a:<b>',
      'ID:Microsoft Endpoint Manager:GUID:0f8fad5b',
      'ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e ',
      'ID:Microsoft Endpoint  Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e',
    ].map((text) => san(name(6, text))),
  },
  'ip-address': {
    good: [
      san(
        tlv(contextPrimitive(7), new Uint8Array(4)),
        tlv(contextPrimitive(7), new Uint8Array(16)),
      ),
    ],
    bad: [0, 3, 5, 8, 32].map((length) => san(tlv(contextPrimitive(7), new Uint8Array(length)))),
  },
  'other-name': {
    good: [san(upn('user@corp')), san(explicit(0, oid('1.2.3'), explicit(0, integer(5))))],
    bad: [
      san(upn('')),
      san(upn('a\u202eb')),
      san(explicit(0, upnOid, utf8String('a'))),
      san(explicit(0, upnOid, explicit(0))),
      san(explicit(0, upnOid, explicit(0, utf8String('a'), utf8String('b')))),
    ],
  },
  'general-names': {
    good: [
      { extensions: { others: [securityIdentifier('S-1-5-21-1-2-3-1001')] } },
      san(upn('user@corp'), name(2, 'host.example'), name(1, 'a@b.example')),
    ],
    bad: [octets(nullValue), sequence(integer(5)), sequence(explicit(0, upnOid))].map((value) => {
      const sid = sequence(oid('1.3.6.1.4.1.311.25.2'), octets(value));
      return { extensions: { others: [sid] } };
    }),
  },
};

for (const { id, citation, blame } of certificateRules) {
  test(`${citation}: the rule "${id}" has good samples, which pass, and bad ones, which it finds`, () => {
    const { good = [], bad = [] } = samples[id] ?? {};
    assert.ok(good.length > 0 && bad.length > 0, 'a rule without samples');
    for (const sample of good) finds('passes', sample);
    for (const [i, sample] of bad.entries())
      finds(`${blame}: ${id}, ${citation}`, sample, `bad ${i}`);
  });
}

test('RFC 5280 §4: every rule of the table has an id of its own, and every sample belongs to a rule', () => {
  const ids = certificateRules.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(Object.keys(samples), ids);
});
