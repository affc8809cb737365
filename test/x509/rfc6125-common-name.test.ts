// What of a subject others take for a name of its holder: hosts in common names where certificates are
// for TLS servers, mail addresses everywhere. What is taken for a host is always one that can stand in
// a subjectAltName; no text is taken for one that no client would look up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseGeneralName, printGeneralName } from '../../lib/x509/names/general-name.ts';
import { nameOf, nameWith, parseName } from '../../lib/x509/names/name.ts';
import { hostOf, namesInSubject, requireLintFree } from '../../lib/x509/names/subject-names.ts';
import { runs } from '../support/vectors.ts';

const clientAuth = '1.3.6.1.5.5.7.3.2';
const serverAuth = '1.3.6.1.5.5.7.3.1';

test('RFC 6125 §6.4: a host of two labels or more, a wildcard of one, and addresses are hosts', () => {
  const hosts = {
    'a.example': 'dns:a.example',
    'A.EXAMPLE': 'dns:a.example',
    'a.example.': 'dns:a.example',
    '*.a.example': 'dns:*.a.example',
    '*.example': 'dns:*.example',
    'xn--bcher-kva.example': 'dns:xn--bcher-kva.example',
    '1.2.3.4': 'ip:1.2.3.4',
    '::1': 'ip:::1',
    '2001:DB8::0:1': 'ip:2001:db8::1',
  };
  for (const [text, expected] of Object.entries(hosts)) {
    const name = hostOf(text);
    assert.equal(name && printGeneralName(name), expected, text);
  }
  for (const text of [
    ...[
      '',
      '.',
      '..',
      'a',
      'localhost',
      'a.',
      'a..b',
      '.a.b',
      'a.b..',
      'a b.example',
      '*',
      '*.',
      'a.*',
    ],
    ...[
      'a_b.example',
      '-a.example',
      'b\u00fccher.example',
      'v1.2',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
    ],
    ...['https://a.example', 'a.example:443', 'a@b.example', 'a.example/', '[::1]', 'a.example\n'],
  ]) {
    assert.equal(hostOf(text), undefined, text);
  }
});

test('RFC 6125 §6.4.4: common names are looked at for TLS servers only, each of them; mail addresses always', () => {
  const subject = nameOf(
    parseName('CN=a.example+CN=1.2.3.4,CN=text,OU=b.example,emailAddress=a@b.example,CN=c.example'),
  );
  const printed = (purposes: readonly string[]) =>
    namesInSubject(subject, purposes).map(printGeneralName).sort();
  assert.deepEqual(printed([clientAuth]), ['email:a@b.example']);
  const all = ['dns:a.example', 'dns:c.example', 'email:a@b.example', 'ip:1.2.3.4'];
  assert.deepEqual(printed([clientAuth, serverAuth]), all);
});

test('RFC 6125 §6.4: whatever text is taken for a host can be certified as one', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'a',
      'b-c',
      '*',
      '.',
      '..',
      ':',
      '1',
      '255',
      'example',
      '_',
      ' ',
      '\u212a',
      '\0',
      'xn--a',
    ),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
  );
  const texts = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, (text) => {
      const name = hostOf(text);
      if (!name) return;
      assert.match(text, /^[\x21-\x7e]+$/);
      assert.deepEqual(parseGeneralName(printGeneralName(name)), name);
      const subject = nameWith('2.5.4.3', text);
      if (text.length > 64) return;
      requireLintFree(subject, [name], [serverAuth]);
      assert.deepEqual(namesInSubject(nameOf(subject), [serverAuth]), [name]);
    }),
    runs(500),
  );
});
