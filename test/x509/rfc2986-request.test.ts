// PKCS#10 as clients send it, and as they should not: the challengePassword in every string type, odd
// attributes that are ignored, repeated ones that are not, and the copy that is kept for the record.

import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { context, raw, scan, tag } from '../../lib/asn1/reader.ts';
import {
  bits,
  boolean,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, latin1, utf8 } from '../../lib/base/bytes.ts';
import { MAX_CHALLENGE_PASSWORD_OCTETS } from '../../lib/base/limits.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { signed } from '../../lib/x509/certificate.ts';
import {
  encodeRequestInfo,
  readCertificationRequest,
  redact,
  sameKey,
} from '../../lib/x509/csr.ts';
import {
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
} from '../../lib/x509/names/general-name.ts';
import { parseName, printName } from '../../lib/x509/names/name.ts';
import { verifySignature } from '../../lib/x509/public-key.ts';
import { indefinite } from '../support/messages.ts';
import { signers } from '../support/signed-data.ts';
import { flipped, malformed, vector, vectorText } from '../support/vectors.ts';

const { spki } = signers.rsa;
const privateKey = createPrivateKey(vectorText('captures/pki/ra.key'));
const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
const oid = objectIdentifier;
const oids = {
  challengePassword: oid('1.2.840.113549.1.9.7'),
  extensionRequest: oid('1.2.840.113549.1.9.14'),
  microsoftExtensionRequest: oid('1.3.6.1.4.1.311.2.1.14'),
  subjectAltName: oid('2.5.29.17'),
};
const attribute = (type: Bytes, ...values: Bytes[]) => sequence(type, setOf(...values));
const utf8String = (text: string) => tlv(tag.utf8String, utf8(text));
const challenge = (text: string) => attribute(oids.challengePassword, utf8String(text));

type Parts = {
  readonly version?: Bytes;
  readonly subject?: Bytes;
  readonly attributes?: readonly Bytes[] | 'absent';
  readonly more?: readonly Bytes[];
};
function info({ version, subject, attributes = [], more = [] }: Parts = {}): Bytes {
  return sequence(
    version ?? integer(0),
    subject ?? parseName('CN=device,O=Test'),
    spki,
    ...(attributes === 'absent' ? [] : [tlv(context(0), ...attributes)]),
    ...more,
  );
}
const signInfo = (octetsOfInfo: Bytes): Bytes =>
  signed(octetsOfInfo, scheme, concat([sign('sha256', octetsOfInfo, privateKey)]));
const request = (parts: Parts = {}) => readCertificationRequest(signInfo(info(parts)));
const refuses = (parts: Parts, sentence: RegExp) =>
  assert.throws(() => request(parts), malformed(sentence));
const proven = async (der: Bytes): Promise<boolean> => {
  const { publicKey, scheme: said, info: octetsOfInfo, signature } = readCertificationRequest(der);
  assert.ok(publicKey && said);
  return verifySignature(publicKey, said, octetsOfInfo, signature);
};

test('RFC 2986 §4: a request is read, and proven by the key in it', async () => {
  const der = signInfo(info({ attributes: [challenge('secret')] }));
  const read = readCertificationRequest(der);
  assert.equal(printName(read.subject), 'CN=device,O=Test');
  assert.equal(read.challengePassword, 'secret');
  assert.equal(read.subjectAltName, undefined);
  assert.deepEqual([...read.requestedExtensions.keys()], []);
  assert.deepEqual(read.publicKey?.kind, { type: 'RSA', bits: 2048 });
  assert.deepEqual(read.scheme, scheme);
  assert.deepEqual(read.der, der);
  assert.ok(await proven(der));
});

test('RFC 2986 §4.2: no changed bit of what is signed or of the signature is proven', async () => {
  const der = signInfo(info({ attributes: [challenge('secret')] }));
  assert.ok(await proven(der));
  for (let at = 0; at < der.length; at++) {
    const changed = flipped(der, at, 1 << (at % 8));
    const verified = await proven(changed).catch((error: Error) => {
      assert.ok(['Malformed', 'AssertionError'].includes(error.name), `octet ${at}: ${error}`);
      return false;
    });
    assert.equal(verified, false, `octet ${at}`);
  }
});

