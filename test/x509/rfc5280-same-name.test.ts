// Two Names are one by value: what identifies a certificate, and nothing that a certificate says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tag } from '../../lib/asn1/reader.ts';
import { objectIdentifier, sequence, setOf, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { sameName } from '../../lib/x509/names/same-name.ts';
import { runs } from '../support/vectors.ts';

type Value = { readonly type: string; readonly text: string };
const rdn = (...values: Bytes[]): Bytes => setOf(...values);
const value = (type: string, identifier: number, octets: Uint8Array): Bytes =>
  sequence(objectIdentifier(type), tlv(identifier, octets));
const wide = (text: string): Uint8Array => Buffer.from(text, 'utf16le').swap16();

const types = ['2.5.4.3', '2.5.4.10', '2.5.4.11', '0.9.2342.19200300.100.1.25'];
const words = fc
  .array(fc.constantFrom('a', 'B', 'Corp', 'x1', "o'n", '-'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join(' '));
const names = fc.array(
  fc.array(fc.record({ type: fc.constantFrom(...types), text: words }), {
    minLength: 1,
    maxLength: 2,
  }),
  { maxLength: 3 },
);

/** The name with each value in a string type, case and spacing that the numbers choose. */
function written(name: readonly (readonly Value[])[], choices: readonly number[]): Bytes {
  let at = 0;
  const next = (count: number) => (choices[at++ % choices.length] ?? 0) % count;
  return sequence(
    ...name.map((all) =>
      rdn(
        ...all.map(({ type, text }) => {
          const cased = [text, text.toUpperCase(), text.toLowerCase()][next(3)] ?? text;
          const spaced = [cased, ` ${cased}  `, cased.replaceAll(' ', '   ')][next(3)] ?? cased;
          const encoded = [
            value(type, tag.utf8String, utf8(spaced)),
            value(type, tag.printableString, utf8(spaced)),
            value(type, tag.ia5String, utf8(spaced)),
            value(type, tag.t61String, utf8(spaced)),
            value(type, tag.bmpString, wide(spaced)),
          ];
          return encoded[next(encoded.length)] ?? assert.fail();
        }),
      ),
    ),
  );
}

test('RFC 5280 §7.1: string types, case and spaces make no other name', () => {
  const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 12 });
  const check = fc.property(names, choices, choices, (name, a, b) => {
    assert.ok(sameName(written(name, a), written(name, b)));
  });
  fc.assert(check, runs(300));
});

test('RFC 5280 §7.1: other types, texts, numbers or orders of RDNs make another name', () => {
  const plain = (name: readonly (readonly Value[])[]) => written(name, [0]);
  const key = (name: readonly (readonly Value[])[]) =>
    JSON.stringify(
      name.map((all) => all.map(({ type, text }) => `${type}=${text.toLowerCase()}`).sort()),
    );
  const check = fc.property(names, names, (a, b) => {
    assert.equal(sameName(plain(a), plain(b)), key(a) === key(b));
  });
  fc.assert(check, runs(300));
  const different: readonly (readonly [string, string])[] = [
    ['CN=a', 'O=a'],
    ['CN=a', 'CN=b'],
    ['CN=a b', 'CN=ab'],
    ['CN=a', 'CN=a,O=b'],
    ['CN=a,O=b', 'O=b,CN=a'],
    ['CN=a+O=b', 'CN=a,O=b'],
    ['CN=а', 'CN=a'],
    ['', 'CN=a'],
  ];
  for (const [a, b] of different) assert.ok(!sameName(parseName(a), parseName(b)), `${a} ${b}`);
});

test('RFC 5280 §7.1: a value that is not a string is compared by octets, and octets that are not a Name equal no Name', () => {
  const odd = (octets: number[]) =>
    sequence(rdn(value('2.5.4.3', tag.octetString, Uint8Array.from(octets))));
  assert.ok(sameName(odd([1, 2]), odd([1, 2])));
  assert.ok(!sameName(odd([1, 2]), odd([1, 3])));
  const check = fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
    const noise = concat([octets]);
    assert.ok(sameName(noise, noise));
    assert.ok(!sameName(noise, parseName('CN=a,O=b')));
  });
  fc.assert(check, runs(300));
});
