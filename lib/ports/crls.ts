// The newest CRL of each CA. It is apart from the records because it can be megabytes.

import type { Bytes } from '../base/bytes.ts';

export type Crl = {
  readonly number: number;
  /** CertificateList, DER. */
  readonly der: Bytes;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** How often the register of revocations had changed when it was made. */
  readonly changes: number;
  /** Over what the signature does not cover (`ca/record/guarded-crls.ts`). */
  readonly mac?: string;
};

/** A CRL as a store returns it. Believe only the part that the CA has signed, and what its MAC covers. */
export type StoredCrl = Crl & {
  /** The number as the store has it, as text. It identifies this CRL when `publish` replaces it. */
  readonly stored: string;
};

export interface Crls {
  /** The newest one, by a consistent read. */
  newest(ca: string): Promise<Crl | undefined>;

  /**
   * Stores a CRL if its number is higher than that of the stored one. `stale`: it is not, and nothing was
   * stored; the caller reads `newest` and decides whether that one has all revocations it means to publish.
   */
  publish(ca: string, crl: Crl): Promise<'done' | 'stale'>;

  /** The number that the next CRL must exceed where `newest` returns none: 0, or more where the stored CRL
   * cannot be believed and one with a higher number may have been published. */
  floor(ca: string, now: number): Promise<number>;
}

/** The same for an adapter, which checks no signature and no MAC (`ca/record/guarded-crls.ts` does). */
export interface CrlStore {
  /** The newest one, by a consistent read. An altered item is returned too, as far as it can be read. */
  newest(ca: string): Promise<StoredCrl | undefined>;

  /** Stores a CRL if its number is higher than that of the stored one, or if the stored one still has the
   * number `spoilt` (its `stored`). `stale`: neither is so, and nothing was stored; read again. */
  publish(ca: string, crl: Crl, spoilt?: string): Promise<'done' | 'stale'>;
}
