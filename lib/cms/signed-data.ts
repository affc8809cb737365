// SignedData (RFC 5652 §5) as SCEP uses it: exactly one SignerInfo, signed attributes, and the
// signer's certificate inside. All of it may be BER. Signed attributes are verified over the octets
// that were received, and, where these are not DER, over the DER that §5.4 has signers sign.
//
// Reading and judging are two steps, because only after the first one is there a signer to answer:
// `readSignedData` throws `Malformed` when it finds no readable signer; `verifySignedData` and the SCEP
// layer judge everything that a signer can be told about.

import { derOf, integerContent } from '../asn1/encoding.ts';
import { contentTypes, signedAttributeOids } from '../asn1/oids.ts';
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
  tag,
} from '../asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  timeOf,
  tlv,
} from '../asn1/writer.ts';
import { type Bytes, concat, equal } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_MESSAGE_CERTIFICATES } from '../base/limits.ts';
import { type Digest, type DigestName, digests } from '../crypto/algorithms.ts';
import { hash } from '../crypto/native.ts';
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
import { sameName } from '../x509/names/same-name.ts';
import { fits, type PublicKey, verifySignature } from '../x509/public-key.ts';

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
  /** The same in DER; most often these very octets. */
  readonly derSignedAttrs: Bytes;
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
  const signedAttrs = fields.next(context(0), 'signedAttrs');
  const algorithm = fields.next(tag.sequence, 'signatureAlgorithm');
  const signature = octetString(fields.next(tag.octetString, 'signature'));
  fields.optional(context(1));
  fields.end();
  const certificate = signerCertificate(sid, bag);
  const key = publicKeyOf(certificate);
  const scheme = digest && readSignatureAlgorithm(algorithm, digest);
  const received = raw(signedAttrs).slice();
  received[0] = tag.set;
  const der = setOf(...signedAttrs.children.map(derOf));
  return {
    certificate,
    key,
    digest,
    scheme: scheme && key && fits(key.kind, scheme) ? scheme : undefined,
    attributes: readAttributes(signedAttrs.der ? signedAttrs : scan(der)),
    signedAttrs: received,
    derSignedAttrs: der,
    signature,
  };
}

/** §5.3 sid. Two different certificates that both fit are refused, because it is unclear which one signed.
 * The same certificate twice is accepted. */
function signerCertificate(sid: Element, bag: readonly Element[]): Certificate {
  if (bag.length > MAX_MESSAGE_CERTIFICATES) throw new Malformed('too many certificates');
  const [certificate, ...others] = bag.flatMap(readable).filter(matcher(sid));
  if (!certificate || others.some(({ der }) => !equal(der, certificate.der))) {
    throw new Malformed('the certificates do not hold exactly one of the signer');
  }
  return certificate;
}

/** The rest of the bag is not signed and is not read; it may hold anything. */
function readable(element: Element): Certificate[] {
  try {
    return [certificateOf(element)];
  } catch {
    return [];
  }
}

/** Whether a certificate is the one that an issuerAndSerialNumber or a key identifier names: by value,
 * because clients write names in other string types, and numbers with a zero before. */
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
  const serial = integerContent(fields.next(tag.integer, 'serialNumber'));
  fields.end();
  return (certificate) => equal(certificate.serial, serial) && sameName(certificate.issuer, issuer);
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

export type SignatureVerdict = 'good' | 'attributesWrong' | 'digestWrong' | 'signatureWrong';

/**
 * §5.4 to §5.6 over the received octets, else over their DER: content-type (id-data, as eContentType
 * says) and messageDigest exactly once, the digest of the content, then the signature. The caller has decided
 * before that it accepts key, digest and scheme.
 */
export async function verifySignedData(
  { contentType, eContent, attributes, signedAttrs, derSignedAttrs, signature }: SignedData,
  key: PublicKey,
  scheme: SignatureScheme,
): Promise<SignatureVerdict> {
  const type = singleAttribute(attributes, signedAttributeOids.contentType, tag.oid);
  const digest = singleAttribute(attributes, signedAttributeOids.messageDigest, tag.octetString);
  if (!type || !digest || contentType !== contentTypes.data) return 'attributesWrong';
  if (!equal(type, dataOidContent)) return 'attributesWrong';
  if (!equal(hash(scheme.digest.name, eContent ?? new Uint8Array(0)), digest)) return 'digestWrong';
  if (await verifySignature(key, scheme, signedAttrs, signature)) return 'good';
  const asDer =
    !equal(signedAttrs, derSignedAttrs) &&
    (await verifySignature(key, scheme, derSignedAttrs, signature));
  return asDer ? 'good' : 'signatureWrong';
}

const dataOid = objectIdentifier(contentTypes.data);
const dataOidContent = dataOid.subarray(2);
const signedDataOid = objectIdentifier(contentTypes.signedData);

/** An Attribute with one value, DER. */
export const attribute = (type: Bytes, value: Bytes): Bytes => sequence(type, setOf(value));

export type CmsSigner = {
  readonly certificate: Certificate;
  readonly digest: DigestName;
  readonly scheme: SignatureScheme;
  sign(message: Bytes): Promise<Bytes>;
  /** Issuers of its certificate that come along, DER. */
  readonly issuers?: readonly Bytes[];
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
  { certificate, digest, scheme, sign, issuers = [] }: CmsSigner,
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
  const implicit = (set: Bytes) => concat([Uint8Array.of(context(0)), set.subarray(1)]);
  const signerInfo = sequence(
    integer(1),
    sequence(certificate.issuer, tlv(tag.integer, certificate.serial)),
    algorithm,
    implicit(signedAttrs),
    scheme.kind === 'RSASSA-PKCS1-v1_5' ? rsaEncryption : signatureAlgorithm(scheme),
    octets(signature),
  );
  return contentInfo(
    sequence(
      integer(1),
      setOf(algorithm),
      sequence(dataOid, explicit(0, octets(eContent))),
      implicit(setOf(certificate.der, ...issuers)),
      setOf(signerInfo),
    ),
  );
}

const contentTypeOid = objectIdentifier(signedAttributeOids.contentType);
const messageDigestOid = objectIdentifier(signedAttributeOids.messageDigest);
const signingTimeOid = objectIdentifier(signedAttributeOids.signingTime);

export const contentInfo = (signedData: Bytes): Bytes =>
  sequence(signedDataOid, explicit(0, signedData));
