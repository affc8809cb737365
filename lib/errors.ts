// The faults of the house and what they become on the wire.
//
// Outcomes (grant, deny, pend) are returned values, not errors. Thrown are only: `Malformed` by a
// parser, `ScepFailure` once somebody can be answered with a CertRep, `HttpFailure` before that,
// and `Outage` when our own side fails. Anything else is a bug and is answered like an outage.

import { MAX_EVIDENCE_CHARACTERS } from './limits.ts';
import { visible } from './visible.ts';

/** RFC 8894 §3.2.1.4. The values are the decimal text of the failInfo attribute. */
export const failInfo = {
  badAlg: '0',
  badMessageCheck: '1',
  badRequest: '2',
  badTime: '3',
  badCertId: '4',
} as const;
export type FailInfo = keyof typeof failInfo;

type Wire = { readonly failInfo: FailInfo; readonly code: string; readonly text: string };

/**
 * Every reason a pkiMessage is refused for, and what its sender is told (failInfo, and failInfoText
 * as `code: text`). Codes are stable: operators search for them, `explain` explains them.
 * 1xx: visible in clear. 2xx: the one uniform answer. 3xx: authorization. 4xx: what was asked for.
 */
export const reasons = {
  signatureWrong: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-101',
    text: 'the signature of the pkiMessage does not verify',
  },
  digestWrong: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-102',
    text: 'the messageDigest attribute does not match the content',
  },
  attributesWrong: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-103',
    text: 'a signed attribute is missing, repeated or of the wrong type',
  },
  digestRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-111',
    text: 'the digest algorithm is not accepted here',
  },
  signatureRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-112',
    text: 'the signature algorithm is not accepted here',
  },
  signerKeyRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-113',
    text: 'the key of the signer is of a type or size that is not accepted here',
  },
  cipherRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-114',
    text: 'the content encryption algorithm is not accepted here',
  },
  keyTransportRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-115',
    text: 'the key transport algorithm is not accepted here',
  },
  messageTypeRefused: {
    failInfo: 'badRequest',
    code: 'SCEP-121',
    text: 'the messageType is not one that this endpoint answers',
  },
  envelopeMalformed: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-122',
    text: 'the content is not a well-formed pkcsPKIEnvelope',
  },
  recipientUnknown: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-123',
    text: 'the message is not encrypted to exactly one current certificate of this endpoint; fetch GetCACert again',
  },
  envelopeRejected: {
    failInfo: 'badMessageCheck',
    code: 'SCEP-201',
    text: 'the message could not be opened, or its request is not a valid PKCS#10 of the signer',
  },
  challengeMissing: {
    failInfo: 'badRequest',
    code: 'SCEP-301',
    text: 'the request carries no challengePassword',
  },
  challengeUnknown: {
    failInfo: 'badRequest',
    code: 'SCEP-302',
    text: 'the challengePassword is not known at this endpoint',
  },
  challengeExpired: {
    failInfo: 'badRequest',
    code: 'SCEP-303',
    text: 'the challengePassword has expired',
  },
  challengeSpent: {
    failInfo: 'badRequest',
    code: 'SCEP-304',
    text: 'the challengePassword has been used already',
  },
  challengeLocked: {
    failInfo: 'badRequest',
    code: 'SCEP-305',
    text: 'the challengePassword is locked after too many refused attempts',
  },
  challengeRevoked: {
    failInfo: 'badRequest',
    code: 'SCEP-306',
    text: 'the challengePassword has been revoked',
  },
  subjectNotBound: {
    failInfo: 'badRequest',
    code: 'SCEP-311',
    text: 'the subject is not the one this challengePassword was made for',
  },
  nameNotBound: {
    failInfo: 'badRequest',
    code: 'SCEP-312',
    text: 'a subjectAltName is not one that this challengePassword was made for',
  },
  nameNotAllowed: {
    failInfo: 'badRequest',
    code: 'SCEP-313',
    text: 'a subjectAltName is of a type or form that the profile of this endpoint does not certify',
  },
  subjectNotAllowed: {
    failInfo: 'badRequest',
    code: 'SCEP-314',
    text: 'the subject is not one that this endpoint certifies',
  },
  renewalUnknown: {
    failInfo: 'badRequest',
    code: 'SCEP-321',
    text: 'the certificate that signed the message is not one that this endpoint issued',
  },
  renewalExpired: {
    failInfo: 'badRequest',
    code: 'SCEP-322',
    text: 'the certificate that signed the message has expired',
  },
  renewalRevoked: {
    failInfo: 'badRequest',
    code: 'SCEP-323',
    text: 'the certificate that signed the message is revoked or superseded',
  },
  renewalTooEarly: {
    failInfo: 'badRequest',
    code: 'SCEP-324',
    text: 'the certificate that signed the message is not yet in its time for renewal',
  },
  renewalOtherNames: {
    failInfo: 'badRequest',
    code: 'SCEP-325',
    text: 'the renewal asks for other names than its certificate has',
  },
  renewalSameKey: {
    failInfo: 'badRequest',
    code: 'SCEP-326',
    text: 'the renewal must be for a new key',
  },
  renewalDone: {
    failInfo: 'badRequest',
    code: 'SCEP-327',
    text: 'the certificate that signed the message has been renewed, and its successor is in use',
  },
  renewalTooOften: {
    failInfo: 'badRequest',
    code: 'SCEP-328',
    text: 'the certificate that signed the message has been renewed too often in seven days',
  },
  renewalHeld: {
    failInfo: 'badRequest',
    code: 'SCEP-329',
    text: 'a renewal of the certificate that signed the message is suspended',
  },
  validatorRefused: {
    failInfo: 'badRequest',
    code: 'SCEP-331',
    text: 'a validator of this endpoint refused the request',
  },
  keyOwned: {
    failInfo: 'badRequest',
    code: 'SCEP-341',
    text: 'the requested key is certified for another name',
  },
  requestDenied: {
    failInfo: 'badRequest',
    code: 'SCEP-351',
    text: 'an approver denied the request',
  },
  requestExpired: {
    failInfo: 'badRequest',
    code: 'SCEP-352',
    text: 'nobody approved the request in time',
  },
  releaseRefused: {
    failInfo: 'badRequest',
    code: 'SCEP-353',
    text: 'the certificate was made and withdrawn before anybody saw it',
  },
  requestRevoked: {
    failInfo: 'badRequest',
    code: 'SCEP-354',
    text: 'the certificate that answered this very request has been revoked or superseded: make a new request',
  },
  passwordEnvelopeImpossible: {
    failInfo: 'badRequest',
    code: 'SCEP-401',
    text: 'the signer has no RSA key: send a challengePassword of at least 16 octets, which keys the reply',
  },
  keyRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-402',
    text: 'the requested key is of a type or size that is not accepted here',
  },
  requestLint: {
    failInfo: 'badRequest',
    code: 'SCEP-403',
    text: 'the requested names cannot be certified',
  },
  subjectMissing: {
    failInfo: 'badRequest',
    code: 'SCEP-404',
    text: 'the request names nothing: no subject and no subjectAltName that may be certified',
  },
  keyExponentRefused: {
    failInfo: 'badAlg',
    code: 'SCEP-411',
    text: 'the public exponent of the key is below 65537',
  },
  keyHasSmallFactor: {
    failInfo: 'badRequest',
    code: 'SCEP-412',
    text: 'the modulus of the key has a small prime factor: generate another key',
  },
  keyHasClosePrimes: {
    failInfo: 'badRequest',
    code: 'SCEP-413',
    text: 'the primes of the key are too close to each other: generate another key with other software',
  },
  keyIsRoca: {
    failInfo: 'badRequest',
    code: 'SCEP-414',
    text: 'the key was made by a generator that can be broken (ROCA, CVE-2017-15361): generate it elsewhere',
  },
  keyNotOnCurve: {
    failInfo: 'badRequest',
    code: 'SCEP-415',
    text: 'the key is not a point that may be a public key on its curve',
  },
  keyBlocked: {
    failInfo: 'badRequest',
    code: 'SCEP-416',
    text: 'the key is on the list of keys that are not accepted here: generate another key',
  },
  keyIsOurs: {
    failInfo: 'badRequest',
    code: 'SCEP-417',
    text: 'the key is one of the certification authority itself',
  },
  transactionUnknown: {
    failInfo: 'badCertId',
    code: 'SCEP-501',
    text: 'no request is waiting under this transactionID and key',
  },
  certificateUnknown: {
    failInfo: 'badCertId',
    code: 'SCEP-502',
    text: 'nothing here matches what the message asks for',
  },
} as const satisfies Record<string, Wire>;
export type Reason = keyof typeof reasons;

