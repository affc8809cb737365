// Names as they come in certificates and requests: strings of every type, values that are no strings,
// characters that act on a terminal or a reader's eye, and the comparison that a binding rests on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scan, tag } from '../../lib/asn1/reader.ts';
import {
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, hex, latin1, utf8 } from '../../lib/base/bytes.ts';
import { MAX_NAME_OCTETS } from '../../lib/base/limits.ts';
import {
  inStringTypes,
  nameOf,
  parseName,
  printName,
  rdnsByType,
  readString,
  sameAttributes,
} from '../../lib/x509/names/name.ts';
import { malformed, runs, unlessMalformed } from '../support/vectors.ts';

const cn = (value: Bytes): Bytes => sequence(objectIdentifier('2.5.4.3'), value);
const nameWith = (value: Bytes): Bytes => sequence(setOf(cn(value)));
const text = (value: string) => nameWith(tlv(tag.utf8String, utf8(value)));
const utf16 = (value: string) => concat([Uint8Array.from(Buffer.from(value, 'utf16le').swap16())]);
const utf32 = (value: string) =>
  concat(
    [...value].map(
      (each) =>
        new Uint8Array(
          [0, 0, 0, 0].map((_, i) => ((each.codePointAt(0) ?? 0) >>> (24 - 8 * i)) & 255),
        ),
    ),
  );

test('RFC 5280 §4.1.2.4: a DirectoryString of each type is read as its characters', () => {
  const read = (identifier: number, bytes: Bytes) => readString(scan(tlv(identifier, bytes)));
  assert.equal(read(tag.utf8String, utf8('sécret 🔑')), 'sécret 🔑');
  assert.equal(read(tag.printableString, latin1('Test 1')), 'Test 1');
  assert.equal(read(tag.ia5String, latin1('a@b')), 'a@b');
  assert.equal(read(tag.t61String, latin1('s\u00e9cret')), 'sécret');
  assert.equal(read(tag.bmpString, utf16('sécret')), 'sécret');
  assert.equal(read(tag.bmpString, utf16('🔑')), '🔑');
  assert.equal(read(tag.universalString, utf32('sécret 🔑')), 'sécret 🔑');
  for (const identifier of [0x0c, 0x13, 0x16, 0x14, 0x1e, 0x1c]) {
    assert.equal(read(identifier, new Uint8Array(0)), '');
  }
  for (const identifier of [tag.integer, tag.octetString, tag.bitString, tag.utcTime, 0x12, 0x80]) {
    assert.equal(read(identifier, Uint8Array.of(0, 1)), undefined);
  }
  assert.equal(readString(scan(tlv(0x2c, tlv(tag.utf8String, utf8('a'))))), undefined);
});

test('RFC 5280 §4.1.2.4: octets that are not of their string type are refused', () => {
  const refuses = (identifier: number, bytes: Bytes, sentence: RegExp) =>
    assert.throws(() => readString(scan(tlv(identifier, bytes))), malformed(sentence));
  for (const bytes of [
    [0xff],
    [0xc3],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
  ]) {
    refuses(tag.utf8String, Uint8Array.from(bytes), /not UTF-8/);
  }
  refuses(tag.printableString, Uint8Array.of(0x80), /not an ASCII string/);
  refuses(tag.ia5String, Uint8Array.of(0x41, 0xe9), /not an ASCII string/);
  refuses(tag.bmpString, Uint8Array.of(0x41), /cut inside a character/);
  refuses(tag.bmpString, Uint8Array.of(0xd8, 0x3d), /half of a surrogate pair/);
  refuses(tag.bmpString, Uint8Array.of(0xdd, 0x11, 0xd8, 0x3d), /half of a surrogate pair/);
  refuses(tag.universalString, new Uint8Array(3), /cut inside a character/);
  refuses(tag.universalString, Uint8Array.of(0, 0x11, 0, 0), /beyond Unicode/);
  refuses(tag.universalString, Uint8Array.of(0xff, 0xff, 0xff, 0xff), /beyond Unicode/);
  refuses(tag.universalString, Uint8Array.of(0, 0, 0xd8, 0), /half of a surrogate pair/);
  refuses(tag.utf8String, new Uint8Array(4 * MAX_NAME_OCTETS + 1), /string that is too long/);
});

test('RFC 5280 §4.1.2.4: a Name that is not a list of sets of attributes is refused', () => {
  const good = cn(tlv(tag.utf8String, utf8('a')));
  for (const der of [
    setOf(),
    sequence(sequence(good)),
    sequence(setOf()),
    sequence(good),
    sequence(setOf(sequence())),
    sequence(setOf(sequence(objectIdentifier('2.5.4.3')))),
    sequence(setOf(sequence(tlv(tag.utf8String, utf8('a')), objectIdentifier('2.5.4.3')))),
    sequence(setOf(concat([good]), tlv(0x30, objectIdentifier('2.5.4.3'), nullValue, nullValue))),
    sequence(setOf(setOf(objectIdentifier('2.5.4.3'), nullValue))),
    nullValue,
    new Uint8Array(0),
    text('x'.repeat(MAX_NAME_OCTETS)),
  ]) {
    assert.throws(() => nameOf(der), malformed(/./), hex(der.subarray(0, 40)));
  }
  assert.throws(
    () => nameOf(tlv(0x30, Uint8Array.of(0x31, 0x80, 0, 0))),
    malformed(/Name is not DER/),
  );
  assert.deepEqual(nameOf(sequence()), []);
});

