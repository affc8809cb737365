// SCEP-4xx: what was asked for cannot be certified. SCEP-5xx: what a query asks for is not there.

import type { ReasonRow } from './row.ts';

const retry = 'Let the device generate another key and ask again';

export const requestReasons = {
  passwordEnvelopeImpossible: {
    code: 'SCEP-401',
    text: 'the signer has no RSA key: send a challengePassword of at least 16 octets, which keys the reply',
    rule: 'RFC 8894 §3.1',
    means:
      'The signer has no RSA key, so that its reply can only be encrypted with the challengePassword, and there is none of 16 octets.',
    change: 'Give the device a challenge, or an RSA key.',
  },
  keyRefused: {
    code: 'SCEP-402',
    text: 'the requested key is of a type or size that is not accepted here',
    rule: 'profiles.<profile>.keys',
    means: 'The profile does not certify keys of this type or size.',
    change: 'Set the device to a key that the profile allows, or change "keys" in the profile.',
    countsAgainstChallenge: true,
  },
  requestLint: {
    code: 'SCEP-403',
    text: 'the requested names cannot be certified',
    rule: 'RFC 5280 §4, lint before every signature',
    means: 'A certificate with the names that the request asks for would break the standard.',
    change: 'Correct the subject or the names on the device, or in the MDM that sets them.',
    countsAgainstChallenge: true,
  },
  subjectMissing: {
    code: 'SCEP-404',
    text: 'the request names nothing: no subject and no subjectAltName that may be certified',
    rule: 'RFC 5280 §4.1.2.6',
    means: 'There is no subject, and no subjectAltName that could stand in its place.',
    change: 'Set a subject on the device, or make a challenge with "--san".',
    countsAgainstChallenge: true,
  },
  keyExponentRefused: {
    code: 'SCEP-411',
    text: 'the public exponent of the key is below 65537',
    rule: 'FIPS 186-5 §5.1',
    means: 'The RSA public exponent is below 65537.',
    change: 'Set the exponent on the device to 65537 and let it generate another key.',
  },
  keyHasSmallFactor: {
    code: 'SCEP-412',
    text: 'the modulus of the key has a small prime factor: generate another key',
    rule: 'NIST SP 800-89 §5.3.3',
    means: 'The RSA modulus has a small prime factor: anybody can find the private key.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyHasClosePrimes: {
    code: 'SCEP-413',
    text: 'the primes of the key are too close to each other: generate another key with other software',
    rule: 'CA/Browser Forum BR 6.1.1.3',
    means: 'The primes of the RSA key are close to each other: anybody can find the private key.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyIsRoca: {
    code: 'SCEP-414',
    text: 'the key was made by a generator that can be broken (ROCA, CVE-2017-15361): generate it elsewhere',
    rule: 'CVE-2017-15361',
    means:
      'The key comes from a generator whose keys can be broken (ROCA): a TPM or smart card made before 2018.',
    change: 'Update the firmware of the TPM or card, or generate the key in software.',
  },
  keyNotOnCurve: {
    code: 'SCEP-415',
    text: 'the key is not a point that may be a public key on its curve',
    rule: 'NIST SP 800-56A §5.6.2.3',
    means: 'The public key is not a point of its curve.',
    change: `${retry}. Replace the software that made this one.`,
  },
  keyBlocked: {
    code: 'SCEP-416',
    text: 'the key is on the list of keys that are not accepted here: generate another key',
    rule: 'blockedKeys',
    means: 'The key is on the list of keys that are not certified: it is known to others.',
    change: `${retry}. A factory key that many devices share is often on such a list.`,
  },
  keyIsOurs: {
    code: 'SCEP-417',
    text: 'the key is one of the certification authority itself',
    rule: 'keys of a CA or RA of this service',
    means: 'The key is one of a CA or an RA of this service.',
    change:
      'Find out how the device came by this key, or who tries to have a key of ours certified.',
  },
  transactionUnknown: {
    code: 'SCEP-501',
    text: 'no request is waiting under this transactionID and key',
    rule: 'RFC 8894 §3.3.3',
    means:
      'No request of this key is known under the transactionID, or its outcome has been forgotten.',
    change: 'Let the device send its request again.',
  },
  certificateUnknown: {
    code: 'SCEP-502',
    text: 'nothing here matches what the message asks for',
    rule: 'RFC 8894 §4.5, §4.6',
    means:
      'No certificate or CRL here matches what the message asks for, or its signer may not see it.',
    change: 'Compare issuer and serial number with "scepter cert list".',
  },
} as const satisfies Record<string, ReasonRow>;
