// pkiMessages as devices send them, and as they should not: every part can be replaced. Built on
// the DER writer, not on the server's own encoders, wherever the shape is what a test is about.

import { constants, publicEncrypt } from 'node:crypto';
import { context, contextPrimitive, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  printableString,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, hex, latin1 } from '../../lib/base/bytes.ts';
import {
  type ContentCipherName,
  contentCiphers,
  type DigestName,
  digests,
  oids,
} from '../../lib/crypto/algorithms.ts';
import { cbcEncrypt, hash } from '../../lib/crypto/native.ts';
import {
  buildRequest,
  type CertRepResult,
  type ClientKey,
  type PkiRequest,
  readCertRep,
  selfSigned,
} from '../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../lib/protocol/scep/wire/registry.ts';
import { digestAlgorithm, rsaEncryption, signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import { type Certificate, publicKeyOf } from '../../lib/x509/certificate.ts';
import { parseGeneralName } from '../../lib/x509/names/general-name.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from './keys.ts';
import type { Lab } from './lab.ts';

export const random = (count: number): Bytes => crypto.getRandomValues(new Uint8Array(count));

export type EnrolOptions = {
  readonly challenge?: string;
  readonly subject?: string;
  readonly names?: readonly string[];
  readonly key?: ClientKey;
  /** The certificate that signs; default a self-signed one of the key. */
  readonly signer?: { readonly certificate: Certificate; readonly key: ClientKey };
  readonly messageType?: PkiRequest['messageType'] | `${number}`;
  readonly transactionID?: string;
  readonly senderNonce?: Bytes | 'absent';
  readonly digest?: DigestName;
  readonly cipher?: ContentCipherName;
  readonly transport?: 'pkcs1' | 'oaep-sha1' | 'oaep-sha256';
  /** Replaces the PKCS#10. */
  readonly plaintext?: Bytes;
  /** Replaces the issuer and serial number of the RA certificate in the envelope. */
  readonly rid?: Bytes;
  /** Replaces the pkcsPKIEnvelope; `absent` leaves eContent out. */
  readonly envelope?: Bytes | 'absent';
  /** Signed attributes by name: replaced, left out, repeated or added to. */
  readonly attributes?: (standard: Map<string, Bytes>) => Bytes[];
  readonly signatureAlgorithm?: Bytes;
  readonly shell?: Partial<Shell>;
};

/** How the shell around the signed parts is encoded. */
export type Shell = {
  readonly certificates: Bytes[];
  readonly signerInfos: (signerInfo: Bytes) => Bytes[];
  readonly sid: Bytes;
  /** What is sent for the signed attributes, of which this is the DER: a SET. */
  readonly signedAttrs: (set: Bytes) => Bytes;
  /** Indefinite lengths and eContent in segments of this many octets. */
  readonly ber: number | undefined;
};

export type Sent = {
  readonly message: Bytes;
  readonly request: PkiRequest;
  /** Reads the answer as a strict client does. */
  read(answer: Bytes): Promise<CertRepResult>;
};

/** What a message is made for: a lab, or a server somewhere else. */
export type Target = Pick<Lab, 'announced'> & { readonly clock: { now(): number } };

/** A PKCSReq for the lab's default CA, right in everything that the options do not bend. */
export async function enrolment(lab: Target, options: EnrolOptions = {}): Promise<Sent> {
  const key = options.key ?? (await deviceKey());
  const subject = parseName(options.subject ?? 'CN=device-1,O=Test');
  const names = (options.names ?? []).map(parseGeneralName);
  const signer = options.signer ?? {
    certificate: await selfSigned(key, subject, lab.clock.now(), random),
    key,
  };
  const plaintext =
    options.plaintext ?? (await buildRequest(key, { subject, names }, options.challenge));
  const digest = options.digest ?? 'SHA-256';
  const cipher = options.cipher ?? 'AES-128';
  const { ra } = lab.announced;
  const transactionID = options.transactionID ?? hex(hash('SHA-1', key.spki)).toUpperCase();
  const senderNonce =
    options.senderNonce === 'absent' ? new Uint8Array(0) : (options.senderNonce ?? random(16));
  const messageTypes = {
    RenewalReq: '17',
    PKCSReq: '19',
    CertPoll: '20',
    GetCert: '21',
    GetCRL: '22',
  };
  const asked = options.messageType ?? 'PKCSReq';
  const messageType =
    asked in messageTypes ? messageTypes[asked as keyof typeof messageTypes] : asked;
  const request: PkiRequest = {
    messageType: 'PKCSReq',
    transactionID,
    senderNonce,
    plaintext,
    ra,
    signer,
    digest,
    cipher,
  };
  const eContent =
    options.envelope === 'absent'
      ? undefined
      : (options.envelope ??
        seal(plaintext, ra, {
          cipher,
          transport: options.transport,
          ...(options.rid && { rid: options.rid }),
        }));
  const message = await signMessage(eContent, {
    ...options,
    signer,
    digest,
    fields: {
      transactionID,
      messageType,
      senderNonce: options.senderNonce === 'absent' ? undefined : senderNonce,
    },
  });
  return {
    message,
    request,
    read: (answer) => readCertRep(answer, request, options.challenge),
  };
}

export type SealOptions = {
  readonly cipher?: ContentCipherName | undefined;
  readonly transport?: EnrolOptions['transport'] | undefined;
  /** Replaces the issuer and serial number of the RA certificate. */
  readonly rid?: Bytes;
  /** Replaces the content-encryption key, the RSA ciphertext, the padded blocks. */
  readonly contentKey?: Bytes;
  readonly encryptedKey?: Bytes;
  readonly blocks?: (padded: Bytes) => Bytes;
  readonly encryptedContent?: (content: Bytes) => Bytes;
};

/** A pkcsPKIEnvelope for one recipient. */
export function seal(plaintext: Bytes, ra: Certificate, options: SealOptions = {}): Bytes {
  const { cipher = 'AES-128', transport = 'pkcs1' } = options;
  const { oid, keyOctets, blockOctets } = contentCiphers[cipher];
  const contentKey = options.contentKey ?? random(keyOctets);
  const iv = random(blockOctets);
  const count = blockOctets - (plaintext.length % blockOctets);
  const padded = concat([plaintext, new Uint8Array(count).fill(count)]);
  const encrypted = cbcEncrypt(
    cipher,
    contentKey.length === keyOctets ? contentKey : random(keyOctets),
    iv,
    options.blocks?.(padded) ?? padded,
  );
  const wrapped = options.encryptedKey ?? wrap(contentKey, ra, transport);
  return sequence(
    objectIdentifier('1.2.840.113549.1.7.3'),
    explicit(
      0,
      sequence(
        integer(0),
        setOf(
          sequence(
            integer(0),
            options.rid ?? sequence(ra.issuer, tlv(tag.integer, ra.serial)),
            transportAlgorithm(transport),
            octets(wrapped),
          ),
        ),
        sequence(
          objectIdentifier('1.2.840.113549.1.7.1'),
          sequence(objectIdentifier(oid), octets(iv)),
          tlv(contextPrimitive(0), options.encryptedContent?.(encrypted) ?? encrypted),
        ),
      ),
    ),
  );
}

/** RSA over an encoded message block as it is: the caller pads. */
export function rsaRaw(block: Bytes, ra: Certificate): Bytes {
  return encrypt(block, ra, { padding: constants.RSA_NO_PADDING });
}

function wrap(
  key: Bytes,
  ra: Certificate,
  transport: NonNullable<EnrolOptions['transport']>,
): Bytes {
  if (transport === 'pkcs1') return encrypt(key, ra, { padding: constants.RSA_PKCS1_PADDING });
  const oaepHash = transport === 'oaep-sha1' ? 'sha1' : 'sha256';
  return encrypt(key, ra, { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash });
}

function encrypt(data: Bytes, ra: Certificate, options: object): Bytes {
  const spki = publicKeyOf(ra)?.spki;
  if (!spki) throw new Error('no key in the RA certificate');
  const key = { key: Buffer.from(spki), format: 'der', type: 'spki', ...options } as const;
  return concat([publicEncrypt(key, data)]);
}

function transportAlgorithm(transport: NonNullable<EnrolOptions['transport']>): Bytes {
  if (transport === 'pkcs1') return rsaEncryption;
  if (transport === 'oaep-sha1') return sequence(objectIdentifier(oids.rsaesOaep), sequence());
  const sha256 = digestAlgorithm(digests['SHA-256']);
  return sequence(
    objectIdentifier(oids.rsaesOaep),
    sequence(explicit(0, sha256), explicit(1, sequence(objectIdentifier(oids.mgf1), sha256))),
  );
}

type SignOptions = Pick<EnrolOptions, 'attributes' | 'signatureAlgorithm' | 'shell'> & {
  readonly signer: { readonly certificate: Certificate; readonly key: ClientKey };
  readonly digest: DigestName;
  readonly fields: {
    readonly transactionID: string;
    readonly messageType: string;
    readonly senderNonce: Bytes | undefined;
  };
};

/** An Attribute with one value, DER. */
export const attribute = (type: string, value: Bytes): Bytes =>
  sequence(objectIdentifier(type), setOf(value));

/** A SignedData with one signer over this content. */
export async function signMessage(
  eContent: Bytes | undefined,
  options: SignOptions,
): Promise<Bytes> {
  const { signer, digest, fields, shell = {} } = options;
  const digestId = digestAlgorithm(digests[digest]);
  const data = objectIdentifier('1.2.840.113549.1.7.1');
  const standard = new Map<string, Bytes>([
    ['contentType', attribute('1.2.840.113549.1.9.3', data)],
    [
      'messageDigest',
      attribute('1.2.840.113549.1.9.4', octets(hash(digest, eContent ?? new Uint8Array(0)))),
    ],
    [
      'transactionID',
      attribute(
        attributeOids.transactionID,
        tlv(tag.printableString, latin1(fields.transactionID)),
      ),
    ],
    ['messageType', attribute(attributeOids.messageType, printableString(fields.messageType))],
  ]);
  if (fields.senderNonce) {
    standard.set('senderNonce', attribute(attributeOids.senderNonce, octets(fields.senderNonce)));
  }
  const signedAttrs = setOf(...(options.attributes?.(standard) ?? standard.values()));
  const { algorithm, signature } = await signWith(signer.key, digest, signedAttrs);
  const signerInfo = sequence(
    integer(1),
    shell.sid ?? sequence(signer.certificate.issuer, tlv(tag.integer, signer.certificate.serial)),
    digestId,
    shell.signedAttrs?.(signedAttrs) ??
      concat([Uint8Array.of(context(0)), signedAttrs.subarray(1)]),
    options.signatureAlgorithm ?? algorithm,
    octets(signature),
  );
  const certificates = shell.certificates ?? [signer.certificate.der];
  const signerInfos = shell.signerInfos?.(signerInfo) ?? [signerInfo];
  const wrapped = shell.ber
    ? segmented(eContent ?? new Uint8Array(0), shell.ber)
    : octets(eContent ?? new Uint8Array(0));
  const outer = shell.ber ? indefinite : tlv;
  return outer(
    tag.sequence,
    objectIdentifier('1.2.840.113549.1.7.2'),
    outer(
      context(0),
      outer(
        tag.sequence,
        integer(1),
        setOf(digestId),
        outer(tag.sequence, data, ...(eContent ? [outer(context(0), wrapped)] : [])),
        ...(certificates.length > 0 ? [tlv(context(0), ...certificates)] : []),
        tlv(tag.set, ...signerInfos),
      ),
    ),
  );
}

async function signWith(key: ClientKey, digest: DigestName, message: Bytes) {
  const { kind } = key.scheme;
  if (kind !== 'RSASSA-PKCS1-v1_5') {
    return { algorithm: signatureAlgorithm(key.scheme), signature: await key.sign(message) };
  }
  const { createPrivateKey, sign } = await import('node:crypto');
  const privateKey = createPrivateKey({
    key: Buffer.from(key.pkcs8),
    format: 'der',
    type: 'pkcs8',
  });
  const name = {
    MD5: 'md5',
    'SHA-1': 'sha1',
    'SHA-224': 'sha224',
    'SHA-256': 'sha256',
    'SHA-384': 'sha384',
    'SHA-512': 'sha512',
  }[digest];
  return { algorithm: rsaEncryption, signature: concat([sign(name, message, privateKey)]) };
}

/** BER: the header, indefinite length, the parts, end-of-contents. */
export function indefinite(identifier: number, ...parts: readonly Uint8Array[]): Bytes {
  return concat([Uint8Array.of(identifier, 0x80), ...parts, Uint8Array.of(0, 0)]);
}

/** BER: an OCTET STRING in segments, as streaming encoders write it. */
export function segmented(content: Bytes, size: number, identifier = 0x24): Bytes {
  const parts: Bytes[] = [];
  for (let at = 0; at < content.length; at += size) {
    parts.push(octets(content.subarray(at, at + size)));
  }
  return indefinite(identifier, ...parts);
}
