// Records that an operator's commands make and every function reads: the CAs with the keys of their RAs, MAC
// keys, and the tokens of the admin API. `records.ts` says under which keys they stand.

import type { RaGenerationState, Role } from '../../base/words.ts';

export type AuthorityRecord = {
  readonly ca: string;
  /** What the `Signer` port calls the CA's key. */
  readonly keyReference: string;
  /** The CA's certificate first, then its issuers up to the root; empty while it waits for the one that
   * its root has to sign. */
  readonly chain: readonly string[];
  readonly generations: readonly RaGenerationRecord[];
  /** How its certificates are spread over CRLs, the oldest first; a new certificate goes by the last.
   * Absent: one CRL tells of all. A CA is made with partitions or without. */
  readonly partitions?: readonly CrlPartitions[];
  /** When an operator retired it: since then it publishes no CRL. Its id is never used again. */
  readonly retiredAt?: number;
};

/** One generation of partitions (RFC 5280 §5.2.5), whose CRLs are published as long as the CA serves. */
export type CrlPartitions = {
  /** Counted from 1. */
  readonly generation: number;
  readonly count: number;
  /** Origin of their URLs, as it stands in certificates and in the CRLs: `https://ca.example.com`. */
  readonly base: string;
};

export type RaGenerationRecord = {
  /** Counted from 1. */
  readonly id: number;
  readonly state: RaGenerationState;
  /** When it came into this state. */
  readonly since?: number;
  readonly certificate: string;
  /** The private key as the `RaKeys` port sealed it; a retired one has none any more. */
  readonly sealedKey?: string;
};

/** MAC keys that are sealed by what keeps keys; the one that makes new MACs first. */
export type MacKeysRecord = {
  readonly keys: readonly { readonly id: string; readonly sealedKey: string }[];
};

export type AdminToken = {
  /** The name of the token's holder, for people and events. */
  readonly name: string;
  /** The person whom it belongs to, where that is not its name: one may have several tokens. */
  readonly person?: string;
  readonly roles: readonly Role[];
  /** Milliseconds since 1970. From `expiresAt` on the token is refused; without it, it is good until revoked. */
  readonly createdAt?: number;
  readonly expiresAt?: number;
};
