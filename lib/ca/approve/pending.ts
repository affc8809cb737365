// Requests that wait for an approver. Pending is one write; approving and denying (`decide.ts`) write only that;
// the next poll or repeat re-checks everything else and issues on the strength of the stored
// approval, which is a MAC over what was approved: whoever can write records cannot widen it.

import { base64 } from '../../base/bytes.ts';
import { MAX_TRANSACTION_IDS } from '../../base/limits.ts';
import { isOutside } from '../../config/endpoint/enrolment.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import type { Reason } from '../../refusal/reasons.ts';
import { redact, sameKey } from '../../x509/csr.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import { asAllowed, type Grounds, keptOf } from '../authorize/grounds.ts';
import { useChallenge } from '../challenge/use.ts';
import type { Deps } from '../deps.ts';
import type { Known } from '../enrol/lookup.ts';
import { beginAllowed } from '../enrol/new-transaction.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { lapsed, loadForEnd, voidTransaction } from '../enrol/rollback.ts';
import { certificateKey, pollKey } from '../record/keys.ts';
import { eventOf, requesterOf } from '../record/transaction-event.ts';
import { moved } from '../record/transition.ts';
import { Draft, type View } from '../record/unit-of-work.ts';
import { makeApproval, makePendingMac } from './approval-mac.ts';
import { sealPassword, withoutSealed } from './sealed.ts';

/**
 * @param turn when it is issued without an approver: in a storm (`turns.ts`)
 * @returns `again` when something changed since the lookup: nothing was written; look up and decide again
 */
export async function pend(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  {
    grounds,
    now,
    turn,
  }: { readonly grounds: Grounds; readonly now: number; readonly turn?: number | undefined },
): Promise<Transaction<'pending' | 'approved'> | 'again'> {
  const { endpoint, ca, csr, signer, transactionID } = request;
  const { view, transaction: own } = known;
  const { authorize } = grounds.renews ? endpoint.renew : endpoint.enrol;
  const outside = grounds.gates.length > 0 || (turn !== undefined && authorize.some(isOutside));
  const begun = await beginAllowed(deps, request, known, { outside, now });
  const names = grounds.names.names.map(printGeneralName);
  const password = passwordFor(signer, csr);
  const [macKey] = await deps.macKeys.live('pending');
  // An attempt from before the endpoint asked for approvals: the waiting request takes over what it holds.
  const mine = own && lapsed(own, now) ? own : undefined;
  const challenge =
    grounds.challenge ??
    (mine?.undo.challenge ? { key: mine.undo.challenge, clear: [] } : undefined);
  const ends = [
    ...(mine ? [mine] : []),
    ...(grounds.challenge || grounds.renews ? grounds.ends : []),
  ];
  const waiting = {
    ...begun,
    ...(turn === undefined ? moved(begun, 'pend', now) : moved(begun, 'defer', now, BY_RULE)),
    names,
    ...asAllowed(grounds),
    ...keptOf(grounds),
    // In a storm nobody outside is asked before its turn, or is asked again.
    judgedBy: turn === undefined ? authorize.filter(isOutside) : [],
    undo: challenge ? { challenge: challenge.key } : {},
    expiresAt: now + endpoint.pendingTtlMs,
    ...(turn === undefined && endpoint.approvalNotice.length > 0
      ? { untold: endpoint.approvalNotice }
      : {}),
    ...(grounds.renews ? { renews: grounds.renews.serial } : {}),
    ...(password === undefined
      ? {}
      : { sealedPassword: await sealPassword(macKey, begun.id, password, deps.random(12)) }),
  };
  const redacted = redact(csr);
  const proven = { ...waiting, pendingMac: makePendingMac(macKey, waiting, redacted) };
  const transaction =
    turn === undefined
      ? (proven as Transaction<'pending'>)
      : await approvedByRule(deps, proven as Proven, { turn, now });
  const draft = new Draft(view);
  const actor = requesterOf(transaction);
  for (const ending of ends) {
    await loadForEnd(view, ending);
    voidTransaction(draft, ending, { actor, now, random: deps.random });
  }
  if (grounds.renews && grounds.lineage) {
    // A waiting renewal counts like an issued one, because it writes as much.
    const key = certificateKey(ca.id, grounds.renews.serial);
    const signed = draft.get('certificate', key) ?? grounds.renews;
    const lineage = { ...signed.lineage, recent: grounds.lineage.recent };
    draft.put('certificate', key, { ...signed, confirmed: true, lineage });
  }
  if (challenge) {
    const take = { transaction: transaction.id, requestHash: transaction.requestHash, now };
    useChallenge(draft, challenge, { take, clear: challenge.clear }, { now, random: deps.random });
  }
  draft.create('transaction', transaction.id, transaction);
  draft.put('request', transaction.requestHash, {
    transaction: transaction.id,
    csr: base64(redacted),
  });
  const poll = pollKey(endpoint.id, signer.key.spki, transactionID);
  draft.put('poll', poll, { transaction: transaction.id });
  const configHash = deps.config.digest;
  const about = { ...eventOf(transaction), configHash };
  draft.event(now, deps.random, {
    ...about,
    ...(turn === undefined
      ? { type: 'request.pending', actor }
      : { type: 'request.approved', actor: { kind: 'system', id: BY_RULE.by } }),
  });
  return (await deps.store.write(draft.actions)) === 'done' ? transaction : 'again';
}

