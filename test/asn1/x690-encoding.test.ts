// From BER to DER: any encoding of a value gives its one DER, and DER stays unchanged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { derOf, integerContent } from '../../lib/asn1/encoding.ts';
import { context, contextPrimitive, scan, tag } from '../../lib/asn1/reader.ts';
import { integer, setOf, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, hex } from '../../lib/base/bytes.ts';
import { runs, unlessMalformed } from '../support/vectors.ts';

type Encodings = { readonly der: Bytes; readonly ber: Bytes };

/** A length that is longer than it need be, or indefinite. */
const loose = (how: number, identifier: number, content: Bytes): Bytes => {
  const { length } = content;
  if (how === 0) return tlv(identifier, content);
  if (how === 1 && (identifier & 0x20) !== 0) {
    return concat([Uint8Array.of(identifier, 0x80), content, Uint8Array.of(0, 0)]);
  }
  return concat([Uint8Array.of(identifier, 0x83, length >> 16, length >> 8, length), content]);
};
const form = fc.integer({ min: 0, max: 2 });
const some = fc.uint8Array({ maxLength: 9 }).map((octets) => concat([octets]));

const primitives: fc.Arbitrary<Encodings> = fc.oneof(
  fc
    .tuple(form, some, fc.constantFrom(tag.octetString, tag.utf8String, contextPrimitive(3)))
    .map(([how, octets, identifier]) => ({
      der: tlv(identifier, octets),
      ber: loose(how, identifier, octets),
    })),
  // In segments, down two levels.
  fc.tuple(form, some, some, some).map(([how, a, b, c]) => ({
    der: tlv(tag.octetString, a, b, c),
    ber: loose(
      how,
      0x24,
      concat([loose(how, 4, a), loose(how, 0x24, concat([tlv(4, b), loose(how, 4, c)]))]),
    ),
  })),
  fc.tuple(form, fc.boolean(), fc.integer({ min: 1, max: 255 })).map(([how, value, truth]) => ({
    der: tlv(tag.boolean, Uint8Array.of(value ? 0xff : 0)),
    ber: loose(how, tag.boolean, Uint8Array.of(value ? truth : 0)),
  })),
  fc
    .tuple(form, fc.nat({ max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 3 }))
    .map(([how, value, zeros]) => {
      const der = integer(value);
      const padded = concat([new Uint8Array(zeros), der.subarray(2)]);
      return { der, ber: loose(how, tag.integer, padded) };
    }),
  fc.tuple(form, some, fc.integer({ min: 0, max: 7 })).map(([how, octets, unused]) => {
    const bits = concat([octets, Uint8Array.of(0xff)]);
    const cleared = concat([octets, Uint8Array.of(0xff << unused)]);
    return {
      der: tlv(tag.bitString, Uint8Array.of(unused), cleared),
      ber: loose(how, tag.bitString, concat([Uint8Array.of(unused), bits])),
    };
  }),
);

const { value } = fc.letrec<{ value: Encodings }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    primitives,
    fc
      .tuple(
        form,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.constantFrom(tag.sequence, context(1)),
      )
      .map(([how, parts, identifier]) => ({
        der: tlv(identifier, ...parts.map(({ der }) => der)),
        ber: loose(how, identifier, concat(parts.map(({ ber }) => ber))),
      })),
    fc
      .tuple(form, fc.array(tie('value'), { maxLength: 4 }), fc.boolean())
      .map(([how, parts, backwards]) => ({
        der: setOf(...parts.map(({ der }) => der)),
        ber: loose(
          how,
          tag.set,
          concat((backwards ? [...parts].reverse() : parts).map(({ ber }) => ber)),
        ),
      })),
  ),
}));

test('X.690 §10, §11: every BER encoding of a value gives its DER, and DER gives itself', () => {
  const check = fc.property(value, ({ der, ber }) => {
    assert.equal(hex(derOf(scan(ber))), hex(der));
    assert.equal(hex(derOf(scan(der))), hex(der));
    assert.ok(scan(der).der);
  });
  fc.assert(check, runs(300));
});

test('X.690: whatever the gate lets through gives DER, or is refused as malformed', () => {
  const changed = fc
    .tuple(value, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }))
    .map(([{ ber }, changes]) => {
      const copy = ber.slice();
      for (const [at, mask] of changes) {
        const place = at % copy.length;
        copy[place] = (copy[place] ?? 0) ^ mask;
      }
      return copy;
    });
  const check = fc.property(changed, (octets) => {
    const element = unlessMalformed(() => scan(octets));
    const der = element && unlessMalformed(() => derOf(element));
    if (!der) return;
    assert.ok(scan(der).der);
    assert.equal(hex(derOf(scan(der))), hex(der));
  });
  fc.assert(check, runs(500));
});

test('X.690 §8.3.2: INTEGERs are equal if their values are', () => {
  const content = (octets: number[]) =>
    hex(integerContent(scan(tlv(tag.integer, Uint8Array.from(octets)))));
  const cases: readonly (readonly [string, ...number[][]])[] = [
    ['00', [0], [0, 0], [0, 0, 0]],
    ['7f', [0x7f], [0, 0x7f], [0, 0, 0x7f]],
    ['0080', [0, 0x80], [0, 0, 0x80]],
    ['80', [0x80], [0xff, 0x80], [0xff, 0xff, 0x80]],
    ['ff', [0xff], [0xff, 0xff]],
    ['ff7f', [0xff, 0x7f], [0xff, 0xff, 0x7f]],
  ];
  for (const [wanted, ...all] of cases) {
    for (const octets of all) assert.equal(content(octets), wanted);
  }
});
