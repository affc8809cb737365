// The words of a Transaction and those of a search: what the index gets, and what a record must have.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_INDEXED_WORDS } from '../../../lib/base/limits.ts';
import { hasAll, startsOf, wantedIn } from '../../../lib/ca/query/words.ts';

const named = (subject: string, ...names: string[]) => ({ subject, names });
const finds = (search: string, subject: string, ...names: string[]): boolean =>
  hasAll(named(subject, ...names), wantedIn(search, true));

describe('what the index has of a Transaction', () => {
  test('each word of each name and attribute, with what follows it, the same once', () => {
    assert.deepEqual(startsOf(named('CN=Laptop-17,O=Example', 'dns:laptop-17.example')).sort(), [
      ...['17', '17.example', 'example', 'laptop-17', 'laptop-17.example'],
    ]);
  });

  test('an escaped subject is read as it is meant', () => {
    assert.deepEqual(startsOf(named('O=Acme\\, Inc.+CN=a\\2bb,OU=J\\C3\\BCrgen')).sort(), [
      ...['a%2Bb', 'acme%2C%20inc.', 'b', 'inc.', 'j%C3%BCrgen'],
    ]);
    // What is no UTF-8 stays as it is printed.
    assert.deepEqual(startsOf(named('CN=\\ff')), ['ff']);
  });

  test('of many long names the beginnings come first, and no more than the limit', () => {
    const names = Array.from({ length: 12 }, (_, n) => `dns:h${n}.z.y.x.w`);
    const starts = startsOf(named('CN=device', ...names));
    assert.equal(starts.length, MAX_INDEXED_WORDS);
    for (let n = 0; n < 12; n++) assert.ok(starts.includes(`h${n}.z.y.x.w`));
  });

  test('a long name is cut, and every text is ASCII without what the index divides texts by', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (cn, name) => {
        for (const start of startsOf(named(`CN=${cn}`, `dns:${name}`, `uri:${'x'.repeat(500)}`))) {
          assert.match(start, /^[!-~]+$/);
          assert.doesNotMatch(start, /[/^" ]/);
          assert.ok(start.length <= 100);
        }
      }),
    );
  });
});

describe('what a search finds', () => {
  const subject = 'CN=Laptop-17,OU=Field Staff,O=Example';
  const names = ['dns:laptop-17.berlin.example.com', 'email:jane.doe@example.com', 'ip:192.0.2.17'];
  const found = [
    ...['laptop', 'LAPTOP-17', 'lap', '17', 'berlin', 'berl', 'doe', 'jane.doe@exam', '192.0.2'],
    ...['laptop staff', 'staff laptop', 'exam field', '17.berlin.example.com'],
    // As they are printed, in any order.
    ...[subject, 'O=Example,OU=Field Staff,CN=Laptop-17', 'dns:laptop-17.berlin.example.com'],
    ...['email:jane.doe@example.com', 'lap*', '"laptop', '*ptop', '*aptop-1 staff', '*2.0.2.1'],
  ];
  for (const search of found) {
    test(`"${search}" finds it`, () => assert.ok(finds(search, subject, ...names)));
  }
  const not = ['aptop', 'erlin', 'laptop paris', 'CN=Laptop-18', 'laptop-17.paris', '*xyz', 'cn'];
  for (const search of not) {
    test(`"${search}" does not`, () => assert.ok(!finds(search, subject, ...names)));
  }

  test('case, width, composition and ligatures make no difference', () => {
    for (const search of ['müller', 'MÜLLER', 'mu\u0308ller', 'ＭÜLLER']) {
      assert.ok(finds(search, 'CN=Mu\u0308ller'), search);
      assert.ok(finds(search, 'CN=Müller'), search);
    }
    assert.ok(finds('office', 'CN=oﬃce'));
    assert.ok(finds('नमस्', 'O=नमस्ते'), 'a word has its marks');
    assert.ok(finds('xn--mnchen-3ya', 'CN=x', 'dns:xn--mnchen-3ya.example'));
  });

  test('a search finds everything that has it as a name, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        fc.pre(/[\p{L}\p{N}]/u.test(text.normalize('NFKC')) && !/[=*]/.test(text));
        fc.pre(!/^(dns|email|uri|ip|upn|sid):/i.test(text));
        assert.ok(finds(text, 'CN=x', `dns:${text}`));
      }),
    );
  });

  const wrong: [string, boolean, RegExp][] = [
    ['-', true, /^has no letter or digit to look for$/],
    ['CN=', true, /^has no letter or digit to look for$/],
    ['*ab', true, /^"\*ab" is too short: inside words, 3 characters or more are sought$/],
    ['lap *top', false, /^"\*top" is sought inside words, which only records in a file allow: /],
    [
      Array.from({ length: 17 }, (_, n) => `w${n}`).join(' '),
      true,
      /^has 17 words; 16 at most are looked for$/,
    ],
  ];
  for (const [search, inside, sentence] of wrong) {
    test(`"${search.slice(0, 20)}" is refused with a sentence`, () => {
      assert.throws(() => wantedIn(search, inside), { name: 'SyntaxError', message: sentence });
    });
  }
});
