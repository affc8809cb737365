// The TLV gate: every refusal of `scan`, one by one, with an accepted neighbour where there is one.
// A refusal is a `Malformed` with its own sentence; what is let through is compared by offsets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scan } from '../../lib/asn1/reader.ts';
import { tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromHex } from '../../lib/base/bytes.ts';
import { MAX_DER_DEPTH, MAX_DER_NODES } from '../../lib/base/limits.ts';
import { malformed } from '../support/vectors.ts';

const octetsOf = (text: string): Bytes => fromHex(text.replaceAll(' ', ''));
const refuses = (text: string, sentence: RegExp): void => {
  assert.throws(() => scan(octetsOf(text)), malformed(sentence), text);
};
const accepts = (text: string): void => {
  assert.equal(scan(octetsOf(text)).end, octetsOf(text).length, text);
};

test('X.690 §8.1: no octets, an identifier alone, or a cut length are not an encoding', () => {
  refuses('', /cut short/);
  refuses('30', /cut short/);
  refuses('04', /cut short/);
  refuses('04 82', /length is cut short/);
  refuses('04 82 00', /length is cut short/);
  refuses('04 84 00 00 00', /length is cut short/);
});

test('X.690 §8.1.2.4: high tag numbers are refused in every class and form', () => {
  for (const identifier of ['1f', '3f', '5f', '7f', '9f', 'bf', 'df', 'ff']) {
    refuses(`${identifier} 01 00`, /high tag number/);
    refuses(`30 03 ${identifier} 01 00`, /high tag number/);
  }
});

test('X.690 §8.1.3.5: a length of more than four octets is refused, four are read', () => {
  accepts('04 84 00 00 00 01 41');
  refuses('04 85 00 00 00 00 01 41', /more than four octets/);
  refuses('04 ff 41', /more than four octets/);
  refuses('30 fe 05 00', /more than four octets/);
});

test('X.690 §8.1.3.6: a primitive element of indefinite length is refused', () => {
  for (const identifier of ['02', '04', '05', '0c', '80', '81', 'c0', '41']) {
    refuses(`${identifier} 80 41 00 00`, /primitive element of indefinite length/);
  }
  accepts('24 80 04 01 41 00 00');
});

test('X.690 §8.1.3: an element may not reach beyond the one around it', () => {
  refuses('04 02 41', /reaches beyond/);
  refuses('04 84 7f ff ff ff', /reaches beyond/);
  refuses('04 84 ff ff ff ff', /reaches beyond/);
  refuses('30 84 80 00 00 00', /reaches beyond/);
  refuses('30 03 04 02 41', /reaches beyond/);
  refuses('30 03 04 02 41 42', /reaches beyond/);
  refuses('30 05 30 04 04 03 41 42 43', /reaches beyond/);
  refuses('30 01 04 01 41', /cut short/);
  refuses('30 02 04 81 01 41', /length is cut short/);
  accepts('30 03 04 01 41');
});

test('X.690 §8.1.3: content of an indefinite element may not reach beyond the one around it', () => {
  refuses('30 04 30 80 04 03 41 00 00', /reaches beyond/);
  // End-of-contents that lies half or wholly outside the definite parent does not count.
  refuses('30 03 30 80 00 00', /./);
  refuses('30 02 30 80 00 00', /./);
  accepts('30 04 30 80 00 00');
});

test('X.690 §8.1: octets after the end of the encoding are refused', () => {
  refuses('05 00 00', /after the end/);
  refuses('30 00 30 00', /after the end/);
  refuses('30 80 00 00 00', /after the end/);
  refuses('04 01 41 42', /after the end/);
});

test('X.690 §8.1.5: end-of-contents stands only where an indefinite element ends', () => {
  refuses('00 00', /end-of-contents where none belongs/);
  refuses('30 02 00 00', /end-of-contents where none belongs/);
  refuses('30 80 30 02 00 00 00 00', /end-of-contents where none belongs/);
  refuses('30 80 00 01 00 00', /end-of-contents where none belongs/);
  refuses('30 80 00 81 00 00 00', /end-of-contents where none belongs/);
});

test('X.690 §8.1.5: an indefinite element without its end-of-contents is refused', () => {
  refuses('30 80', /cut short/);
  refuses('30 80 00', /cut short/);
  refuses('30 80 05 00', /cut short/);
  refuses('30 80 30 80 00 00', /cut short/);
  accepts('30 80 30 80 00 00 00 00');
});

test('X.690 §8.9.1 §8.11.1: a SEQUENCE or SET is constructed', () => {
  refuses('10 00', /primitive SEQUENCE or SET/);
  refuses('11 00', /primitive SEQUENCE or SET/);
  refuses('30 04 10 02 05 00', /primitive SEQUENCE or SET/);
  accepts('30 00');
  accepts('31 00');
});

test('X.690 §8.3.1 §8.4: an INTEGER or ENUMERATED has at least one octet', () => {
  refuses('02 00', /empty INTEGER/);
  refuses('0a 00', /empty INTEGER/);
  accepts('02 01 00');
  accepts('0a 01 00');
});

test('X.690 §8.2.1: a BOOLEAN has exactly one octet', () => {
  refuses('01 00', /BOOLEAN of other than one octet/);
  refuses('01 02 ff ff', /BOOLEAN of other than one octet/);
  accepts('01 01 ff');
});

test('X.690 §8.8.2: a NULL has no content', () => {
  refuses('05 01 00', /NULL with content/);
  accepts('05 00');
});

