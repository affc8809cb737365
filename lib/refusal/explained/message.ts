// What SCEP-1xx and SCEP-2xx mean, and what to change.

import type { messageReasons } from '../message.ts';
import type { Explanation } from '../row.ts';

export const messageExplained: Readonly<Record<keyof typeof messageReasons, Explanation>> = {
  signatureWrong: {
    rule: 'RFC 8894 §3.1, RFC 5652 §5.6',
    means:
      'The signature does not fit the key in the certificate that came along: the message was changed on its way, or signed with another key.',
    change:
      'Look for a proxy that rewrites bodies. If none does, delete the temporary certificate on the device and enrol from the beginning.',
  },
  digestWrong: {
    rule: 'RFC 5652 §5.4',
    means: 'The digest that was signed is not that of the content: the content was changed or cut.',
    change: 'Look for a proxy that rewrites or cuts bodies; update the client.',
  },
  attributesWrong: {
    rule: 'RFC 8894 §3.2.1',
    means:
      'A signed attribute (contentType, messageDigest, transactionID, messageType, senderNonce) is missing, repeated or of the wrong type.',
    change: 'Update the client: it does not keep to RFC 8894.',
  },
  digestRefused: {
    rule: 'endpoints.<endpoint>.legacy',
    means: 'The client signs with a digest that is too weak to be accepted here, MD5 or SHA-1.',
    change:
      'Set the client to SHA-256. If it knows nothing better, give it an endpoint of its own with "sha1" (or "md5") in "legacy".',
  },
  signatureRefused: {
    rule: 'RFC 8894 §3.5.2',
    means: 'The signature algorithm is not known here, or contradicts the digest that is named.',
    change: 'Set the client to RSA or ECDSA with SHA-256.',
  },
  signerKeyRefused: {
    rule: 'RFC 8894 §3.5.2',
    means: 'The key that signed is of a type or size that cannot be verified here.',
    change: 'Set the client to RSA of 2048 to 8192 bits, or to P-256, P-384 or P-521.',
  },
  cipherRefused: {
    rule: 'endpoints.<endpoint>.legacy',
    means:
      'The client encrypts with a cipher that is too weak to be accepted here, DES or triple DES.',
    change:
      'Set the client to AES. If it knows nothing better, give it an endpoint of its own with "des3" (or "des") in "legacy".',
  },
  keyTransportRefused: {
    rule: 'RFC 8894 §3.2.2, RFC 8017 §7',
    means:
      'The content key is not wrapped with RSAES-PKCS1-v1_5 or with RSAES-OAEP of SHA-1 or SHA-256.',
    change: 'Set the client to one of these two.',
  },
  messageTypeRefused: {
    rule: 'RFC 8894 §3.2.1.2',
    means: 'The message is none of PKCSReq, RenewalReq, CertPoll, GetCert and GetCRL.',
    change: 'Update the client; the URL may be that of another service.',
  },
  envelopeMalformed: {
    rule: 'RFC 8894 §3.2.2',
    means: 'There is no envelope in the message, or one that cannot be read.',
    change: 'Look for a proxy that cuts bodies; update the client.',
  },
  recipientUnknown: {
    rule: 'RFC 8894 §4.2',
    means:
      'The message is encrypted to a certificate that is not, or is no longer, one of this endpoint.',
    change:
      'Let the client fetch GetCACert again: it goes by an old answer or that of another CA, or takes the wrong certificate of the answer.',
  },
  envelopeRejected: {
    rule: 'endpoints.<endpoint>.enrol.signer, RFC 8894 §2.3, RFC 8894 §3.2.2, RFC 2986 §3',
    means:
      'Either the message is signed with another key than the one that it asks a certificate for, which is refused on an initial request: agents with their key in a TPM, RouterOS ("temporary key") and proxies of an MDM send such. Or the envelope did not open, or what is inside is not a request that its own key has signed. These are one answer on purpose: telling them apart would help to decrypt messages of others.',
    change:
      'If the client signs with a temporary key or a certificate of its own, give it an endpoint with "signer": "any" in "enrol". Otherwise let it fetch GetCACert again and enrol from the beginning.',
  },
};
