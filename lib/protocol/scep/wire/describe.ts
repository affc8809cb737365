// What stands in clear in a pkiMessage (RFC 8894 §3.2), request or reply, and in a list of certificates
// as GetCACert answers it: in words, for `inspect`. Nothing is decrypted.

import { contentTypes, signedAttributeOids } from '../../../asn1/oids.ts';
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
  tag,
} from '../../../asn1/reader.ts';
import { readTime } from '../../../asn1/time.ts';
import { type Bytes, fromLatin1, fromUtf8, hex } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { isoSeconds } from '../../../base/text.ts';
import { readCertsOnly } from '../../../cms/certs-only.ts';
import {
  openContentInfo,
  readSignedData,
  type SignatureVerdict,
  type SignedAttributes,
  singleAttribute,
  verifySignedData,
} from '../../../cms/signed-data.ts';
import { contentCipherOf, oids } from '../../../crypto/algorithms.ts';
import { only, readAlgorithm } from '../../../x509/algorithm.ts';
import {
  type DescribedCertificate,
  type DescribedCrl,
  type DescribedPublicKey,
  type DescribedRequest,
  describeCertificate,
  describeCrl,
  describedCertificate,
  schemeName,
} from '../../../x509/describe/describe.ts';
import { printName } from '../../../x509/names/name.ts';
import { type FailInfo, failInfo } from './fail-info.ts';
import { attributeOids, messageTypes, pkiStatus } from './registry.ts';

export type DescribedCertificates = {
  readonly type: 'certificates';
  readonly certificates: readonly DescribedCertificate[];
  readonly crls: readonly DescribedCrl[];
};

/** Attributes that are absent, or not of their type, are left out. */
export type DescribedMessage = {
  readonly type: 'pkiMessage';
  /** By name, or as it was sent. */
  readonly messageType?: string;
  /** One character per octet. */
  readonly transactionID?: string;
  readonly pkiStatus?: string;
  readonly failInfo?: string;
  readonly failInfoText?: string;
  readonly senderNonce?: string;
  readonly recipientNonce?: string;
  readonly signingTime?: string;
  /** OIDs of further signed attributes. */
  readonly otherAttributes: readonly string[];
  readonly digest: string;
  readonly signatureAlgorithm: string;
  /** Whether it is the signer's, unless its key or algorithm is unknown; what the signer is worth is
   * not asked. */
  readonly signature: SignatureVerdict | 'unchecked';
  readonly signer: DescribedCertificate;
  /** Absent where there is no content. */
  readonly envelope?: DescribedEnvelope;
};

export type DescribedEncoding =
  | DescribedCertificate
  | DescribedRequest
  | DescribedCrl
  | DescribedPublicKey
  | DescribedCertificates
  | DescribedMessage
  | DescribedEnvelope;

export type DescribedEnvelope = {
  readonly type: 'envelope';
  readonly recipients: readonly string[];
  readonly contentEncryption: string;
  /** Of the encrypted content. */
  readonly octets: number;
};

/** A ContentInfo: an unsigned list of certificates and CRLs, a pkiMessage, or an envelope by itself.
 * @throws {Malformed} */
export async function describeContentInfo(
  message: Bytes,
): Promise<DescribedCertificates | DescribedMessage | DescribedEnvelope> {
  const [type] = scan(message).children;
  if (type?.tag === tag.oid && oid(type) === contentTypes.envelopedData) {
    return describeEnvelope(message);
  }
  const signers = openContentInfo(message).children.at(-1)?.children.length;
  if (signers) return describeMessage(message);
  const { certificates, crls } = readCertsOnly(message);
  return {
    type: 'certificates',
    certificates: certificates.map(describeCertificate),
    crls: crls.map(describeCrl),
  };
}

