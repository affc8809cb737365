// Names as text: what is parsed prints the same and parses to the same octets, whatever characters the
// values hold; escapes of every kind; sentences for what is not RFC 4514.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tag } from '../../lib/asn1/reader.ts';
import { integer, objectIdentifier, sequence, setOf, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import { nameOf, parseName, printName } from '../../lib/x509/names/name.ts';
import { runs } from '../support/vectors.ts';

/** The value of the one attribute of a name given as text. */
function oneValue(text: string): string | undefined {
  const [rdn] = nameOf(parseName(text));
  return rdn?.[0]?.value;
}
const values = (text: string) => nameOf(parseName(text)).map((rdn) => rdn.map((a) => a.value));

test('RFC 4514 §2.1: the first RDN of the text is the last of the name', () => {
  const name = nameOf(parseName('CN=device,OU=Lab,O=Test,C=DE'));
  assert.deepEqual(
    name.map(([attribute]) => [attribute?.type, attribute?.value]),
    [
      ['2.5.4.6', 'DE'],
      ['2.5.4.10', 'Test'],
      ['2.5.4.11', 'Lab'],
      ['2.5.4.3', 'device'],
    ],
  );
  assert.equal(
    printName(parseName('CN=device,OU=Lab,O=Test,C=DE')),
    'CN=device,OU=Lab,O=Test,C=DE',
  );
});

test('RFC 4514 §2.1: the empty text is the empty name', () => {
  assert.deepEqual(parseName(''), sequence());
  assert.deepEqual(parseName('  '), sequence());
  assert.equal(printName(sequence()), '');
});

test('RFC 4514 §2.2: attributes of one RDN are joined by plus signs', () => {
  const der = parseName('CN=device+serialNumber=17,O=Test');
  // A SET OF in DER has its own order, that of the encodings: the shorter one comes first.
  assert.deepEqual(values('CN=device+serialNumber=17,O=Test'), [['Test'], ['17', 'device']]);
  assert.equal(printName(der), 'serialNumber=17+CN=device,O=Test');
  assert.deepEqual(parseName('serialNumber=17 + CN=device , O=Test'), der);
});

test('RFC 4514 §2.3: types are short names in any case, or dotted decimal', () => {
  const der = parseName('CN=a');
  assert.deepEqual(parseName('cn=a'), der);
  assert.deepEqual(parseName('2.5.4.3=a'), der);
  assert.deepEqual(parseName(' CN = a '), der);
  assert.equal(printName(parseName('1.2.3.4=a')), '1.2.3.4=a');
  const shorts = ['CN', 'SN', 'serialNumber', 'C', 'L', 'ST', 'STREET', 'O', 'OU', 'title', 'GN'];
  for (const short of [...shorts, 'dnQualifier', 'UID', 'DC', 'emailAddress']) {
    assert.equal(printName(parseName(`${short.toUpperCase()}=XY`)), `${short}=XY`);
  }
});

test('RFC 4514 §2.4: special characters are read with a backslash before them', () => {
  assert.equal(oneValue('CN=a\\,b'), 'a,b');
  assert.equal(oneValue('CN=a\\+b'), 'a+b');
  assert.equal(oneValue('CN=\\"a\\"'), '"a"');
  assert.equal(oneValue('CN=a\\\\b'), 'a\\b');
  assert.equal(oneValue('CN=\\<a\\>\\;\\='), '<a>;=');
  assert.equal(oneValue('CN=\\#a'), '#a');
  assert.equal(oneValue('CN=a=b'), 'a=b');
});

test('RFC 4514 §2.4: octets are read from pairs of hexadecimal digits, as UTF-8', () => {
  assert.equal(oneValue('CN=Lu\\c4\\8di\\C4\\87'), 'Lučić');
  assert.equal(oneValue('CN=\\41\\42'), 'AB');
  assert.equal(oneValue('CN=\\00'), '\0');
  assert.equal(oneValue('CN=\\e2\\80\\ae'), '\u202e');
  assert.equal(oneValue('CN=\\2c\\2b'), ',+');
  for (const text of ['CN=\\c4', 'CN=\\ff', 'CN=\\c4a\\8d', 'CN=\\ed\\a0\\80']) {
    assert.throws(() => parseName(text), /escaped octets in the value of CN are not UTF-8/);
  }
});

test('RFC 4514 §3: an escaped backslash is a backslash, whatever follows it', () => {
  assert.equal(oneValue('CN=\\\\41'), '\\41');
  assert.equal(oneValue('CN=\\\\c4\\\\8d'), '\\c4\\8d');
  assert.equal(oneValue('CN=\\5c41'), '\\41');
  assert.equal(oneValue('CN=\\5c\\2c'), '\\,');
  assert.equal(oneValue('CN=\\5c\\,'), '\\,');
  assert.equal(oneValue('CN=\\\\\\,'), '\\,');
  assert.equal(oneValue('CN=\\\\\\\\'), '\\\\');
});

test('RFC 4514 §2.4: spaces around a value are not part of it, escaped ones are', () => {
  assert.deepEqual(values('CN= a , O= b '), [['b'], ['a']]);
  assert.deepEqual(values('CN=a\\  , O=b'), [['b'], ['a ']]);
  assert.deepEqual(values('CN=a\\\\ , O=b'), [['b'], ['a\\']]);
  assert.equal(oneValue('CN=a\\ '), 'a ');
  assert.equal(oneValue('CN=\\ a\\ '), ' a ');
  assert.equal(oneValue('CN=\\ '), ' ');
  assert.equal(oneValue('CN=a\\20'), 'a ');
  assert.equal(oneValue('CN=a b'), 'a b');
});

test('RFC 4514 §2.4: only the space of ASCII is trimmed, other blanks belong to the value', () => {
  for (const blank of ['\u00a0', '\u3000', '\u2003']) {
    assert.equal(oneValue(`CN=${blank}a`), `${blank}a`);
    assert.equal(oneValue(`CN=a${blank}`), `a${blank}`);
    assert.deepEqual(values(`CN=a${blank},O=${blank}b`), [[`${blank}b`], [`a${blank}`]]);
  }
});

test('RFC 4514 §2.4: a value that begins with a number sign is the hexadecimal of its encoding', () => {
  const der = (value: Bytes) => sequence(setOf(sequence(objectIdentifier('1.2.3.4'), value)));
  const text = tlv(tag.utf8String, utf8('A'));
  assert.deepEqual(parseName('1.2.3.4=#0c0141'), der(text));
  assert.deepEqual(parseName('1.2.3.4=#020105'), der(integer(5)));
  assert.deepEqual(parseName(printName(der(integer(5)))), der(integer(5)));
  for (const wrong of [
    '1.2.3.4=#',
    '1.2.3.4=#0',
    '1.2.3.4=#xy',
    '1.2.3.4=#0c02',
    '1.2.3.4=#0c0141,',
  ]) {
    assert.throws(() => parseName(wrong), SyntaxError, wrong);
  }
});

test('RFC 4514 §3: text that is not a name is refused with a sentence', () => {
  const cases: [string, RegExp][] = [
    ['device', /expected TYPE=VALUE at "device"/],
    ['=device', /expected TYPE=VALUE/],
    ['CN', /expected TYPE=VALUE/],
    ['CN=a,', /nothing follows the last ","/],
    ['CN=a, ', /nothing follows the last ","/],
    ['CN=a+', /nothing follows the last "\+"/],
    [',CN=a', /expected TYPE=VALUE/],
    ['CN=a,,O=b', /expected TYPE=VALUE/],
    ['CN=', /the value of CN is empty/],
    ['CN=,O=b', /the value of CN is empty/],
    ['CN=  ,O=b', /the value of CN is empty/],
    ['CN="a"', /unexpected """ in the value of CN/],
    ['CN=a"b', /unexpected """ in the value of CN/],
    ['CN=a\\', /unexpected/],
    ['XY=a', /unknown attribute type "XY"; a dotted OID works for any/],
    ['3.1=a', /unknown attribute type "3.1"/],
    ['2=a', /expected TYPE=VALUE/],
    ['/CN=a/O=b', /expected TYPE=VALUE/],
  ];
  for (const [text, sentence] of cases) {
    assert.throws(() => parseName(text), { name: 'SyntaxError', message: sentence }, text);
  }
});

test('RFC 5280 A.1: country, serial number and qualifier are PrintableString, mail and DC IA5String', () => {
  const tagOf = (text: string) => nameOf(parseName(text))[0]?.[0]?.der[0];
  for (const type of ['C', 'serialNumber', 'dnQualifier']) {
    assert.equal(tagOf(`${type}=DE`), tag.printableString);
    assert.equal(tagOf(`${type}=D_E`), tag.utf8String);
    assert.equal(tagOf(`${type}=é`), tag.utf8String);
  }
  for (const type of ['DC', 'emailAddress']) {
    assert.equal(tagOf(`${type}=a@b`), tag.ia5String);
    assert.equal(tagOf(`${type}=é`), tag.utf8String);
  }
  for (const type of ['CN', 'O', 'L', '1.2.3']) assert.equal(tagOf(`${type}=a`), tag.utf8String);
});

const characters = fc.oneof(
  fc.constantFrom(...'\\,+"<>;=# ', '\\', ' ', '4', '1', 'c', 'é', '\u00a0', '\0', '\n', '\u202e'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 2 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);
const value = fc
  .array(characters, { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''))
  .filter((text) => text.isWellFormed());
const type = fc.constantFrom(
  'CN',
  'O',
  'OU',
  'C',
  'serialNumber',
  'DC',
  'UID',
  '1.2.3.4',
  '2.999.1',
);
const oidOf: Record<string, string> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  serialNumber: '2.5.4.5',
  DC: '0.9.2342.19200300.100.1.25',
  UID: '0.9.2342.19200300.100.1.1',
};

/** A name with these types and values, all UTF8String, by the writer. */
const nameFrom = (rdns: [string, string][][]): Bytes =>
  sequence(
    ...rdns.map((rdn) =>
      setOf(
        ...rdn.map(([short, text]) =>
          sequence(objectIdentifier(oidOf[short] ?? short), tlv(tag.utf8String, utf8(text))),
        ),
      ),
    ),
  );
const rdns = fc.array(fc.array(fc.tuple(type, value), { minLength: 1, maxLength: 3 }), {
  maxLength: 4,
});
const meaning = (der: Bytes) =>
  nameOf(der).map((rdn) => rdn.map((each) => `${each.type}=${each.value}`).sort());

test('RFC 4514 §2: any name of strings prints as text that parses to the same types and values', () => {
  fc.assert(
    fc.property(rdns, (list) => {
      const der = nameFrom(list);
      const text = printName(der);
      assert.deepEqual(meaning(parseName(text)), meaning(der));
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
    runs(500),
  );
});

test('RFC 4514 §2: a parsed name prints as text that parses to the same octets', () => {
  fc.assert(
    fc.property(rdns, (list) => {
      const parsed = parseName(printName(nameFrom(list)));
      assert.deepEqual(parseName(printName(parsed)), parsed);
    }),
    runs(300),
  );
});

test('RFC 4514 §3: any text is a name or a SyntaxError', () => {
  const text = fc.array(fc.oneof(fc.constantFrom('CN', 'O', '=', ',', '+', '1.2.3'), characters));
  fc.assert(
    fc.property(
      text.map((parts) => parts.join('')),
      (hostile) => {
        try {
          nameOf(parseName(hostile));
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
        }
      },
    ),
    runs(500),
  );
});