test('RFC 4514 §2.4: characters that act on a terminal or a reader are printed as octets', () => {
  const printed: Record<string, string> = {
    'a\u0000b': 'CN=a\\00b',
    'a\nb': 'CN=a\\0ab',
    '\r\n': 'CN=\\0d\\0a',
    '\u001b[31m': 'CN=\\1b[31m',
    'a\u007fb': 'CN=a\\7fb',
    'a\u009bb': 'CN=a\\c2\\9bb',
    'a\u0085b': 'CN=a\\c2\\85b',
    '\u202egnp.exe': 'CN=\\e2\\80\\aegnp.exe',
    '\u2066a\u2069': 'CN=\\e2\\81\\a6a\\e2\\81\\a9',
    '\u200fa': 'CN=\\e2\\80\\8fa',
    'a\u200bb': 'CN=a\\e2\\80\\8bb',
    '\ufeffa': 'CN=\\ef\\bb\\bfa',
    'a\u2028b\u2029': 'CN=a\\e2\\80\\a8b\\e2\\80\\a9',
    'a\u00adb': 'CN=a\\c2\\adb',
    'a\u{e0041}b': 'CN=a\\f3\\a0\\81\\81b',
    'a,b+c"d\\e<f>g;h=i': 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i',
    ' a ': 'CN=\\ a\\ ',
    '#a': 'CN=\\#a',
    '<script>': 'CN=\\<script\\>',
    sécret: 'CN=sécret',
  };
  for (const [value, expected] of Object.entries(printed)) {
    assert.equal(printName(text(value)), expected);
  }
});

test('RFC 4514 §2.4: a value that is not a string is printed as the hexadecimal of its encoding', () => {
  assert.equal(printName(nameWith(integer(5))), 'CN=#020105');
  assert.equal(printName(nameWith(sequence(nullValue))), 'CN=#30020500');
  assert.equal(printName(nameWith(octets(utf8('a')))), 'CN=#040161');
});

test('RFC 4514 §2: any octets for a name print as harmless text, and never as an error', () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => concat([bytes])),
    fc
      .tuple(
        fc.constantFrom(0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e, 0x02, 0x30, 0x04, 0x80),
        fc.uint8Array({ maxLength: 24 }),
      )
      .map(([identifier, bytes]) => nameWith(tlv(identifier, bytes))),
  );
  fc.assert(
    fc.property(hostile, (der) => {
      const printed = printName(der);
      assert.doesNotMatch(printed, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      if (unlessMalformed(() => nameOf(der)) === undefined && printed.startsWith('#')) {
        assert.equal(printed, `#${hex(der)}`);
      }
    }),
    runs(500),
  );
});

test('RFC 4514 §2: a name that is too long is printed only up to the limit', () => {
  const der = text('x'.repeat(3 * MAX_NAME_OCTETS));
  assert.equal(printName(der), `#${hex(der.subarray(0, MAX_NAME_OCTETS))}`);
});

const same = (a: Bytes, b: Bytes) => {
  const [left, right] = [nameOf(a), nameOf(b)];
  assert.equal(sameAttributes(left, right), sameAttributes(right, left));
  return sameAttributes(left, right);
};

test('RFC 5280 §7.1: two names with the same attributes are the same in any order', () => {
  assert.ok(same(parseName('CN=a,O=b,C=DE'), parseName('C=DE,O=b,CN=a')));
  assert.ok(same(parseName('CN=a+OU=c,O=b'), parseName('O=b,OU=c+CN=a')));
  assert.ok(same(parseName(''), parseName('')));
  assert.ok(same(parseName('CN=a,DC=corp,DC=example'), parseName('DC=example,DC=corp,CN=a')));
});

test('RFC 5280 §7.1: a name backwards is the same only where its types show that it is', () => {
  assert.ok(same(parseName('CN=a,OU=x,OU=y'), parseName('OU=y,OU=x,CN=a')));
  assert.ok(same(parseName('CN=a+OU=z,OU=x,OU=y'), parseName('OU=y,OU=x,CN=a+OU=z')));
  for (const [name, swapped] of [
    ['OU=Users,OU=Admins', 'OU=Admins,OU=Users'],
    ['DC=corp,DC=local', 'DC=local,DC=corp'],
    ['OU=x,CN=a,OU=y', 'OU=y,CN=a,OU=x'],
    ['CN=a,OU=Users,OU=Admins', 'CN=a,OU=Admins,OU=Users'],
    ['CN=a,CN=b,DC=corp', 'CN=b,CN=a,DC=corp'],
    ['OU=x+CN=a,OU=y+CN=b', 'OU=y+CN=b,OU=x+CN=a'],
  ] as const) {
    assert.ok(!same(parseName(name), parseName(swapped)), name);
  }
});