test('X.690 §8.19.2: an OBJECT IDENTIFIER is neither empty, cut short nor padded', () => {
  refuses('06 00', /OBJECT IDENTIFIER is cut short/);
  refuses('06 01 80', /OBJECT IDENTIFIER is cut short/);
  refuses('06 02 2a 86', /OBJECT IDENTIFIER is cut short/);
  refuses('06 02 80 01', /OBJECT IDENTIFIER with padding/);
  refuses('06 03 2a 80 01', /OBJECT IDENTIFIER with padding/);
  refuses('06 04 2a 80 80 01', /OBJECT IDENTIFIER with padding/);
  refuses('06 05 2a 86 48 80 01', /OBJECT IDENTIFIER with padding/);
  // 0x80 inside an arc is a group of zero bits, not padding.
  accepts('06 03 2a 81 00');
  accepts('06 04 2a 81 80 00');
});

test('X.690 §8.6.2: a BIT STRING says how many bits of its last octet are unused', () => {
  refuses('03 00', /BIT STRING without its unused-bits octet/);
  refuses('03 02 08 00', /BIT STRING without its unused-bits octet/);
  refuses('03 02 ff 00', /BIT STRING without its unused-bits octet/);
  refuses('03 01 01', /BIT STRING without its unused-bits octet/);
  refuses('03 01 07', /BIT STRING without its unused-bits octet/);
  accepts('03 01 00');
  accepts('03 02 07 80');
});

test('X.690 §8.1.3: a length in a form of BER does not spare an element the rules of its type', () => {
  refuses('05 81 01 00', /NULL with content/);
  refuses('02 81 00', /empty INTEGER/);
  refuses('0a 82 00 00', /empty INTEGER/);
  refuses('01 81 02 ff ff', /BOOLEAN of other than one octet/);
  refuses('06 81 00', /OBJECT IDENTIFIER is cut short/);
  refuses('06 81 02 2a 86', /OBJECT IDENTIFIER is cut short/);
  refuses('06 81 03 2a 80 01', /OBJECT IDENTIFIER with padding/);
  refuses('03 81 00', /BIT STRING without its unused-bits octet/);
  refuses('03 81 02 08 00', /BIT STRING without its unused-bits octet/);
  refuses('10 81 00', /primitive SEQUENCE or SET/);
  refuses('11 84 00 00 00 00', /primitive SEQUENCE or SET/);
});

test('X.690 §8.2 §8.3: a BOOLEAN or INTEGER is never constructed', () => {
  for (const text of [
    '21 03 01 01 ff',
    '21 80 01 01 ff 00 00',
    '21 01 ff',
    '21 00',
    '22 80 00 00',
  ]) {
    refuses(text, /./);
  }
  refuses('22 03 02 01 01', /constructed number/);
  refuses('22 80 02 01 01 00 00', /constructed number/);
});

test('X.690 §8.4 §8.8.1 §8.19.1: an ENUMERATED, NULL or OBJECT IDENTIFIER is never constructed', () => {
  for (const text of ['2a 03 0a 01 01', '25 00', '26 03 06 01 2a', '26 80 06 01 2a 00 00']) {
    refuses(text, /./);
  }
});

/** `inside` in that many constructed elements. */
const nested = (depth: number, inside: Bytes): Bytes =>
  depth === 0 ? inside : nested(depth - 1, tlv(0x30, inside));

test('X.690 §8.1.1.3: nesting is read to the limit of depth and refused below', () => {
  const leaf = octetsOf('05 00');
  assert.equal(scan(nested(MAX_DER_DEPTH, leaf)).tag, 0x30);
  assert.throws(() => scan(nested(MAX_DER_DEPTH + 1, leaf)), malformed(/nested below 24/));
  const limits = { depth: 2, nodes: 10 };
  assert.equal(scan(nested(2, leaf), limits).tag, 0x30);
  assert.throws(() => scan(nested(3, leaf), limits), malformed(/nested below 2/));
  assert.throws(() => scan(octetsOf('30 80 30 80 30 80'), limits), malformed(/nested below 2/));
});

test('X.690 §8.1.1.3: as many elements as the limit are read, one more is refused', () => {
  const flat = (count: number) => tlv(0x30, concat(Array(count - 1).fill(octetsOf('05 00'))));
  assert.equal(scan(flat(MAX_DER_NODES)).children.length, MAX_DER_NODES - 1);
  assert.throws(() => scan(flat(MAX_DER_NODES + 1)), malformed(/more than 2000 elements/));
  assert.equal(scan(flat(5), { depth: 1, nodes: 5 }).children.length, 4);
  assert.throws(() => scan(flat(5), { depth: 1, nodes: 4 }), malformed(/more than 4 elements/));
});

test('X.690 §8.1: offsets name the header, the content and the end of every element', () => {
  const source = octetsOf('30 80 04 81 02 41 42 a0 03 02 01 05 00 00');
  const root = scan(source);
  const [text, wrapped] = root.children;
  const offsets = (element: typeof text) =>
    element && [element.start, element.contentStart, element.contentEnd, element.end];
  assert.deepEqual(offsets(root), [0, 2, 12, 14]);
  assert.deepEqual(offsets(text), [2, 5, 7, 7]);
  assert.deepEqual(offsets(wrapped), [7, 9, 12, 12]);
  assert.deepEqual(offsets(wrapped?.children[0]), [9, 11, 12, 12]);
  assert.equal(text?.source, source);
});
