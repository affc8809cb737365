// Certificates as they come, and as they are written: every version, serial numbers of any size that
// a client was seen to send, each field missing, and the extensions of our own writers.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { extensionOids, extKeyUsages } from '../../lib/asn1/oids.ts';
import { content, context, contextPrimitive, raw, scan, tag } from '../../lib/asn1/reader.ts';
import {
  bits,
  boolean,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  timeOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, hex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_SERIAL_OCTETS } from '../../lib/base/limits.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { decodePkiMessage } from '../../lib/protocol/scep/wire/decode.ts';
import { signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import {
  encodeTbsCertificate,
  isIssuedBy,
  publicKeyOf,
  readCertificate,
  signed,
  subjectKeyIdentifierOf,
  subjectPublicKeyOf,
  validity,
} from '../../lib/x509/certificate.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  caIssuers,
  crlDistributionPoint,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  keyUsages,
  readExtensions,
  securityIdentifier,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../lib/x509/extensions.ts';
import { parseGeneralName } from '../../lib/x509/names/general-name.ts';
import { parseName, printName } from '../../lib/x509/names/name.ts';
import { indefinite } from '../support/messages.ts';
import { certify, signers } from '../support/signed-data.ts';
import { malformed, runs, vector } from '../support/vectors.ts';

const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
const { spki } = signers.rsa;
const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)];
const fields = {
  version: [explicit(0, integer(2))],
  serial: [integer(5)],
  algorithm: [signatureAlgorithm(scheme)],
  issuer: [parseName('CN=issuer')],
  validity: [sequence(timeOf(from), timeOf(to))],
  subject: [parseName('CN=subject')],
  spki: [spki],
  rest: [] as Bytes[],
};
type Fields = Partial<Record<keyof typeof fields, readonly Bytes[]>>;
/** A certificate with fields replaced; its signature does not verify. */
const certificate = (changes: Fields = {}): Bytes =>
  signed(sequence(...Object.values({ ...fields, ...changes }).flat()), scheme, new Uint8Array(256));
const read = (changes: Fields = {}) => readCertificate(certificate(changes));
const refuses = (changes: Fields, sentence: RegExp) =>
  assert.throws(() => read(changes), malformed(sentence));

test('RFC 5280 §4.1: the fields of a certificate are read', () => {
  const der = certificate();
  const { issuer, subject, serial, notBefore, notAfter, extensions, tbs, ...more } = read();
  assert.deepEqual([printName(issuer), printName(subject)], ['CN=issuer', 'CN=subject']);
  assert.deepEqual([hex(serial), notBefore, notAfter, extensions.size], ['05', from, to, 0]);
  assert.deepEqual(raw(more.spki), spki);
  assert.deepEqual(more.der, der);
  assert.deepEqual(tbs, raw(scan(der).children[0] ?? scan(nullValue)));
  assert.equal(more.signature.length, 256);
});

test('RFC 5280 §4.1.2.1: certificates of v1, v2 and v3 are read, and 3 is taken for v3; later ones are not', () => {
  assert.equal(printName(read({ version: [] }).subject), 'CN=subject');
  for (const version of [0, 1, 2, 3]) {
    assert.equal(hex(read({ version: [explicit(0, integer(version))] }).serial), '05');
  }
  refuses({ version: [explicit(0, integer(4))] }, /after v3/);
  refuses({ version: [explicit(0, integer(127))] }, /after v3/);
  refuses({ version: [explicit(0, tlv(tag.integer, Uint8Array.of(0xff)))] }, /small INTEGER/);
  refuses({ version: [explicit(0)] }, /one element under a tag/);
  refuses({ version: [explicit(0, integer(2), integer(2))] }, /one element under a tag/);
});

test('RFC 5280 §4.1.2.2: a serial number of up to 64 octets is read as it came', () => {
  for (const length of [1, 20, 21, 33, MAX_SERIAL_OCTETS]) {
    const serial = new Uint8Array(length).fill(0x7f);
    assert.deepEqual(read({ serial: [tlv(tag.integer, serial)] }).serial, serial);
  }
  for (const octet of [0, 0x80, 0xff]) {
    const odd = Uint8Array.of(octet);
    assert.deepEqual(read({ serial: [tlv(tag.integer, odd)] }).serial, odd);
  }
  const long = new Uint8Array(MAX_SERIAL_OCTETS + 1).fill(0x7f);
  refuses({ serial: [tlv(tag.integer, long)] }, /serial number that is too long/);
  refuses({ serial: [tlv(tag.integer, Uint8Array.of(0, 1))] }, /not DER/);
});

