// The shell of a SignedData: one SignerInfo with signed attributes, whose signer's certificate is in
// the bag exactly once. What else is in the bag is not looked at. BER is read outside what is signed.

import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { test } from 'node:test';
import { context, contextPrimitive, tag } from '../../lib/asn1/reader.ts';
import {
  bits,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { MAX_MESSAGE_CERTIFICATES } from '../../lib/base/limits.ts';
import { readSignedData, verifySignedData } from '../../lib/cms/signed-data.ts';
import { type DigestName, digests } from '../../lib/crypto/algorithms.ts';
import { digestAlgorithm } from '../../lib/x509/algorithm.ts';
import { subjectKeyIdentifier } from '../../lib/x509/extensions.ts';
import { attribute, indefinite, segmented } from '../support/messages.ts';
import {
  bagOf,
  certify,
  cmsOids,
  content,
  type Knobs,
  keyIdentifierOf,
  type StandardAttributes,
  signedDataOf,
  signerInfoOf,
  signers,
} from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

async function verdict(message: Bytes): Promise<string> {
  const signedData = readSignedData(message);
  const { key, scheme } = signedData;
  return key && scheme ? verifySignedData(signedData, key, scheme) : 'no scheme';
}
const good = async (knobs: Knobs, what?: string) =>
  assert.equal(await verdict(signedDataOf(knobs)), 'good', what);
const refuses = (message: Bytes, sentence: RegExp, what?: string) =>
  assert.throws(() => readSignedData(message), malformed(sentence), what);

const { rsa } = signers;
const der = rsa.certificate.der;
const another = certify(signers['P-256'].spki, rsa.privateKey, { name: 'CN=another', serial: 7 });

test('RFC 5652 §5: a SignedData of each key and digest verifies', async () => {
  const sha2: DigestName[] = ['SHA-224', 'SHA-256', 'SHA-384', 'SHA-512'];
  for (const digest of ['MD5', 'SHA-1', ...sha2] as const) await good({ digest }, digest);
  for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
    for (const digest of ['SHA-1', ...sha2] as const) {
      await good({ signer: signers[curve], digest }, `${curve} ${digest}`);
    }
  }
  await good({ signer: signers.Ed25519, digest: 'SHA-512' }, 'Ed25519');
});

test('RFC 5652 §5.1: no SignerInfo and more than one are refused', () => {
  refuses(signedDataOf({ signerInfos: () => [] }), /not exactly one SignerInfo/);
  refuses(signedDataOf({ signerInfos: (info) => [info, info] }), /not exactly one SignerInfo/);
  const other = signerInfoOf({ signer: signers['P-256'] });
  const bag = [bagOf(der, signers['P-256'].certificate.der)];
  for (const signerInfos of [(info: Bytes) => [info, other], (info: Bytes) => [other, info]]) {
    refuses(signedDataOf({ signerInfos, bag }), /not exactly one SignerInfo/);
  }
});

test('RFC 8894 §3.2 [46]: a SignerInfo without signed attributes is refused', () => {
  refuses(signedDataOf({ signedAttrs: () => [] }), /SignerInfo has no signedAttrs/);
  const sign = () => concat([new Uint8Array(256)]);
  refuses(signedDataOf({ signedAttrs: () => [], sign }), /SignerInfo has no signedAttrs/);
});

