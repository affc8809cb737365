// EnvelopedData as it is read: recipients, algorithms and lengths are judged in clear, before anything
// is decrypted. Shapes that real clients send are read, shapes that fit no algorithm are refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { context, contextPrimitive, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { MAX_RECIPIENT_INFOS } from '../../lib/base/limits.ts';
import { readEnvelopedData } from '../../lib/cms/enveloped-data.ts';
import {
  type ContentCipherName,
  contentCiphers,
  type DigestName,
  digests,
  oids,
} from '../../lib/crypto/algorithms.ts';
import { rsaEncryption } from '../../lib/x509/algorithm.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { attribute, indefinite, segmented } from '../support/messages.ts';
import { certify, cmsOids, keyIdentifierOf, sidOf, signers } from '../support/signed-data.ts';
import { malformed } from '../support/vectors.ts';

const ours = signers.rsa.certificate;
const theirs = readCertificate(
  certify(signers['P-256'].spki, signers.rsa.privateKey, { name: 'CN=theirs', serial: 5 }),
);
const blocks = new Uint8Array(48).fill(0x5c);
const encryptedKey = new Uint8Array(256).fill(7);

type Recipient = { readonly rid?: Bytes; readonly algorithm?: Bytes; readonly version?: Bytes };
const recipient = ({ rid, algorithm, version }: Recipient = {}): Bytes =>
  sequence(
    version ?? integer(0),
    rid ?? sidOf(ours),
    algorithm ?? rsaEncryption,
    octets(encryptedKey),
  );

type Envelope = {
  readonly contentType?: string;
  readonly version?: Bytes;
  readonly originatorInfo?: Bytes;
  readonly recipients?: readonly Bytes[];
  readonly cipher?: Bytes;
  readonly type?: string;
  readonly encryptedContent?: Bytes;
  readonly more?: readonly Bytes[];
};
const aes = (iv: Bytes = octets(new Uint8Array(16))) =>
  sequence(objectIdentifier(contentCiphers['AES-128'].oid), iv);
const implicit = (content: Bytes) => tlv(contextPrimitive(0), content);

function envelope(parts: Envelope = {}): Bytes {
  return sequence(
    objectIdentifier(parts.contentType ?? cmsOids.envelopedData),
    explicit(
      0,
      sequence(
        parts.version ?? integer(0),
        ...(parts.originatorInfo ? [parts.originatorInfo] : []),
        tlv(tag.set, ...(parts.recipients ?? [recipient()])),
        sequence(
          objectIdentifier(parts.type ?? cmsOids.data),
          parts.cipher ?? aes(),
          parts.encryptedContent ?? implicit(blocks),
        ),
        ...(parts.more ?? []),
      ),
    ),
  );
}
const read = (parts: Envelope = {}) => readEnvelopedData(envelope(parts));
const refuses = (parts: Envelope, sentence: RegExp, what?: string) =>
  assert.throws(() => read(parts), malformed(sentence), what);

test('RFC 5652 §6.1: an EnvelopedData gives its recipients, cipher, IV and content', () => {
  const { recipients, cipher, iv, encryptedContent } = read();
  assert.equal(cipher, contentCiphers['AES-128']);
  assert.deepEqual(iv, new Uint8Array(16));
  assert.deepEqual(encryptedContent, blocks);
  const [only, ...more] = recipients;
  assert.equal(more.length, 0);
  assert.deepEqual(only?.encryptedKey, encryptedKey);
  assert.deepEqual(only?.transport, { kind: 'RSAES-PKCS1-v1_5' });
  assert.deepEqual([only?.names(ours), only?.names(theirs)], [true, false]);
});

test('RFC 8894 §3.2.2 [47]: an EnvelopedData of another content type, or around one, is refused', () => {
  for (const other of [cmsOids.data, cmsOids.signedData, '1.2.840.113549.1.9.16.1.23', '1.2.3']) {
    refuses({ contentType: other }, /not an EnvelopedData/);
  }
  for (const type of [cmsOids.signedData, cmsOids.envelopedData, '1.2.3']) {
    refuses({ type }, /not id-data/);
  }
});