test('RFC 5280 §4.1.2.2: the serial numbers of certmonger, of 32 and 33 octets, are read', () => {
  const lengths = ['aes256-sha256', 'des3-sha256', 'nocaps'].map((name) => {
    const message = vector(`captures/certmonger/get-${name}-type19.der`);
    const { serial, notBefore, notAfter } = decodePkiMessage(message).signedData.certificate;
    assert.ok(notAfter - notBefore > 99 * 365 * 86_400_000);
    return serial.length;
  });
  assert.deepEqual(lengths, [32, 33, 32]);
});

test('RFC 5280 §4.1: a certificate with any field missing, too many or of another type is refused', () => {
  for (const name of Object.keys(fields) as (keyof typeof fields)[]) {
    if (name === 'version' || name === 'rest') continue;
    assert.throws(() => read({ [name]: [] }), malformed(/./), name);
    assert.throws(() => read({ [name]: [nullValue] }), malformed(/./), name);
    assert.throws(() => read({ [name]: [...fields[name], integer(1)] }), malformed(/./), name);
  }
  refuses({ rest: [nullValue] }, /TBSCertificate has a field too many/);
  refuses({ validity: [sequence(timeOf(from))] }, /Validity has no notAfter/);
  refuses({ validity: [sequence(timeOf(from), timeOf(to), timeOf(to))] }, /field too many/);
  const [tbs = nullValue, algorithm = nullValue, signature = nullValue] = scan(
    certificate(),
  ).children.map(raw);
  for (const parts of [
    [tbs],
    [tbs, algorithm],
    [tbs, signature, algorithm],
    [tbs, algorithm, signature, nullValue],
    [tbs, algorithm, bits(Uint8Array.of(0x80), 7)],
  ]) {
    assert.throws(() => readCertificate(sequence(...parts)), malformed(/./));
  }
  const after = concat([certificate(), Uint8Array.of(0)]);
  assert.throws(() => readCertificate(after), malformed(/after the end/));
  const loose = indefinite(tag.sequence, tbs, algorithm, signature);
  assert.throws(() => readCertificate(loose), malformed(/Certificate is not DER/));
});

test('RFC 5280 §4.1.2.8: unique identifiers may stand between key and extensions', () => {
  const ids = [1, 2].map((n) => tlv(contextPrimitive(n), Uint8Array.of(0, 0xaa)));
  const extensions = explicit(3, sequence(keyUsage(['digitalSignature'])));
  assert.equal(read({ rest: [...ids, extensions] }).extensions.size, 1);
  refuses({ rest: [extensions, ...ids] }, /field too many/);
});

const extension = (...parts: Bytes[]) => sequence(objectIdentifier('1.2.3'), ...parts);
const withExtensions = (...list: Bytes[]) => read({ rest: [explicit(3, sequence(...list))] });

test('RFC 5280 §4.2: extensions are read with their criticality; one that stands twice is refused', () => {
  const value = octets(utf8('value'));
  const criticality = (...parts: Bytes[]) =>
    withExtensions(extension(...parts)).extensions.get('1.2.3')?.critical;
  assert.equal(criticality(value), false);
  assert.equal(criticality(boolean(true), value), true);
  assert.equal(criticality(boolean(false), value), false);
  const twice = malformed(/the extension 1.2.3 stands twice/);
  assert.throws(() => withExtensions(extension(value), extension(boolean(true), value)), twice);
  const other = sequence(objectIdentifier('1.2.4'), value);
  assert.deepEqual(
    [...withExtensions(extension(value), other).extensions.keys()],
    ['1.2.3', '1.2.4'],
  );
  for (const broken of [
    extension(),
    extension(boolean(true)),
    extension(nullValue, value),
    extension(value, value),
    sequence(value),
    nullValue,
  ]) {
    assert.throws(() => withExtensions(broken), malformed(/Extension/));
  }
  assert.throws(() => read({ rest: [explicit(3)] }), malformed(/one element under a tag/));
  assert.throws(() => read({ rest: [explicit(3, nullValue)] }), malformed(/list of extensions/));
  assert.throws(() => readExtensions(scan(tlv(tag.set))), malformed(/list of extensions/));
});

test('RFC 5280 §4.2.1.2: the subjectKeyIdentifier is the content of its OCTET STRING', () => {
  const identifier = keyIdentifier(subjectPublicKeyOf(scan(spki)));
  assert.equal(identifier.length, 20);
  assert.deepEqual(
    subjectKeyIdentifierOf(withExtensions(subjectKeyIdentifier(identifier))),
    identifier,
  );
  assert.equal(subjectKeyIdentifierOf(read()), undefined);
});