test('RFC 2985 §5.4.1: a challengePassword is read from each string type', () => {
  const bmp = concat([Uint8Array.from(Buffer.from('sécret@1', 'utf16le').swap16())]);
  const read = (value: Bytes) =>
    request({ attributes: [attribute(oids.challengePassword, value)] }).challengePassword;
  assert.equal(read(utf8String('sécret@1')), 'sécret@1');
  assert.equal(read(tlv(tag.printableString, latin1('secret'))), 'secret');
  assert.equal(read(tlv(tag.ia5String, latin1('secret@1'))), 'secret@1');
  assert.equal(read(tlv(tag.t61String, latin1('s\u00e9cret@1'))), 'sécret@1');
  assert.equal(read(tlv(tag.bmpString, bmp)), 'sécret@1');
  assert.equal(read(utf8String('a\0b')), 'a\0b');
  assert.equal(read(utf8String(' ')), ' ');
});

test('RFC 2985 §5.4.1: an empty challengePassword is not an absent one', () => {
  assert.equal(request({ attributes: [challenge('')] }).challengePassword, '');
  assert.equal(request({ attributes: [] }).challengePassword, undefined);
  assert.equal(request({ attributes: 'absent' }).challengePassword, undefined);
});

test('RFC 2986 §4.1: an attribute without a value asks for nothing', () => {
  for (const type of [oids.challengePassword, oids.extensionRequest]) {
    const read = request({ attributes: [attribute(type)] });
    assert.equal(read.challengePassword, undefined);
    assert.equal(read.requestedExtensions.size, 0);
    assert.deepEqual(redact(read), read.der);
  }
});

test('RFC 2985 §5.4.1: a challengePassword that stands twice, or with two values, is refused', () => {
  const sentence = /must stand once, with one value/;
  const [a, b] = [utf8String('a'), utf8String('b')];
  refuses({ attributes: [challenge('a'), challenge('a')] }, sentence);
  refuses({ attributes: [challenge('a'), challenge('b')] }, sentence);
  refuses({ attributes: [attribute(oids.challengePassword, a, b)] }, sentence);
  refuses({ attributes: [attribute(oids.challengePassword), challenge('a')] }, sentence);
  refuses({ attributes: [sequence(oids.challengePassword)] }, sentence);
  refuses({ attributes: [sequence(oids.challengePassword, a)] }, sentence);
  refuses({ attributes: [sequence(oids.challengePassword, sequence(a))] }, sentence);
});

test('RFC 2985 §5.4.1: a challengePassword that is not a string, or too long, is refused', () => {
  const withValue = (value: Bytes) => ({ attributes: [attribute(oids.challengePassword, value)] });
  for (const value of [integer(5), octets(utf8('a')), sequence(utf8String('a')), nullValue]) {
    refuses(withValue(value), /challengePassword that is not a string/);
  }
  refuses(withValue(tlv(tag.utf8String, Uint8Array.of(0xff))), /not UTF-8/);
  refuses(withValue(tlv(tag.printableString, Uint8Array.of(0xe9))), /not an ASCII string/);
  const long = (length: number) => 'x'.repeat(length);
  const most = request({ attributes: [challenge(long(MAX_CHALLENGE_PASSWORD_OCTETS))] });
  assert.equal(most.challengePassword?.length, MAX_CHALLENGE_PASSWORD_OCTETS);
  refuses(
    { attributes: [challenge(long(MAX_CHALLENGE_PASSWORD_OCTETS + 1))] },
    /a challengePassword that is too long/,
  );
});

test('RFC 2986 §4.1: attributes that the service does not use may have any shape', () => {
  const odd = [
    sequence(),
    nullValue,
    setOf(nullValue),
    utf8String('loose'),
    sequence(oid('1.2.3')),
    sequence(oid('1.2.3'), nullValue, nullValue),
    sequence(oid('1.2.840.113549.1.9.2'), tlv(tag.t61String, latin1('router'))),
    sequence(utf8String('no type')),
    sequence(sequence(oids.challengePassword, setOf(utf8String('nested')))),
    setOf(oids.challengePassword, utf8String('a set')),
    attribute(oid('1.2.3'), integer(1), integer(2)),
    attribute(oid('1.2.3')),
    attribute(oid('1.2.3')),
  ];
  const read = request({ attributes: [...odd, challenge('secret'), ...odd] });
  assert.equal(read.challengePassword, 'secret');
  assert.equal(request({ attributes: odd }).challengePassword, undefined);
});

