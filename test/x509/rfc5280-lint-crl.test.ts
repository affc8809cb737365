// The lint before a CRL is signed: every rule with CRLs that it lets pass and some that only it finds,
// and what becomes of a CRL that is found wanting.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextPrimitive, tag } from '../../lib/asn1/reader.ts';
import {
  boolean,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  timeOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { type SignatureScheme, signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import { encodeTbsCertList, type RevokedCertificate } from '../../lib/x509/crl.ts';
import {
  authorityKeyIdentifier,
  crlNumber,
  issuingDistributionPoint,
} from '../../lib/x509/extensions.ts';
import { entryRules, lintTbsCertList, listRules, wholeRules } from '../../lib/x509/lint/crl.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryCrls } from '../support/memory-store.ts';

const oid = objectIdentifier;
const scheme: SignatureScheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] };
const ecdsa: SignatureScheme = { kind: 'ECDSA', digest: digests['SHA-256'] };
const issuer = parseName('CN=Lint CA,O=Test');
const issuerKeyIdentifier = new Uint8Array(20).fill(0xca);
const [thisUpdate, nextUpdate] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 11)];

const ext = (dotted: string, value: Bytes, ...critical: Bytes[]) =>
  sequence(oid(dotted), ...critical, octets(value));
const entry = (serial: Bytes, date: Bytes, ...extensions: Bytes[]) =>
  sequence(serial, date, ...(extensions.length > 0 ? [sequence(...extensions)] : []));
const serial = (n: number) => integer(Uint8Array.of(0x5a, n >> 16, n >> 8, n));
const day = timeOf(Date.UTC(2025, 11, 31));
const plain = entry(serial(1), day);
const reason = (code: number, ...critical: Bytes[]) =>
  ext('2.5.29.21', tlv(tag.enumerated, Uint8Array.of(code)), ...critical);
const withEntries = (...list: Bytes[]): Parts => ({ revoked: [sequence(...list)] });
const withEntry = (...extensions: Bytes[]): Parts =>
  withEntries(plain, entry(serial(2), day, ...extensions));

const good = {
  version: [integer(1)],
  algorithm: [signatureAlgorithm(scheme)],
  issuer: [issuer],
  thisUpdate: [timeOf(thisUpdate)],
  nextUpdate: [timeOf(nextUpdate)],
  revoked: [] as readonly Bytes[],
};
type Parts = Partial<Record<keyof typeof good, readonly Bytes[]>> & {
  readonly extensions?: readonly Bytes[];
  /** The whole of what stands after the entries. */
  readonly tail?: readonly Bytes[];
  readonly scheme?: SignatureScheme;
  readonly tbs?: Bytes;
  readonly urls?: readonly string[];
};
const standard = [authorityKeyIdentifier(issuerKeyIdentifier), crlNumber(7)];
const and = (...more: Bytes[]): Parts => ({ extensions: [...standard, ...more] });
/** IssuingDistributionPoint, also with a field more: onlyContainsUserCerts says TRUE. */
const point = (...flags: number[]): Bytes =>
  sequence(
    explicit(0, explicit(0, tlv(contextPrimitive(6), utf8('http://a/1.crl')))),
    ...flags.map((flag) => tlv(flag, Uint8Array.of(0xff))),
  );
const numbered = (...number: Bytes[]): Parts => ({
  extensions: [...standard.slice(0, 1), ...number],
});

function lint(parts: Parts): string {
  const { extensions = standard, tail, scheme: with_ = scheme, tbs, urls = [], ...changes } = parts;
  const list = sequence(
    ...Object.values({ ...good, ...changes }).flat(),
    ...(tail ?? [explicit(0, sequence(...extensions))]),
  );
  const wanted = { scheme: with_, issuer, issuerKeyIdentifier, distributionPoint: urls };
  const finding = lintTbsCertList(tbs ?? list, wanted);
  return finding ? `${finding.blame}: ${finding.id}, ${finding.citation}` : 'passes';
}

const generalized = (text: string) => tlv(tag.generalizedTime, utf8(text));
const utc = (text: string) => tlv(tag.utcTime, utf8(text));
const long = (bytes: Bytes): Bytes =>
  concat([Uint8Array.of(tag.sequence, 0x82, 0, bytes.length), bytes]);