test('RFC 5652 §5.4: signed attributes that are not DER are good if they were signed as such, or as their DER', async () => {
  const inside = (implicit: Bytes) => implicit.subarray(implicit.length > 129 ? 3 : 2);
  const long = (implicit: Bytes) =>
    concat([Uint8Array.of(0xa0, 0x82, 0, inside(implicit).length), inside(implicit)]);
  await good({ signedAttrs: (implicit) => [tlv(context(0), inside(implicit))] });
  for (const bent of [
    (implicit: Bytes) => indefinite(context(0), inside(implicit)),
    (implicit: Bytes) => long(implicit),
  ]) {
    const signedAttrs = (implicit: Bytes) => [bent(implicit)];
    await good({ signedAttrs });
    const asSent = (set: Bytes) => {
      const sent = bent(concat([Uint8Array.of(context(0)), set.subarray(1)])).slice();
      sent[0] = tag.set;
      return concat([sign('sha256', sent, rsa.privateKey)]);
    };
    await good({ signedAttrs, sign: asSent });
    // Signed as BER and sent as DER.
    assert.equal(await verdict(signedDataOf({ sign: asSent })), 'signatureWrong');
  }
  for (const [value, der] of [
    [Uint8Array.of(tag.boolean, 1, 1), Uint8Array.of(tag.boolean, 1, 0xff)],
    [Uint8Array.of(tag.integer, 2, 0, 1), integer(1)],
    [Uint8Array.of(tag.integer, 3, 0xff, 0xff, 0x80), Uint8Array.of(tag.integer, 1, 0x80)],
    [Uint8Array.of(tag.bitString, 2, 4, 0xff), Uint8Array.of(tag.bitString, 2, 4, 0xf0)],
    [segmented(utf8('ABCD'), 2), octets(utf8('ABCD'))],
    [segmented(utf8('ABCD'), 2, 0x2c), tlv(tag.utf8String, utf8('ABCD'))],
    [indefinite(tag.sequence, nullValue), sequence(nullValue)],
    [tlv(tag.set, integer(2), integer(1)), setOf(integer(1), integer(2))],
    [Uint8Array.of(tag.octetString, 0x81, 1, 0x41), octets(utf8('A'))],
  ] as const) {
    // As it came, and as DER: both are signatures of these attributes.
    const attributesWith = (one: Bytes) => (all: StandardAttributes) => [
      ...Object.values(all),
      attribute('1.2.3.4', one),
    ];
    await good({ attributes: attributesWith(value) });
    const ofDer = signedDataOf({ attributes: attributesWith(der) });
    const { signature, derSignedAttrs } = readSignedData(ofDer);
    const message = signedDataOf({ attributes: attributesWith(value), sign: () => signature });
    assert.deepEqual(readSignedData(message).derSignedAttrs, derSignedAttrs);
    assert.equal(await verdict(message), 'good');
  }
  for (const broken of [indefinite(0x23, bits(utf8('A'))), segmented(utf8('A'), 1, 0x35)]) {
    const extra = attribute('1.2.3.4', indefinite(0x24, broken));
    refuses(
      signedDataOf({ attributes: (all) => [...Object.values(all), extra] }),
      /not an OCTET STRING|segments of what is no string/,
    );
  }
});

test('RFC 8894 §2.3 [11]: a message without the certificate of its signer is refused', () => {
  const sentence = /do not hold exactly one of the signer/;
  for (const bag of [[], [bagOf()], [bagOf(another)], [bagOf(signers['P-256'].certificate.der)]]) {
    const sid = sequence(rsa.certificate.issuer, integer(0x4321));
    refuses(signedDataOf({ bag, sid }), sentence);
  }
  const sameName = certify(rsa.spki, rsa.privateKey, { serial: 9 });
  const sameSerial = certify(rsa.spki, rsa.privateKey, { name: 'CN=other' });
  refuses(signedDataOf({ bag: [bagOf(sameName, sameSerial)] }), sentence);
});

test('RFC 5652 §5.3: the certificate of the signer may stand in the bag more than once', async () => {
  await good({ bag: [bagOf(der, der)] });
  await good({ bag: [bagOf(der, another, der)] });
});

test('RFC 5652 §5.3: two certificates that both fit the sid are refused', () => {
  const sentence = /do not hold exactly one of the signer/;
  const twin = certify(signers['P-256'].spki, rsa.privateKey, {});
  refuses(signedDataOf({ bag: [bagOf(der, twin)] }), sentence);
  refuses(signedDataOf({ bag: [bagOf(twin, another, der)] }), sentence);
});

test('RFC 5652 §5.3: a sid may be a subjectKeyIdentifier, which names exactly one certificate', async () => {
  const sid = tlv(contextPrimitive(0), keyIdentifierOf(rsa.spki));
  await good({ sid });
  await good({ sid, bag: [bagOf(another, der)] });
  const sentence = /do not hold exactly one of the signer/;
  const twin = certify(rsa.spki, rsa.privateKey, { serial: 3 });
  refuses(signedDataOf({ sid, bag: [bagOf(der, twin)] }), sentence);
  refuses(signedDataOf({ sid, bag: [bagOf(another)] }), sentence);
  refuses(signedDataOf({ sid: tlv(contextPrimitive(0)) }), sentence);
  const bare = certify(rsa.spki, rsa.privateKey, { extensions: [] });
  refuses(signedDataOf({ sid, bag: [bagOf(bare)] }), sentence);
  const wrapped = explicit(0, octets(keyIdentifierOf(rsa.spki)));
  for (const odd of [wrapped, octets(keyIdentifierOf(rsa.spki)), integer(1), sequence()]) {
    refuses(signedDataOf({ sid: odd }), /issuerAndSerialNumber/);
  }
});

