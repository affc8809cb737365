// When a record may be deleted: a function of its content. The store deletes it at some time after that,
// or never; so whoever reads a record that has an end asks for the time himself.

import type { Kind, Records } from './records.ts';

/** An expired challenge is only good for telling people so. */
const KEEP_CHALLENGE_MS = 30 * 24 * 60 * 60 * 1000;

const expiryByKind: {
  readonly [K in Kind]?: (record: Records[K]) => number | undefined;
} = {
  transaction: ({ state, expiresAt }) => (state === 'refused' ? expiresAt : undefined),
  request: ({ expiresAt }) => expiresAt,
  challenge: ({ expiresAt }) => expiresAt + KEEP_CHALLENGE_MS,
  idempotency: ({ expiresAt }) => expiresAt,
};

/** Milliseconds since 1970; undefined for what is kept for ever. */
export const expiryOf = <K extends Kind>(kind: K, record: Records[K]): number | undefined =>
  expiryByKind[kind]?.(record);

export const isGone = <K extends Kind>(kind: K, record: Records[K], now: number): boolean =>
  (expiryOf(kind, record) ?? Number.POSITIVE_INFINITY) <= now;

/** A store that does not delete by itself what has expired. */
export interface Expiring {
  /** Deletes records that had expired at `now`, at most `limit`. @returns how many */
  expire(now: number, limit: number): Promise<number>;
}
