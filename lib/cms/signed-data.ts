// SignedData (RFC 5652 §5) as SCEP uses it: exactly one SignerInfo, signed attributes, and the
// signer's certificate inside. The shell may be BER; what is signed must be DER, and is verified
// over the octets that were received.
//
// Reading and judging are two steps, because in between somebody becomes known who can be answered:
// `readSignedData` throws `Malformed` for what has no readable signer; everything a signer can be
// told about is judged by `verifySignedData` and by the SCEP layer.

import { type Digest, type DigestName, digests } from '../algorithms.ts';
import { type Bytes, concat, equal } from '../bytes.ts';
import { Malformed } from '../errors.ts';
import { MAX_MESSAGE_CERTIFICATES } from '../limits.ts';
import {
  digestAlgorithm,
  only,
  readDigestAlgorithm,
  readSignatureAlgorithm,
  rsaEncryption,
  type SignatureScheme,
  signatureAlgorithm,
} from '../x509/algorithm.ts';
import {
  type Certificate,
  certificateOf,
  publicKeyOf,
  subjectKeyIdentifierOf,
} from '../x509/certificate.ts';
import { fits, type PublicKey, verifySignature } from '../x509/public-key.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  octetString,
  oid,
  raw,
  scan,
  smallInteger,
  strictly,
  tag,
} from './der.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  timeOf,
  tlv,
} from './der-writer.ts';
import { hash } from './native.ts';

export const contentTypes = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
} as const;

const attributeOids = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
} as const;

/** Signed attributes by type: every value element of every attribute that has the type. */
export type SignedAttributes = ReadonlyMap<string, readonly (readonly Element[])[]>;

export type SignedData = {
  readonly contentType: string;
  /** Segments joined; undefined when eContent is absent. */
  readonly eContent: Bytes | undefined;
  /** The one certificate of the bag that the SignerInfo names. */
  readonly certificate: Certificate;
  /** Undefined when the certificate's key is of a type or size that is not accepted anywhere. */
  readonly key: PublicKey | undefined;
  /** Undefined for algorithms that are not in the registry. */
  readonly digest: Digest | undefined;
  /** Undefined also where it does not go with the digest or with the key. */
  readonly scheme: SignatureScheme | undefined;
  readonly attributes: SignedAttributes;
  /** The attributes as they are signed: the received octets under the tag of SET (§5.4). */
  readonly signedAttrs: Bytes;
  readonly signature: Bytes;
};

/** @throws {Malformed} when it is not a SignedData with one readable signer */
export function readSignedData(message: Bytes): SignedData {
  const fields = new Fields(openContentInfo(message), 'SignedData');
  smallInteger(fields.next(tag.integer, 'version'));
  fields.next(tag.set, 'digestAlgorithms');
  const encapsulated = new Fields(
    fields.next(tag.sequence, 'encapContentInfo'),
    'encapContentInfo',
  );
  const contentType = oid(encapsulated.next(tag.oid, 'eContentType'));
  const eContent = encapsulated.optional(context(0));
  encapsulated.end();
  const certificates = fields.optional(context(0));
  fields.optional(context(1));
  const signerInfos = fields.next(tag.set, 'signerInfos');
  fields.end();
  const [signerInfo] = signerInfos.children;
  if (!signerInfo || signerInfos.children.length !== 1) {
    throw new Malformed('not exactly one SignerInfo');
  }
  return {
    contentType,
    eContent: eContent && octetString(only(eContent)),
    ...readSignerInfo(signerInfo, certificates?.children ?? []),
  };
}

/** The SignedData inside a ContentInfo (§3). */
export function openContentInfo(message: Bytes): Element {
  const fields = new Fields(scan(message), 'ContentInfo');
  if (oid(fields.next(tag.oid, 'contentType')) !== contentTypes.signedData) {
    throw new Malformed('not a SignedData');
  }
  const signedData = only(fields.next(context(0), 'content'));
  fields.end();
  return signedData;
}

function readSignerInfo(element: Element, bag: readonly Element[]) {
  const fields = new Fields(element, 'SignerInfo');
  smallInteger(fields.next(tag.integer, 'version'));
  const sid = fields.any('sid');
  const digest = readDigestAlgorithm(fields.next(tag.sequence, 'digestAlgorithm'));
  const signedAttrs = strictly(fields.next(context(0), 'signedAttrs'), 'signedAttrs');
  const algorithm = fields.next(tag.sequence, 'signatureAlgorithm');
  const signature = octetString(fields.next(tag.octetString, 'signature'));
  fields.optional(context(1));
  fields.end();
  const certificate = signerCertificate(sid, bag);
  const key = publicKeyOf(certificate);
  const scheme = digest && readSignatureAlgorithm(algorithm, digest);
  const attributes = raw(signedAttrs).slice();
  attributes[0] = tag.set;
  return {
    certificate,
    key,
    digest,
    scheme: scheme && key && fits(key.kind, scheme) ? scheme : undefined,
    attributes: readAttributes(signedAttrs),
    signedAttrs: attributes,
    signature,
  };
}

/** §5.3 sid. Two certificates that both fit would leave open which one speaks: refused. */
function signerCertificate(sid: Element, bag: readonly Element[]): Certificate {
  if (bag.length > MAX_MESSAGE_CERTIFICATES) throw new Malformed('too many certificates');
  const matches = bag.flatMap(readable).filter(matcher(sid));
  const [certificate] = matches;
  if (!certificate || matches.length !== 1) {
    throw new Malformed('the certificates do not hold exactly one of the signer');
  }
  return certificate;
}