/** Whoever approves in a storm. */
const BY_RULE = { by: 'storm' } as const;
type Proven = Omit<Transaction<'approved'>, 'approval'>;

async function approvedByRule(
  { macKeys }: Deps,
  proven: Proven,
  { turn, now }: { readonly turn: number; readonly now: number },
): Promise<Transaction<'approved'>> {
  const [macKey] = await macKeys.live('approval');
  return { ...proven, approval: makeApproval(macKey, proven, { ...BY_RULE, at: now, turn }) };
}

/** What keys the reply to a signer that cannot decrypt. */
const passwordFor = (
  { key }: EnrolmentRequest['signer'],
  { challengePassword }: EnrolmentRequest['csr'],
): string | undefined => (key.kind.type === 'RSA' ? undefined : challengePassword);

/** A repeat under another transactionID, or signed by another key: polls with that one find the
 * Transaction too. */
export async function followPolls(
  deps: Deps,
  { endpoint, csr, signer, transactionID }: EnrolmentRequest,
  { view, transaction }: Known,
): Promise<void> {
  if (!transaction) return;
  const key = pollKey(endpoint.id, signer.key.spki, transactionID);
  if (view.get('poll', key)?.transaction === transaction.id) return;
  const { transactionIDs } = transaction;
  const known = transactionIDs.includes(transactionID);
  // A device that goes on under ever new ones repeats its request, which needs none of them. Copies that
  // others have signed anew leave room for those of whoever holds the requested key.
  const most = sameKey(csr.publicKey, signer.key) ? MAX_TRANSACTION_IDS : MAX_TRANSACTION_IDS / 2;
  if (!known && transactionIDs.length >= most) return;
  // Its first message may have been signed with a key that can decrypt, and this one is not.
  const password = transaction.sealedPassword === undefined && passwordFor(signer, csr);
  const draft = new Draft(view);
  draft.put('poll', key, { transaction: transaction.id });
  if (!known || password) {
    const [macKey] = await deps.macKeys.live('pending');
    draft.put('transaction', transaction.id, {
      ...transaction,
      transactionIDs: known ? transactionIDs : [...transactionIDs, transactionID],
      ...(password
        ? { sealedPassword: await sealPassword(macKey, transaction.id, password, deps.random(12)) }
        : {}),
    });
  }
  // Latest wins; one that lost to another write finds its way with the next repeat.
  await deps.store.write(draft.actions);
}

/** How long the end of a request answers its repeats. */
export const repeatMs = ({ config }: Deps, { endpoint }: Transaction): number =>
  config.endpoints.get(endpoint)?.repeatMs ?? 0;

/** How a request ends that waited. */
export type End = {
  readonly event: 'expire' | 'deny';
  readonly reason: Reason;
  readonly evidence?: Evidence;
  readonly now: number;
};

/** Ends a pending or approved request: its time is over, or its grounds are no longer true.
 * @returns `again` when it has changed since it was read: nothing was written; read and decide again */
export async function close(
  deps: Deps,
  view: View,
  transaction: Transaction<'pending' | 'approved'>,
  { event, reason, evidence, now }: End,
): Promise<'done' | 'again'> {
  const draft = new Draft(view);
  const next: Transaction<'expired' | 'denied'> = {
    ...withoutSealed(transaction),
    ...moved(transaction, event, now, { by: 'system' }),
    reason,
    ...(evidence ? { evidence } : {}),
    repeatUntil: now + repeatMs(deps, transaction),
  };
  draft.put('transaction', transaction.id, next);
  draft.event(now, deps.random, {
    ...eventOf(next),
    type: event === 'expire' ? 'request.expired' : 'request.denied',
    actor: { kind: 'system' },
    note: reason,
  });
  return (await deps.store.write(draft.actions)) === 'done' ? 'done' : 'again';
}
