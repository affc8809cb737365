// PKCS#10 CertificationRequest (RFC 2986), DER, as SCEP clients send it: the key, the subject, the
// challengePassword (RFC 2985 §5.4.1) and what the extensionRequest asks for. Nothing of it is
// trusted before its signature and its authorization; only the key and the subject are ever copied.

import { extensionOids, requestAttributeOids } from '../asn1/oids.ts';
import {
  bitString,
  content,
  context,
  type Element,
  Fields,
  oid,
  raw,
  scan,
  smallInteger,
  strictly,
  tag,
} from '../asn1/reader.ts';
import { explicit, integer, objectIdentifier, sequence, setOf, tlv } from '../asn1/writer.ts';
import { type Bytes, equal, utf8 } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_CHALLENGE_PASSWORD_OCTETS } from '../base/limits.ts';
import { readSignatureAlgorithm, type SignatureScheme } from './algorithm.ts';
import { type Extensions, readExtensions } from './extensions.ts';
import { encodeGeneralNames, type GeneralName } from './names/general-name.ts';
import { readString } from './names/name.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';

export type CertificationRequest = {
  readonly der: Bytes;
  /** CertificationRequestInfo, DER: what is signed, and what makes two requests the same. */
  readonly info: Bytes;
  /** Name, DER. */
  readonly subject: Bytes;
  readonly spki: Element;
  /** Undefined for a key of a type or size that is not accepted anywhere. */
  readonly publicKey: PublicKey | undefined;
  readonly challengePassword: string | undefined;
  /** The SubjectAltName value that the extensionRequest asks for, unread. */
  readonly subjectAltName: Bytes | undefined;
  /** The same of Microsoft's security identifier extension. */
  readonly securityIdentifier: Bytes | undefined;
  /** All requested extensions by OID; none but these two has any effect. */
  readonly requestedExtensions: Extensions;
  /** Undefined for an algorithm that is not known, which then verifies as false. */
  readonly scheme: SignatureScheme | undefined;
  readonly signature: Bytes;
};

/** One whose signature, by its own key, has been verified. */
export type ProvenRequest = CertificationRequest & { readonly publicKey: PublicKey };

/** @throws {Malformed} when it is not exactly one PKCS#10 in DER */
export function readCertificationRequest(der: Bytes): CertificationRequest {
  const root = strictly(scan(der), 'CertificationRequest');
  const outer = new Fields(root, 'CertificationRequest');
  const info = outer.next(tag.sequence, 'certificationRequestInfo');
  const algorithm = outer.next(tag.sequence, 'signatureAlgorithm');
  const signature = bitString(outer.next(tag.bitString, 'signature'));
  outer.end();
  const fields = new Fields(info, 'CertificationRequestInfo');
  // There is only v1, written as 0; many stacks write 1 or 2, as in certificates, and mean it.
  const version = smallInteger(fields.next(tag.integer, 'version'));
  if (version > 2) {
    throw new Malformed(`a PKCS#10 whose version is ${version}, and not 0, which is v1`);
  }
  const subject = fields.next(tag.sequence, 'subject');
  const spki = fields.next(tag.sequence, 'subjectPKInfo');
  const attributes = fields.optional(context(0));
  fields.end();
  const requested = readExtensionRequest(attributes);
  return {
    der,
    info: raw(info),
    subject: raw(subject),
    spki,
    publicKey: readPublicKey(spki),
    challengePassword: readChallengePassword(attributes),
    subjectAltName: requested.get(extensionOids.subjectAltName)?.value,
    securityIdentifier: requested.get(extensionOids.securityIdentifier)?.value,
    requestedExtensions: requested,
    scheme: readSignatureAlgorithm(algorithm),
    signature,
  };
}

/**
 * The one value of the attributes with one of these types. Attributes of other types may have any
 * shape (routers send T61Strings where a SET belongs); one we use may stand once, with one value, or
 * with none, which asks for nothing: renewals come with an empty challengePassword.
 */
function singleValue(attributes: Element | undefined, ...types: string[]): Element | undefined {
  const found = (attributes?.children ?? []).filter(({ tag: shape, children: [type] }) => {
    return shape === tag.sequence && type?.tag === tag.oid && types.includes(oid(type));
  });
  if (found.length === 0) return undefined;
  const [, values] = found[0]?.children ?? [];
  const value = values?.children[0];
  if (found.length === 1 && values?.tag === tag.set && !value) return undefined;
  if (found.length > 1 || values?.tag !== tag.set || values.children.length !== 1 || !value) {
    throw new Malformed('a PKCS#10 attribute that must stand once, with one value');
  }
  return value;
}

