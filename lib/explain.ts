// What a refusal means to people: for every reason which rule it is, what happened, and what to change.
// `explain CODE` prints it, and a stored refusal explains itself with it.

import type { Reason } from './errors.ts';

export type Explanation = {
  /** The setting or the section of a standard; `<endpoint>` and `<profile>` stand for their names. */
  readonly rule: string;
  readonly means: string;
  /** On the device, or here. */
  readonly change: string;
};

const retry = 'Let the device generate another key and ask again';

export const explanations = {
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
    change: 'Set the client to one of these.',
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
      'The message is encrypted to a certificate that is not (any longer) one of this endpoint.',
    change:
      'Let the client fetch GetCACert again: it keeps an old answer, one of another CA, or takes the wrong certificate of it.',
  },
  envelopeRejected: {
    rule: 'RFC 8894 §3.2.2, RFC 2986 §3',
    means:
      'The envelope did not open, or what is inside is not a request that its own key has signed. These are one answer on purpose: telling them apart would help to decrypt messages of others.',
    change:
      'Let the client fetch GetCACert again and enrol from the beginning. An initial request must be signed with the key that it asks a certificate for.',
  },
  challengeMissing: {
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means: 'A first request has to bring a challengePassword, and this one had none.',
    change:
      'Make one with "scepter challenge create" and configure it on the device, or in the MDM that configures the device.',
  },
  challengeUnknown: {
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means:
      'No such challengePassword was made for this endpoint: it was mistyped or cut, or belongs to another endpoint.',
    change:
      'Compare the endpoint in the URL with the one that the challenge was made for, and look for blanks around it; or make another.',
  },
  challengeExpired: {
    rule: 'endpoints.<endpoint>.challengeTtl',
    means: 'The challengePassword is older than it was made for.',
    change: 'Make another, with "--ttl" if devices take longer; check the clocks of both sides.',
  },
  challengeSpent: {
    rule: 'challenge create --uses',
    means:
      'The challengePassword has been used as often as it may. If this device did not use it, somebody else did.',
    change:
      'Look at the transactions of the challenge. Make another for this device, with "--uses" where several share one.',
  },
  challengeLocked: {
    rule: 'ten refused attempts with one challenge',
    means: 'Ten requests with this challengePassword were refused: somebody guessed names with it.',
    change:
      'Look at the refused transactions of the challenge, put right what they have in common, make another.',
  },
  challengeRevoked: {
    rule: 'challenge revoke',
    means: 'Somebody has revoked the challengePassword.',
    change: 'Ask who did (the event challenge.revoked says), or make another.',
  },
  subjectNotBound: {
    rule: 'challenge create --subject',
    means: 'The challengePassword was made for one subject, and the device asked for another.',
    change:
      'Set the subject on the device to the one that is allowed, or make a challenge for the other.',
  },
  nameNotBound: {
    rule: 'challenge create --san, profiles.<profile>.names',
    means:
      'The device asked for a subjectAltName that its challengePassword was not made for and that the profile does not let a request give itself.',
    change:
      'Leave the name out on the device, make a challenge with "--san" for it, or allow it by a pattern in the profile.',
  },
  nameNotAllowed: {
    rule: 'profiles.<profile>.names',
    means: 'The profile certifies no names of this type, whoever asks.',
    change: 'Leave the name out on the device, or change the rule for its type in the profile.',
  },
  subjectNotAllowed: {
    rule: 'profiles.<profile>.subject',
    means: 'An attribute of the subject is not what the configuration says it must be.',
    change: 'Set the attribute on the device to what is allowed, or change the rule.',
  },
  renewalUnknown: {
    rule: 'RFC 8894 §2.5',
    means:
      'The certificate that signed is of this CA, but not one that this endpoint has issued: it came from another endpoint, or its record is gone.',
    change:
      'Send the device to the endpoint that issued its certificate, or enrol it with a challenge.',
  },
  renewalExpired: {
    rule: 'RFC 8894 §2.5',
    means: 'The certificate had expired before its device asked for the next.',
    change: 'Enrol the device with a challenge, and let it renew earlier.',
  },
  renewalRevoked: {
    rule: 'RFC 8894 §2.5',
    means: 'The certificate is revoked, suspended or superseded, and renews nothing.',
    change:
      'Find out why it was revoked. If the device is in good hands, enrol it with a challenge.',
  },
  renewalTooEarly: {
    rule: 'endpoints.<endpoint>.renew.window',
    means: 'The certificate is still good for longer than the window in which it may be renewed.',
    change: 'Let the device ask again when the window opens, or widen it.',
  },
  renewalOtherNames: {
    rule: 'RFC 8894 §2.5',
    means:
      'A renewal keeps the subject and the names of its certificate, and this one asked for others.',
    change:
      'Set the names on the device to those of its certificate, or enrol it anew with a challenge.',
  },
  renewalSameKey: {
    rule: 'profiles.<profile>.sameKey',
    means: 'The profile wants a new key with each renewal, and the device kept its old one.',
    change: 'Let the device generate a key for its renewal, or allow the same in the profile.',
  },
  renewalDone: {
    rule: 'one successor in use for each certificate',
    means:
      'The certificate was renewed already, and its successor is in use. If the device does not have that successor, somebody else does.',
    change:
      'Let the device sign with its newest certificate. If it has none that is newer, revoke the successor and enrol it with a challenge.',
  },
  renewalTooOften: {
    rule: 'four renewals of one certificate in seven days',
    means: 'The certificate was renewed again and again, and none of its successors was ever used.',
    change:
      'Find out why the device does not install what it is sent, then wait, or enrol it with a challenge.',
  },
  renewalHeld: {
    rule: 'certificateHold of a successor',
    means: 'A renewal of this certificate is suspended, and its device cannot go around that.',
    change: 'Release the suspended certificate or revoke it for good.',
  },
  validatorRefused: {
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means: 'Who is asked about every request, such as an MDM, said no.',
    change: 'Look the device up there: the evidence says which validator it was, and what it said.',
  },
  keyOwned: {
    rule: 'RFC 8894 §7.6',
    means:
      'The key is certified for other names; a certificate for these would let one pass for the other.',
    change: `${retry}. If names have changed, revoke nothing: the old certificate ends by itself.`,
  },
  requestDenied: {
    rule: 'endpoints.<endpoint>.approval',
    means: 'An approver denied the request, or what it rested on was changed before it was issued.',
    change:
      'Ask the approver; the device may ask again when the endpoint has forgotten the answer ("repeat").',
  },
  requestExpired: {
    rule: 'endpoints.<endpoint>.pendingTtl',
    means: 'Nobody approved the request in the time that it may wait.',
    change: 'Let the device ask again, and approve it in time; or make "pendingTtl" longer.',
  },
  releaseRefused: {
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means:
      'A validator that has to release each certificate refused, or did not answer for an hour.',
    change: 'Look the device up there, then let it ask again.',
  },
  requestRevoked: {
    rule: 'a revoked outcome never repeats',
    means:
      'This very message was answered before, and its certificate has been revoked, suspended or superseded since. Whoever recorded the message could send it again.',
    change: 'Let the device make a new request; find out why its certificate was revoked.',
  },
  passwordEnvelopeImpossible: {
    rule: 'RFC 8894 §3.1',
    means:
      'The signer has no RSA key, so that its reply can only be encrypted with the challengePassword, and there is none of 16 octets.',
    change: 'Give the device a challenge, or an RSA key.',
  },
  keyRefused: {
    rule: 'profiles.<profile>.keys',
    means: 'The profile does not certify keys of this type or size.',
    change: 'Set the device to a key that the profile allows, or change "keys" in the profile.',
  },
  requestLint: {
    rule: 'RFC 5280 §4, lint before every signature',
    means: 'What the request asked to be named would make a certificate that breaks the standard.',
    change: 'Put the subject or the names right on the device, or in the MDM that sets them.',
  },
  subjectMissing: {
    rule: 'RFC 5280 §4.1.2.6',
    means: 'There is no subject, and no subjectAltName that could stand in its place.',
    change: 'Set a subject on the device, or make a challenge with "--san".',
  },
  keyExponentRefused: {
    rule: 'FIPS 186-5 §5.1',
    means: 'The RSA public exponent is below 65537.',
    change: 'Set the exponent on the device to 65537 and let it generate another key.',
  },
  keyHasSmallFactor: {
    rule: 'NIST SP 800-89 §5.3.3',
    means: 'The RSA modulus has a small prime factor: anybody can find the private key.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyHasClosePrimes: {
    rule: 'CA/Browser Forum BR 6.1.1.3',
    means: 'The primes of the RSA key are close to each other: anybody can find the private key.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyIsRoca: {
    rule: 'CVE-2017-15361',
    means:
      'The key is of a generator whose keys can be broken (ROCA): a TPM or card of before 2018.',
    change: 'Update the firmware of the TPM or card, or generate the key in software.',
  },
  keyNotOnCurve: {
    rule: 'NIST SP 800-56A §5.6.2.3',
    means: 'The public key is not a point of its curve.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyBlocked: {
    rule: 'blockedKeys',
    means: 'The key is on the list of keys that are not certified: it is known to others.',
    change: `${retry}. A factory key that many devices share is often on such a list.`,
  },
  keyIsOurs: {
    rule: 'keys of a CA or RA of this service',
    means: 'The key is one of a CA or an RA of this service.',
    change: 'Find out how a device came by it, or why somebody tries.',
  },
  transactionUnknown: {
    rule: 'RFC 8894 §3.3.3',
    means:
      'No request of this key is known under the transactionID, or its outcome has been forgotten.',
    change: 'Let the device send its request again.',
  },
  certificateUnknown: {
    rule: 'RFC 8894 §4.5, §4.6',
    means: 'Nothing matches what the message asks for, or it is not for its signer to see.',
    change: 'Compare issuer and serial number with "scepter cert list".',
  },
} as const satisfies Record<Reason, Explanation>;
