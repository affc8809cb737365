// Time, as certificates carry it: read to the second from UTCTime and GeneralizedTime, written in the
// form that the year asks for. Times that no calendar or clock has are refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scan, tag } from '../../lib/asn1/reader.ts';
import { readTime } from '../../lib/asn1/time.ts';
import { timeOf, tlv } from '../../lib/asn1/writer.ts';
import { latin1, utf8 } from '../../lib/base/bytes.ts';
import { malformed, runs } from '../support/vectors.ts';

const utc = (text: string) => readTime(scan(tlv(tag.utcTime, utf8(text))));
const generalized = (text: string) => readTime(scan(tlv(tag.generalizedTime, utf8(text))));
const refusesUtc = (text: string, sentence: RegExp) =>
  assert.throws(() => utc(text), malformed(sentence), text);
const refuses = (text: string, sentence: RegExp) =>
  assert.throws(() => generalized(text), malformed(sentence), text);

test('RFC 5280 §4.1.2.5.1: a UTCTime of year 50 to 99 is of the twentieth century', () => {
  assert.equal(utc('500101000000Z'), Date.UTC(1950, 0, 1));
  assert.equal(utc('991231235959Z'), Date.UTC(1999, 11, 31, 23, 59, 59));
  assert.equal(utc('000101000000Z'), Date.UTC(2000, 0, 1));
  assert.equal(utc('491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(utc('700101000000Z'), 0);
});

test('RFC 5280 §4.1.2.5.2: a GeneralizedTime has a year of four digits', () => {
  assert.equal(generalized('20500101000000Z'), Date.UTC(2050, 0, 1));
  assert.equal(generalized('99991231235959Z'), Date.UTC(9999, 11, 31, 23, 59, 59));
  assert.equal(generalized('20261122065719Z'), Date.UTC(2026, 10, 22, 6, 57, 19));
  assert.equal(generalized('19491231235959Z'), Date.UTC(1949, 11, 31, 23, 59, 59));
  const year50 = new Date(0);
  year50.setUTCFullYear(50, 0, 1);
  assert.equal(generalized('00500101000000Z'), year50.getTime());
});

test('RFC 5280 §4.1.2.5: only whole seconds of Zulu time are read', () => {
  for (const text of [
    '',
    '2611220657Z',
    '261122065719',
    '261122065719+0100',
    '261122065719-0000',
    '2611220657+0100',
    '261122065719.5Z',
    '261122065719z',
    ' 61122065719Z',
    '-61122065719Z',
    '26112206571९Z',
    '261122065719Z\n',
    '20261122065719Z',
  ]) {
    refusesUtc(text, /not a Time/);
  }
  for (const text of [
    '',
    '202611220657Z',
    '20261122065719',
    '20261122065719.5Z',
    '20261122065719,5Z',
    '20261122065719+0000',
    '261122065719Z',
    '2026112206571aZ',
    '20261122065719Z\n',
  ]) {
    refuses(text, /not a Time/);
  }
});

test('RFC 5280 §4.1.2.5: a Time is a UTCTime or a GeneralizedTime and nothing else', () => {
  const text = latin1('20261122065719Z');
  for (const identifier of [tag.octetString, tag.printableString, tag.ia5String, 0x80, 0x81]) {
    assert.throws(() => readTime(scan(tlv(identifier, text))), malformed(/not a Time/));
  }
  const segments = tlv(0x38, tlv(tag.generalizedTime, text));
  assert.throws(() => readTime(scan(segments)), malformed(/not a Time/));
  const huge = tlv(tag.generalizedTime, new Uint8Array(60_000).fill(0x30));
  assert.throws(() => readTime(scan(huge)), malformed(/not a Time/));
});

test('X.680 §46 §47: a date that is not in the calendar is refused', () => {
  for (const date of ['0000', '0001', '0100', '1301', '0132', '0431', '0631', '0931', '1131']) {
    refuses(`2026${date}000000Z`, /calendar/);
    refusesUtc(`26${date}000000Z`, /calendar/);
  }
  for (const date of ['20260229', '20250229', '19000229', '21000229', '20240230']) {
    refuses(`${date}000000Z`, /calendar/);
  }
  assert.equal(generalized('20240229000000Z'), Date.UTC(2024, 1, 29));
  assert.equal(generalized('20000229000000Z'), Date.UTC(2000, 1, 29));
});

test('X.680 §46 §47: an hour, minute or second that no clock shows is refused', () => {
  for (const clock of ['240000', '250000', '990000', '006000', '009900', '236000']) {
    refuses(`20261122${clock}Z`, /calendar/);
    refusesUtc(`261122${clock}Z`, /calendar/);
  }
  for (const clock of ['000060', '000061', '000099', '235960', '123460']) {
    refuses(`20261122${clock}Z`, /calendar/);
    refusesUtc(`261122${clock}Z`, /calendar/);
  }
});

test('RFC 5280 §4.1.2.5: times through 2049 are written as UTCTime, later ones as GeneralizedTime', () => {
  const at = (...parts: [number, number, number, number, number, number]) =>
    timeOf(Date.UTC(...parts));
  assert.deepEqual(at(1950, 0, 1, 0, 0, 0), tlv(tag.utcTime, utf8('500101000000Z')));
  assert.deepEqual(at(2049, 11, 31, 23, 59, 59), tlv(tag.utcTime, utf8('491231235959Z')));
  assert.deepEqual(at(2050, 0, 1, 0, 0, 0), tlv(tag.generalizedTime, utf8('20500101000000Z')));
  assert.deepEqual(at(1949, 11, 31, 23, 59, 59), tlv(tag.generalizedTime, utf8('19491231235959Z')));
  assert.deepEqual(
    timeOf(Date.UTC(9999, 11, 31, 23, 59, 59)),
    tlv(tag.generalizedTime, utf8('99991231235959Z')),
  );
  assert.deepEqual(timeOf(1_000_999), timeOf(1_000_000));
});

test('RFC 5280 §4.1.2.5: every second of four-digit years reads back as it was written', () => {
  const seconds = fc.integer({
    min: Date.UTC(1000, 0, 1) / 1000,
    max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000,
  });
  fc.assert(
    fc.property(seconds, (second) => {
      const written = scan(timeOf(second * 1000));
      assert.equal(readTime(written), second * 1000);
      assert.equal(written.der, true);
    }),
    runs(300),
  );
});

test('X.680 §46 §47: digits are read as the calendar reads them, or refused', () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 14, maxLength: 14 });
  const near = fc
    .tuple(
      fc.constantFrom('2023', '2024', '2100'),
      ...Array.from({ length: 5 }, () => fc.integer({ min: 0, max: 62 })),
    )
    .map(([year, ...parts]) => year + parts.map((part) => String(part).padStart(2, '0')).join(''));
  fc.assert(
    fc.property(
      fc.oneof(
        digits.map((each) => each.join('')),
        near,
      ),
      (text) => {
        const iso = text.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z');
        const expected = Date.parse(iso);
        // ECMAScript lets days through that the month does not have, and 24:00:00; a calendar does not.
        const known =
          !Number.isNaN(expected) && new Date(expected).toISOString() === iso.replace('Z', '.000Z');
        if (known) assert.equal(generalized(`${text}Z`), expected);
        else refuses(`${text}Z`, /calendar/);
      },
    ),
    runs(500),
  );
});
