// SCEP-4xx: what was asked for cannot be certified. SCEP-5xx: what a query asks for is not there.

import type { ReasonRow } from './row.ts';

export const requestReasons = {
  passwordEnvelopeImpossible: {
    code: 'SCEP-401',
    text: 'the signer has no RSA key: send a challengePassword of at least 16 octets, which keys the reply',
  },
  keyRefused: {
    code: 'SCEP-402',
    text: 'the requested key is of a type or size that is not accepted here',
    countsAgainstChallenge: true,
  },
  requestLint: {
    code: 'SCEP-403',
    text: 'the requested names cannot be certified',
    countsAgainstChallenge: true,
  },
  subjectMissing: {
    code: 'SCEP-404',
    text: 'the request names nothing: no subject and no subjectAltName that may be certified',
    countsAgainstChallenge: true,
  },
  keyExponentRefused: {
    code: 'SCEP-411',
    text: 'the public exponent of the key is below 65537',
  },
  keyHasSmallFactor: {
    code: 'SCEP-412',
    text: 'the modulus of the key has a small prime factor: generate another key',
  },
  keyHasClosePrimes: {
    code: 'SCEP-413',
    text: 'the primes of the key are too close to each other: generate another key with other software',
  },
  keyIsRoca: {
    code: 'SCEP-414',
    text: 'the key was made by a generator that can be broken (ROCA, CVE-2017-15361): generate it elsewhere',
  },
  keyNotOnCurve: {
    code: 'SCEP-415',
    text: 'the key is not a point that may be a public key on its curve',
  },
  keyBlocked: {
    code: 'SCEP-416',
    text: 'the key is on the list of keys that are not accepted here: generate another key',
  },
  keyIsOurs: {
    code: 'SCEP-417',
    text: 'the key is one of the certification authority itself',
  },
  transactionUnknown: {
    code: 'SCEP-501',
    text: 'no request is waiting under this transactionID and key',
  },
  certificateUnknown: {
    code: 'SCEP-502',
    text: 'nothing here matches what the message asks for',
  },
} as const satisfies Record<string, ReasonRow>;
