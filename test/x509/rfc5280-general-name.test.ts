// subjectAltName: the kinds that are certified, read into text that can be compared and written back;
// every other kind and every hostile value read as something that no binding can name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { context, contextPrimitive, scan, tag } from '../../lib/asn1/reader.ts';
import { explicit, nullValue, objectIdentifier, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromHex, hex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_NAME_OCTETS, MAX_NAMES } from '../../lib/base/limits.ts';
import {
  encodeGeneralNames,
  type GeneralName,
  nameKinds,
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
} from '../../lib/x509/names/general-name.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { malformed, runs } from '../support/vectors.ts';

const read = (...names: Bytes[]): GeneralName[] => readGeneralNames(scan(sequence(...names)));
const printed = (...names: Bytes[]) => read(...names).map(printGeneralName);
const ip = (octets: string) => tlv(contextPrimitive(7), fromHex(octets));
const upnOid = objectIdentifier('1.3.6.1.4.1.311.20.2.3');
const otherName = (type: Bytes, ...value: Bytes[]) => explicit(0, type, explicit(0, ...value));
const utf8String = (text: string) => tlv(tag.utf8String, utf8(text));

test('RFC 5280 §4.2.1.6: names of the five kinds are read into their text', () => {
  assert.deepEqual(
    printed(
      tlv(contextPrimitive(2), utf8('Host.Example')),
      tlv(contextPrimitive(1), utf8('User@Example')),
      tlv(contextPrimitive(6), utf8('https://Example/Path?q=1')),
      ip('0a000001'),
      otherName(upnOid, utf8String('user@example')),
    ),
    [
      'dns:host.example',
      'email:User@Example',
      'uri:https://Example/Path?q=1',
      'ip:10.0.0.1',
      'upn:user@example',
    ],
  );
});

test('RFC 5280 §4.2.1.6: names of other kinds are read as their octets', () => {
  const others = [
    tlv(context(3), nullValue),
    explicit(4, parseName('CN=directory')),
    tlv(context(5), tlv(contextPrimitive(1), utf8('party'))),
    tlv(contextPrimitive(8), fromHex('2a03')),
    otherName(objectIdentifier('1.2.3'), utf8String('user@example')),
    otherName(upnOid, nullValue),
    otherName(upnOid, sequence(utf8String('user@example'))),
    tlv(context(2), tlv(tag.ia5String, utf8('host'))),
    tlv(contextPrimitive(9), utf8('host')),
    utf8String('host'),
  ];
  assert.deepEqual(
    read(...others),
    others.map((octets) => ({ kind: 'other', value: hex(octets) })),
  );
  for (const name of read(...others)) {
    assert.throws(() => parseGeneralName(printGeneralName(name)), SyntaxError);
    assert.throws(() => encodeGeneralNames([name]), TypeError);
  }
});

test('RFC 5280 §4.2.1.6: an otherName that is not a type and one value is refused', () => {
  const text = utf8String('user@example');
  for (const broken of [
    explicit(0),
    explicit(0, upnOid),
    explicit(0, explicit(0, text)),
    explicit(0, upnOid, text),
    explicit(0, upnOid, explicit(1, text)),
    explicit(0, upnOid, explicit(0, text), nullValue),
    otherName(upnOid),
    otherName(upnOid, text, text),
    otherName(upnOid, tlv(tag.utf8String, Uint8Array.of(0xff))),
  ]) {
    assert.throws(() => read(broken), malformed(/./), hex(broken));
  }
});

test('RFC 5280 §4.2.1.6: names with characters outside printable ASCII are refused', () => {
  const hostile = ['', 'a\0b', 'a\nb', '\x1b[31m', 'a\x7f', 'é', 'a\u202eb', 'host\0.example'];
  for (const kind of [1, 2, 6]) {
    for (const value of hostile) {
      const name = tlv(contextPrimitive(kind), utf8(value));
      assert.throws(() => read(name), malformed(/printable ASCII/), JSON.stringify(value));
    }
    assert.throws(() => read(tlv(contextPrimitive(kind), Uint8Array.of(0x80))), malformed(/ASCII/));
  }
});

test('RFC 5280 §4.2.1.6: an iPAddress has four or sixteen octets', () => {
  for (const length of [0, 1, 3, 5, 8, 15, 17, 32]) {
    const name = tlv(contextPrimitive(7), new Uint8Array(length));
    assert.throws(() => read(name), malformed(/neither 4 nor 16/), `${length}`);
  }
});

test('RFC 5280 §4.2.1.6: no names, too many, too long ones, and no list are refused', () => {
  const dns = tlv(contextPrimitive(2), utf8('a'));
  assert.throws(() => read(), malformed(/not a list of names/));
  assert.throws(() => readGeneralNames(scan(dns)), malformed(/not a list of names/));
  assert.throws(() => readGeneralNames(scan(tlv(tag.set, dns))), malformed(/not a list of names/));
  assert.equal(read(...Array<Bytes>(MAX_NAMES).fill(dns)).length, MAX_NAMES);
  assert.throws(() => read(...Array<Bytes>(MAX_NAMES + 1).fill(dns)), malformed(/more than 100/));
  const long = (length: number) => tlv(contextPrimitive(2), utf8('a'.repeat(length)));
  assert.equal(read(long(MAX_NAME_OCTETS))[0]?.value.length, MAX_NAME_OCTETS);
  assert.throws(() => read(long(MAX_NAME_OCTETS + 1)), malformed(/too long/));
});

