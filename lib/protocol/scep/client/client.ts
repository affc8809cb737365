// The other side of SCEP: what a client builds and reads, without the I/O. The CLI enrols with it
// and tests bend it; it asks of a server no less than the strictest clients we know.

import { extensionOids } from '../../../asn1/oids.ts';
import { content, scan, tag } from '../../../asn1/reader.ts';
import { sequence } from '../../../asn1/writer.ts';
import { type Bytes, equal, fromLatin1, fromUtf8, type Random, utf8 } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { readCertsOnly } from '../../../cms/certs-only.ts';
import {
  openEnvelope,
  readEnvelopedData,
  sealForCertificate,
} from '../../../cms/enveloped-data.ts';
import { openPasswordEnvelope } from '../../../cms/password-envelope.ts';
import {
  type CmsSigner,
  encodeSignedData,
  readSignedData,
  singleAttribute,
  verifySignedData,
} from '../../../cms/signed-data.ts';
import {
  type ContentCipherName,
  type CurveName,
  curves,
  type DigestName,
  digests,
} from '../../../crypto/algorithms.ts';
import { rsaPrivateKey } from '../../../crypto/native.ts';
import type { SignatureScheme } from '../../../x509/algorithm.ts';
import {
  type Certificate,
  encodeTbsCertificate,
  publicKeyOf,
  readCertificate,
  signed,
  validity,
} from '../../../x509/certificate.ts';
import { encodeRequestInfo, type RequestedNames } from '../../../x509/csr.ts';
import { keyUsage } from '../../../x509/extensions.ts';
import { derEcdsa } from '../../../x509/public-key.ts';
import { requestAttributes } from '../wire/encode.ts';
import { type FailInfo, failInfo } from '../wire/fail-info.ts';
import { attributeOids, type MessageType, messageTypes, pkiStatus } from '../wire/registry.ts';

export type ClientKeySpec =
  | { readonly type: 'RSA'; readonly bits: number }
  | { readonly type: 'EC'; readonly curve: CurveName };

/** A device's key pair, in memory. */
export type ClientKey = {
  readonly spki: Bytes;
  readonly pkcs8: Bytes;
  readonly scheme: SignatureScheme;
  sign(message: Bytes): Promise<Bytes>;
};

const algorithmOf = (spec: ClientKeySpec) =>
  spec.type === 'RSA'
    ? {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: spec.bits,
        publicExponent: Uint8Array.of(1, 0, 1),
      }
    : { name: 'ECDSA', namedCurve: spec.curve };

export async function generateKey(spec: ClientKeySpec): Promise<ClientKey> {
  const pair = await crypto.subtle.generateKey(algorithmOf(spec), true, ['sign', 'verify']);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  return clientKey(spec, spki, pkcs8, pair.privateKey);
}

/** A PKCS#8 private key, DER, that was made before. @returns undefined for other kinds of key */
export async function importKey(pkcs8: Bytes): Promise<ClientKey | undefined> {
  const specs: ClientKeySpec[] = [
    { type: 'RSA', bits: 2048 },
    ...Object.values(curves).map(({ name }) => ({ type: 'EC', curve: name }) as const),
  ];
  for (const spec of specs) {
    try {
      const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithmOf(spec), true, ['sign']);
      const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', key);
      const jwk = Object.fromEntries(
        Object.entries({ kty, n, e, crv, x, y }).filter(([, value]) => value !== undefined),
      );
      const publicKey = await crypto.subtle.importKey('jwk', jwk, algorithmOf(spec), true, [
        'verify',
      ]);
      const spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));
      return clientKey(spec, spki, pkcs8, key);
    } catch {
      // not a key of this kind; the next one is tried
    }
  }
  return undefined;
}

function clientKey(
  spec: ClientKeySpec,
  spki: Bytes,
  pkcs8: Bytes,
  privateKey: CryptoKey,
): ClientKey {
  const digest = digests['SHA-256'];
  const scheme: SignatureScheme =
    spec.type === 'RSA' ? { kind: 'RSASSA-PKCS1-v1_5', digest } : { kind: 'ECDSA', digest };
  return {
    spki,
    pkcs8,
    scheme,
    sign: async (message) => {
      const parameters = { name: scheme.kind, hash: digest.name };
      const signature = new Uint8Array(await crypto.subtle.sign(parameters, privateKey, message));
      return spec.type === 'RSA' ? signature : derEcdsa(signature);
    },
  };
}