const extension = (id: Bytes, value: Bytes, ...critical: Bytes[]) =>
  sequence(id, ...critical, octets(value));
const dns = (host: string) => sequence(tlv(0x82, utf8(host)));
const wanting = (...extensions: Bytes[]) =>
  attribute(oids.extensionRequest, sequence(...extensions));

test('RFC 2985 §5.4.2: what the extensionRequest asks for is named, and its subjectAltName given', () => {
  const usage = extension(oid('2.5.29.15'), fromBits(0x80), boolean(true));
  const names = extension(oids.subjectAltName, dns('host.example'));
  const read = request({ attributes: [wanting(usage, names)] });
  assert.deepEqual([...read.requestedExtensions.keys()], ['2.5.29.15', '2.5.29.17']);
  const asked = readGeneralNames(scan(read.subjectAltName ?? nullValue));
  assert.deepEqual(asked.map(printGeneralName), ['dns:host.example']);
  const microsoft = attribute(oids.microsoftExtensionRequest, sequence(names));
  assert.deepEqual(
    [...request({ attributes: [microsoft] }).requestedExtensions.keys()],
    ['2.5.29.17'],
  );
  assert.deepEqual([...request({ attributes: [wanting()] }).requestedExtensions.keys()], []);
});
function fromBits(octet: number): Bytes {
  return bits(Uint8Array.of(octet), 7);
}

test('RFC 2985 §5.4.2: an extensionRequest that stands twice, under either OID, is refused', () => {
  const names = extension(oids.subjectAltName, dns('a'));
  const microsoft = attribute(oids.microsoftExtensionRequest, sequence(names));
  const sentence = /must stand once, with one value/;
  refuses({ attributes: [wanting(names), wanting(names)] }, sentence);
  refuses({ attributes: [wanting(names), microsoft] }, sentence);
  refuses({ attributes: [microsoft, microsoft] }, sentence);
  const two = attribute(oids.extensionRequest, sequence(names), sequence());
  refuses({ attributes: [two] }, sentence);
});

test('RFC 5280 §4.2: a requested extension that stands twice, or is malformed, is refused', () => {
  const names = extension(oids.subjectAltName, dns('a'));
  refuses({ attributes: [wanting(names, names)] }, /2.5.29.17 stands twice/);
  refuses({ attributes: [wanting(sequence(oids.subjectAltName))] }, /Extension has no extnValue/);
  refuses({ attributes: [wanting(sequence(oids.subjectAltName, dns('a')))] }, /no extnValue/);
  refuses({ attributes: [wanting(nullValue)] }, /Extension is not what/);
  refuses({ attributes: [attribute(oids.extensionRequest, setOf(names))] }, /not a list of ext/);
});

test('RFC 2986 §4.1: a request of another version, or with a field missing or too many, is refused', () => {
  for (const version of [0, 1, 2]) request({ version: integer(version) });
  for (const version of [3, 4, 127])
    refuses({ version: integer(version) }, new RegExp(`version is ${version}, and not 0`));
  refuses({ version: integer(Uint8Array.of(1, 0, 0, 0, 0)) }, /small INTEGER/);
  refuses({ version: nullValue }, /no version/);
  refuses({ version: sequence() }, /no version/);
  refuses({ more: [nullValue] }, /CertificationRequestInfo has a field too many/);
  refuses({ more: [tlv(context(0))] }, /CertificationRequestInfo has a field too many/);
  refuses({ attributes: 'absent', more: [setOf()] }, /field too many/);
  refuses({ subject: setOf() }, /no subject/);
  const [content, algorithm, signature] = scan(signInfo(info())).children.map(raw);
  assert.ok(content && algorithm && signature);
  for (const parts of [
    [],
    [content],
    [content, algorithm],
    [algorithm, content, signature],
    [content, algorithm, octets(signature)],
    [content, algorithm, signature, nullValue],
    [content, algorithm, bits(Uint8Array.of(0x80), 7)],
  ]) {
    assert.throws(() => readCertificationRequest(sequence(...parts)), malformed(/./));
  }
});

test('RFC 2986 §4: octets after the request, and forms of BER in it, are refused', () => {
  const der = signInfo(info());
  for (const more of [[0], [0x30, 0], [5, 0], Array<number>(100).fill(0)]) {
    const longer = concat([der, Uint8Array.from(more)]);
    assert.throws(() => readCertificationRequest(longer), malformed(/after the end/));
  }
  const loose = indefinite(tag.sequence, der.subarray(4));
  assert.throws(() => readCertificationRequest(loose), malformed(/not DER/));
  refuses({ subject: indefinite(tag.sequence) }, /not DER/);
  refuses({ attributes: [indefinite(tag.sequence)] }, /not DER/);
});