test('RFC 5652 §6.1: encrypted content may be constructed, in segments, or of indefinite length', () => {
  const half = blocks.length / 2;
  for (const encryptedContent of [
    tlv(context(0), octets(blocks)),
    tlv(context(0), octets(blocks.subarray(0, half)), octets(blocks.subarray(half))),
    segmented(blocks, 5, context(0)),
    indefinite(context(0), segmented(blocks.slice(0, half), 7), octets(blocks.subarray(half))),
  ]) {
    assert.deepEqual(read({ encryptedContent }).encryptedContent, blocks);
  }
  refuses({ encryptedContent: octets(blocks) }, /not an OCTET STRING/);
  refuses({ encryptedContent: tlv(contextPrimitive(1), blocks) }, /not an OCTET STRING/);
  refuses({ encryptedContent: tlv(context(0), implicit(blocks)) }, /not an OCTET STRING/);
});

test('RFC 5652 §6.1: a whole envelope of indefinite lengths is read, as streaming encoders write it', () => {
  const message = indefinite(
    tag.sequence,
    objectIdentifier(cmsOids.envelopedData),
    indefinite(
      context(0),
      indefinite(
        tag.sequence,
        integer(0),
        indefinite(tag.set, recipient()),
        indefinite(
          tag.sequence,
          objectIdentifier(cmsOids.data),
          aes(),
          segmented(blocks, 10, context(0)),
        ),
      ),
    ),
  );
  const opened = readEnvelopedData(message);
  assert.deepEqual(opened.encryptedContent, blocks);
  assert.equal(opened.recipients.length, 1);
});

test('RFC 5652 §6.1: originatorInfo and unprotectedAttrs may be there and have no effect', () => {
  const originatorInfo = tlv(context(0), tlv(context(0), ours.der));
  const unprotected = tlv(context(1), attribute('1.2.3', nullValue));
  const { recipients, encryptedContent } = read({ originatorInfo, more: [unprotected] });
  assert.equal(recipients.length, 1);
  assert.deepEqual(encryptedContent, blocks);
  refuses({ more: [nullValue] }, /field too many/);
  refuses({ more: [unprotected, unprotected] }, /field too many/);
  refuses({ originatorInfo: tlv(context(2)) }, /no recipientInfos/);
});

test('RFC 5652 §6.2: each of several recipients names its certificate and no other', () => {
  const both = [recipient({ rid: sidOf(theirs) }), recipient(), recipient({ rid: sidOf(theirs) })];
  const { recipients } = read({ recipients: both });
  assert.deepEqual(
    recipients.map(({ names }) => [names(ours), names(theirs)]),
    [
      [false, true],
      [true, false],
      [false, true],
    ],
  );
});

test('RFC 5652 §6.2.1: a recipient may be named by its subjectKeyIdentifier', () => {
  const rid = tlv(contextPrimitive(0), keyIdentifierOf(signers.rsa.spki));
  const [only] = read({ recipients: [recipient({ rid, version: integer(2) })] }).recipients;
  assert.deepEqual([only?.names(ours), only?.names(theirs)], [true, false]);
});

test('RFC 5652 §6.2: recipients of other kinds are not looked at', () => {
  const others = [1, 2, 3, 4].map((n) => tlv(context(n), integer(3), octets(encryptedKey)));
  const odd = tlv(context(1), nullValue);
  assert.equal(read({ recipients: [...others, odd] }).recipients.length, 0);
  assert.equal(read({ recipients: [...others, recipient(), odd] }).recipients.length, 1);
  assert.equal(read({ recipients: [] }).recipients.length, 0);
});

test('RFC 5652 §6.2: as many recipientInfos as the limit are read, one more is refused', () => {
  const many = (count: number) => ({ recipients: Array<Bytes>(count).fill(recipient()) });
  assert.equal(read(many(MAX_RECIPIENT_INFOS)).recipients.length, MAX_RECIPIENT_INFOS);
  refuses(many(MAX_RECIPIENT_INFOS + 1), /too many recipientInfos/);
});

