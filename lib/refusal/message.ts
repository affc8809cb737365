// SCEP-1xx: what is wrong with a message, as anybody can see it in clear. SCEP-2xx: the one uniform answer
// to everything that goes wrong inside its envelope (shared design 4.4).

import type { ReasonRow } from './row.ts';

export const messageReasons = {
  signatureWrong: {
    code: 'SCEP-101',
    text: 'the signature of the pkiMessage does not verify',
  },
  digestWrong: {
    code: 'SCEP-102',
    text: 'the messageDigest attribute does not match the content',
  },
  attributesWrong: {
    code: 'SCEP-103',
    text: 'a signed attribute is missing, repeated or of the wrong type',
  },
  digestRefused: {
    code: 'SCEP-111',
    text: 'the digest algorithm is not accepted here',
  },
  signatureRefused: {
    code: 'SCEP-112',
    text: 'the signature algorithm is not accepted here',
  },
  signerKeyRefused: {
    code: 'SCEP-113',
    text: 'the key of the signer is of a type or size that is not accepted here',
  },
  cipherRefused: {
    code: 'SCEP-114',
    text: 'the content encryption algorithm is not accepted here',
  },
  keyTransportRefused: {
    code: 'SCEP-115',
    text: 'the key transport algorithm is not accepted here',
  },
  messageTypeRefused: {
    code: 'SCEP-121',
    text: 'the messageType is not one that this endpoint answers',
  },
  envelopeMalformed: {
    code: 'SCEP-122',
    text: 'the content is not a well-formed pkcsPKIEnvelope',
  },
  recipientUnknown: {
    code: 'SCEP-123',
    text: 'the message is not encrypted to exactly one current certificate of this endpoint; fetch GetCACert again',
  },
  envelopeRejected: {
    code: 'SCEP-201',
    text: 'the message could not be opened, or its request is not a valid PKCS#10 of the signer',
  },
} as const satisfies Record<string, ReasonRow>;