test('RFC 5280 §4.2.1.3: keyUsage is a BIT STRING without trailing zero bits, for every set of uses', () => {
  for (let mask = 0; mask < 1 << keyUsages.length; mask++) {
    const wanted = keyUsages.filter((_, i) => (mask & (1 << i)) !== 0);
    const [, critical, value] = scan(keyUsage(wanted)).children;
    assert.ok(critical && value && content(critical)[0] === 0xff);
    const named = scan(content(value));
    assert.equal(named.der, true);
    const [unused = 0, octet = 0] = content(named);
    const read = keyUsages.filter((_, i) => (octet & (0x80 >> i)) !== 0);
    assert.deepEqual(read, wanted);
    if (mask === 0) assert.deepEqual(content(named), Uint8Array.of(0));
    // X.690 §11.2.2: the last bit of a named bit list is set.
    else assert.equal((octet >> unused) & 1, 1);
  }
});

test('RFC 5280 §6.1.3: a certificate is issued by the CA of its issuer name whose key verifies it, and by no other', async () => {
  const { privateKey } = signers.rsa;
  const own = readCertificate(certify(spki, privateKey, { name: 'CN=CA' }));
  const subject = parseName('CN=CA');
  const key = publicKeyOf(own);
  assert.equal(await isIssuedBy(own, { subject, key }), true);
  assert.equal(await isIssuedBy(own, { subject: parseName('CN=other CA'), key }), false);
  const another = publicKeyOf(signers['P-256'].certificate);
  assert.equal(await isIssuedBy(own, { subject, key: another }), false);
  // A CA whose key is of no kind that is accepted anywhere, and an algorithm that is in no registry.
  assert.equal(await isIssuedBy(own, { subject, key: undefined }), false);
  const signatureAlgorithm = scan(sequence(objectIdentifier('1.2.3')));
  assert.equal(await isIssuedBy({ ...own, signatureAlgorithm }, { subject, key }), false);
});

test('RFC 5280 §4.1: what is written is read back, by us and by OpenSSL, with all its extensions', () => {
  const identifier = keyIdentifier(subjectPublicKeyOf(scan(spki)));
  const names = ['dns:host.example', 'ip:2001:db8::1', 'email:a@b.example'].map(parseGeneralName);
  const tbs = encodeTbsCertificate({
    serial: Uint8Array.of(0, 0x80, 1),
    scheme,
    issuer: parseName('CN=issuer,O=Test'),
    subject: parseName('CN=subject'),
    spki,
    ...validity(from + 999, to + 1),
    extensions: [
      caBasicConstraints(0),
      keyUsage(['digitalSignature', 'keyCertSign']),
      extKeyUsage([extKeyUsages.clientAuth]),
      subjectKeyIdentifier(identifier),
      authorityKeyIdentifier(identifier),
      subjectAltName(names, false),
      crlDistributionPoint('http://scep.example/crl/default.crl'),
      caIssuers('http://scep.example/aia/default.cer'),
      securityIdentifier('S-1-5-21-1-2-3-1001'),
    ],
  });
  const der = signed(tbs, scheme, new Uint8Array(256));
  const ours = readCertificate(der);
  assert.equal(scan(der).der, true);
  assert.deepEqual([hex(ours.serial), ours.notBefore, ours.notAfter], ['008001', from, to]);
  assert.deepEqual(
    [...ours.extensions.keys()].sort(),
    [
      extensionOids.basicConstraints,
      extensionOids.keyUsage,
      extensionOids.extKeyUsage,
      extensionOids.subjectKeyIdentifier,
      extensionOids.authorityKeyIdentifier,
      extensionOids.subjectAltName,
      extensionOids.cRLDistributionPoints,
      extensionOids.authorityInfoAccess,
      extensionOids.securityIdentifier,
    ].sort(),
  );
  assert.deepEqual(publicKeyOf(ours)?.spki, spki);
  const theirs = new X509Certificate(der);
  assert.equal(theirs.serialNumber, '8001');
  assert.equal(theirs.ca, true);
  assert.equal(theirs.validFrom, 'Jan  1 00:00:00 2026 GMT');
  assert.equal(
    theirs.subjectAltName,
    'DNS:host.example, IP Address:2001:DB8:0:0:0:0:0:1, email:a@b.example',
  );
  assert.deepEqual(theirs.keyUsage, [extKeyUsages.clientAuth]);
  assert.match(theirs.infoAccess ?? '', /CA Issuers - URI:http:\/\/scep.example\/aia\/default.cer/);
});

test('RFC 5280 §4.1: random octets in the place of any field are refused or read, never an error', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(fields) as (keyof typeof fields)[])),
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom(0x02, 0x03, 0x05, 0x17, 0x18, 0x30, 0x31, 0xa0, 0xa3),
      (name, bytes, identifier) => {
        try {
          const parsed = read({ [name]: [tlv(identifier, bytes)] });
          publicKeyOf(parsed);
          subjectKeyIdentifierOf(parsed);
        } catch (error) {
          assert.equal((error as Error).name, 'Malformed');
        }
      },
    ),
    runs(500),
  );
  assert.equal(context(3), 0xa3);
});