test('RFC 5652 §6.2.1: a KeyTransRecipientInfo with a field missing or too many is refused', () => {
  for (const broken of [
    sequence(),
    sequence(integer(0)),
    sequence(integer(0), sidOf(ours), rsaEncryption),
    sequence(sidOf(ours), rsaEncryption, octets(encryptedKey)),
    sequence(integer(0), sidOf(ours), octets(encryptedKey)),
    sequence(integer(0), integer(5), rsaEncryption, octets(encryptedKey)),
    sequence(integer(0), sidOf(ours), rsaEncryption, octets(encryptedKey), nullValue),
    sequence(integer(0), sidOf(ours), rsaEncryption, tlv(tag.bitString, new Uint8Array(9))),
  ]) {
    refuses({ recipients: [broken] }, /KeyTransRecipientInfo|issuerAndSerialNumber/);
  }
});

test('RFC 3565 §4.1: the IV is one block of the cipher', () => {
  for (const name of Object.keys(contentCiphers) as ContentCipherName[]) {
    const { oid, blockOctets } = contentCiphers[name];
    const cipher = (iv: Bytes) => sequence(objectIdentifier(oid), iv);
    const one = read({ cipher: cipher(octets(new Uint8Array(blockOctets).fill(3))) });
    assert.equal(one.cipher?.name, name);
    assert.deepEqual(one.iv, new Uint8Array(blockOctets).fill(3));
    for (const length of [0, 1, 7, 9, 12, 15, 17, 24, 32].filter((each) => each !== blockOctets)) {
      refuses({ cipher: cipher(octets(new Uint8Array(length))) }, /IV that is not one block/, name);
    }
    const crossed = cipher(octets(new Uint8Array(blockOctets === 8 ? 16 : 8)));
    refuses({ cipher: crossed }, /IV that is not one block/);
    refuses({ cipher: sequence(objectIdentifier(oid)) }, /IV that is not one block/);
    refuses({ cipher: cipher(nullValue) }, /not an OCTET STRING/);
  }
});

test('RFC 5652 §6.3: content is one or more whole blocks of the cipher', () => {
  for (const name of ['AES-256', '3DES'] as const) {
    const { oid, blockOctets } = contentCiphers[name];
    const cipher = sequence(objectIdentifier(oid), octets(new Uint8Array(blockOctets)));
    for (const length of [0, 1, blockOctets - 1, blockOctets + 1, 3 * blockOctets + 5]) {
      const encryptedContent = implicit(new Uint8Array(length));
      refuses({ cipher, encryptedContent }, /content of broken blocks/, `${name} ${length}`);
    }
    const encryptedContent = implicit(new Uint8Array(blockOctets));
    assert.equal(read({ cipher, encryptedContent }).encryptedContent.length, blockOctets);
  }
});

test('RFC 5652 §6.1: a cipher outside the registry is undefined, whatever its parameters', () => {
  const rc2 = sequence(integer(58), octets(new Uint8Array(8)));
  for (const parameters of [[], [nullValue], [rc2], [octets(new Uint8Array(12))]]) {
    for (const dotted of ['1.2.840.113549.3.2', '2.16.840.1.101.3.4.1.6', '1.2.3']) {
      const cipher = sequence(objectIdentifier(dotted), ...parameters);
      const opened = read({ cipher, encryptedContent: implicit(new Uint8Array(5)) });
      assert.equal(opened.cipher, undefined);
      assert.equal(opened.iv.length, 0);
    }
  }
});

const transportOf = (algorithm: Bytes) =>
  read({ recipients: [recipient({ algorithm })] }).recipients[0]?.transport;
const withOaep = (...parameters: Bytes[]) =>
  transportOf(sequence(objectIdentifier(oids.rsaesOaep), ...parameters));

test('RFC 3370 §4.2.1: rsaEncryption has parameters NULL, or none as some clients write it', () => {
  const pkcs1 = { kind: 'RSAES-PKCS1-v1_5' };
  assert.deepEqual(transportOf(rsaEncryption), pkcs1);
  assert.deepEqual(transportOf(sequence(objectIdentifier(oids.rsaEncryption))), pkcs1);
  for (const odd of [sequence(), integer(0), octets(new Uint8Array(0))]) {
    assert.equal(transportOf(sequence(objectIdentifier(oids.rsaEncryption), odd)), undefined);
  }
});

