// The server's side of RFC 8894 as numbered points. A test proves a point by naming its number in
// brackets in its title; the coverage table of docs/rfc8894.md is made from both. A point without a test says why.

export type Point = {
  readonly number: number;
  readonly section: string;
  readonly text: string;
  /** Why there is no test of it. */
  readonly note?: string;
};

const client = 'binds the client';
const later = (what: string): string => `not yet: comes with ${what}`;
const advice = 'advice, nothing to test';

const rows: readonly (readonly [number, string, string, string?])[] = [
  [1, '2.1.2', 'CA certificate: keyUsage fits what its key is used for'],
  [2, '2.1.2', 'the CA may refuse any request by its policy'],
  [
    3,
    '2.1, 4.2.1.2',
    'a separate RA certificate is practice, not RFC: announced so that known clients find it',
  ],
  [4, '2.2', 'the client fetches the CA certificates first', client],
  [5, '2.2', 'the CA certificate is also available out of band'],
  [6, '2.2', 'a SHA-256 fingerprint of the CA certificate is published'],
  [7, '2.2', 'the whole chain is offered', later('CAs below a root')],
  [8, '2.3', 'initial request: signed with a self-signed certificate, whose subject may differ'],
  [9, '2.3', 'renewal signed with a certificate of this CA'],
  [10, '2.3', 'renewal signed with a certificate of another CA: policy, here never'],
  [11, '2.3', 'the signer is in the message; the reply is encrypted to its key'],
  [12, '3.1', 'one key for certificates and decryption is undesirable: RA keys are apart'],
  [13, '2.4', 'challengePassword: one-time'],
  [14, '2.4', 'a spent challenge in a renewal does not fail it'],
  [15, '2.4', 'the challenge may be checked in addition to a certificate'],
  [16, '2.4', 'a self-signed certificate authenticates nobody'],
  [17, '2.4', 'without authentication: refused'],
  [18, '3.3.1', 'PKCS#10 with subject, key and challengePassword'],
  [19, '7.3', 'challenges: high entropy, single use, short life, kept as a keyed MAC'],
  [20, '7.10', 'HTTPS does not replace the challenge'],
  [21, '2.9', 'GetCACaps, GetCACert, PKCSReq, POST, AES-128-CBC, SHA-256'],
  [22, '2.9', 'GET, triple DES and SHA-1 for old clients'],
  [23, '2.9', 'single DES and MD5 are not supported (see divergences)'],
  [24, '4.1', 'SCEPPATH selects only what it names; /cgi-bin/pkiclient.exe works'],
  [25, '4.1', 'binary messages are POSTed where POST is offered', client],
  [26, '4.1', 'GET: base64, percent-escaped, as clients really escape it'],
  [27, '4.1', 'over-long GETs are refused cleanly'],
  [28, '4.2.1', 'GetCACert: certs-only with application/x-x509-ca-ra-cert'],
  [29, '4.2', 'GetCACert ignores message'],
  [30, '4.3', 'PKIOperation: application/x-pki-message'],
  [31, '3.5.1', 'GetCACaps is implemented'],
  [32, '3.5.2', 'one keyword a line, exact case, text/plain'],
  [33, '3.5.2', 'keywords of the RFC'],
  [34, '3.5.2', 'SCEPStandard beside what it implies'],
  [35, '3.5.2', 'no capability: an empty message', 'there is always one'],
  [36, '3.5.2', 'AES128-CBC and SHA-256 interoperate'],
  [37, '3.5.2', 'quirks of a major server', client],
  [38, '7.5', 'weak algorithms are refused by policy, whatever was advertised'],
  [39, '4.7', 'GetNextCACert: advertised only if offered'],
  [40, '5.1', 'rollover: old and new CA keys in parallel', later('rollover')],
  [41, '6', 'registered media types and keywords only'],
  [42, '3', 'no messageData: no pkcsPKIEnvelope'],
  [43, '3.1', 'RSA recipient: KeyTransRecipientInfo'],
  [44, '3.1', 'a key that cannot encrypt: PasswordRecipientInfo under the challengePassword'],
  [45, '3.1', 'requests without encryption are not accepted'],
  [46, '3.2', 'SignedData: id-data, signed attributes, content that fits'],
  [47, '3.2.2', 'EncryptedContentInfo: id-data'],
  [48, '3.4', 'degenerate certs-only SignedData'],
  [
    49,
    '3.2.1',
    'every message: transactionID, messageType, senderNonce, content-type, messageDigest',
  ],
  [50, '3.2.1', 'CertRep: pkiStatus, recipientNonce, failInfo, failInfoText'],
  [51, '3.2.1.1', 'transactionID is opaque and authenticates nothing'],
  [52, '3.2.1.2', 'unknown message types are refused'],
  [53, '3.2.1.3', 'pkiStatus 0, 2 or 3'],
  [54, '3.2.1.4', 'failInfo 0 to 4'],
  [55, '3.2.1.4', 'failInfoText is for people'],
  [56, '3.2.1.5', 'recipientNonce echoes; senderNonce is fresh'],
  [57, '3.3.1', 'PKCSReq and RenewalReq carry PKCS#10'],
  [58, '3.3.2.1', 'SUCCESS: certs-only with the issued certificate'],
  [59, '3.3.2.1', 'SUCCESS of GetCert and GetCRL'],
  [60, '3.3.2.2', 'FAILURE: failInfo, no envelope'],
  [61, '3.3.2.3', 'PENDING: no envelope'],
  [62, '3.3.3', 'CertPoll carries IssuerAndSubject'],
  [63, '3.3.3', 'CertPoll is answered without decrypting it'],
  [64, '4.4', 'a CertPoll without a matching request is rejected'],
  [65, '2.5, 4.3.1', 'one request, any number of polls, one end'],
  [66, '4.4', 'one outstanding request a client', client],
  [67, '2.5', 'renewal with the same key: policy'],
  [68, '2.6, 4.5', 'GetCert: granted or badCertId'],
  [69, '2.7, 4.6', 'GetCRL: the newest CRL that tells of the certificate asked about'],
  [70, '3.3.4', 'CRL and certificates by plain HTTP are preferred'],
  [71, '2.8', 'no revocation request in SCEP', advice],
  [72, '5.2', 'a lost reply: the same request gets the same certificate'],
  [73, '7.1', 'keys of adequate length'],
  [74, '7.4', 'no confirmation of receipt', advice],
  [75, '7.6', 'the signature of the PKCS#10 is always verified'],
  [76, '7.7', 'clear GetCACert and GetCACaps leak traffic facts', advice],
  [77, '7.8', 'GetCert and GetCRL cost the server cryptography: strangers are refused before it'],
  [78, '7.9', 'SHA-1 is a fallback only'],
  [79, '7.5', 'single DES and MD5 can be broken'],
];

export const points: readonly Point[] = rows.map(([number, section, text, note]) => ({
  number,
  section,
  text,
  ...(note ? { note } : {}),
}));
