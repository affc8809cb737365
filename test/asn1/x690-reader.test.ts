// Reading on top of the gate: fields in their order, strings in segments and under implicit tags,
// small numbers, object identifiers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bitString,
  content,
  context,
  contextPrimitive,
  Fields,
  octetString,
  oid,
  raw,
  scan,
  smallInteger,
  tag,
} from '../../lib/asn1/reader.ts';
import { integer, objectIdentifier, octets, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, fromHex, utf8 } from '../../lib/base/bytes.ts';
import { indefinite, segmented } from '../support/messages.ts';
import { malformed, runs } from '../support/vectors.ts';

const octetsOf = (text: string): Bytes => fromHex(text.replaceAll(' ', ''));
const element = (text: string) => scan(octetsOf(text));

test('X.690 §8.9: the fields of a SEQUENCE are read in order, each by its tag', () => {
  const fields = new Fields(element('30 0a 02 01 05 04 01 41 a0 02 05 00'), 'Thing');
  assert.equal(smallInteger(fields.next(tag.integer, 'version')), 5);
  assert.equal(fields.optional(tag.boolean, context(1)), undefined);
  assert.equal(fields.optional(tag.boolean, tag.octetString)?.tag, tag.octetString);
  assert.throws(() => fields.end(), malformed(/^Thing has a field too many$/));
  assert.equal(fields.any('rest').tag, context(0));
  assert.equal(fields.optional(context(0)), undefined);
  fields.end();
  assert.throws(() => fields.any('more'), malformed(/^Thing has no more$/));
});

test('X.690 §8.9: a field of another type, and another type than SEQUENCE, are refused', () => {
  const sequenceOfNull = () => element('30 02 05 00');
  assert.throws(
    () => new Fields(sequenceOfNull(), 'Thing').next(tag.integer, 'version'),
    malformed(/^Thing has no version$/),
  );
  for (const other of ['31 02 05 00', 'a0 02 05 00', '04 02 05 00', '24 02 04 00']) {
    assert.throws(() => new Fields(element(other), 'Thing'), malformed(/^Thing is not what/));
  }
  new Fields(element('a3 02 05 00'), 'Thing', context(3)).next(tag.null, 'nothing');
});

test('X.690 §8.7.3: an OCTET STRING in segments is one string, also nested and empty', () => {
  const whole = (text: string) => octetString(element(text));
  assert.deepEqual(whole('04 03 41 42 43'), utf8('ABC'));
  assert.deepEqual(whole('04 00'), utf8(''));
  assert.deepEqual(whole('24 00'), utf8(''));
  assert.deepEqual(whole('24 80 00 00'), utf8(''));
  assert.deepEqual(whole('24 07 04 01 41 04 02 42 43'), utf8('ABC'));
  assert.deepEqual(whole('24 80 04 01 41 04 00 04 02 42 43 00 00'), utf8('ABC'));
  assert.deepEqual(whole('24 80 24 05 04 01 41 04 00 24 80 04 02 42 43 00 00 00 00'), utf8('ABC'));
});

test('X.690 §8.14: an IMPLICIT tag replaces the tag of the whole string, never of its segments', () => {
  const implicit = (text: string) => octetString(element(text), contextPrimitive(0));
  assert.deepEqual(implicit('80 02 41 42'), utf8('AB'));
  assert.deepEqual(implicit('a0 06 04 01 41 04 01 42'), utf8('AB'));
  assert.deepEqual(implicit('a0 80 24 03 04 01 41 04 01 42 00 00'), utf8('AB'));
  assert.deepEqual(implicit('a0 00'), utf8(''));
  assert.throws(() => implicit('a0 03 80 01 41'), malformed(/not an OCTET STRING/));
  assert.throws(() => implicit('04 01 41'), malformed(/not an OCTET STRING/));
  assert.throws(() => implicit('81 01 41'), malformed(/not an OCTET STRING/));
  assert.throws(() => implicit('a1 03 04 01 41'), malformed(/not an OCTET STRING/));
});

test('X.690 §8.7.3.2: segments of another type are refused', () => {
  for (const text of ['24 03 0c 01 41', '24 03 02 01 41', '24 05 30 03 04 01 41', '24 02 05 00']) {
    assert.throws(() => octetString(element(text)), malformed(/not an OCTET STRING/), text);
  }
});

test('X.690 §8.7.3: any way to cut a string into segments reads as the same string', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 64 }),
      fc.boolean(),
      (text, size, nested) => {
        const cut = segmented(concat([text]), size);
        const encoded = nested ? indefinite(0x24, cut, octets(text)) : cut;
        const expected = nested ? concat([text, text]) : text;
        const read = scan(encoded, { depth: 24, nodes: 1000 });
        assert.ok(equal(octetString(read), expected));
        assert.equal(read.der, false);
      },
    ),
    runs(100),
  );
});

