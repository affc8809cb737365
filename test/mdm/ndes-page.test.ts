// The page of NDES: its sentences octet by octet, and what the readers of MDMs find in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, fromUtf8 } from '../../lib/base/bytes.ts';
import { challengePage, encoded, fullPage } from '../../lib/mdm/ndes-page.ts';
import { asFleet, asJavaMdm, asLength, asPython } from '../support/scrapers.ts';

const challenge = '7D5B4A1F09C3E268';
const page = challengePage(fromHex('a656fa66ab12b433a2da5cf7cc153d9a'), challenge);

test('the sentences are those of NDES, and in its order', () => {
  const sentences = [
    'The thumbprint (hash value) for the CA certificate is: <B> A656FA66 AB12B433 A2DA5CF7 CC153D9A </B>',
    `The enrollment challenge password is: <B> ${challenge} </B>`,
    'This password can be used only once and will expire within 60 minutes.',
    'Each enrollment requires a new challenge password.',
  ];
  const at = sentences.map((sentence) => page.indexOf(sentence));
  assert.ok(at.every((place) => place > 0));
  assert.deepEqual(
    at,
    [...at].sort((a, b) => a - b),
  );
  assert.equal(page.match(/<B>/g)?.length, 2);
});

test('UTF-16LE has its mark and two octets a character; UTF-8 has none', () => {
  const wide = encoded(page, 'utf-16le');
  assert.deepEqual([...wide.subarray(0, 4)], [0xff, 0xfe, 0x3c, 0]);
  assert.equal(wide.length, 2 + 2 * page.length);
  assert.equal(new TextDecoder('utf-16le').decode(wide), page);
  assert.equal(fromUtf8(encoded(page, 'utf-8')), page);
});

test('the readers of MDMs find the challenge, and not the thumbprint before it', () => {
  const wide = encoded(page, 'utf-16le');
  assert.equal(asFleet(wide), challenge);
  assert.equal(asJavaMdm(wide), challenge);
  assert.equal(asPython(wide), challenge);
  assert.equal(asLength(wide, 16), challenge);
  const narrow = encoded(page, 'utf-8');
  assert.equal(asJavaMdm(narrow), challenge);
  assert.equal(asLength(narrow, 16), challenge);
  assert.equal(asPython(narrow), undefined, 'this one reads UTF-16 only');
});

test('a page without a challenge has none that a reader takes for one', () => {
  assert.match(fullPage, /The password cache is full\./);
  const wide = encoded(fullPage, 'utf-16le');
  for (const read of [asFleet, asJavaMdm, asPython]) assert.equal(read(wide), undefined);
});