async function describeMessage(message: Bytes): Promise<DescribedMessage> {
  const signedData = readSignedData(message);
  const { attributes, certificate, key, digest, scheme, eContent } = signedData;
  const text = (name: keyof typeof attributeOids): string | undefined => {
    const value = singleAttribute(attributes, attributeOids[name], tag.printableString);
    return value && fromLatin1(value);
  };
  const nonce = (name: keyof typeof attributeOids): string | undefined => {
    const value = singleAttribute(attributes, attributeOids[name], tag.octetString);
    return value && hex(value);
  };
  const verdict = key && scheme && (await verifySignedData(signedData, key, scheme));
  const found = {
    messageType: nameOf(messageTypes, text('messageType')),
    transactionID: text('transactionID'),
    pkiStatus: nameOf(pkiStatus, text('pkiStatus')),
    failInfo: nameOf<FailInfo>(failInfo, text('failInfo')),
    failInfoText: failInfoText(attributes),
    senderNonce: nonce('senderNonce'),
    recipientNonce: nonce('recipientNonce'),
    signingTime: signingTime(attributes),
    envelope: eContent?.length ? envelopeOf(eContent) : undefined,
  };
  return {
    type: 'pkiMessage',
    ...present(found),
    otherAttributes: [...attributes.keys()].filter((type) => !knownAttributes.has(type)),
    digest: digest?.name ?? 'unknown',
    signatureAlgorithm: scheme ? schemeName(scheme) : 'unknown',
    signature: verdict ?? 'unchecked',
    signer: describedCertificate(certificate),
  };
}

const knownAttributes: ReadonlySet<string> = new Set([
  ...Object.values(attributeOids),
  ...Object.values(signedAttributeOids),
]);

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const present = <T extends object>(fields: T): Present<T> =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Present<T>;

/** The name of a value in a table, or the value. */
const nameOf = <Name extends string>(
  table: Readonly<Record<Name, string>>,
  value: string | undefined,
): string | undefined => (Object.keys(table) as Name[]).find((n) => table[n] === value) ?? value;

function failInfoText(attributes: SignedAttributes): string | undefined {
  const value = singleAttribute(attributes, attributeOids.failInfoText, tag.utf8String);
  try {
    return value && fromUtf8(value);
  } catch {
    return value && `#${hex(value)}`;
  }
}

function signingTime(attributes: SignedAttributes): string | undefined {
  const [value] = attributes.get(signedAttributeOids.signingTime)?.[0] ?? [];
  try {
    return value && isoSeconds(readTime(value));
  } catch {
    return value && `#${hex(raw(value))}`;
  }
}

/** The pkcsPKIEnvelope of a message, as far as it can be read. */
function envelopeOf(message: Bytes): DescribedEnvelope {
  try {
    return describeEnvelope(message);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const contentEncryption = `unreadable: ${error.message}`;
    return { type: 'envelope', recipients: [], contentEncryption, octets: message.length };
  }
}

/** @throws {Malformed} */
function describeEnvelope(message: Bytes): DescribedEnvelope {
  const outer = new Fields(scan(message), 'ContentInfo');
  if (oid(outer.next(tag.oid, 'contentType')) !== contentTypes.envelopedData) {
    throw new Malformed('not an EnvelopedData');
  }
  const fields = new Fields(only(outer.next(context(0), 'content')), 'EnvelopedData');
  fields.next(tag.integer, 'version');
  fields.optional(context(0));
  const recipients = fields.next(tag.set, 'recipientInfos').children.map(describeRecipient);
  const encrypted = new Fields(fields.next(tag.sequence, 'encryptedContentInfo'), 'content');
  encrypted.next(tag.oid, 'contentType');
  const cipher = readAlgorithm(encrypted.next(tag.sequence, 'contentEncryptionAlgorithm')).oid;
  const octets = octetString(encrypted.any('encryptedContent'), contextPrimitive(0)).length;
  const name = contentCipherOf(cipher)?.name;
  return {
    type: 'envelope',
    recipients,
    contentEncryption: name ? `${name}-CBC` : cipher,
    octets,
  };
}

const transports = new Map<string, string>([
  [oids.rsaEncryption, 'RSAES-PKCS1-v1_5'],
  [oids.rsaesOaep, 'RSAES-OAEP'],
]);

function describeRecipient({ tag: shape, children }: Element): string {
  if (shape === context(3)) return 'a password (the challengePassword)';
  const [, who, algorithm] = children;
  if (shape !== tag.sequence || !who || !algorithm) return 'of a kind that SCEP does not have';
  const { oid: dotted } = readAlgorithm(algorithm);
  const how = transports.get(dotted) ?? dotted;
  if (who.tag === contextPrimitive(0)) return `key identifier ${hex(content(who))}, ${how}`;
  const [issuer, serial] = who.children;
  if (!issuer || !serial) return `unreadable, ${how}`;
  return `serial ${hex(content(serial))} of ${printName(raw(issuer))}, ${how}`;
}
