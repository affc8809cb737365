// What a CA is, apart from its key: its certificate and chain, its RA generations, its last CRL.

import type { Bytes } from '../bytes.ts';

/** prepared: loaded everywhere, not announced; current: announced; previous: still answered. */
export type RaGenerationState = 'prepared' | 'current' | 'previous' | 'retired';

export type RaGeneration = {
  readonly id: number;
  readonly state: RaGenerationState;
  /** DER. */
  readonly certificate: Bytes;
  /** The private key as the `RaKeys` port sealed it. */
  readonly sealedKey: Bytes;
};

export type AuthorityRecord = {
  readonly ca: string;
  /** What the `Signer` port calls the CA's key. */
  readonly keyReference: string;
  /** The CA's certificate first, then its issuers up to the root, DER. */
  readonly chain: readonly [Bytes, ...Bytes[]];
  readonly generations: readonly RaGeneration[];
};

export type Crl = {
  readonly number: number;
  /** CertificateList, DER. */
  readonly der: Bytes;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
};

export interface Authorities {
  /** A consistent read. */
  find(ca: string): Promise<AuthorityRecord | undefined>;

  /** Stores a new CA. `exists`: somebody else made it first; nothing was written. */
  create(record: AuthorityRecord): Promise<'done' | 'exists'>;

  /** The newest CRL of a CA. */
  crl(ca: string): Promise<Crl | undefined>;

  /** Stores a CRL if its number is higher than that of the one stored; else `stale`. */
  publishCrl(ca: string, crl: Crl): Promise<'done' | 'stale'>;
}
