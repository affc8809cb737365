// PasswordRecipientInfo (RFC 5652 §6.2.4): the reply to a client whose key cannot encrypt, keyed by
// its challengePassword (RFC 8894 §3.1). PBKDF2 with HMAC-SHA-256, then the key wrap of RFC 3211
// under AES-256-CBC, which is what `openssl cms -decrypt -pwri_password` reads.

import {
  content,
  context,
  type Element,
  Fields,
  octetString,
  raw,
  scan,
  smallInteger,
  strictly,
  tag,
} from '../asn1/reader.ts';
import { integer, nullValue, objectIdentifier, octets, sequence, tlv } from '../asn1/writer.ts';
import { type Bytes, concat, equal, type Random } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_PASSWORD_ENVELOPE_ITERATIONS, PASSWORD_ENVELOPE_ITERATIONS } from '../base/limits.ts';
import { type ContentCipherName, contentCiphers, oids } from '../crypto/algorithms.ts';
import { cbcDecrypt, cbcEncrypt } from '../crypto/native.ts';
import { readAlgorithm } from '../x509/algorithm.ts';
import { encodeEnvelope, readEnvelopedData, unpadBlocks } from './enveloped-data.ts';

/** An EnvelopedData with one PasswordRecipientInfo, as ContentInfo in DER. */
export async function sealForPassword(
  plaintext: Uint8Array,
  cipherName: ContentCipherName,
  password: Bytes,
  random: Random,
): Promise<Bytes> {
  const contentKey = random(contentCiphers[cipherName].keyOctets);
  const salt = random(16);
  const iv = random(16);
  const iterations = PASSWORD_ENVELOPE_ITERATIONS;
  const keyEncryptionKey = await derive(password, salt, iterations, 32);
  const derivation = sequence(octets(salt), integer(iterations), integer(32), hmacSha256);
  const recipient = tlv(
    context(3),
    integer(0),
    tlv(context(0), pbkdf2Oid, derivation),
    sequence(pwriKekOid, sequence(aes256Oid, octets(iv))),
    octets(wrapRfc3211(keyEncryptionKey, iv, contentKey, random)),
  );
  return encodeEnvelope({ version: 3, recipient, cipherName, contentKey }, plaintext, random);
}

const pbkdf2Oid = objectIdentifier(oids.pbkdf2);
const pwriKekOid = objectIdentifier(oids.pwriKek);
const aes256Oid = objectIdentifier(contentCiphers['AES-256'].oid);
const hmacSha256 = sequence(objectIdentifier(oids.hmacWithSha256), nullValue);

async function derive(password: Bytes, salt: Bytes, iterations: number, octetCount: number) {
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
  const algorithm = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, octetCount * 8));
}

/** RFC 3211 §2.3.1: length, check octets, key and padding, encrypted twice in a chain. */
function wrapRfc3211(kek: Bytes, iv: Bytes, contentKey: Bytes, random: Random): Bytes {
  const check = contentKey.subarray(0, 3).map((octet) => ~octet);
  const block = concat([Uint8Array.of(contentKey.length), check, contentKey]);
  const length = Math.max(32, Math.ceil(block.length / 16) * 16);
  const padded = concat([block, random(length - block.length)]);
  const once = cbcEncrypt('AES-256', kek, iv, padded);
  return cbcEncrypt('AES-256', kek, once.subarray(-16), once);
}

/**
 * The content of a password-based envelope, for our own client. @throws {Malformed}
 */
export async function openPasswordEnvelope(message: Bytes, password: Bytes): Promise<Bytes> {
  const { cipher, iv, encryptedContent } = readEnvelopedData(message);
  const root = scan(message);
  const info = root.children[1]?.children[0]?.children[1]?.children[0];
  if (info?.tag !== context(3) || !cipher) throw new Malformed('no PasswordRecipientInfo');
  const fields = new Fields(
    strictly(info, 'PasswordRecipientInfo'),
    'PasswordRecipientInfo',
    context(3),
  );
  fields.next(tag.integer, 'version');
  const derivation = readAlgorithm(sequenceOf(fields.next(context(0), 'keyDerivationAlgorithm')));
  const encryption = readAlgorithm(fields.next(tag.sequence, 'keyEncryptionAlgorithm'));
  const encryptedKey = octetString(fields.next(tag.octetString, 'encryptedKey'));
  const [salt, iterations, ...rest] = derivation.parameters?.children ?? [];
  const wrap = encryption.parameters && readAlgorithm(encryption.parameters);
  const prf = rest.at(-1);
  const ours =
    derivation.oid === oids.pbkdf2 &&
    encryption.oid === oids.pwriKek &&
    wrap?.oid === contentCiphers['AES-256'].oid &&
    prf !== undefined &&
    equal(raw(prf), hmacSha256);
  if (!ours || !salt || !iterations || !wrap.parameters) {
    throw new Malformed('not PBKDF2 with HMAC-SHA-256 and RFC 3211 with AES-256');
  }
  if (smallInteger(iterations) > MAX_PASSWORD_ENVELOPE_ITERATIONS) {
    throw new Malformed('more PBKDF2 iterations than anybody needs');
  }
  const wrapIv = wrap.parameters;
  const kek = await derive(password, content(salt), smallInteger(iterations), 32);
  const contentKey = unwrapRfc3211(kek, content(wrapIv), encryptedKey);
  if (contentKey.length !== cipher.keyOctets) throw new Malformed('a key of another length');
  return unpadBlocks(cbcDecrypt(cipher.name, contentKey, iv, encryptedContent), cipher.blockOctets);
}

/** Reads an AlgorithmIdentifier under an IMPLICIT tag. */
const sequenceOf = (element: Element): Element => ({ ...element, tag: tag.sequence });

function unwrapRfc3211(kek: Bytes, iv: Bytes, wrapped: Bytes): Bytes {
  if (iv.length !== 16 || wrapped.length < 32 || wrapped.length % 16 !== 0) {
    throw new Malformed('a wrapped key of broken blocks');
  }
  const lastIv = cbcDecrypt('AES-256', kek, wrapped.subarray(-32, -16), wrapped.subarray(-16));
  const once = cbcDecrypt('AES-256', kek, lastIv, wrapped);
  const block = cbcDecrypt('AES-256', kek, iv, once);
  const length = block[0] ?? 0;
  const contentKey = block.slice(4, 4 + length);
  const checked = [0, 1, 2].every((i) => ((block[1 + i] ?? 0) ^ (contentKey[i] ?? 0)) === 0xff);
  if (!checked || contentKey.length !== length) throw new Malformed('the password does not fit');
  return contentKey;
}