const broken = (value: Bytes) =>
  certify(rsa.spki, rsa.privateKey, {
    name: 'CN=broken',
    extensions: [sequence(objectIdentifier('2.5.29.14'), octets(value))],
  });

test('RFC 5652 §10.2.2: whatever else is in the bag of certificates is not looked at', async () => {
  const others = [
    nullValue,
    octets(utf8('garbage')),
    sequence(),
    sequence(sequence(), sequence(), nullValue),
    tlv(context(0), nullValue),
    tlv(context(1), sequence()),
    tlv(context(3), objectIdentifier('1.2.3'), nullValue),
    indefinite(tag.sequence, another.subarray(4)),
    sequence(another, another),
    broken(utf8('garbage')),
    another,
  ];
  for (const other of others) {
    await good({ bag: [bagOf(other, der)] });
    await good({ bag: [bagOf(der, other)] });
  }
  await good({ bag: [bagOf(...others, der)] });
});

test('RFC 5652 §10.2.2: certificates with a broken key identifier do not hide the one of a sid', async () => {
  const sid = tlv(contextPrimitive(0), keyIdentifierOf(rsa.spki));
  for (const value of [new Uint8Array(0), utf8('garbage'), Uint8Array.of(4, 9, 1), nullValue]) {
    await good({ sid, bag: [bagOf(broken(value), der)] });
    await good({ sid, bag: [bagOf(der, broken(value))] });
  }
  // Octets of another type than OCTET STRING are no key identifier.
  const odd = broken(tlv(tag.utf8String, keyIdentifierOf(rsa.spki)));
  await good({ sid, bag: [bagOf(odd, der)] });
});

test('RFC 5652 §5.1: as many certificates as the limit are read, one more is refused', async () => {
  const others = Array<Bytes>(MAX_MESSAGE_CERTIFICATES - 1).fill(another);
  await good({ bag: [bagOf(...others, der)] });
  refuses(signedDataOf({ bag: [bagOf(...others, another, der)] }), /too many certificates/);
});

test('RFC 5652 §5.1: CRLs and unsigned attributes may be there and have no effect', async () => {
  await good({ bag: [bagOf(der), tlv(context(1), nullValue, sequence())] });
  await good({ unsignedAttrs: tlv(context(1), attribute('1.2.3', nullValue)) });
  await good({ unsignedAttrs: tlv(context(1), attribute(cmsOids.messageDigest, octets(content))) });
});

test('RFC 5652 §5.1: fields that do not belong there, or in another order, are refused', () => {
  refuses(signedDataOf({ bag: [tlv(context(1), nullValue), bagOf(der)] }), /no signerInfos/);
  refuses(signedDataOf({ bag: [bagOf(der), bagOf(der)] }), /no signerInfos/);
  refuses(signedDataOf({ bag: [bagOf(der), nullValue] }), /no signerInfos/);
  const [type, message] = [objectIdentifier(cmsOids.data), explicit(0, octets(content))];
  refuses(signedDataOf({ encapsulated: sequence(type, message, nullValue) }), /field too many/);
  refuses(signedDataOf({ encapsulated: sequence(message) }), /no eContentType/);
  refuses(signedDataOf({ unsignedAttrs: tlv(context(2)) }), /SignerInfo has a field too many/);
  refuses(signedDataOf({ signedAttrs: (implicit) => [implicit, implicit] }), /signatureAlgorithm/);
  refuses(signedDataOf({ signerInfos: (info) => [tlv(tag.set, info)] }), /SignerInfo is not what/);
});