test('RFC 2986 §3: an algorithm outside the registry leaves the request without a scheme', () => {
  const [content, , signature] = scan(signInfo(info())).children.map(raw);
  assert.ok(content && signature);
  const unknown = sequence(content, sequence(oid('1.2.3')), signature);
  assert.equal(readCertificationRequest(unknown).scheme, undefined);
  const bare = sequence(content, sequence(oid('1.2.840.113549.1.1.1'), nullValue), signature);
  assert.equal(readCertificationRequest(bare).scheme, undefined);
});

test('RFC 2986 §4.1: two requests are for the same key when their SubjectPublicKeyInfo is the same', () => {
  const first = request().publicKey;
  const second = request({ subject: parseName('CN=other') }).publicKey;
  const other = readCertificationRequest(
    vector('captures/certmonger/get-aes256-sha256-type19.plain.der'),
  ).publicKey;
  assert.ok(first && second && other);
  assert.deepEqual([sameKey(first, second), sameKey(first, other)], [true, false]);
});

test('RFC 8894 §7.3: the copy for the record is without the challengePassword and otherwise the same', () => {
  const kept = [
    sequence(),
    wanting(extension(oids.subjectAltName, dns('a'))),
    attribute(oid('1.2.3')),
  ];
  for (const value of [
    utf8String('hunter2'),
    tlv(tag.bmpString, utf8('hunter2!')),
    utf8String(''),
  ]) {
    const secret = attribute(oids.challengePassword, value);
    for (const at of [0, 1, 2, 3]) {
      const attributes = [...kept.slice(0, at), secret, ...kept.slice(at)];
      const der = signInfo(info({ attributes }));
      const copy = redact(readCertificationRequest(der));
      const empty = attribute(oids.challengePassword, tlv(value[0] ?? 0));
      const expected = info({ attributes: [...kept.slice(0, at), empty, ...kept.slice(at)] });
      const [content, algorithm, signature] = scan(copy).children.map(raw);
      assert.deepEqual(content, expected);
      assert.deepEqual([algorithm, signature], scan(der).children.slice(1).map(raw));
      assert.equal(readCertificationRequest(copy).challengePassword, '');
      assert.ok(!Buffer.from(copy).includes('hunter2'));
    }
  }
});

test('RFC 8894 §7.3: the copy of a request without a challengePassword is the request', () => {
  for (const attributes of [[], 'absent', [wanting()], [sequence()]] as const) {
    const der = signInfo(info({ attributes }));
    assert.ok(equal(redact(readCertificationRequest(der)), der));
  }
});

test('RFC 8894 §7.3: no captured challengePassword is in the copy for the record', () => {
  for (const name of ['certmonger/get-aes256-sha256', 'strongswan-pki/aes128-sha512-utf8pw']) {
    const der = vector(`captures/${name}-type19.plain.der`);
    const read = readCertificationRequest(der);
    const secret = utf8(read.challengePassword ?? '');
    assert.ok(secret.length > 0 && Buffer.from(der).includes(Buffer.from(secret)));
    const copy = redact(read);
    assert.ok(!Buffer.from(copy).includes(Buffer.from(secret)));
    assert.equal(copy.length, der.length - secret.length);
    assert.equal(
      readCertificationRequest(copy).subjectAltName?.length,
      read.subjectAltName?.length,
    );
  }
});

test('RFC 2986 §4.1: what our own client asks for is read as it was asked', () => {
  const subject = parseName('CN=device');
  const names = ['dns:host.example', 'ip:10.0.0.1', 'upn:é@example'].map(parseGeneralName);
  const read = readCertificationRequest(
    signInfo(encodeRequestInfo({ subject, names }, spki, 'sécret')),
  );
  assert.equal(read.challengePassword, 'sécret');
  assert.deepEqual(readGeneralNames(scan(read.subjectAltName ?? nullValue)), names);
  const bare = readCertificationRequest(
    signInfo(encodeRequestInfo({ subject, names: [] }, spki, undefined)),
  );
  assert.deepEqual([bare.challengePassword, bare.subjectAltName], [undefined, undefined]);
});
