// The store: records by key, read consistently in batches, written all or nothing on conditions. It
// is the whole of what "exactly once" stands on (shared design, "Issuance, exactly once"), so it is
// small: one read, one write, one list. What a write means is decided in `ca/`.
//
// Durable: what `write` answered `done` for survives the process and the machine, and every later
// read sees it. Atomic: of one write all actions take effect or none. Trouble (locked, throttled,
// unreachable, out of space) is thrown as `Outage` and never turned into an answer; an adapter that
// does not know whether a write took effect finds out by reading before it answers or throws.

import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { List } from './places.ts';
import type { Challenge, Kind, Records } from './records.ts';

export type Key<K extends Kind = Kind> = { readonly kind: K; readonly key: string };

/** A record as it was read. `rev` counts its writes from 1. */
export type Row<K extends Kind = Kind> = Key<K> & {
  readonly rev: number;
  readonly record: Records[K];
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

export type UseChange = {
  readonly do: 'use';
  /** Takes one use for a Transaction, if one is left or freed, it has not expired at `now`, is not
   * locked, and is not held by that Transaction already. */
  readonly take?: {
    readonly transaction: string;
    readonly requestHash: string;
    readonly now: number;
  };
  /** Transactions that give their use back; each must hold one. */
  readonly free?: readonly string[];
  /** Finished Transactions that are no longer listed as holders; their uses stay used. */
  readonly clear?: readonly string[];
  /** Counts one refused attempt; fails when it is locked already. */
  readonly fail?: true;
};

/** What a `use` makes of a challenge; undefined where one of its conditions does not hold. */
export function applyUse(challenge: Challenge, change: UseChange): Challenge | undefined {
  const { take, free = [], clear = [], fail } = change;
  const { failures, expiresAt } = challenge;
  const locked = failures >= MAX_CHALLENGE_FAILURES;
  const usesLeft = challenge.usesLeft + free.length - (take ? 1 : 0);
  const held = free.every((id) => id in challenge.open);
  const takes =
    !take ||
    (usesLeft >= 0 && !locked && expiresAt > take.now && !(take.transaction in challenge.open));
  if (!held || !takes || (fail && locked)) return undefined;
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
   * The records that exist among these keys. Each is the newest of some moment during the call; it
   * is not a snapshot: two may be of different moments, so an issue never rests on it alone.
   */
  read(keys: readonly Key[]): Promise<readonly Row[]>;

  /**
   * `conflict`: a condition does not hold; nothing was written; read again and decide again.
   * The same call again after a thrown error is safe: what took effect then is a conflict now.
   */
  write(actions: readonly Action[]): Promise<'done' | 'conflict'>;

  /** Keys in the order of the list. It may lag behind writes by seconds: never decide by it. */
  list(query: ListQuery): Promise<Page>;
}