test('RFC 5652 §3: a ContentInfo of another type, or with more in it, is refused', () => {
  const inner = sequence(integer(1));
  const type = objectIdentifier(cmsOids.signedData);
  refuses(sequence(objectIdentifier(cmsOids.data), explicit(0, inner)), /not a SignedData/);
  refuses(sequence(type, explicit(0, inner, inner)), /not one element under a tag/);
  refuses(sequence(type, explicit(0)), /not one element under a tag/);
  refuses(sequence(type, explicit(1, inner)), /ContentInfo has no content/);
  refuses(sequence(type), /ContentInfo has no content/);
  refuses(sequence(type, explicit(0, inner), nullValue), /field too many/);
  refuses(tlv(tag.set, type, explicit(0, inner)), /ContentInfo is not what/);
  refuses(new Uint8Array(0), /cut short/);
  refuses(concat([signedDataOf(), Uint8Array.of(0)]), /after the end/);
});

test('RFC 5652 §5.2: an absent eContent is undefined and is digested as no octets', async () => {
  const empty = new Uint8Array(0);
  const encapsulated = sequence(objectIdentifier(cmsOids.data));
  const message = signedDataOf({ encapsulated, eContent: empty });
  assert.equal(readSignedData(message).eContent, undefined);
  assert.equal(await verdict(message), 'good');
  assert.equal(await verdict(signedDataOf({ encapsulated })), 'digestWrong');
  assert.deepEqual(readSignedData(signedDataOf({ eContent: empty })).eContent, empty);
});

test('RFC 5652 §5.2: an eContent that is not one OCTET STRING is refused', () => {
  const type = objectIdentifier(cmsOids.data);
  const one = octets(content);
  refuses(signedDataOf({ encapsulated: sequence(type, explicit(0, sequence(one))) }), /OCTET STRI/);
  refuses(signedDataOf({ encapsulated: sequence(type, explicit(0, one, one)) }), /not one element/);
  refuses(signedDataOf({ encapsulated: sequence(type, explicit(0)) }), /not one element/);
  refuses(signedDataOf({ encapsulated: sequence(type, one) }), /field too many/);
});

/** The message with an indefinite shell and eContent as given, as Apple and jscep stream it. */
function streamed(eContent: Bytes): Bytes {
  const type = objectIdentifier(cmsOids.data);
  const signedData = indefinite(
    tag.sequence,
    integer(1),
    setOf(digestAlgorithm(digests['SHA-256'])),
    indefinite(tag.sequence, type, indefinite(context(0), eContent)),
    indefinite(context(0), der),
    indefinite(tag.set, signerInfoOf()),
  );
  const inner = indefinite(context(0), signedData);
  return indefinite(tag.sequence, objectIdentifier(cmsOids.signedData), inner);
}

test('RFC 5652 §5.2: a shell in BER with eContent in segments verifies, as Apple and jscep send it', async () => {
  const half = content.length / 2;
  for (const eContent of [
    octets(content),
    segmented(content, 1),
    segmented(content, 7),
    segmented(content, 1000),
    tlv(0x24, octets(content.subarray(0, half)), octets(content.subarray(half))),
    indefinite(0x24, segmented(content.slice(0, half), 3), octets(content.subarray(half))),
    indefinite(0x24, octets(new Uint8Array(0)), octets(content)),
  ]) {
    const message = streamed(eContent);
    assert.deepEqual(readSignedData(message).eContent, content);
    assert.equal(await verdict(message), 'good');
  }
  const shorter = streamed(segmented(content.slice(1), 7));
  assert.equal(await verdict(shorter), 'digestWrong');
});

test('RFC 5280 §4.1: the certificate of the signer must be DER', () => {
  const inBer = indefinite(tag.sequence, der.subarray(4));
  refuses(signedDataOf({ bag: [bagOf(inBer)] }), /do not hold exactly one of the signer/);
});

test('RFC 5652 §5.3: the key of a signer that is accepted nowhere is undefined, and so its scheme', () => {
  const weak = sequence(
    sequence(objectIdentifier('1.2.840.10040.4.1'), sequence(integer(7), integer(5), integer(3))),
    tlv(tag.bitString, Uint8Array.of(0), integer(4)),
  );
  const bag = [bagOf(certify(weak, rsa.privateKey, { extensions: [subjectKeyIdentifier(weak)] }))];
  const { key, scheme, digest } = readSignedData(signedDataOf({ bag }));
  assert.deepEqual([key, scheme, digest?.name], [undefined, undefined, 'SHA-256']);
});