test('X.690 §8.6: a BIT STRING of whole octets is read, any other is refused', () => {
  assert.deepEqual(bitString(element('03 03 00 41 42')), utf8('AB'));
  assert.deepEqual(bitString(element('03 01 00')), utf8(''));
  for (const text of ['03 02 01 40', '04 02 00 41', '23 04 03 02 00 41', '83 02 00 41']) {
    assert.throws(() => bitString(element(text)), malformed(/BIT STRING of whole octets/), text);
  }
});

test('X.690 §8.3: a small INTEGER is 0 to 2^31-1; negative, large and other types are refused', () => {
  const read = (text: string) => smallInteger(element(text));
  assert.equal(read('02 01 00'), 0);
  assert.equal(read('02 01 7f'), 127);
  assert.equal(read('02 02 00 80'), 128);
  assert.equal(read('02 04 7f ff ff ff'), 2 ** 31 - 1);
  for (const text of ['02 01 80', '02 01 ff', '02 05 00 80 00 00 00', '0a 01 01', '82 01 01']) {
    assert.throws(() => read(text), malformed(/not a small INTEGER/), text);
  }
});

test('X.690 §8.3: every number below 2^31 is read as it was written', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (value) => {
      const read = scan(integer(value));
      assert.equal(smallInteger(read), value);
      assert.equal(read.der, true);
    }),
    runs(300),
  );
});

test('X.690 §8.3: a magnitude of any length is written as the shortest positive INTEGER', () => {
  const value = (bytes: Uint8Array) => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (magnitude) => {
      const read = scan(integer(magnitude));
      assert.equal(read.der, true);
      assert.ok((content(read)[0] ?? 0x80) < 0x80);
      assert.equal(value(content(read)), value(magnitude));
    }),
    runs(200),
  );
  assert.deepEqual(integer(new Uint8Array(0)), octetsOf('02 01 00'));
  assert.deepEqual(integer(new Uint8Array(4)), octetsOf('02 01 00'));
});

test('X.690 §8.19: object identifiers are read and written in dotted decimal', () => {
  const known: Record<string, string> = {
    '06 01 00': '0.0',
    '06 01 27': '0.39',
    '06 01 28': '1.0',
    '06 01 4f': '1.39',
    '06 01 50': '2.0',
    '06 01 7f': '2.47',
    '06 02 81 00': '2.48',
    '06 02 88 37': '2.999',
    '06 03 88 37 03': '2.999.3',
    '06 06 2a 86 48 86 f7 0d': '1.2.840.113549',
  };
  for (const [text, dotted] of Object.entries(known)) {
    assert.equal(oid(element(text)), dotted);
    assert.deepEqual(objectIdentifier(dotted), octetsOf(text));
  }
});

test('X.667 §6.3: an arc may be a UUID: 128 bits are read exactly', () => {
  const largest = `2.25.${2n ** 128n - 1n}`;
  assert.equal(oid(scan(objectIdentifier(largest))), largest);
  assert.equal(oid(scan(objectIdentifier(`2.${2n ** 128n}`))), `2.${2n ** 128n}`);
  for (const bits of [28n, 29n, 30n, 31n, 32n, 35n, 36n, 42n, 53n, 63n, 64n, 127n]) {
    for (const arc of [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n]) {
      const dotted = `1.3.${arc}.7`;
      assert.equal(oid(scan(objectIdentifier(dotted))), dotted);
    }
  }
});

test('X.690 §8.19: every object identifier reads back as it was written, and as DER', () => {
  const arc = fc.oneof(
    fc.bigInt(0n, 200n),
    fc.bigInt(0n, 2n ** 40n),
    fc.bigInt(0n, 2n ** 128n - 1n),
  );
  const first = fc.oneof(
    fc.tuple(fc.constantFrom(0n, 1n), fc.bigInt(0n, 39n)),
    fc.tuple(fc.constant(2n), fc.bigInt(0n, 2n ** 64n)),
  );
  fc.assert(
    fc.property(first, fc.array(arc, { maxLength: 2 }), (top, rest) => {
      const dotted = [...top, ...rest].join('.');
      const read = scan(objectIdentifier(dotted));
      assert.equal(oid(read), dotted);
      assert.equal(read.der, true);
    }),
    runs(300),
  );
});

test('X.690 §8.19: an object identifier of more than 64 octets, or of another type, is refused', () => {
  const long = (length: number) => tlv(tag.oid, new Uint8Array(length).fill(0x2a));
  assert.equal(oid(scan(long(64))).split('.').length, 65);
  assert.throws(() => oid(scan(long(65))), malformed(/not an OID/));
  assert.throws(() => oid(element('86 01 2a')), malformed(/not an OID/));
  assert.throws(() => oid(element('0d 01 2a')), malformed(/not an OID/));
});

test('X.690 §8.1: raw and content are views of the input, with and without the header', () => {
  const source = sequence(integer(5), octets(utf8('AB')));
  const [, text] = scan(source).children;
  assert.ok(text);
  assert.deepEqual(raw(text), octetsOf('04 02 41 42'));
  assert.deepEqual(content(text), utf8('AB'));
  assert.equal(raw(text).buffer, source.buffer);
  assert.equal(content(text).buffer, source.buffer);
});
