// What SCEP-4xx and SCEP-5xx mean, and what to change.

import type { requestReasons } from '../request.ts';
import type { Explanation } from '../row.ts';

const retry = 'Let the device generate another key and ask again';

export const requestExplained: Readonly<Record<keyof typeof requestReasons, Explanation>> = {
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
    means: 'A certificate with the names that the request asks for would break the standard.',
    change: 'Correct the subject or the names on the device, or in the MDM that sets them.',
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
      'The key comes from a generator whose keys can be broken (ROCA): a TPM or smart card made before 2018.',
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
    change:
      'Find out how the device came by this key, or who tries to have a key of ours certified.',
  },
  transactionUnknown: {
    rule: 'RFC 8894 §3.3.3',
    means:
      'No request of this key is known under the transactionID, or its outcome has been forgotten.',
    change: 'Let the device send its request again.',
  },
  certificateUnknown: {
    rule: 'RFC 8894 §4.5, §4.6',
    means:
      'No certificate or CRL here matches what the message asks for, or its signer may not see it.',
    change: 'Compare issuer and serial number with "scepter cert list".',
  },
};
