// Octets become text and text becomes octets; malformed text is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  base64,
  base64url,
  equal,
  equalSecret,
  fromBase64,
  fromBase64url,
  fromHex,
  hex,
} from '../../lib/base/bytes.ts';

const codecs = { hex: [hex, fromHex], base64: [base64, fromBase64] } as const;

test('octets are the same after they were hex, base64 or base64url', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      for (const [to, from] of [...Object.values(codecs), [base64url, fromBase64url] as const]) {
        assert.ok(equal(from(to(octets)), octets));
      }
    }),
  );
});

test('hex is pairs of digits in either case, base64 its alphabet in a length that can be; else a SyntaxError', () => {
  assert.deepEqual(fromHex('0aFf'), Uint8Array.of(10, 255));
  for (const text of ['0', '0a1', '0g', 'xyz', ' 0a', '0a\n']) {
    assert.throws(() => fromHex(text), SyntaxError, text);
  }
  assert.deepEqual([fromBase64('AQ'), fromBase64('AQ==')], [Uint8Array.of(1), Uint8Array.of(1)]);
  for (const text of ['A', 'AAAAA', 'A===', 'A-==', 'AA A', 'AAA\n', '=AAA', 'A_A']) {
    assert.throws(() => fromBase64(text), SyntaxError, text);
  }
  for (const text of ['AQ==', 'A+', 'A/', 'A']) {
    assert.throws(() => fromBase64url(text), SyntaxError, text);
  }
});

for (const [name, same] of Object.entries({ equal, equalSecret })) {
  test(`${name}: octets are equal where each is, and nowhere else`, () => {
    const some = Uint8Array.of(1, 2, 3);
    assert.ok(same(some, some.slice()) && same(new Uint8Array(0), new Uint8Array(0)));
    for (const other of ['', '0102', '01020300', '090203', '010903', '010209', '800203']) {
      assert.ok(!same(some, fromHex(other)), other);
    }
  });
}
