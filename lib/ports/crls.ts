// The newest CRL of each name: `CA`, or `CA/GENERATION-NUMBER` for a partition (`ca/revoke/partitions.ts`). CRLs
// are apart from the records because one can be megabytes.

import type { Bytes } from '../base/bytes.ts';
import type { PublicKey } from '../x509/public-key.ts';

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
  newest(name: string): Promise<Crl | undefined>;

  /** The newest one if it is signed with this key: for a CA whose record does not hold. */
  newestOfKey(name: string, key: PublicKey): Promise<Bytes | undefined>;

  /**
   * Stores a CRL if its number is higher than that of the stored one. `stale`: it is not, and nothing was
   * stored; the caller reads `newest` and decides whether that one has all revocations it means to publish.
   */
  publish(name: string, crl: Crl): Promise<'done' | 'stale'>;

  /** The number that the next CRL must exceed where `newest` returns none: 0, or more where the stored CRL
   * cannot be believed and one with a higher number may have been published. */
  floor(name: string, now: number): Promise<number>;
}

/** The same for an adapter, which checks no signature and no MAC (`ca/record/guarded-crls.ts` does). */
export interface CrlStore {
  /** The newest one, by a consistent read. An altered item is returned too, as far as it can be read. */
  newest(name: string): Promise<StoredCrl | undefined>;

  /** Stores a CRL if its number is higher than that of the stored one, or if the stored one still has the
   * number `spoilt` (its `stored`). `stale`: neither is so, and nothing was stored; read again. */
  publish(name: string, crl: Crl, spoilt?: string): Promise<'done' | 'stale'>;
}

/** Where certificates of CAs are files that others serve. */
export interface IssuerFiles {
  /** Has the certificate of a CA served. @param der of it @throws {Outage} */
  keep(ca: string, der: Bytes): Promise<void>;
}
