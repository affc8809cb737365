// The newest CRL of each CA. It is apart from the records because it can be megabytes.

import type { Bytes } from '../bytes.ts';

export type Crl = {
  readonly number: number;
  /** CertificateList, DER. */
  readonly der: Bytes;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** How often the register of revocations had changed when it was made. */
  readonly changes: number;
};

export interface Crls {
  /** The newest one, by a consistent read. */
  newest(ca: string): Promise<Crl | undefined>;

  /** Stores a CRL if its number is higher than that of the one stored; else `stale`. */
  publish(ca: string, crl: Crl): Promise<'done' | 'stale'>;
}