/** What GetCACert gave. */
export type CaCertResponse = {
  /** The certificate that requests are encrypted to, and that signs replies. */
  readonly ra: Certificate;
  /** The issuing CA, and after it its issuers, as far as they were sent. */
  readonly chain: readonly Certificate[];
};

/** @throws {Malformed} */
export function readCaCertificates(body: Bytes): CaCertResponse {
  const root = scan(body);
  const single = root.children[0]?.tag === tag.sequence;
  const all = (single ? [body] : readCertsOnly(body).certificates).map(readCertificate);
  const chain = all.filter(isCa);
  const ra = all.find((certificate) => !isCa(certificate) && usable(certificate)) ?? chain[0];
  if (!ra) throw new Malformed('no certificate to encrypt to');
  return { ra, chain };
}

const isCa = ({ extensions }: Certificate): boolean => {
  const constraints = extensions.get(extensionOids.basicConstraints);
  return constraints !== undefined && scan(constraints.value).children[0]?.tag === tag.boolean;
};

/** keyUsage with digitalSignature and keyEncipherment, or none at all. */
const usable = ({ extensions }: Certificate): boolean => {
  const usage = extensions.get(extensionOids.keyUsage);
  return usage === undefined || ((content(scan(usage.value))[1] ?? 0) & 0xa0) === 0xa0;
};

export type Algorithms = { readonly digest: DigestName; readonly cipher: ContentCipherName };

/** The best of what GetCACaps lists (RFC 8894 §3.5.2); its minimum where it lists nothing. */
export function chooseAlgorithms(capabilities: readonly string[]): Algorithms {
  const has = (keyword: string) => capabilities.includes(keyword.toUpperCase());
  const standard = has('SCEPStandard');
  return {
    digest: has('SHA-256') || standard ? 'SHA-256' : has('SHA-512') ? 'SHA-512' : 'SHA-1',
    cipher: has('AES') || standard ? 'AES-128' : '3DES',
  };
}

/** GetCACaps, upper case: clients ignore case (RFC 8894 §3.5.2). */
export const readCapabilities = (body: string): string[] =>
  body.split(/[\r\n]+/).map((line) => line.trim().toUpperCase());

/** A PKCS#10, DER. */
export async function buildRequest(
  key: ClientKey,
  names: RequestedNames,
  challengePassword: string | undefined,
): Promise<Bytes> {
  const info = encodeRequestInfo(names, key.spki, challengePassword);
  return signed(info, key.scheme, await key.sign(info));
}

/** RFC 8894 §2.3: a self-signed certificate with the request's subject and key, for one day. */
export async function selfSigned(
  key: ClientKey,
  subject: Bytes,
  now: number,
  random: Random,
): Promise<Certificate> {
  const serial = random(16);
  serial[0] = 0x40;
  const tbs = encodeTbsCertificate({
    serial,
    scheme: key.scheme,
    issuer: subject,
    subject,
    spki: key.spki,
    ...validity(now - 86_400_000, now + 86_400_000),
    extensions: [keyUsage(['digitalSignature', 'keyEncipherment'])],
  });
  return readCertificate(signed(tbs, key.scheme, await key.sign(tbs)));
}

/** What a CertPoll carries (RFC 8894 §3.3.3). Names, DER. */
export const issuerAndSubject = ({ ra, chain }: CaCertResponse, subject: Bytes): Bytes =>
  sequence(chain.includes(ra) ? ra.subject : ra.issuer, subject);

export type PkiRequest = Algorithms & {
  readonly messageType: Exclude<MessageType, 'CertRep'>;
  readonly transactionID: string;
  /** 16 octets. */
  readonly senderNonce: Bytes;
  /** A PKCS#10, IssuerAndSubject or IssuerAndSerialNumber, DER. */
  readonly plaintext: Bytes;
  readonly ra: Certificate;
  readonly signer: { readonly certificate: Certificate; readonly key: ClientKey };
};

/** A request's pkiMessage, DER. */
export async function buildPkiMessage(
  { messageType, transactionID, senderNonce, plaintext, ra, signer, ...algorithms }: PkiRequest,
  random: Random,
): Promise<Bytes> {
  const recipient = publicKeyOf(ra);
  if (recipient?.kind.type !== 'RSA') throw new Malformed('the RA certificate has no RSA key');
  const to = { certificate: ra, key: recipient };
  const envelope = sealForCertificate(plaintext, algorithms.cipher, to, random);
  const attributes = requestAttributes(messageType, transactionID, senderNonce);
  return encodeSignedData(
    envelope,
    attributes,
    await signerOf(signer, algorithms.digest),
    undefined,
  );
}

