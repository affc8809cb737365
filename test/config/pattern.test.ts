// Patterns of an operator against names of strangers: what `*` stands for, and what it never does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern } from '../../lib/config/pattern.ts';

for (const [pattern, separator, yes, no] of [
  ['a.example', '.', ['a.example'], ['b.example', 'A.example', 'a.example.', '']],
  [
    '*.example.com',
    '.',
    ['a.example.com', 'a-b.example.com'],
    ['.example.com', 'example.com', 'a.b.example.com', 'a.example.com.evil'],
  ],
  ['host-*', '.', ['host-1'], ['host-', 'host-1.evil.example', 'xhost-1']],
  [
    '*@example.com',
    '@',
    ['a@example.com', 'a.b@example.com'],
    ['@example.com', 'a@b@example.com', 'a@example.com@x'],
  ],
  [
    'https://*.example.com/*',
    '/?#',
    ['https://a.example.com/x'],
    [
      ...['https://a.example.com/', 'https://a.example.com/x/y', 'https://evil/.example.com/x'],
      // Whose host is another's.
      ...['https://evil.example?a.example.com/x', 'https://evil.example#a.example.com/x'],
      ...['https://a.example.com?x', 'https://a.example.com/x?y'],
    ],
  ],
  [
    'dev-*-eu',
    '',
    ['dev-1-eu', 'dev---eu', 'dev-1-eu-2-eu'],
    ['dev-eu', 'dev--eu', 'dev-1-eu-2', 'dev-1-us'],
  ],
  ['*', '', ['a', '*', 'a.b@c/d'], ['']],
  ['a*b*c', '', ['axbxc', 'abbbbc', 'a*b*c'], ['abc', 'axbc', 'abxc', 'axbxcd']],
] as const) {
  test(`"${pattern}" separated by "${separator}"`, () => {
    for (const text of yes) assert.ok(matchesPattern(pattern, text, separator), text);
    for (const text of no) assert.ok(!matchesPattern(pattern, text, separator), text);
  });
}

test('a pattern matches the same texts as its regular expression', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
  fc.assert(
    fc.property(patterns, letters, fc.constantFrom('.', ''), (pattern, text, separator) => {
      const star = separator === '' ? '.+' : '[^.]+';
      const source = pattern.replace(/\./g, '\\.').replace(/\*/g, star);
      const expected = new RegExp(`^${source}$`).test(text);
      assert.equal(matchesPattern(pattern, text, separator), expected);
    }),
    { numRuns: 5000 },
  );
});

test('matching a pattern full of stars against long text takes bounded time', () => {
  assert.ok(!matchesPattern(`${'*a'.repeat(128)}b`, 'a'.repeat(4096), ''));
});
