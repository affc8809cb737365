// pkiMessage (RFC 8894 §3.2) of a request: SignedData read, SCEP's attributes taken out, nothing
// judged that its sender could be told about. And the plaintexts of §3.3 that are not a PKCS#10.

import { integerContent } from '../../../asn1/encoding.ts';
import { Fields, raw, scan, strictly, tag } from '../../../asn1/reader.ts';
import { type Bytes, fromLatin1 } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import {
  MAX_SENDER_NONCE_OCTETS,
  MAX_SERIAL_OCTETS,
  MAX_TRANSACTION_ID_OCTETS,
} from '../../../base/limits.ts';
import { readSignedData, type SignedData, singleAttribute } from '../../../cms/signed-data.ts';
import { attributeOids } from './registry.ts';

export type PkiMessage = {
  /** Opaque, chosen by the client: one character per octet (§3.2.1.1). */
  readonly transactionID: string;
  /** As sent; `requestTypeOf` says which one it is, if any. */
  readonly messageType: string;
  /** As it came, up to 64 octets: RFC 8894 asks for 16, some stacks send others or none. */
  readonly senderNonce: Bytes | undefined;
  /** The senderNonce stands twice or is not an OCTET STRING. */
  readonly nonceWrong: boolean;
  readonly signedData: SignedData;
};

/** @throws {Malformed} when there is no transactionID, messageType or signer to answer to */
export function decodePkiMessage(message: Bytes): PkiMessage {
  const signedData = readSignedData(message);
  const { attributes } = signedData;
  const text = (type: string) => singleAttribute(attributes, type, tag.printableString);
  const transactionID = text(attributeOids.transactionID);
  const messageType = text(attributeOids.messageType);
  if (!transactionID?.length || transactionID.length > MAX_TRANSACTION_ID_OCTETS) {
    throw new Malformed('no readable transactionID');
  }
  if (!messageType?.length || messageType.length > 8)
    throw new Malformed('no readable messageType');
  const nonce = singleAttribute(attributes, attributeOids.senderNonce, tag.octetString);
  const nonceFits = nonce !== undefined && nonce.length <= MAX_SENDER_NONCE_OCTETS;
  return {
    transactionID: fromLatin1(transactionID),
    messageType: fromLatin1(messageType),
    senderNonce: nonceFits ? nonce : undefined,
    nonceWrong: attributes.has(attributeOids.senderNonce) && !nonceFits,
    signedData,
  };
}

/** §3.3.3: the plaintext of a CertPoll. Names, DER. */
type IssuerAndSubject = { readonly issuer: Bytes; readonly subject: Bytes };

/** @throws {Malformed} */
export function readIssuerAndSubject(plaintext: Bytes): IssuerAndSubject {
  const root = strictly(scan(plaintext), 'IssuerAndSubject');
  const fields = new Fields(root, 'IssuerAndSubject');
  const issuer = raw(fields.next(tag.sequence, 'issuer'));
  const subject = raw(fields.next(tag.sequence, 'subject'));
  fields.end();
  return { issuer, subject };
}

/** §3.3.4: the plaintext of a GetCert or GetCRL. Name, BER; content octets of the INTEGER, DER. */
type IssuerAndSerialNumber = { readonly issuer: Bytes; readonly serialNumber: Bytes };

/** @throws {Malformed} */
export function readIssuerAndSerialNumber(plaintext: Bytes): IssuerAndSerialNumber {
  const fields = new Fields(scan(plaintext), 'IssuerAndSerialNumber');
  const issuer = raw(fields.next(tag.sequence, 'issuer'));
  const serialNumber = integerContent(fields.next(tag.integer, 'serialNumber'));
  fields.end();
  if (serialNumber.length > MAX_SERIAL_OCTETS) throw new Malformed('a serial that is too long');
  return { issuer, serialNumber };
}
