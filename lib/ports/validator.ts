// A system outside, such as an MDM, that has a say in whether a certificate may be issued.

import type { Bytes } from '../base/bytes.ts';
import type { Reason } from '../refusal/reasons.ts';

export type ValidationRequest = {
  /** Idempotency key: the same request may be asked about more than once. */
  readonly requestHash: string;
  readonly endpoint: string;
  readonly transactionID: string;
  /** The PKCS#10 as it came, DER, with the challengePassword; without its value where that is a secret of this service. */
  readonly csr: Bytes;
  /** Milliseconds since 1970: all calls about one request have until then. */
  readonly until: number;
};

type ValidatorAnswer =
  | { readonly allow: true; readonly note?: string }
  | { readonly allow: false; readonly note?: string };

export type IssuedNotice = ValidationRequest & {
  /** Hexadecimal. */
  readonly serial: string;
  /** The certificate, DER. */
  readonly certificate: Bytes;
};

export type RefusedNotice = ValidationRequest & {
  readonly reason: Reason;
  /** What the device is told, beside the code. */
  readonly text: string;
};

export type WaitingNotice = {
  /** Of the Transaction. */
  readonly id: string;
  readonly endpoint: string;
  /** RFC 4514 text. */
  readonly subject: string;
  /** `TYPE:VALUE`: the subjectAltNames that the certificate will have. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Where decision links lead, if there are any. */
  readonly decisionUrl: string | undefined;
  /** Milliseconds since 1970 by which it must have answered. */
  readonly until: number;
};

export interface Validator {
  /** Returns an answer, which allows or refuses. Throws when it has none; the device is told 503. */
  validate(request: ValidationRequest): Promise<ValidatorAnswer>;

  /**
   * Where a validator has this method, a certificate is handed out only after it has answered `release`.
   * `refuse` is final: the certificate is revoked before anyone has seen it. Throws when it has no answer;
   * the caller asks again for an hour.
   */
  readonly notify?: (notice: IssuedNotice) => Promise<'release' | 'refuse'>;

  /** Told that no certificate comes of a request. Throws when it could not be told; it is not told again. */
  readonly refused?: (notice: RefusedNotice) => Promise<void>;

  /** What it wants revoked. */
  readonly revocations?: RevocationQueue;

  /** Told that a request waits for an approver. Throws when it could not be told; it is told again, and may be told twice. */
  readonly waiting?: (notice: WaitingNotice) => Promise<void>;
}

export type RevocationOrder = {
  /** Its own name for the order. */
  readonly context: string;
  /** Hexadecimal, lower case. */
  readonly serial: string;
  /** As the queue names it. */
  readonly issuer: string;
};

export type RevocationResult =
  | { readonly context: string; readonly done: true }
  | {
      readonly context: string;
      readonly done: false;
      readonly problem: 'notFound' | 'already' | 'unavailable' | 'other';
      readonly text: string;
    };

/** Orders to revoke certificates; an order comes again until its result has been reported. Each call throws when it has no
 * answer. */
export interface RevocationQueue {
  /** @param issuer undefined: of all issuers @param until milliseconds since 1970 by which it must have answered */
  take(max: number, issuer: string | undefined, until: number): Promise<readonly RevocationOrder[]>;
  report(results: readonly RevocationResult[], until: number): Promise<void>;
}
