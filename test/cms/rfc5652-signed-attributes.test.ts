// Signed attributes: content-type and messageDigest exactly once with exactly one value, the first of
// them saying id-data as eContentType does. Each verdict is the one that its sender will be told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { context, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  timeOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { readSignedData, singleAttribute, verifySignedData } from '../../lib/cms/signed-data.ts';
import { hash } from '../../lib/crypto/native.ts';
import { attribute } from '../support/messages.ts';
import {
  cmsOids,
  content,
  type Knobs,
  type StandardAttributes,
  signedDataOf,
  signers,
} from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

async function verdict(knobs: Knobs): Promise<string> {
  const signedData = readSignedData(signedDataOf(knobs));
  assert.ok(signedData.key && signedData.scheme);
  return verifySignedData(signedData, signedData.key, signedData.scheme);
}
const withAttributes = (attributes: (standard: StandardAttributes) => readonly Bytes[]) =>
  verdict({ attributes });

const data = objectIdentifier(cmsOids.data);
const digestOf = (bytes: Bytes) => octets(hash('SHA-256', bytes));
/** An Attribute with these values. */
const values = (type: string, ...all: Bytes[]): Bytes =>
  sequence(objectIdentifier(type), setOf(...all));

test('RFC 5652 §11.1: a message without the content-type attribute is not good', async () => {
  assert.equal(await withAttributes(({ messageDigest }) => [messageDigest]), 'attributesWrong');
});

test('RFC 5652 §11.1: a content-type attribute that stands twice, or with two values, is not good', async () => {
  const other = attribute(cmsOids.contentType, objectIdentifier(cmsOids.envelopedData));
  for (const more of [attribute(cmsOids.contentType, data), other]) {
    const twice = await withAttributes((standard) => [...Object.values(standard), more]);
    assert.equal(twice, 'attributesWrong');
  }
  for (const contentType of [
    values(cmsOids.contentType, data, data),
    values(cmsOids.contentType, data, objectIdentifier(cmsOids.envelopedData)),
    values(cmsOids.contentType),
  ]) {
    const several = await withAttributes(({ messageDigest }) => [contentType, messageDigest]);
    assert.equal(several, 'attributesWrong');
  }
});

test('RFC 5652 §11.1: a content-type other than id-data, or of another type of value, is not good', async () => {
  for (const value of [
    objectIdentifier(cmsOids.envelopedData),
    objectIdentifier(cmsOids.signedData),
    objectIdentifier(`${cmsOids.data}.1`),
    objectIdentifier('1.2.840.113549.1.7'),
    tlv(tag.octetString, data.subarray(2)),
    tlv(tag.utf8String, utf8(cmsOids.data)),
    nullValue,
  ]) {
    const contentType = attribute(cmsOids.contentType, value);
    assert.equal(
      await withAttributes(({ messageDigest }) => [contentType, messageDigest]),
      'attributesWrong',
    );
  }
});

test('RFC 8894 §3.2 [46]: an eContentType other than id-data is not good, whatever the attribute says', async () => {
  for (const eContentType of [cmsOids.envelopedData, cmsOids.signedData, '1.2.3']) {
    assert.equal(await verdict({ eContentType }), 'attributesWrong');
    const contentType = attribute(cmsOids.contentType, objectIdentifier(eContentType));
    const agreeing = await verdict({
      eContentType,
      attributes: ({ messageDigest }) => [contentType, messageDigest],
    });
    assert.equal(agreeing, 'attributesWrong');
  }
});

test('RFC 5652 §11.2: a message without the messageDigest attribute is not good', async () => {
  assert.equal(await withAttributes(({ contentType }) => [contentType]), 'attributesWrong');
  assert.equal(await withAttributes(() => []), 'attributesWrong');
});

test('RFC 5652 §11.2: a messageDigest that stands twice, or with two values, is not good', async () => {
  const right = digestOf(content);
  const wrong = digestOf(utf8('another content'));
  for (const more of [right, wrong]) {
    const extra = attribute(cmsOids.messageDigest, more);
    const twice = await withAttributes((standard) => [...Object.values(standard), extra]);
    assert.equal(twice, 'attributesWrong');
    const messageDigest = values(cmsOids.messageDigest, right, more);
    const both = await withAttributes(({ contentType }) => [contentType, messageDigest]);
    assert.equal(both, 'attributesWrong');
  }
  const none = values(cmsOids.messageDigest);
  assert.equal(await withAttributes(({ contentType }) => [contentType, none]), 'attributesWrong');
});

test('RFC 5652 §11.2: a messageDigest that is not an OCTET STRING is not good', async () => {
  const digest = hash('SHA-256', content);
  for (const identifier of [tag.utf8String, tag.printableString, tag.integer, 0x80]) {
    const messageDigest = attribute(cmsOids.messageDigest, tlv(identifier, digest));
    const odd = await withAttributes(({ contentType }) => [contentType, messageDigest]);
    assert.equal(odd, 'attributesWrong');
  }
});