type Samples = { readonly good: readonly Parts[]; readonly bad: readonly Parts[] };
const samples: Readonly<Record<string, Samples>> = {
  'crl-encoding': {
    good: [{}, withEntries(plain)],
    bad: [
      { tbs: concat([sequence(integer(1)), Uint8Array.of(0)]) },
      { tbs: long(integer(1)) },
      { tbs: Uint8Array.of(0x30, 0x80, 0, 0) },
      { tbs: Uint8Array.of(0x30, 0x03, 0x02, 0x05, 0x01) },
      { tbs: nullValue },
      { tbs: new Uint8Array(0) },
      { version: [tlv(tag.integer, Uint8Array.of(0, 1))] },
      and(ext('1.2.3', Uint8Array.of(1, 1, 5))),
      and(sequence()),
    ],
  },
  'crl-version': {
    good: [{}],
    bad: [{ version: [] }, { version: [integer(0)] }, { version: [integer(2)] }],
  },
  'crl-signature': {
    good: [{}, { scheme: ecdsa, algorithm: [signatureAlgorithm(ecdsa)] }],
    bad: [
      { algorithm: [sequence(oid(digests['SHA-256'].rsaOid))] },
      { algorithm: [sequence(oid(digests['SHA-512'].rsaOid), nullValue)] },
      { scheme: ecdsa, algorithm: [sequence(oid('1.2.840.10045.4.3.2'), nullValue)] },
    ],
  },
  'crl-issuer': {
    good: [{}],
    bad: [{ issuer: [parseName('CN=Other CA')] }, { issuer: [sequence()] }],
  },
  'this-update': {
    good: [{}],
    bad: [{ thisUpdate: [generalized('20260101000000Z')] }, { thisUpdate: [utc('2601010000Z')] }],
  },
  'next-update': {
    good: [{ nextUpdate: [generalized('20500101000000Z')] }],
    bad: [
      { nextUpdate: [] },
      { nextUpdate: [timeOf(thisUpdate)] },
      { nextUpdate: [generalized('20260111000000Z')] },
    ],
  },
  'crl-fields': {
    good: [{}],
    bad: [
      { tail: [] },
      { tail: [explicit(1, sequence(...standard))] },
      { tail: [explicit(0, sequence(...standard)), nullValue] },
    ],
  },
  'revoked-empty': { good: [{}, withEntries(plain)], bad: [withEntries()] },
  'crl-extension-repeated': { good: [and(ext('1.2.3', nullValue))], bad: [and(crlNumber(8))] },
  'crl-extension-encoding': {
    good: [and(ext('1.2.3', nullValue))],
    bad: [and(ext('1.2.3', nullValue, boolean(false)))],
  },
  'crl-authority-key-identifier': {
    good: [{}],
    bad: [
      { extensions: [crlNumber(7)] },
      { extensions: [authorityKeyIdentifier(new Uint8Array(20)), crlNumber(7)] },
      {
        extensions: [
          ext('2.5.29.35', sequence(tlv(contextPrimitive(0), issuerKeyIdentifier)), boolean(true)),
          crlNumber(7),
        ],
      },
    ],
  },
  'crl-number': {
    good: [
      numbered(crlNumber(0)),
      numbered(ext('2.5.29.20', integer(new Uint8Array(20).fill(0x7f)))),
    ],
    bad: [
      numbered(),
      numbered(ext('2.5.29.20', integer(7), boolean(true))),
      numbered(ext('2.5.29.20', integer(new Uint8Array(20).fill(0xff)))),
      numbered(ext('2.5.29.20', tlv(tag.integer, Uint8Array.of(0x80)))),
      numbered(ext('2.5.29.20', nullValue)),
    ],
  },
  'delta-crl-indicator': { good: [{}], bad: [and(ext('2.5.29.27', integer(6), boolean(true)))] },
  'issuing-distribution-point': {
    good: [
      {},
      { ...and(issuingDistributionPoint(['http://a/1.crl'])), urls: ['http://a/1.crl'] },
      {
        ...and(issuingDistributionPoint(['http://a/1.crl', 'http://b/1.crl'])),
        urls: ['http://a/1.crl', 'http://b/1.crl'],
      },
    ],
    bad: [
      { urls: ['http://a/1.crl'] },
      and(issuingDistributionPoint(['http://a/1.crl'])),
      { ...and(issuingDistributionPoint(['http://a/1.crl'])), urls: ['http://a/2.crl'] },
      {
        ...and(issuingDistributionPoint(['http://a/1.crl', 'http://b/1.crl'])),
        urls: ['http://a/1.crl'],
      },
      { ...and(ext('2.5.29.28', point())), urls: ['http://a/1.crl'] },
      { ...and(ext('2.5.29.28', sequence(), boolean(true))), urls: ['http://a/1.crl'] },
      {
        ...and(ext('2.5.29.28', point(contextPrimitive(1)), boolean(true))),
        urls: ['http://a/1.crl'],
      },
    ],
  },
  'crl-critical': {
    good: [and(ext('1.2.3', nullValue))],
    bad: [and(ext('1.2.3', nullValue, boolean(true)))],
  },
  'entry-encoding': {
    good: [withEntries(plain)],
    bad: [
      withEntries(tlv(tag.set, serial(1), day)),
      withEntries(entry(tlv(tag.integer, Uint8Array.of(0, 1)), day)),
      withEntry(ext('2.5.29.21', tlv(tag.integer, Uint8Array.of(0, 1)))),
    ],
  },
  'entry-serial': {
    good: [withEntries(entry(integer(1), day), entry(integer(new Uint8Array(20).fill(0x7f)), day))],
    bad: [
      withEntries(entry(integer(0), day)),
      withEntries(entry(tlv(tag.integer, Uint8Array.of(0x85)), day)),
      withEntries(entry(integer(new Uint8Array(20).fill(0xff)), day)),
      withEntries(plain, sequence()),
    ],
  },
  'revocation-date': {
    good: [withEntries(plain)],
    bad: [
      withEntries(entry(serial(1), generalized('20251231000000Z'))),
      withEntries(plain, sequence(serial(2))),
      withEntries(entry(serial(1), utc('2512310000Z'))),
    ],
  },
  'entry-extensions': {
    good: [withEntry(reason(1))],
    bad: [
      withEntries(sequence(serial(1), day, sequence())),
      withEntries(sequence(serial(1), day, sequence(reason(1)), nullValue)),
    ],
  },
  'entry-extension-repeated': {
    good: [withEntry(reason(1))],
    bad: [withEntry(reason(1), reason(1))],
  },
  'entry-extension-encoding': {
    good: [withEntry(reason(1))],
    bad: [withEntry(reason(1, boolean(false)))],
  },
  'reason-code': {
    good: [1, 2, 3, 4, 5, 6, 9, 10].map((code) => withEntry(reason(code))),
    bad: [
      ...[0, 7, 11, 255].map((code) => withEntry(reason(code))),
      withEntry(ext('2.5.29.21', integer(1))),
      withEntry(ext('2.5.29.21', tlv(tag.enumerated, Uint8Array.of(1, 1)))),
    ],
  },
  'remove-from-crl': { good: [withEntry(reason(6))], bad: [withEntry(reason(8))] },
  'invalidity-date': {
    good: [withEntry(ext('2.5.29.24', generalized('20251230000000Z')))],
    bad: [
      withEntry(ext('2.5.29.24', utc('251230000000Z'))),
      withEntry(ext('2.5.29.24', generalized('20251230000000.5Z'))),
    ],
  },
  'entry-critical': { good: [withEntry(reason(1))], bad: [withEntry(reason(1, boolean(true)))] },
  'entry-repeated': {
    good: [withEntries(...Array.from({ length: 300 }, (_, i) => entry(serial(i), day)))],
    bad: [withEntries(plain, entry(serial(2), day), plain)],
  },
};