const addresses: Record<string, string> = {
  '20010db8000000000000000000000001': '2001:db8::1',
  '00000000000000000000000000000000': '::',
  '00000000000000000000000000000001': '::1',
  '00010000000000000000000000000000': '1::',
  fe800000000000000000000000000000: 'fe80::',
  '20010db8000000010001000100010001': '2001:db8:0:1:1:1:1:1',
  '20010000000000010000000000000001': '2001:0:0:1::1',
  '20010db8000000000001000000000001': '2001:db8::1:0:0:1',
  '00010002000300040005000600070008': '1:2:3:4:5:6:7:8',
  '0001000200030004000500060000000f': '1:2:3:4:5:6:0:f',
  '00010002000300040005000600000000': '1:2:3:4:5:6::',
  '00000000000300040005000600070008': '::3:4:5:6:7:8',
  '00000002000300040005000600070000': '0:2:3:4:5:6:7:0',
  '20010db8aaaabbbbccccddddeeeeffff': '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
  '00000000000000000000ffff0a000001': '::ffff:10.0.0.1',
};

test('RFC 5952 §4: an IPv6 address is printed in its one recommended form', () => {
  for (const [octets, text] of Object.entries(addresses)) {
    assert.deepEqual(printed(ip(octets)), [`ip:${text}`]);
    assert.deepEqual(encodeGeneralNames([parseGeneralName(`ip:${text}`)]), sequence(ip(octets)));
  }
});

test('RFC 5952 §1: every way to write an address is the same name', () => {
  for (const text of [
    '2001:db8::1',
    '2001:0db8::0001',
    '2001:DB8:0:0:0:0:0:1',
    '2001:db8:0:0::1',
    '2001:db8::0:1',
    '2001:0db8:0000:0000:0000:0000:0000:0001',
  ]) {
    assert.deepEqual(parseGeneralName(`ip:${text}`), { kind: 'ip', value: '2001:db8::1' });
  }
  assert.deepEqual(parseGeneralName('ip:10.0.0.1'), { kind: 'ip', value: '10.0.0.1' });
  assert.deepEqual(parseGeneralName('ip:1:2:3:4:5:6:7::'), {
    kind: 'ip',
    value: '1:2:3:4:5:6:7:0',
  });
});

test('RFC 4291 §2.2: text that is not an address is refused with a sentence', () => {
  for (const text of [
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    '1.2.3.-4',
    '1.2.3.4/24',
    '0x7f.1.1.1',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'g::',
    '1:::2',
    ':1:2:3:4:5:6:7',
    'fe80::1%eth0',
    '[::1]',
    'localhost',
    ' ::1',
  ]) {
    const expected = { name: 'SyntaxError', message: /is not an IP address/ };
    assert.throws(() => parseGeneralName(`ip:${text}`), expected, text);
  }
});

test('RFC 5952 §4: every address reads, prints, parses and encodes as itself', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
      .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]))),
  );
  fc.assert(
    fc.property(octets, (address) => {
      const encoded = tlv(contextPrimitive(7), address);
      const [name] = read(encoded);
      assert.ok(name);
      const parsed = parseGeneralName(printGeneralName(name));
      assert.deepEqual(parsed, name);
      assert.deepEqual(encodeGeneralNames([parsed]), sequence(encoded));
      assert.doesNotMatch(name.value, /:::|::.*::|(^|:)0[0-9a-f]|[A-Z]/);
    }),
    runs(300),
  );
});

test('RFC 5280 §4.2.1.6: names from text are written and read back as the same names', () => {
  const ascii = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 1,
    maxLength: 20,
  });
  const any = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => text.isWellFormed());
  const name = fc.oneof(
    fc.tuple(fc.constantFrom('dns', 'email', 'uri'), ascii),
    fc.tuple(fc.constant('upn'), any),
  );
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 10 }), (list) => {
      const names = list.map(([kind, value]) => parseGeneralName(`${kind}:${value}`));
      const encoded = scan(encodeGeneralNames(names));
      assert.equal(encoded.der, true);
      assert.deepEqual(readGeneralNames(encoded), names);
    }),
    runs(200),
  );
});

test('RFC 5280 §4.2.1.6: text of another kind, or with spaces or control characters, is refused', () => {
  for (const text of [
    '',
    'dns',
    'dns:',
    ':a',
    'host',
    'other:00',
    'guid:0',
    'dir:CN=a',
    'd ns:a',
  ]) {
    const expected = {
      name: 'SyntaxError',
      message: /must be TYPE:VALUE with a TYPE of dns, email/,
    };
    assert.throws(() => parseGeneralName(text), expected, text);
  }
  for (const value of ['a b', ' a', 'a ', 'a\n', 'é', 'a\0', '\u202ea', 'ａ']) {
    for (const kind of ['dns', 'email', 'uri']) {
      const expected = { name: 'SyntaxError', message: /must be printable ASCII without spaces/ };
      assert.throws(() => parseGeneralName(`${kind}:${value}`), expected);
    }
  }
  const long = 'a'.repeat(MAX_NAME_OCTETS + 1);
  for (const kind of nameKinds) {
    assert.throws(() => parseGeneralName(`${kind}:${long}`), /name is too long/);
  }
  assert.deepEqual(parseGeneralName('DNS:Host'), { kind: 'dns', value: 'host' });
  assert.deepEqual(parseGeneralName('URI:dns:x'), { kind: 'uri', value: 'dns:x' });
});

test('RFC 5280 §4.2.1.6: the text of a hostile name is never the text of another name', () => {
  // One kind, then a colon that no kind contains: the value cannot change what the kind is.
  const hostile = otherName(upnOid, utf8String('x\ndns:host.example'));
  assert.deepEqual(printed(hostile), ['upn:x\ndns:host.example']);
  assert.notDeepEqual(printed(hostile), ['dns:host.example']);
  const octets = tlv(contextPrimitive(6), concat([utf8('dns:host.example')]));
  assert.deepEqual(printed(octets), ['uri:dns:host.example']);
});
