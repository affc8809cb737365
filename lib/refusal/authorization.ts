// SCEP-3xx, SCEP-42x: why a proven request is not authorized: its challenge, the names that nothing allows,
// the certificate that signed, validators and approvers, and what stands on record.

import type { ReasonRow } from './row.ts';

export const authorizationReasons = {
  challengeMissing: {
    code: 'SCEP-301',
    text: 'the request carries no challengePassword',
  },
  challengeUnknown: {
    code: 'SCEP-302',
    text: 'the challengePassword is not known at this endpoint',
  },
  challengeExpired: {
    code: 'SCEP-303',
    text: 'the challengePassword has expired',
  },
  challengeSpent: {
    code: 'SCEP-304',
    text: 'the challengePassword has been used already',
    countsAgainstChallenge: true,
  },
  challengeLocked: {
    code: 'SCEP-305',
    text: 'the challengePassword is locked after too many refused attempts',
  },
  challengeRevoked: {
    code: 'SCEP-306',
    text: 'the challengePassword has been revoked',
  },
  signerNotAllowed: {
    code: 'SCEP-307',
    text: 'a subjectAltName is not one that whoever signed this challengePassword may give',
    countsAgainstChallenge: true,
  },
  subjectNotBound: {
    code: 'SCEP-311',
    text: 'the subject is not the one this challengePassword was made for',
    countsAgainstChallenge: true,
  },
  nameNotBound: {
    code: 'SCEP-312',
    text: 'a subjectAltName is not one that this challengePassword was made for',
    countsAgainstChallenge: true,
  },
  nameNotAllowed: {
    code: 'SCEP-313',
    text: 'a subjectAltName is of a type or form that the profile of this endpoint does not certify',
    countsAgainstChallenge: true,
  },
  subjectNotAllowed: {
    code: 'SCEP-314',
    text: 'the subject is not one that this endpoint certifies',
    countsAgainstChallenge: true,
  },
  keyNotBound: {
    code: 'SCEP-315',
    text: 'the key is not of the kind, or not the one, that this challengePassword was made for',
    countsAgainstChallenge: true,
  },
  sourceNotBound: {
    code: 'SCEP-316',
    text: 'the request comes from an address that this challengePassword was not made for',
    countsAgainstChallenge: true,
  },
  profileNotBound: {
    code: 'SCEP-317',
    text: 'this endpoint has another profile by now than the one that this challengePassword was made for',
  },
  purposeNotBound: {
    code: 'SCEP-319',
    text: 'the profile of this endpoint no longer has the extended key usages that this challengePassword was made for',
  },
  hostNotBound: {
    code: 'SCEP-318',
    text: 'the common name is a host name or an address, which TLS clients go by, and not one that this challengePassword or the profile allows',
    countsAgainstChallenge: true,
  },
  renewalUnknown: {
    code: 'SCEP-321',
    text: 'the certificate that signed the message is not one that this endpoint issued',
  },
  renewalExpired: {
    code: 'SCEP-322',
    text: 'the certificate that signed the message has expired',
  },
  renewalRevoked: {
    code: 'SCEP-323',
    text: 'the certificate that signed the message is revoked, held or superseded',
  },
  renewalTooEarly: {
    code: 'SCEP-324',
    text: 'the certificate that signed the message is not yet in its time for renewal',
  },
  renewalOtherNames: {
    code: 'SCEP-325',
    text: 'the renewal asks for other names than its certificate has',
  },
  renewalSameKey: {
    code: 'SCEP-326',
    text: 'the renewal must be for a new key',
  },
  renewalDone: {
    code: 'SCEP-327',
    text: 'the certificate that signed the message has been renewed, and its successor is in use',
  },
  renewalTooOften: {
    code: 'SCEP-328',
    text: 'the certificate that signed the message, or one that it goes back to, has been renewed too often of late',
  },
  renewalHeld: {
    code: 'SCEP-329',
    text: 'a renewal of the certificate that signed the message is suspended',
  },
  renewalEnded: {
    code: 'SCEP-421',
    text: 'a certificate before or after the one that signed the message was revoked or suspended: enrol again',
  },
  renewalSpent: {
    code: 'SCEP-422',
    text: 'too many renewals of the certificate that signed the message have been superseded: enrol again',
  },
  validatorRefused: {
    code: 'SCEP-331',
    text: 'a validator of this endpoint refused the request',
  },
  deviceUnlisted: {
    code: 'SCEP-332',
    text: 'the device is in no device list of this endpoint',
    countsAgainstChallenge: true,
  },
  deviceRemoved: {
    code: 'SCEP-333',
    text: 'the device was removed from the device list of this endpoint',
  },
  deviceNameNotListed: {
    code: 'SCEP-334',
    text: 'the request asks for a name that the device list does not give to its device',
    countsAgainstChallenge: true,
  },
  usageNotAllowed: {
    code: 'SCEP-335',
    text: 'the request asks for a key usage, or an extended key usage, that the profile of this endpoint does not certify',
  },
  keyOwned: {
    code: 'SCEP-341',
    text: 'the requested key is certified for another name',
  },
  keyCompromised: {
    code: 'SCEP-343',
    text: 'the requested key, or the one that signed, belongs to a certificate that was revoked for keyCompromise: generate another key',
  },
  requestDenied: {
    code: 'SCEP-351',
    text: 'an approver denied the request',
  },
  requestExpired: {
    code: 'SCEP-352',
    text: 'nobody approved the request in time',
  },
  releaseRefused: {
    code: 'SCEP-353',
    text: 'the certificate was made and withdrawn before anybody saw it',
  },
  requestRevoked: {
    code: 'SCEP-354',
    text: 'the certificate that answered this very request has been revoked, held or superseded: make a new request',
  },
  signerCannotDecrypt: {
    code: 'SCEP-361',
    text: 'the signer has neither an RSA key nor the requested one: a secret that many devices know must not key its reply',
  },
} as const satisfies Record<string, ReasonRow>;
