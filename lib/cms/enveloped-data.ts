// EnvelopedData (RFC 5652 §6): reads the pkcsPKIEnvelope of a request and opens it with an RA key; builds
// the one of a reply to an RSA key. `password-envelope.ts` builds replies for other keys.
//
// Recipients, algorithms and lengths are in clear and are judged before anything is decrypted. After
// that, opening never fails: a wrong key, padding or length gives octets that do not parse as a request,
// and the caller cannot tell which of these it was.

import { contentTypes } from '../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  octetString,
  oid,
  scan,
  smallInteger,
  tag,
} from '../asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../asn1/writer.ts';
import { type Bytes, concat, type Random } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_RECIPIENT_INFOS } from '../base/limits.ts';
import {
  type ContentCipher,
  type ContentCipherName,
  contentCipherOf,
  contentCiphers,
  digests,
  oids,
} from '../crypto/algorithms.ts';
import { type KeyTransport, type OaepDigest, unwrapKey } from '../crypto/key-transport.ts';
import { cbcDecrypt, cbcEncrypt, type RsaPrivateKey, rsaesPkcs1Encrypt } from '../crypto/native.ts';
import {
  only,
  readAlgorithm,
  readDigestAlgorithm,
  readMgf1,
  rsaEncryption,
} from '../x509/algorithm.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { PublicKey } from '../x509/public-key.ts';
import { matcher } from './signed-data.ts';

/** A KeyTransRecipientInfo (§6.2.1). */
export type Recipient = {
  readonly names: (certificate: Certificate) => boolean;
  /** Undefined for an algorithm that is not RSAES-PKCS1-v1_5 or RSAES-OAEP. */
  readonly transport: KeyTransport | undefined;
  readonly encryptedKey: Bytes;
};

export type EnvelopedData = {
  /** Key-transport recipients only: RA keys are RSA keys, so no other kind can be for them. */
  readonly recipients: readonly Recipient[];
  /** Undefined for an algorithm that is not in the registry. */
  readonly cipher: ContentCipher | undefined;
  readonly iv: Bytes;
  readonly encryptedContent: Bytes;
};

/** @throws {Malformed} when it is not an EnvelopedData whose lengths fit its algorithms */
export function readEnvelopedData(message: Bytes): EnvelopedData {
  const outer = new Fields(scan(message), 'ContentInfo');
  if (oid(outer.next(tag.oid, 'contentType')) !== contentTypes.envelopedData) {
    throw new Malformed('not an EnvelopedData');
  }
  const fields = new Fields(only(outer.next(context(0), 'content')), 'EnvelopedData');
  outer.end();
  smallInteger(fields.next(tag.integer, 'version'));
  fields.optional(context(0));
  const infos = fields.next(tag.set, 'recipientInfos').children;
  const encrypted = new Fields(
    fields.next(tag.sequence, 'encryptedContentInfo'),
    'encryptedContentInfo',
  );
  fields.optional(context(1));
  fields.end();
  if (infos.length > MAX_RECIPIENT_INFOS) throw new Malformed('too many recipientInfos');
  if (oid(encrypted.next(tag.oid, 'contentType')) !== contentTypes.data) {
    throw new Malformed('the encrypted content is not id-data');
  }
  const algorithm = readAlgorithm(encrypted.next(tag.sequence, 'contentEncryptionAlgorithm'));
  const encryptedContent = octetString(encrypted.any('encryptedContent'), contextPrimitive(0));
  encrypted.end();
  const cipher = contentCipherOf(algorithm.oid);
  const iv = cipher && algorithm.parameters ? octetString(algorithm.parameters) : new Uint8Array(0);
  if (cipher) {
    const blocks = encryptedContent.length / cipher.blockOctets;
    if (iv.length !== cipher.blockOctets) throw new Malformed('an IV that is not one block');
    if (blocks < 1 || !Number.isInteger(blocks)) throw new Malformed('content of broken blocks');
  }
  return {
    recipients: infos.filter((info) => info.tag === tag.sequence).map(readRecipient),
    cipher,
    iv,
    encryptedContent,
  };
}

function readRecipient(element: Element): Recipient {
  const fields = new Fields(element, 'KeyTransRecipientInfo');
  smallInteger(fields.next(tag.integer, 'version'));
  const names = matcher(fields.any('rid'));
  const transport = readKeyTransport(fields.next(tag.sequence, 'keyEncryptionAlgorithm'));
  const encryptedKey = octetString(fields.next(tag.octetString, 'encryptedKey'));
  fields.end();
  return { names, transport, encryptedKey };
}

function readKeyTransport(element: Element): KeyTransport | undefined {
  const { oid: algorithm, parameters } = readAlgorithm(element);
  if (algorithm === oids.rsaEncryption) {
    return !parameters || parameters.tag === tag.null ? { kind: 'RSAES-PKCS1-v1_5' } : undefined;
  }
  return algorithm === oids.rsaesOaep ? readOaepParameters(parameters) : undefined;
}

