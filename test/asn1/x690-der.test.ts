// The `der` flag: it is on for what DER allows, off for every form that only BER has, and off for
// everything around such a form. What is signed is accepted by this flag alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Element, scan, strictly } from '../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromHex } from '../../lib/base/bytes.ts';
import { malformed } from '../support/vectors.ts';

const octetsOf = (text: string): Bytes => fromHex(text.replaceAll(' ', ''));

/** The flag of the element itself and of a SEQUENCE, SET and `[0]` around it agree. */
function isDer(text: string): boolean {
  const octets = octetsOf(text);
  const { der } = scan(octets);
  for (const identifier of [0x30, 0x31, 0xa0]) {
    assert.equal(scan(tlv(identifier, octets)).der, der, `${text} in ${identifier}`);
    assert.equal(scan(tlv(identifier, sequence(octets))).der, der, `${text} deep in ${identifier}`);
  }
  return der;
}
const only = (forms: Record<'der' | 'ber', readonly string[]>): void => {
  for (const text of forms.der) assert.equal(isDer(text), true, `${text} is DER`);
  for (const text of forms.ber) assert.equal(isDer(text), false, `${text} is not DER`);
};

test('X.690 §10.1: a length is written in the fewest octets', () => {
  const long = (count: number) => 'ff'.repeat(count);
  only({
    der: [
      '04 00',
      '30 00',
      `04 7f ${long(127)}`,
      `04 81 80 ${long(128)}`,
      `04 81 ff ${long(255)}`,
      `04 82 01 00 ${long(256)}`,
      `04 82 ff ff ${long(65_535)}`,
      `04 83 01 00 00 ${long(65_536)}`,
    ],
    ber: [
      '04 81 00',
      '04 82 00 00',
      '04 84 00 00 00 00',
      `04 81 7f ${long(127)}`,
      `04 82 00 80 ${long(128)}`,
      `04 82 00 ff ${long(255)}`,
      `04 83 00 01 00 ${long(256)}`,
      `04 84 00 00 ff ff ${long(65_535)}`,
      '30 81 00',
      'a0 81 02 05 00',
      '80 81 01 41',
      '02 81 01 05',
    ],
  });
});

test('X.690 §10.1: the indefinite form is not DER, at whatever place', () => {
  only({
    der: ['30 02 05 00', 'a0 02 05 00'],
    ber: ['30 80 00 00', '30 80 05 00 00 00', 'a0 80 05 00 00 00', '31 80 00 00'],
  });
});

test('X.690 §10.2: a string in segments is not DER, whatever its type and tag class', () => {
  only({
    der: ['04 02 41 42', '0c 02 41 42', '13 02 41 42', '03 02 00 41'],
    ber: [
      '24 04 04 02 41 42',
      '24 00',
      '2c 04 0c 02 41 42',
      '33 04 13 02 41 42',
      '36 04 16 02 41 42',
      '37 03 17 01 41',
      '38 03 18 01 41',
      '3c 00',
      '3e 00',
      '23 04 03 02 00 41',
      '24 06 24 04 04 02 41 42',
    ],
  });
});

test('X.690 §11.1: TRUE is FF', () => {
  only({ der: ['01 01 00', '01 01 ff'], ber: ['01 01 01', '01 01 80', '01 01 fe'] });
});

test('X.690 §8.3.2: an INTEGER with an octet too many is not DER', () => {
  only({
    der: ['02 01 00', '02 01 80', '02 01 ff', '02 02 00 80', '02 02 ff 7f', '02 03 00 80 00'],
    ber: ['02 02 00 00', '02 02 00 7f', '02 02 ff 80', '02 02 ff ff', '02 03 00 00 80'],
  });
  only({ der: ['0a 01 05'], ber: ['0a 02 00 05', '0a 02 ff 85'] });
});

test('X.690 §11.2.1: the unused bits of a BIT STRING are zero', () => {
  only({
    der: ['03 01 00', '03 02 00 ff', '03 02 07 80', '03 02 01 fe', '03 03 04 ff f0'],
    ber: ['03 02 07 81', '03 02 01 ff', '03 03 04 ff f8', '03 02 07 40'],
  });
});

/** The paths of all elements that are not DER. */
function notDer(element: Element, path = 'root'): string[] {
  return [
    ...(element.der ? [] : [path]),
    ...element.children.flatMap((child, i) => notDer(child, `${path}.${i}`)),
  ];
}

test('X.690 §10: only what surrounds a form of BER loses its flag, not what stands beside it', () => {
  const good = octetsOf('30 05 04 03 41 42 43');
  const bad = octetsOf('a1 03 01 01 01');
  const tree = sequence(good, tlv(0x31, good, sequence(good, bad, good)), good);
  assert.deepEqual(notDer(scan(tree)), [
    'root',
    'root.1',
    'root.1.1',
    'root.1.1.1',
    'root.1.1.1.0',
  ]);
  const indefinite = concat([octetsOf('30 80'), good, octetsOf('00 00')]);
  assert.deepEqual(notDer(scan(sequence(good, indefinite, good))), ['root', 'root.1']);
});

test('X.690 §10: a flag of the last child and of the only child reaches the root as well', () => {
  assert.deepEqual(notDer(scan(sequence(octetsOf('05 00'), octetsOf('05 81 00')))), [
    'root',
    'root.1',
  ]);
  assert.deepEqual(notDer(scan(sequence(sequence(sequence(octetsOf('04 81 00')))))), [
    'root',
    'root.0',
    'root.0.0',
    'root.0.0.0',
  ]);
});

test('X.690 §10: strictly gives an element that is DER and refuses by name one that is not', () => {
  const element = scan(octetsOf('30 02 05 00'));
  assert.equal(strictly(element, 'signedAttrs'), element);
  assert.throws(
    () => strictly(scan(octetsOf('30 03 01 01 01')), 'signedAttrs'),
    malformed(/^signedAttrs is not DER$/),
  );
});
