// The store: records by key, read consistently in batches, written all or nothing on conditions. "Exactly
// once" rests on it alone (shared design, "Issuance, exactly once"), so it is small: one read, one write,
// one list. `ca/` decides what a write means, but for `use`: `applyUse` below says what it does to a
// challenge, and every adapter does the same.
//
// Durable: once `write` has answered `done`, the write survives the process and the machine, and every
// later read sees it. Atomic: all actions of a write take effect, or none does. A store that is locked,
// throttled, unreachable or full throws `Outage`. An adapter that does not know whether a write took
// effect finds out by reading before it answers or throws.

import { MAX_CHALLENGE_FAILURES } from '../base/limits.ts';
import type { List } from './records/places.ts';
import type { Challenge, Kind, Records } from './records/records.ts';

export type Key<K extends Kind = Kind> = { readonly kind: K; readonly key: string };

/** The `rev` of a record whose count another hand has spoilt: a write that expects it replaces what has
 * no good one. */
export const SPOILT_REV = -1;
/** A count beyond would not change any more when 1 is added to it: no condition would rest on it. */
export const MAX_REV = 999_999_999_999_999;
export const nextRev = (rev: number): number => Math.max(rev, 0) + 1;

/** A count as it is stored, in the only way in which it is written. */
export const revIn = (text: string | undefined): number =>
  /^[1-9]\d{0,14}$/.test(text ?? '') ? Number(text) : SPOILT_REV;

/** A record as it was read. `rev` counts its writes from 1. */
export type Row<K extends Kind = Kind> = Key<K> & {
  readonly rev: number;
  readonly record: Records[K];
};

/** A record that this service did not write (`ca/record/guarded-store.ts`). Its content is not believed; the
 * next write replaces it at its `rev`. */
export type AlteredRow = Key & {
  readonly rev: number;
  readonly record: undefined;
  /** Its content, for the log and for an operator. */
  readonly said: unknown;
  /** It says that a later release wrote it. */
  readonly later?: true;
};

/** One action of a write. No two name the same record. */
export type Action =
  /** Replaces the record that was read at `rev`; 0: there must be none. */
  | {
      readonly [K in Kind]: Key<K> & {
        readonly do: 'put';
        readonly rev: number;
        readonly record: Records[K];
      };
    }[Kind]
  /** Deletes the record that was read at `rev`. */
  | (Key & { readonly do: 'delete'; readonly rev: number })
  /** Changes nothing; the record must still be at `rev`, 0: absent. */
  | (Key & { readonly do: 'check'; readonly rev: number })
  /** Changes the uses of a challenge by arithmetic, so that many devices can share one. */
  | (Key<'challenge'> & UseChange);

/** There are three ways to use one. */
type UseChange = { readonly do: 'use' } & (TakeUse | FreeUses | CountRefused);

/** Takes one use for a Transaction. Conditions: a use is left or freed in the same change, `usesLeft` is at most
 * `uses`, the challenge has not expired at `now`, is neither locked nor revoked, and that Transaction holds
 * no use of it yet. */
export type TakeUse = {
  readonly take: {
    readonly transaction: string;
    readonly requestHash: string;
    readonly now: number;
  };
  /** As in `FreeUses`. */
  readonly free?: readonly string[];
  /** Finished Transactions that are no longer listed as holders; their uses stay used. */
  readonly clear?: readonly string[];
  readonly fail?: never;
};
/** Transactions give their use back; each must hold one. */
export type FreeUses = {
  readonly free: readonly string[];
  readonly take?: never;
  readonly clear?: never;
  readonly fail?: never;
};
/** Counts one refused attempt; fails when it is locked already, or revoked. */
export type CountRefused = {
  readonly fail: true;
  readonly take?: never;
  readonly free?: never;
  readonly clear?: never;
};

/** Ten refused attempts lock a one-time challenge. One of several uses never locks: a few bad devices must
 * not keep a fleet out. */
export const isLocked = ({ uses, failures }: Pick<Challenge, 'uses' | 'failures'>): boolean =>
  uses === 1 && failures >= MAX_CHALLENGE_FAILURES;

/** The challenge after a `use`; undefined if one of the conditions does not hold. */
export function applyUse(challenge: Challenge, change: UseChange): Challenge | undefined {
  const { take, free = [], clear = [], fail } = change;
  const { uses, failures, expiresAt, revokedAt } = challenge;
  const closed = isLocked(challenge) || revokedAt !== undefined;
  const usesLeft = challenge.usesLeft + free.length - (take ? 1 : 0);
  const held = free.every((id) => id in challenge.open);
  const takes =
    !take ||
    (usesLeft >= 0 &&
      challenge.usesLeft <= uses &&
      !closed &&
      expiresAt > take.now &&
      !(take.transaction in challenge.open));
  if (!held || !takes || (fail && closed)) return undefined;
  const gone = new Set([...free, ...clear]);
  const open = Object.fromEntries(Object.entries(challenge.open).filter(([id]) => !gone.has(id)));
  if (take) open[take.transaction] = take.requestHash;
  return { ...challenge, usesLeft, open, failures: failures + (fail ? 1 : 0) };
}

export type Page = {
  readonly keys: readonly string[];
  /** Where the next page begins; absent at the end. */
  readonly next?: string;
};

export type ListQuery = {
  readonly list: List;
  readonly group: string;
  /** Places before this sort value only (exclusive), after it in reverse. */
  readonly until?: string;
  readonly reverse?: boolean;
  /** `next` of the page before. */
  readonly from?: string;
  readonly limit: number;
};

export interface Store {
  /**
   * The records that exist among these keys, each as it was at some moment during the call. It is no
   * snapshot: two records may be of different moments. A write that depends on them checks their `rev`.
   */
  read(keys: readonly Key[]): Promise<readonly (Row | AlteredRow)[]>;

  /**
   * `done`: all of it is written. `conflict`: a condition does not hold and nothing was written; the caller
   * must not send the same actions again, but read again and decide anew. After a thrown error the caller
   * may repeat the call: if the first one did take effect, the repeat is a `conflict`.
   */
  write(actions: readonly Action[]): Promise<'done' | 'conflict'>;

  /** Keys in the order of the list. It may lag behind writes by seconds: decide only by records that `read`
   * has returned. */
  list(query: ListQuery): Promise<Page>;
}