function readChallengePassword(attributes: Element | undefined): string | undefined {
  const value = singleValue(attributes, requestAttributeOids.challengePassword);
  if (!value) return undefined;
  if (content(value).length > MAX_CHALLENGE_PASSWORD_OCTETS) {
    throw new Malformed('a challengePassword that is too long');
  }
  const text = readString(value);
  if (text === undefined) throw new Malformed('a challengePassword that is not a string');
  return text;
}

function readExtensionRequest(attributes: Element | undefined): Extensions {
  const { extensionRequest, microsoftExtensionRequest } = requestAttributeOids;
  const value = singleValue(attributes, extensionRequest, microsoftExtensionRequest);
  return value ? readExtensions(value) : new Map();
}

const challengePasswordOid = objectIdentifier(requestAttributeOids.challengePassword);

/**
 * The request without its challengePassword, for the record: the attribute stays, its value is
 * empty. Its signature no longer verifies; the record keeps the original's SHA-256 beside it.
 */
export function redact({ der }: Pick<CertificationRequest, 'der'>): Bytes {
  const found = secretIn(der);
  return found
    ? withAttribute(der, found, sequence(challengePasswordOid, setOf(tlv(found.value.tag))))
    : der;
}

/** What `redact` takes out: the whole attribute, DER; undefined where there is none. */
export function secretOf({ der }: Pick<CertificationRequest, 'der'>): Bytes | undefined {
  const found = secretIn(der);
  return found && raw(found.attribute);
}

/** `redact` undone. @param secret the attribute, DER @throws {Malformed} for octets that are no request */
export function unredact(redacted: Bytes, secret: Bytes): Bytes {
  const found = secretIn(redacted);
  return found ? withAttribute(redacted, found, secret) : redacted;
}

type Secret = { readonly attribute: Element; readonly value: Element };

/** The challengePassword of a request, if it has one. */
function secretIn(der: Bytes): Secret | undefined {
  const attributes = scan(der).children[0]?.children[3];
  const value = singleValue(attributes, requestAttributeOids.challengePassword);
  const attribute = attributes?.children.find(
    ({ start, end }) => value && start < value.start && value.end <= end,
  );
  return value && attribute && { attribute, value };
}

function withAttribute(der: Bytes, { attribute }: Secret, other: Bytes): Bytes {
  const [info, ...signature] = scan(der).children;
  const [version, subject, spki, attributes] = info?.children ?? [];
  const before = [version, subject, spki].flatMap((one) => (one ? [raw(one)] : []));
  const all = (attributes?.children ?? []).map((one) =>
    one.start === attribute.start ? other : raw(one),
  );
  return sequence(sequence(...before, tlv(context(0), ...all)), ...signature.map(raw));
}

/** Whether both ask for the same key. */
export const sameKey = (a: PublicKey, b: PublicKey): boolean => equal(a.spki, b.spki);

export type RequestedNames = {
  /** Name, DER. */
  readonly subject: Bytes;
  readonly names: readonly GeneralName[];
};

const attribute = (type: string, value: Bytes): Bytes =>
  sequence(objectIdentifier(type), setOf(value));

/**
 * A CertificationRequestInfo, DER, for a CA that another one is to certify.
 * @param extensions whole Extensions, DER, that it asks for
 */
export const encodeCaRequestInfo = (
  subject: Bytes,
  spki: Bytes,
  extensions: readonly Bytes[],
): Bytes => {
  const asked = attribute(requestAttributeOids.extensionRequest, sequence(...extensions));
  return sequence(integer(0), subject, spki, explicit(0, asked));
};

/** A CertificationRequestInfo, DER, as our own client sends it. */
export function encodeRequestInfo(
  { subject, names }: RequestedNames,
  spki: Bytes,
  challengePassword: string | undefined,
): Bytes {
  const attributes: Bytes[] = [];
  if (challengePassword !== undefined) {
    const value = tlv(tag.utf8String, utf8(challengePassword));
    attributes.push(attribute(requestAttributeOids.challengePassword, value));
  }
  if (names.length > 0) {
    const extension = sequence(
      objectIdentifier(extensionOids.subjectAltName),
      tlv(tag.octetString, encodeGeneralNames(names)),
    );
    attributes.push(attribute(requestAttributeOids.extensionRequest, sequence(extension)));
  }
  return sequence(integer(0), subject, spki, explicit(0, ...attributes));
}