/** What else is in the bag is not signed and not looked at; it need not even be certificates. */
function readable(element: Element): Certificate[] {
  try {
    return [certificateOf(element)];
  } catch {
    return [];
  }
}

/** Whether a certificate is the one that an issuerAndSerialNumber or a key identifier names. */
export function matcher(identifier: Element): (certificate: Certificate) => boolean {
  if (identifier.tag === contextPrimitive(0)) {
    const wanted = content(identifier);
    return (certificate) => {
      try {
        const found = subjectKeyIdentifierOf(certificate);
        return found !== undefined && equal(found, wanted);
      } catch {
        return false; // whatever its extension holds, it is not the identifier that was named
      }
    };
  }
  const fields = new Fields(identifier, 'issuerAndSerialNumber');
  const issuer = raw(fields.next(tag.sequence, 'issuer'));
  const serial = content(fields.next(tag.integer, 'serialNumber'));
  fields.end();
  return (certificate) => equal(certificate.serial, serial) && equal(certificate.issuer, issuer);
}

function readAttributes(signedAttrs: Element): SignedAttributes {
  const attributes = new Map<string, (readonly Element[])[]>();
  for (const element of signedAttrs.children) {
    const fields = new Fields(element, 'Attribute');
    const type = oid(fields.next(tag.oid, 'attrType'));
    const values = fields.next(tag.set, 'attrValues').children;
    fields.end();
    attributes.set(type, [...(attributes.get(type) ?? []), values]);
  }
  return attributes;
}

/** The one value of an attribute that stands once with one value of this type. */
export function singleAttribute(
  attributes: SignedAttributes,
  type: string,
  expected: number,
): Bytes | undefined {
  const [values, ...more] = attributes.get(type) ?? [];
  const [value] = values ?? [];
  if (more.length > 0 || values?.length !== 1 || value?.tag !== expected) return undefined;
  return content(value);
}

export type Verdict = 'good' | 'attributesWrong' | 'digestWrong' | 'signatureWrong';

/**
 * §5.4 to §5.6 over the received octets: content-type (id-data, as eContentType says) and
 * messageDigest exactly once, the digest of the content, then the signature. The caller has decided
 * before that it accepts key, digest and scheme.
 */
export async function verifySignedData(
  { contentType, eContent, attributes, signedAttrs, signature }: SignedData,
  key: PublicKey,
  scheme: SignatureScheme,
): Promise<Verdict> {
  const type = singleAttribute(attributes, attributeOids.contentType, tag.oid);
  const digest = singleAttribute(attributes, attributeOids.messageDigest, tag.octetString);
  if (!type || !digest || contentType !== contentTypes.data) return 'attributesWrong';
  if (!equal(type, dataOidContent)) return 'attributesWrong';
  if (!equal(hash(scheme.digest.name, eContent ?? new Uint8Array(0)), digest)) return 'digestWrong';
  return (await verifySignature(key, scheme, signedAttrs, signature)) ? 'good' : 'signatureWrong';
}

const dataOid = objectIdentifier(contentTypes.data);
const dataOidContent = dataOid.subarray(2);
const signedDataOid = objectIdentifier(contentTypes.signedData);

/** An Attribute with one value, DER. */
export const attribute = (type: Bytes, value: Bytes): Bytes => sequence(type, setOf(value));

export type Signer = {
  readonly certificate: Certificate;
  readonly digest: DigestName;
  readonly scheme: SignatureScheme;
  sign(message: Bytes): Promise<Bytes>;
};

/**
 * A SignedData with one signer, as ContentInfo in DER. eContent is always present, if need be with
 * no octets (certmonger takes nothing else), and signatureAlgorithm is bare `rsaEncryption` with
 * RSA keys (strongSwan and Cisco take nothing else).
 * @param attributes further signed Attributes, DER
 * @param now milliseconds since 1970, for signingTime; undefined leaves it out
 */
export async function encodeSignedData(
  eContent: Bytes,
  attributes: readonly Bytes[],
  { certificate, digest, scheme, sign }: Signer,
  now: number | undefined,
): Promise<Bytes> {
  const algorithm = digestAlgorithm(digests[digest]);
  const signedAttrs = setOf(
    attribute(contentTypeOid, dataOid),
    attribute(messageDigestOid, octets(hash(digest, eContent))),
    ...(now === undefined ? [] : [attribute(signingTimeOid, timeOf(now))]),
    ...attributes,
  );
  const signature = await sign(signedAttrs);
  const implicit = concat([Uint8Array.of(context(0)), signedAttrs.subarray(1)]);
  const signerInfo = sequence(
    integer(1),
    sequence(certificate.issuer, tlv(tag.integer, certificate.serial)),
    algorithm,
    implicit,
    scheme.kind === 'RSASSA-PKCS1-v1_5' ? rsaEncryption : signatureAlgorithm(scheme),
    octets(signature),
  );
  return contentInfo(
    sequence(
      integer(1),
      setOf(algorithm),
      sequence(dataOid, explicit(0, octets(eContent))),
      tlv(context(0), certificate.der),
      setOf(signerInfo),
    ),
  );
}

const contentTypeOid = objectIdentifier(attributeOids.contentType);
const messageDigestOid = objectIdentifier(attributeOids.messageDigest);
const signingTimeOid = objectIdentifier(attributeOids.signingTime);

export const contentInfo = (signedData: Bytes): Bytes =>
  sequence(signedDataOid, explicit(0, signedData));