const rules = [...listRules, ...entryRules, ...wholeRules];
for (const { id, citation, blame } of rules) {
  test(`${citation}: the rule "${id}" of CRLs has good samples, which pass, and bad ones, which it finds`, () => {
    const { good: passing = [], bad = [] } = samples[id] ?? {};
    assert.ok(passing.length > 0 && bad.length > 0, 'a rule without samples');
    for (const sample of passing) assert.equal(lint(sample), 'passes');
    for (const [i, sample] of bad.entries()) {
      assert.equal(lint(sample), `${blame}: ${id}, ${citation}`, `bad ${i}`);
    }
  });
}

test('RFC 5280 §5: every rule of CRLs has an id of its own, and every sample belongs to a rule', () => {
  const ids = rules.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(Object.keys(samples), ids);
});

test('RFC 5280 §5: the lint reads a CRL of 100,000 entries, and finds what is wrong with the last', () => {
  const list = (count: number, ...last: RevokedCertificate[]) =>
    encodeTbsCertList({
      scheme,
      issuer,
      issuerKeyIdentifier,
      thisUpdate,
      nextUpdate,
      number: 1,
      revoked: [
        ...Array.from({ length: count }, (_, i) => ({
          serial: Uint8Array.of(0x5a, i >> 16, i >> 8, i),
          revokedAt: thisUpdate,
          reason: 'superseded' as const,
        })),
        ...last,
      ],
    });
  assert.equal(lint({ tbs: list(100_000) }), 'passes');
  const reason = 'keyCompromise';
  const twice = { serial: Uint8Array.of(0x5a, 0, 0, 0), revokedAt: thisUpdate, reason } as const;
  assert.match(lint({ tbs: list(100_000, twice) }), /entry-repeated/);
  const zero = { serial: Uint8Array.of(0), revokedAt: thisUpdate, reason } as const;
  assert.match(lint({ tbs: list(100_000, zero) }), /entry-serial/);
});

test('RFC 5280 §5.1.2.5: a CRL that the lint finds fault with is neither signed nor published', async () => {
  const crls = new MemoryCrls();
  const lab = await makeLab({ crls });
  const ca = await lab.deps.cas.of('default');
  const before = await crls.newest('default');
  assert.ok(before);
  lab.clock.at = before.nextUpdate;
  lab.calls.length = 0;
  // The CA as it would be loaded from a certificate without a subject.
  const nameless = { ...ca, certificate: { ...ca.certificate, subject: sequence() } };
  await assert.rejects(keepCrls(lab.deps, nameless), {
    name: 'Outage',
    message: 'lint crl-issuer (RFC 5280 §5.1.2.3) of our own CRL',
  });
  assert.ok(!lab.calls.some((call) => call === 'signer.sign' || call === 'crls.publish'));
  assert.deepEqual(await crls.newest('default'), before);
});
