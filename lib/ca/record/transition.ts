// What may become of a Transaction: every arrow of the shared design ("Issuance", States), and no other.
// Which arrow a decision may take is checked by its types: an event that a state does not have does not
// compile. Each arrow is taken by a write on condition that the record is still as it was read.

import { MAX_TIMELINE } from '../../base/limits.ts';
import type { TransactionState } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import type { Author, TimelineEntry, TransactionBase } from '../../ports/records/transaction.ts';

/** By state, and by what happens in it: the next state. `begin` is that of a Transaction without a record. */
export const transitions = {
  begin: { pend: 'pending', defer: 'approved', intend: 'intended', refuse: 'refused' },
  pending: { vote: 'pending', approve: 'approved', deny: 'denied', expire: 'expired' },
  /** `approve`: by another person, whom the configuration has come to ask for. */
  approved: { approve: 'approved', intend: 'intended', deny: 'denied', expire: 'expired' },
  denied: {},
  expired: {},
  /** `intend`: a lapsed attempt is replaced. `void`: it ends without another; `reopen` is the same of an
   * approved one. */
  intended: {
    intend: 'intended',
    sign: 'signed',
    issue: 'issued',
    void: 'voided',
    reopen: 'approved',
  },
  /** It waits for its release gates. */
  signed: { issue: 'issued', revoke: 'revoked' },
  issued: { revoke: 'revoked' },
  voided: {},
  revoked: {},
  refused: {},
} as const satisfies Readonly<
  Record<TransactionState | 'begin', Readonly<Record<string, TransactionState>>>
>;

type Table = typeof transitions;
type StateOrBegin = keyof Table;
/** What can happen in every one of these states. */
type TransactionEvent<S extends StateOrBegin> = keyof Table[S] & string;
type Next<S extends StateOrBegin, E> = S extends S
  ? E extends keyof Table[S]
    ? Table[S][E]
    : never
  : never;

const transition = <S extends StateOrBegin, E extends TransactionEvent<S>>(
  state: S,
  event: E,
): Next<S, E> => transitions[state][event] as Next<S, E>;

/** A Transaction that has no record yet; the write that stores it gives it its first state. */
export type Begun = TransactionBase & {
  readonly state: 'begin';
  readonly serial?: never;
  readonly leaseUntil?: never;
  readonly approval?: never;
  readonly reason?: never;
};

/** The state after the event, with a line in the timeline. @param by the actor, unless it is the device */
export function moved<S extends StateOrBegin, E extends TransactionEvent<S>>(
  { state, timeline }: { readonly state: S; readonly timeline: readonly TimelineEntry[] },
  event: E,
  at: number,
  by?: Author,
): { readonly state: Next<S, E>; readonly timeline: readonly TimelineEntry[] } {
  const next = transition(state, event);
  const step = { at, state: next, ...by };
  return { state: next, timeline: [...timeline, step].slice(-MAX_TIMELINE) };
}

export const authorOf = ({ kind, id, person, from, auth }: Actor): Author => ({
  by: id ?? kind,
  ...(person === undefined ? {} : { person }),
  ...(from === undefined ? {} : { from }),
  ...(auth === undefined ? {} : { auth }),
});