test('RFC 5652 §6.2.1: a key transport outside the registry is undefined', () => {
  for (const dotted of ['1.2.840.113549.1.1.10', '1.2.840.10045.2.1', '1.2.3', oids.mgf1]) {
    assert.equal(transportOf(sequence(objectIdentifier(dotted), nullValue)), undefined);
  }
});

const digestId = (name: DigestName) => sequence(objectIdentifier(digests[name].oid), nullValue);
const hashOf = (name: DigestName) => explicit(0, digestId(name));
const maskOf = (name: DigestName) =>
  explicit(1, sequence(objectIdentifier(oids.mgf1), digestId(name)));
const labelOf = (...label: Bytes[]) =>
  explicit(2, sequence(objectIdentifier(oids.pSpecified), ...label));
const emptyLabel = labelOf(octets(new Uint8Array(0)));
const oaep = (digest: DigestName, mgf1: DigestName) => ({ kind: 'RSAES-OAEP', digest, mgf1 });

test('RFC 4055 §4.1: RSAES-OAEP parameters are read, SHA-1 where they are absent', () => {
  assert.deepEqual(withOaep(), oaep('SHA-1', 'SHA-1'));
  assert.deepEqual(withOaep(sequence()), oaep('SHA-1', 'SHA-1'));
  assert.deepEqual(withOaep(sequence(hashOf('SHA-1'))), oaep('SHA-1', 'SHA-1'));
  const explicit256 = sequence(hashOf('SHA-256'), maskOf('SHA-256'), emptyLabel);
  assert.deepEqual(withOaep(explicit256), oaep('SHA-256', 'SHA-256'));
  assert.deepEqual(withOaep(sequence(emptyLabel)), oaep('SHA-1', 'SHA-1'));
  const bare = explicit(0, sequence(objectIdentifier(digests['SHA-256'].oid)));
  assert.deepEqual(withOaep(sequence(bare, maskOf('SHA-256'))), oaep('SHA-256', 'SHA-256'));
});

test('RFC 4055 §4.1: an RSAES-OAEP mask of another digest is read as what it says', () => {
  assert.deepEqual(withOaep(sequence(hashOf('SHA-256'))), oaep('SHA-256', 'SHA-1'));
  assert.deepEqual(withOaep(sequence(maskOf('SHA-256'))), oaep('SHA-1', 'SHA-256'));
});

test('RFC 4055 §4.1: an RSAES-OAEP label that is not empty is not accepted', () => {
  assert.equal(withOaep(sequence(labelOf(octets(Uint8Array.of(1))))), undefined);
  assert.equal(withOaep(sequence(labelOf())), undefined);
  assert.equal(withOaep(sequence(labelOf(nullValue))), undefined);
  assert.equal(withOaep(sequence(explicit(2, digestId('SHA-1')))), undefined);
});

test('RFC 4055 §4.1: RSAES-OAEP with a digest or mask outside the registry is not accepted', () => {
  for (const name of ['MD5', 'SHA-224', 'SHA-384', 'SHA-512'] as const) {
    assert.equal(withOaep(sequence(hashOf(name))), undefined);
    assert.equal(withOaep(sequence(maskOf(name))), undefined);
    assert.equal(withOaep(sequence(hashOf(name), maskOf(name))), undefined);
  }
  const mask = explicit(1, sequence(objectIdentifier('1.2.3'), digestId('SHA-1')));
  assert.equal(withOaep(sequence(mask)), undefined);
});

test('RFC 4055 §4.1: RSAES-OAEP with something else for parameters is not accepted', () => {
  assert.equal(withOaep(nullValue), undefined);
  assert.equal(withOaep(octets(new Uint8Array(0))), undefined);
});

test('RFC 5652 §3: octets that are not a ContentInfo, or follow one, are refused', () => {
  for (const octetsOfMessage of [
    new Uint8Array(0),
    sequence(),
    nullValue,
    octets(blocks),
    concat([envelope(), Uint8Array.of(0)]),
    sequence(objectIdentifier(cmsOids.envelopedData)),
    sequence(objectIdentifier(cmsOids.envelopedData), explicit(0)),
    sequence(objectIdentifier(cmsOids.envelopedData), explicit(0, setOf())),
  ]) {
    assert.throws(() => readEnvelopedData(octetsOfMessage), malformed(/./));
  }
});
