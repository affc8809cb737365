// The names and numbers of RFC 8894: attributes (§3.2.1), message types (§3.2.1.2), pkiStatus
// (§3.2.1.3), media types (§4). failInfo (§3.2.1.4): `fail-info.ts`.

import type { RequestKind } from '../../../base/words.ts';

export const attributeOids = {
  messageType: '2.16.840.1.113733.1.9.2',
  pkiStatus: '2.16.840.1.113733.1.9.3',
  failInfo: '2.16.840.1.113733.1.9.4',
  senderNonce: '2.16.840.1.113733.1.9.5',
  recipientNonce: '2.16.840.1.113733.1.9.6',
  transactionID: '2.16.840.1.113733.1.9.7',
  failInfoText: '1.3.6.1.5.5.7.24.1',
} as const;

export const messageTypes = {
  CertRep: '3',
  RenewalReq: '17',
  PKCSReq: '19',
  CertPoll: '20',
  GetCert: '21',
  GetCRL: '22',
} as const;
export type MessageType = keyof typeof messageTypes;
export type RequestType = Exclude<MessageType, 'CertRep'>;

/** A request of either message, in the core's words and back. */
export const askedBy = { PKCSReq: 'enrolment', RenewalReq: 'renewal' } as const satisfies Partial<
  Record<MessageType, RequestKind>
>;
export const messageTypeAsking = {
  enrolment: 'PKCSReq',
  renewal: 'RenewalReq',
} as const satisfies Record<RequestKind, keyof typeof askedBy>;

export const pkiStatus = { SUCCESS: '0', FAILURE: '2', PENDING: '3' } as const;

/** Bare, without parameters: three clients compare them as whole strings. */
export const mediaTypes = {
  caps: 'text/plain',
  caRaCert: 'application/x-x509-ca-ra-cert',
  pkiMessage: 'application/x-pki-message',
} as const;

/** The request type that the decimal text names, by exact text; undefined for any other. */
export function requestTypeOf(text: string): RequestType | undefined {
  switch (text) {
    case messageTypes.RenewalReq:
      return 'RenewalReq';
    case messageTypes.PKCSReq:
      return 'PKCSReq';
    case messageTypes.CertPoll:
      return 'CertPoll';
    case messageTypes.GetCert:
      return 'GetCert';
    case messageTypes.GetCRL:
      return 'GetCRL';
    default:
      return undefined;
  }
}