test('RFC 5280 §7.1: two names with another, a missing or a repeated attribute are not the same', () => {
  const base = parseName('CN=a,O=b');
  for (const other of ['CN=a', 'O=b', '', 'CN=a,O=c', 'CN=b,O=a', 'CN=a,OU=b', 'CN=a,O=b,O=b']) {
    assert.ok(!same(base, parseName(other)), other);
  }
  assert.ok(!same(parseName('CN=a,CN=a'), parseName('CN=a')));
  assert.ok(!same(parseName('OU=x,OU=x,OU=y'), parseName('OU=x,OU=y,OU=y')));
  assert.ok(!same(parseName('CN=a,DC=corp,DC=x'), parseName('CN=a,DC=x,DC=corp')));
  assert.ok(!same(parseName('CN=a+OU=b'), parseName('CN=a,OU=b')));
  assert.ok(!same(parseName('CN=a'), parseName('CN=A')));
  assert.ok(!same(parseName('CN=a'), parseName('CN=a\\20b')));
});

test('RFC 5280 §7.1: the string type of a value does not matter, its characters do', () => {
  const types = [
    tlv(tag.utf8String, utf8('Test')),
    tlv(tag.printableString, utf8('Test')),
    tlv(tag.t61String, utf8('Test')),
    tlv(tag.bmpString, utf16('Test')),
    tlv(tag.universalString, utf32('Test')),
  ].map(nameWith);
  const [first = nullValue] = types;
  for (const each of types) assert.ok(same(first, each));
  assert.ok(!same(text('e\u0301'), text('\u00e9')));
  assert.ok(!same(text('K'), text('\u212a')), 'the Kelvin sign is no letter K');
  assert.ok(!same(text('e'), text('\u00e9')));
  assert.ok(!same(text('a'), text('а')), 'a Cyrillic letter is another one');
});

test('RFC 5280 §7.1: a value that is not a string equals only the same octets', () => {
  assert.ok(same(nameWith(integer(5)), nameWith(integer(5))));
  assert.ok(!same(nameWith(integer(5)), nameWith(integer(6))));
  assert.ok(!same(nameWith(integer(5)), text('5')));
  // The text of the octets is not the octets.
  assert.ok(!same(nameWith(integer(5)), text('020105')));
  assert.ok(!same(nameWith(integer(5)), text('#020105')));
});

const types = {
  C: '2.5.4.6',
  serialNumber: '2.5.4.5',
  dnQualifier: '2.5.4.46',
  DC: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
  CN: '2.5.4.3',
};
const anyValue = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => value.isWellFormed()),
  fc.constantFrom(
    'DE',
    'a@b.example',
    'a_b',
    'K\u212a',
    'a\0b',
    '\u202e',
    'corp',
    "Az09 '()+,-./:=?",
  ),
);
const anyStringType = fc.constantFrom(0x0c, 0x13, 0x16, 0x14, 0x1e, 0x1c, 0x04, 0x02);
const anyAttribute = fc.tuple(fc.constantFrom(...Object.values(types)), anyStringType, anyValue);
const anySubject = fc
  .array(fc.array(anyAttribute, { minLength: 1, maxLength: 3 }), { maxLength: 4 })
  .map((rdns) =>
    sequence(
      ...rdns.map((rdn) =>
        tlv(
          tag.set,
          ...rdn.map(([type, identifier, value]) =>
            sequence(objectIdentifier(type), tlv(identifier, utf8(value))),
          ),
        ),
      ),
    ),
  );

test('RFC 5280 A.1: in its string types a name is the same name, and is written no other way again', () => {
  fc.assert(
    fc.property(anySubject, (der) => {
      if (unlessMalformed(() => nameOf(der)) === undefined) return;
      const written = inStringTypes(der);
      assert.equal(written.length, der.length);
      assert.deepEqual(inStringTypes(written), written);
      const [before, after] = [nameOf(der), nameOf(written)];
      assert.ok(sameAttributes(before, after));
      assert.deepEqual(rdnsByType(before), rdnsByType(after));
      for (const { type, value, der: octets } of after.flat()) {
        const asIt = before.flat().some((one) => equal(one.der, octets) && one.type === type);
        if (asIt) continue;
        const wanted = [types.DC, types.emailAddress].includes(type)
          ? [tag.ia5String, /^[ -~]*$/]
          : [tag.printableString, /^[A-Za-z0-9 '()+,\-./:=?]*$/];
        assert.equal(octets[0], wanted[0]);
        assert.match(value ?? '', wanted[1] as RegExp);
        assert.notEqual(type, types.CN);
      }
    }),
    runs(500),
  );
});
