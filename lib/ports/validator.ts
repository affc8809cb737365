// Somebody outside who has a say in whether a certificate may be issued, such as an MDM.

import type { Bytes } from '../bytes.ts';

export type ValidationRequest = {
  /** Idempotency key: the same request may be asked about more than once. */
  readonly requestHash: string;
  readonly endpoint: string;
  readonly transactionID: string;
  /** The PKCS#10 as it came, DER, challengePassword included: only for who validates that. */
  readonly csr: Bytes;
};

export type ValidatorAnswer =
  | { readonly allow: true; readonly note?: string }
  | { readonly allow: false; readonly note?: string };

export type IssuedNotice = ValidationRequest & {
  readonly serial: string;
  /** The certificate, DER. */
  readonly certificate: Bytes;
};

export interface Validator {
  /** Trouble is thrown and becomes a 503; only an answer allows or refuses. */
  validate(request: ValidationRequest): Promise<ValidatorAnswer>;

  /**
   * Where it is there, nothing is released before it has answered `release`. `refuse` is final: the
   * certificate is revoked unseen. Trouble is thrown; it is asked again for an hour.
   */
  readonly notify?: (notice: IssuedNotice) => Promise<'release' | 'refuse'>;
}