/** What a log line and a stored refusal may say: names and numbers, never a challenge or key octets.
 * Where a rule of the configuration refused, `rule` is its path, `value` what it was asked about and
 * `allowed` what it allows. */
export type Evidence = Readonly<Record<string, string | number>>;

/** What was sent is repeated in it, and may be anything. */
const bounded = (evidence: Evidence): Evidence =>
  Object.fromEntries(
    Object.entries(evidence).map(([name, value]) => {
      if (typeof value === 'number') return [name, value];
      return [name, shortened(value)];
    }),
  );

/** What a device chose, for the record: harmless to show, and no longer than anybody reads. */
export function shortened(value: string): string {
  const text = visible(value.toWellFormed());
  if (text.length <= MAX_EVIDENCE_CHARACTERS) return text;
  return `${text.slice(0, MAX_EVIDENCE_CHARACTERS).toWellFormed()}…`;
}

/** Octets are not what their standard says. The text is for the log, never for the wire. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** The message is refused and its sender can be told so in a signed CertRep. */
export class ScepFailure extends Error {
  override readonly name = 'ScepFailure';
  readonly reason: Reason;
  readonly evidence: Evidence;
  constructor(reason: Reason, evidence: Evidence = {}) {
    super(reasons[reason].text);
    this.reason = reason;
    this.evidence = bounded(evidence);
  }
}

/** Refused before anybody could be answered in SCEP: a fixed 4xx. `detail` is for the log. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422;
  /** Of a 405: the methods that there are. */
  readonly allow: string;
  constructor(status: HttpFailure['status'], detail: string, allow = 'GET, HEAD, POST') {
    super(detail);
    this.status = status;
    this.allow = allow;
  }
}

/** Our own side failed; the request may be sent again as it is: 503 with Retry-After. */
export class Outage extends Error {
  override readonly name = 'Outage';
}