/** RSAES-OAEP-params (RFC 4055 §4.1); absent parameters mean the defaults. */
function readOaepParameters(element: Element | undefined): KeyTransport | undefined {
  if (element && element.tag !== tag.sequence) return undefined;
  const fields = element && new Fields(element, 'RSAES-OAEP-params');
  const [hash, mask, source] = [0, 1, 2].map((n) => fields?.optional(context(n)));
  fields?.end();
  const digest = hash ? readDigestAlgorithm(only(hash)) : digests['SHA-1'];
  const mgf1 = mask ? readMgf1(only(mask)) : digests['SHA-1'];
  if (source) {
    const { oid: function_, parameters } = readAlgorithm(only(source));
    const empty = parameters?.tag === tag.octetString && content(parameters).length === 0;
    if (function_ !== oids.pSpecified || !empty) return undefined;
  }
  return isOaepDigest(digest?.name) && isOaepDigest(mgf1?.name)
    ? { kind: 'RSAES-OAEP', digest: digest.name, mgf1: mgf1.name }
    : undefined;
}

const isOaepDigest = (name: string | undefined): name is OaepDigest =>
  name === 'SHA-1' || name === 'SHA-256';

/** An envelope whose algorithms are known, with the key of its one recipient that is ours. */
export type SealedContent = {
  readonly envelope: EnvelopedData;
  readonly cipher: ContentCipher;
  readonly transport: KeyTransport;
  readonly encryptedKey: Bytes;
  readonly decryptionKey: RsaPrivateKey;
};

/**
 * The plaintext; where any part of the envelope is wrong, octets that do not parse as a request.
 * @param fallback fresh random octets, as many as the cipher's key has
 */
export function openEnvelope(
  { envelope, cipher, transport, encryptedKey, decryptionKey }: SealedContent,
  fallback: Bytes,
): Bytes {
  const { iv, encryptedContent } = envelope;
  const contentKey = unwrapKey(transport, decryptionKey, encryptedKey, fallback);
  return unpadBlocks(cbcDecrypt(cipher.name, contentKey, iv, encryptedContent), cipher.blockOctets);
}

/**
 * RFC 5652 §6.3 padding taken off; left on where it is wrong, so that trailing octets make the
 * content unreadable. The last block is read whole, whatever it holds.
 */
export function unpadBlocks(blocks: Bytes, blockOctets: number): Bytes {
  const last = blocks[blocks.length - 1] ?? 0;
  let wrong = last === 0 || last > blockOctets ? 1 : 0;
  for (let i = 1; i <= blockOctets; i++) {
    const inPadding = i <= last ? 0xff : 0;
    wrong |= inPadding & ((blocks[blocks.length - i] ?? 0) ^ last);
  }
  return blocks.subarray(0, blocks.length - (wrong === 0 ? last : 0));
}

function padBlocks(octetsToPad: Uint8Array, blockOctets: number): Bytes {
  const count = blockOctets - (octetsToPad.length % blockOctets);
  return concat([octetsToPad, new Uint8Array(count).fill(count)]);
}

type EnvelopeRecipient = {
  readonly certificate: Certificate;
  readonly key: Pick<PublicKey, 'native'>;
};

/** An EnvelopedData with one KeyTransRecipientInfo, RSAES-PKCS1-v1_5, as ContentInfo in DER. */
export function sealForCertificate(
  plaintext: Uint8Array,
  cipherName: ContentCipherName,
  { certificate: { issuer, serial }, key }: EnvelopeRecipient,
  random: Random,
): Bytes {
  const contentKey = random(contentCiphers[cipherName].keyOctets);
  const recipient = sequence(
    integer(0),
    sequence(issuer, tlv(tag.integer, serial)),
    rsaEncryption,
    octets(rsaesPkcs1Encrypt(key.native(), contentKey)),
  );
  return encodeEnvelope({ version: 0, recipient, cipherName, contentKey }, plaintext, random);
}

type EnvelopeParts = {
  readonly version: number;
  /** RecipientInfo, DER. */
  readonly recipient: Bytes;
  readonly cipherName: ContentCipherName;
  readonly contentKey: Bytes;
};

/** The EnvelopedData around one RecipientInfo, content encrypted, as ContentInfo in DER. */
export function encodeEnvelope(
  { version, recipient, cipherName, contentKey }: EnvelopeParts,
  plaintext: Uint8Array,
  random: Random,
): Bytes {
  const { blockOctets } = contentCiphers[cipherName];
  const iv = random(blockOctets);
  const encrypted = cbcEncrypt(cipherName, contentKey, iv, padBlocks(plaintext, blockOctets));
  const encryptedContentInfo = sequence(
    dataOid,
    sequence(cipherOids[cipherName], octets(iv)),
    tlv(contextPrimitive(0), encrypted),
  );
  return sequence(
    envelopedDataOid,
    explicit(0, sequence(integer(version), setOf(recipient), encryptedContentInfo)),
  );
}

const dataOid = objectIdentifier(contentTypes.data);
const envelopedDataOid = objectIdentifier(contentTypes.envelopedData);
const cipherOids = Object.fromEntries(
  Object.values(contentCiphers).map((cipher) => [cipher.name, objectIdentifier(cipher.oid)]),
) as Record<ContentCipherName, Bytes>;
