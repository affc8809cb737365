// What approvers say of a request that waits. As many persons as its endpoint asks for must approve it; one alone
// ends it. Each write is on condition that the request is still as it was read, so none that come at once is lost.

import { Outage } from '../../base/errors.ts';
import type { TransactionState } from '../../base/words.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { Author, Transaction, Vote } from '../../ports/records/transaction.ts';
import type { Deps } from '../deps.ts';
import { csrOf } from '../enrol/lookup.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { eventOf } from '../record/transaction-event.ts';
import { moved } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { requireApprovable } from './approvable.ts';
import { holds, isByRule, lacksPersons, makeApproval, makeVote } from './approval-mac.ts';
import { repeatMs } from './pending.ts';
import { isSamePerson } from './persons.ts';
import { withoutSealed } from './sealed.ts';

type Verdict = Author & {
  readonly reason?: string;
  readonly remembered?: Remembered<Transaction> | undefined;
};

/**
 * What became of it: `missing`; `minter`: the same person made its challenge; `voted`: the same person has approved it
 * before, and another one must; or the state that it is in, where that is not one in which it waits.
 */
export type Decided = 'done' | 'missing' | 'minter' | 'voted' | TransactionState;

/**
 * By the number of persons in force now. An approval that another person's must follow is a vote: the request goes on
 * waiting.
 * @throws {Refusal} where an approval would come to nothing @throws {Repeated}
 */
export async function decide(
  deps: Deps,
  key: string,
  verdict: 'approved' | 'denied',
  { reason, remembered, ...by }: Verdict,
): Promise<Decided> {
  for (;;) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    await loadNew(view, [{ kind: 'transaction', key }], remembered, now);
    const transaction = view.get('transaction', key);
    if (!transaction) return 'missing';
    if (!waits(deps, transaction)) return transaction.state;
    if (transaction.expiresAt <= now) return 'expired';
    const step = { now, by };
    let next: Transaction<'pending' | 'approved' | 'denied'> | 'minter' | 'voted';
    if (verdict === 'denied') {
      next = denied(transaction, { ...step, repeatUntil: now + repeatMs(deps, transaction) });
    } else {
      const csr = await csrOf(view, transaction);
      // Without the record of its request there is nothing to approve.
      if (csr.length === 0) return 'missing';
      const endpoint = deps.config.endpoints.get(transaction.endpoint);
      requireApprovable(endpoint, transaction, csr);
      const macKeys = await deps.macKeys.live('approval');
      next = approved(transaction, { ...step, macKeys, persons: endpoint?.approvers ?? 1 });
      if (typeof next === 'string') return next;
    }
    const draft = new Draft(view);
    draft.put('transaction', key, next);
    const { by: id, ...more } = by;
    draft.event(now, deps.random, {
      ...eventOf(next),
      type: eventTypes[next.state],
      actor: { kind: 'admin', id, ...more },
      ...(next.approval?.votes ? { number: next.approval.votes.length + 1 } : {}),
      ...(reason === undefined ? {} : { note: reason }),
    });
    remembered?.once.remember(draft, now, remembered.answer(next));
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
  }
}

const eventTypes = {
  pending: 'request.voted',
  approved: 'request.approved',
  denied: 'request.denied',
} as const;

type Waits = Transaction<'pending' | 'approved'>;

/** For an approver, by the number of persons in force; not whether its time is over. */
export function waits(
  { config }: Pick<Deps, 'config'>,
  transaction: Transaction,
): transaction is Waits {
  if (transaction.state !== 'approved') return transaction.state === 'pending';
  const endpoint = config.endpoints.get(transaction.endpoint);
  return endpoint !== undefined && lacksPersons(transaction, endpoint);
}

type Step = { readonly now: number; readonly by: Author };

function denied(
  transaction: Waits,
  { now, by, repeatUntil }: Step & { readonly repeatUntil: number },
): Transaction<'denied'> {
  const after = moved(transaction, 'deny', now, by);
  return { ...withoutSealed(transaction), ...after, reason: 'requestDenied', repeatUntil };
}

/** @param persons as many must approve */
function approved(
  transaction: Waits,
  {
    now,
    by,
    macKeys,
    persons,
  }: Step & { readonly macKeys: readonly [MacKey, ...MacKey[]]; readonly persons: number },
): Transaction<'pending' | 'approved'> | 'minter' | 'voted' {
  const { challengeBy } = transaction;
  if (challengeBy && isSamePerson(challengeBy, by)) return 'minter';
  const before = votesOf(transaction, macKeys);
  const others = before.filter((one) => !isSamePerson(one, by));
  const [macKey] = macKeys;
  const given = { ...by, at: now };
  if (others.length + 1 >= persons) {
    const votes = others.map(({ mac: _mac, ...vote }) => vote);
    const whole = { ...given, ...(votes.length > 0 ? { votes } : {}) };
    const { votes: _votes, ...rest } = transaction;
    const after = moved(transaction, 'approve', now, by);
    return { ...rest, ...after, approval: makeApproval(macKey, transaction, whole) };
  }
  if (others.length < before.length) return 'voted';
  if (transaction.state !== 'pending') throw new TypeError('an approved one needs no vote');
  const vote = makeVote(macKey, transaction, given);
  return { ...transaction, ...moved(transaction, 'vote', now, by), votes: [...others, vote] };
}

/**
 * By whom it was approved already. A vote whose MAC is wrong, or of a key that is gone, counts nothing.
 * @throws {Outage} for an approval that does not hold
 */
function votesOf(transaction: Waits, macKeys: readonly MacKey[]): readonly Vote[] {
  if (transaction.state === 'pending') {
    return (transaction.votes ?? []).filter(({ mac, ...given }) =>
      holds(macKeys, mac, (key) => makeVote(key, transaction, given).mac),
    );
  }
  const { mac, ...given } = transaction.approval;
  if (!holds(macKeys, mac, (key) => makeApproval(key, transaction, given).mac)) {
    throw new Outage(`the approval of ${transaction.id} does not hold`);
  }
  return isByRule(transaction) ? [] : [transaction.approval];
}
