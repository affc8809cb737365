// The register of revocations of a CA as it is kept: in shards, by the last digit of the serial numbers,
// each with its latest entries, and with pages of those before, which are written once. What is to stand
// in a CRL (RFC 5280 §5.3) is the latest entry of each serial number.

import type { RegisterReason } from '../../base/words.ts';

/** One shard of a CA's register of revocations: its latest entries. */
export type RegisterShard = {
  readonly changes: number;
  /** Full pages before these entries. */
  readonly pages: number;
  readonly entries: RegisterPage['entries'];
};

/** Written once. */
export type RegisterPage = {
  readonly entries: Readonly<
    Record<
      string,
      {
        readonly at: number;
        readonly reason: RegisterReason;
        /** Of the certificate. */
        readonly notAfter: number;
      }
    >
  >;
};
