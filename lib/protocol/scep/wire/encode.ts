// CertRep (RFC 8894 §3.3.2): the signed reply. All attributes that clients were seen to need, in
// PrintableString, DER-sorted; a zero-length eContent where there is no pkcsPKIEnvelope.

import { tag } from '../../../asn1/reader.ts';
import { objectIdentifier, octets, printableString, tlv } from '../../../asn1/writer.ts';
import { type Bytes, latin1, utf8 } from '../../../base/bytes.ts';
import { attribute, type CmsSigner, encodeSignedData } from '../../../cms/signed-data.ts';
import { type Reason, reasons } from '../../../refusal/reasons.ts';
import { failInfo, failInfoOf } from './fail-info.ts';
import { attributeOids, type MessageType, messageTypes, pkiStatus } from './registry.ts';

export type CertRep = {
  readonly transactionID: string;
  /** The request's senderNonce; undefined when it had none. */
  readonly recipientNonce: Bytes | undefined;
  /** 16 fresh random octets. */
  readonly senderNonce: Bytes;
  readonly result:
    | { readonly pkiStatus: 'SUCCESS'; readonly pkcsPKIEnvelope: Bytes }
    | { readonly pkiStatus: 'PENDING' }
    | { readonly pkiStatus: 'FAILURE'; readonly reason: Reason };
};

const types = Object.fromEntries(
  Object.entries(attributeOids).map(([name, dotted]) => [name, objectIdentifier(dotted)]),
) as Record<keyof typeof attributeOids, Bytes>;

/** As ContentInfo, DER. @param now milliseconds since 1970, for signingTime */
export function encodeCertRep(
  { transactionID, recipientNonce, senderNonce, result }: CertRep,
  signer: CmsSigner,
  now: number,
): Promise<Bytes> {
  const attributes = [
    ...requestAttributes('CertRep', transactionID, senderNonce),
    attribute(types.pkiStatus, printableString(pkiStatus[result.pkiStatus])),
  ];
  if (recipientNonce) attributes.push(attribute(types.recipientNonce, octets(recipientNonce)));
  if (result.pkiStatus === 'FAILURE') {
    const { code, text } = reasons[result.reason];
    attributes.push(
      attribute(types.failInfo, printableString(failInfo[failInfoOf[result.reason]])),
      attribute(types.failInfoText, tlv(tag.utf8String, utf8(`${code}: ${text}`))),
    );
  }
  const eContent = result.pkiStatus === 'SUCCESS' ? result.pkcsPKIEnvelope : new Uint8Array(0);
  return encodeSignedData(eContent, attributes, signer, now);
}

/** The attributes that every pkiMessage carries (§3.2.1). */
export function requestAttributes(
  messageType: MessageType,
  transactionID: string,
  senderNonce: Bytes,
): Bytes[] {
  return [
    attribute(types.transactionID, tlv(tag.printableString, latin1(transactionID))),
    attribute(types.messageType, printableString(messageTypes[messageType])),
    attribute(types.senderNonce, octets(senderNonce)),
  ];
}