/** The key as a CMS signer with the message's digest. */
async function signerOf(
  { certificate, key }: PkiRequest['signer'],
  digest: DigestName,
): Promise<CmsSigner> {
  const { kind } = key.scheme;
  const scheme = { ...key.scheme, digest: digests[digest] } as SignatureScheme;
  if (kind !== 'RSASSA-PKCS1-v1_5') {
    return { certificate, digest: key.scheme.digest.name, scheme: key.scheme, sign: key.sign };
  }
  const algorithm = { name: kind, hash: digest };
  const rsa = await crypto.subtle.importKey('pkcs8', key.pkcs8, algorithm, false, ['sign']);
  const sign = async (message: Bytes) =>
    new Uint8Array(await crypto.subtle.sign(kind, rsa, message));
  return { certificate, digest, scheme, sign };
}

export type CertRepResult =
  | {
      readonly pkiStatus: 'SUCCESS';
      readonly certificates: readonly Bytes[];
      readonly crls: readonly Bytes[];
    }
  | { readonly pkiStatus: 'PENDING' }
  | {
      readonly pkiStatus: 'FAILURE';
      readonly failInfo: FailInfo;
      readonly text: string | undefined;
    };

/**
 * A CertRep, checked as RFC 8894 asks of a client: signed by the RA, for this transaction, with our
 * nonce in it. @throws {Malformed} when it is not
 */
export async function readCertRep(
  message: Bytes,
  { ra, transactionID, senderNonce, signer }: PkiRequest,
  password: string | undefined,
): Promise<CertRepResult> {
  const signedData = readSignedData(message);
  const { certificate, key, scheme, attributes, eContent } = signedData;
  if (!equal(certificate.der, ra.der)) throw new Malformed('the reply is not signed by the RA');
  if (!key || !scheme || (await verifySignedData(signedData, key, scheme)) !== 'good') {
    throw new Malformed('the signature of the reply does not verify');
  }
  const text = (type: string) => {
    const value = singleAttribute(attributes, type, tag.printableString);
    return value && fromLatin1(value);
  };
  const nonce = (type: string) => singleAttribute(attributes, type, tag.octetString);
  if (text(attributeOids.messageType) !== messageTypes.CertRep)
    throw new Malformed('not a CertRep');
  if (text(attributeOids.transactionID) !== transactionID) {
    throw new Malformed('the reply is for another transaction');
  }
  const echoed = nonce(attributeOids.recipientNonce);
  if (!echoed || !equal(echoed, senderNonce)) throw new Malformed('the reply has another nonce');
  if (nonce(attributeOids.senderNonce)?.length !== 16) throw new Malformed('no senderNonce');
  switch (text(attributeOids.pkiStatus)) {
    case pkiStatus.SUCCESS: {
      const plaintext = await openReply(eContent ?? new Uint8Array(0), signer.key, password);
      return { pkiStatus: 'SUCCESS', ...readCertsOnly(plaintext) };
    }
    case pkiStatus.PENDING:
      return { pkiStatus: 'PENDING' };
    case pkiStatus.FAILURE: {
      const code = text(attributeOids.failInfo);
      const info = (Object.keys(failInfo) as FailInfo[]).find((name) => failInfo[name] === code);
      if (!info) throw new Malformed('a failInfo that does not exist');
      const said = singleAttribute(attributes, attributeOids.failInfoText, tag.utf8String);
      return { pkiStatus: 'FAILURE', failInfo: info, text: said && fromUtf8(said) };
    }
    default:
      throw new Malformed('a pkiStatus that does not exist');
  }
}

async function openReply(
  envelope: Bytes,
  key: ClientKey,
  password: string | undefined,
): Promise<Bytes> {
  if (key.scheme.kind !== 'RSASSA-PKCS1-v1_5') {
    return openPasswordEnvelope(envelope, utf8(password ?? ''));
  }
  const opened = readEnvelopedData(envelope);
  const [recipient] = opened.recipients;
  const { cipher } = opened;
  if (!recipient?.transport || !cipher) throw new Malformed('the reply cannot be opened');
  const { transport, encryptedKey } = recipient;
  const fallback = new Uint8Array(cipher.keyOctets);
  const decryptionKey = rsaPrivateKey(key.pkcs8);
  const sealed = { envelope: opened, cipher, transport, encryptedKey, decryptionKey };
  return openEnvelope(sealed, fallback);
}