test('RFC 5652 §5.6: a messageDigest of other octets, cut or too long is a wrong digest', async () => {
  const digest = hash('SHA-256', content);
  for (const wrong of [
    hash('SHA-256', utf8('another content')),
    hash('SHA-1', content),
    hash('SHA-512', content),
    digest.slice(1),
    digest.slice(0, -1),
    concat([digest, Uint8Array.of(0)]),
    new Uint8Array(32),
    new Uint8Array(0),
  ]) {
    const messageDigest = attribute(cmsOids.messageDigest, octets(wrong));
    assert.equal(
      await withAttributes(({ contentType }) => [contentType, messageDigest]),
      'digestWrong',
    );
  }
});

test('RFC 5652 §5.3: values that are not a SET, and attributes that are not a SEQUENCE, are refused', () => {
  const refuses = (extra: Bytes) =>
    assert.throws(
      () => readSignedData(signedDataOf({ attributes: (all) => [...Object.values(all), extra] })),
      malformed(/Attribute/),
    );
  refuses(sequence(objectIdentifier('1.2.3'), octets(content)));
  refuses(sequence(objectIdentifier('1.2.3'), sequence(octets(content))));
  refuses(sequence(objectIdentifier('1.2.3')));
  refuses(sequence(setOf(nullValue)));
  refuses(sequence(objectIdentifier('1.2.3'), setOf(nullValue), nullValue));
  refuses(sequence());
  refuses(setOf(objectIdentifier('1.2.3'), setOf(nullValue)));
  refuses(nullValue);
});

test('RFC 5652 §5.3: unknown attributes are signed and have no effect', async () => {
  const unknown = [
    values('1.2.3'),
    values('1.2.3', nullValue, integer(5)),
    values('1.2.3', sequence(explicit(0, nullValue))),
    attribute(cmsOids.signingTime, timeOf(Date.UTC(2026, 10, 22))),
    attribute(cmsOids.signingTime, octets(utf8('nonsense'))),
  ];
  const verdictWithThem = await withAttributes((all) => [...Object.values(all), ...unknown]);
  assert.equal(verdictWithThem, 'good');
});

test('RFC 5652 §5.4: the signature is verified over the received octets, in their order, or over their DER', async () => {
  const unsorted = (implicit: Bytes) => {
    const [header, inside] = [implicit.subarray(0, 2), implicit.subarray(2)];
    const first = (inside[1] ?? 0) + 2;
    return concat([header, inside.subarray(first), inside.subarray(0, first)]);
  };
  const signedAttrs = (implicit: Bytes) => [unsorted(implicit)];
  // Signed sorted and sent unsorted.
  assert.equal(await verdict({ signedAttrs }), 'good');
  const { sign } = await import('node:crypto');
  const asSent = (sorted: Bytes) => {
    const sent = unsorted(sorted);
    return concat([sign('sha256', sent, signers.rsa.privateKey)]);
  };
  assert.equal(await verdict({ signedAttrs, sign: asSent }), 'good');
  // Signed unsorted and sent sorted: neither what came nor its DER is what was signed.
  assert.equal(await verdict({ sign: asSent }), 'signatureWrong');
});

test('RFC 5652 §5.4: a signature over the content, or over the implicit tag, is not good', async () => {
  const { sign } = await import('node:crypto');
  const signing = (what: (signedAttrs: Bytes) => Bytes) => (signedAttrs: Bytes) =>
    concat([sign('sha256', what(signedAttrs), signers.rsa.privateKey)]);
  const implicit = (attributes: Bytes) =>
    concat([Uint8Array.of(context(0)), attributes.subarray(1)]);
  assert.equal(await verdict({ sign: signing((attributes) => attributes) }), 'good');
  assert.equal(await verdict({ sign: signing(() => content) }), 'signatureWrong');
  assert.equal(await verdict({ sign: signing(implicit) }), 'signatureWrong');
  assert.equal(
    await verdict({ sign: signing((attributes) => attributes.slice(2)) }),
    'signatureWrong',
  );
});

test('RFC 5652 §5.3: an attribute is read when it stands once, with one value of the type asked for', () => {
  const read = (...attributes: Bytes[]) => {
    const message = signedDataOf({ attributes: (all) => [...Object.values(all), ...attributes] });
    return singleAttribute(readSignedData(message).attributes, '1.2.3', tag.octetString);
  };
  const one = octets(utf8('one'));
  assert.deepEqual(read(values('1.2.3', one)), utf8('one'));
  assert.deepEqual(read(values('1.2.3', octets(new Uint8Array(0)))), new Uint8Array(0));
  assert.equal(read(), undefined);
  assert.equal(read(values('1.2.3')), undefined);
  assert.equal(read(values('1.2.3', one, one)), undefined);
  assert.equal(read(values('1.2.3', one), values('1.2.3', one)), undefined);
  assert.equal(read(values('1.2.3', one), values('1.2.3')), undefined);
  assert.equal(read(values('1.2.3', tlv(tag.utf8String, utf8('one')))), undefined);
});
