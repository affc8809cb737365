// JSON Canonicalization Scheme (RFC 8785): its own examples and number table, and what must hold for
// any JSON value at all.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fromHex, fromUtf8, hex } from '../../lib/base/bytes.ts';
import { canonical, canonicalText, type Json } from '../../lib/base/json.ts';

const runs = { numRuns: process.env.SLOW === '1' ? 20_000 : 1000 };

/** RFC 8785 appendix B: an IEEE 754 double, big-endian, and its text; none for what JSON lacks. */
const doubles: Record<string, string | undefined> = {
  '0000000000000000': '0',
  '8000000000000000': '0',
  '0000000000000001': '5e-324',
  '8000000000000001': '-5e-324',
  '7fefffffffffffff': '1.7976931348623157e+308',
  ffefffffffffffff: '-1.7976931348623157e+308',
  '4340000000000000': '9007199254740992',
  c340000000000000: '-9007199254740992',
  '4430000000000000': '295147905179352830000',
  '7fffffffffffffff': undefined,
  '7ff0000000000000': undefined,
  '44b52d02c7e14af5': '9.999999999999997e+22',
  '44b52d02c7e14af6': '1e+23',
  '44b52d02c7e14af7': '1.0000000000000001e+23',
  '444b1ae4d6e2ef4e': '999999999999999700000',
  '444b1ae4d6e2ef4f': '999999999999999900000',
  '444b1ae4d6e2ef50': '1e+21',
  '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
  '3eb0c6f7a0b5ed8d': '0.000001',
  '41b3de4355555553': '333333333.3333332',
  '41b3de4355555554': '333333333.33333325',
  '41b3de4355555555': '333333333.3333333',
  '41b3de4355555556': '333333333.3333334',
  '41b3de4355555557': '333333333.33333343',
  becbf647612f3696: '-0.0000033333333333333333',
  '43143ff3c1cb0959': '1424953923781206.2',
};

describe('RFC 8785', () => {
  test('appendix B: every number of the table, and NaN and Infinity refused', () => {
    for (const [bits, text] of Object.entries(doubles)) {
      const value = new DataView(fromHex(bits).buffer).getFloat64(0);
      if (text === undefined) assert.throws(() => canonicalText(value), TypeError, bits);
      else assert.equal(canonicalText(value), text, bits);
    }
    assert.throws(() => canonicalText(Number.NEGATIVE_INFINITY), TypeError);
    assert.throws(() => canonical({ deep: [{ number: Number.NaN }] }), TypeError);
  });

  test('§3.2.2, §3.2.4: the example of literals, numbers and strings, to the octet', () => {
    const example = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    const expected = `
      7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e
      756d62657273223a5b3333333333333333332e333333333333332c31652b3330
      2c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac24
      5c75303030665c6e4127425c225c5c5c5c5c222f227d`;
    assert.equal(hex(canonical(JSON.parse(example))), expected.replace(/\s/g, ''));
  });

  test('§3.2.3: members in the order of their UTF-16 code units, not of their code points', () => {
    const example = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    assert.equal(
      canonicalText(example),
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control",' +
        '"\u00f6":"Latin Small Letter O With Diaeresis","\u20ac":"Euro Sign",' +
        '"\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  test('§3.2.2.2: strings escape what the RFC names and nothing else', () => {
    const controls = Array.from({ length: 0x20 }, (_, i) => String.fromCharCode(i)).join('');
    assert.equal(
      canonicalText(`${controls}"\\/\u007f\u2028<`),
      '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f' +
        '\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c' +
        '\\u001d\\u001e\\u001f\\"\\\\/\u007f\u2028<"',
    );
  });

  test('§3.2.2.2: half of a surrogate pair is refused, in a string as in a name', () => {
    for (const lone of ['\ud800', '\udfff', 'a\ude00\ud83d', '\ud83d']) {
      for (const value of [lone, [lone], { a: lone }, { [lone]: 1 }]) {
        assert.throws(() => canonical(value), /not Unicode text/);
      }
    }
    assert.equal(canonicalText('\ud83d\ude00'), '"\ud83d\ude00"');
  });

  test('§3.1: text that was normalized otherwise stays as it is', () => {
    assert.notEqual(canonicalText('\u00fc'), canonicalText('u\u0308'));
  });

  test('members that are undefined are left out; what is empty stays', () => {
    assert.equal(canonicalText({ b: undefined, a: [] }), '{"a":[]}');
    assert.equal(canonicalText({ a: {}, '': '' }), '{"":"","a":{}}');
  });
});

describe('any JSON value', () => {
  const anything = fc.jsonValue({ stringUnit: 'binary' }) as fc.Arbitrary<Json>;

  test('a JSON value means the same in its canonical form, whose own canonical form that is', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const octets = canonical(value);
        const again = JSON.parse(fromUtf8(octets)) as Json;
        assert.deepEqual(again, JSON.parse(JSON.stringify(value)));
        assert.deepEqual(canonical(again), octets);
      }),
      runs,
    );
  });

  test('a JSON value has one form, in whatever order its members were written', () => {
    const members = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), anything), {
      selector: ([name]) => name,
      maxLength: 8,
    });
    fc.assert(
      fc.property(members, fc.nat(), (entries, turn) => {
        const turned = [...entries.slice(turn % 8), ...entries.slice(0, turn % 8)].reverse();
        const [one, other] = [entries, turned].map((list) => Object.fromEntries(list));
        assert.equal(canonicalText(one ?? null), canonicalText(other ?? null));
      }),
      runs,
    );
  });
});
