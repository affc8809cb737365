// Requests that wait for an approver. Pending is one write; approving and denying write only that;
// the next poll or repeat re-checks everything else and issues on the strength of the stored
// approval, which is a MAC over what was approved: whoever can write records cannot widen it.

import type { Evidence, Reason } from '../errors.ts';
import { MAX_TRANSACTION_IDS } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { Transaction } from '../ports/records.ts';
import { printGeneralName } from '../x509/general-name.ts';
import { makeApproval, makePendingMac, sealPassword } from './approval.ts';
import { lapsed, loadForEnd, moved, voidTransaction } from './attempt.ts';
import type { Authorization } from './authorize.ts';
import { beginTransaction } from './begin.ts';
import type { Deps } from './deps.ts';
import type { Remembered } from './idempotency.ts';
import { eventOf } from './issue.ts';
import { certificateKey, pollKey } from './keys.ts';
import type { CertificateRequest, Known } from './recall.ts';
import { Draft, View } from './view.ts';

/** @returns `again` when something changed since recall */
export async function pend(
  deps: Deps,
  request: CertificateRequest,
  { view, transaction: own }: Known,
  { grounds }: Authorization,
  now: number,
): Promise<Transaction | 'again'> {
  const { endpoint, ca, csr, signer, message } = request;
  const begun = beginTransaction(deps, request, now);
  const names = grounds.names.names.map(printGeneralName);
  const password = signer.key.kind.type === 'RSA' ? undefined : csr.challengePassword;
  const [macKey] = await deps.macKeys.live('pending');
  // Begun when nobody's approval was asked for: what it holds is handed on.
  const mine = own && lapsed(own, now) ? own : undefined;
  const challenge =
    grounds.challenge ??
    (mine?.undo.challenge ? { key: mine.undo.challenge, clear: [] } : undefined);
  const ends = [...(mine ? [mine] : []), ...(grounds.challenge ? grounds.ends : [])];
  const waiting: Transaction = {
    ...moved(begun, 'pending', now),
    names,
    authorizedBy: grounds.by,
    undo: challenge ? { challenge: challenge.key } : {},
    expiresAt: now + endpoint.pendingTtlMs,
    ...(grounds.renews ? { renews: grounds.renews.serial } : {}),
    ...(password === undefined
      ? {}
      : { sealedPassword: await sealPassword(macKey, begun.id, password, deps.random(12)) }),
  };
  const transaction = { ...waiting, pendingMac: makePendingMac(macKey, waiting) };
  const draft = new Draft(view);
  const actor: Actor = { kind: 'device', id: transaction.signer };
  for (const ending of ends) {
    await loadForEnd(view, ending);
    voidTransaction(draft, ending, now, deps.random, actor);
  }
  if (grounds.renews) {
    const key = certificateKey(ca.id, grounds.renews.serial);
    const signed = draft.get('certificate', key) ?? grounds.renews;
    if (!signed.confirmed) draft.put('certificate', key, { ...signed, confirmed: true });
  }
  if (challenge) {
    const take = { transaction: transaction.id, requestHash: transaction.requestHash, now };
    draft.use(challenge.key, { take, clear: challenge.clear });
  }
  draft.create('transaction', transaction.id, transaction);
  draft.put('request', transaction.requestHash, { transaction: transaction.id });
  const poll = pollKey(endpoint.id, signer.key.spki, message.transactionID);
  draft.put('poll', poll, { transaction: transaction.id });
  draft.event(now, deps.random, { ...eventOf(transaction), type: 'request.pending', actor });
  return (await deps.store.write(draft.actions)) === 'done' ? transaction : 'again';
}

/** A repeat under another transactionID: polls with that one find the Transaction too. */
export async function followPolls(
  deps: Deps,
  { endpoint, signer, message }: CertificateRequest,
  { view, transaction }: Known,
): Promise<void> {
  if (!transaction) return;
  const key = pollKey(endpoint.id, signer.key.spki, message.transactionID);
  if (view.get('poll', key)?.transaction === transaction.id) return;
  const { transactionIDs } = transaction;
  const known = transactionIDs.includes(message.transactionID);
  // A device that goes on under ever new ones repeats its request, which needs none of them.
  if (!known && transactionIDs.length >= MAX_TRANSACTION_IDS) return;
  const draft = new Draft(view);
  draft.put('poll', key, { transaction: transaction.id });
  if (!known) {
    const seen = [...transactionIDs, message.transactionID];
    draft.put('transaction', transaction.id, { ...transaction, transactionIDs: seen });
  }
  // Latest wins; one that lost to another write finds its way with the next repeat.
  await deps.store.write(draft.actions);
}

export type Verdict = { readonly by: string; readonly reason?: string };

/**
 * @returns `missing`, or the state that it is in already, when it is not pending (any more)
 * @throws {Repeated}
 */
export async function decide(
  deps: Deps,
  id: string,
  verdict: 'approved' | 'denied',
  { by, reason }: Verdict,
  remembered?: Remembered<Transaction>,
): Promise<'done' | 'missing' | Transaction['state']> {
  for (;;) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const record = remembered?.once.recordKey;
    await view.load([{ kind: 'transaction', key: id }, ...(record ? [record] : [])]);
    remembered?.once.requireNew(view, now);
    const transaction = view.get('transaction', id);
    if (!transaction) return 'missing';
    if (transaction.state !== 'pending') return transaction.state;
    if ((transaction.expiresAt ?? 0) <= now) return 'expired';
    const draft = new Draft(view);
    const { sealedPassword: _sealed, ...withoutPassword } = transaction;
    const [macKey] = await deps.macKeys.live('approval');
    const next: Transaction =
      verdict === 'approved'
        ? {
            ...moved(transaction, verdict, now, by),
            approval: makeApproval(macKey, transaction, by, now),
          }
        : {
            ...moved(withoutPassword, verdict, now, by),
            reason: 'requestDenied',
            repeatUntil: now + repeatMs(deps, transaction),
          };
    draft.put('transaction', id, next);
    draft.event(now, deps.random, {
      ...eventOf(next),
      type: verdict === 'approved' ? 'request.approved' : 'request.denied',
      actor: { kind: 'admin', id: by },
      ...(reason === undefined ? {} : { note: reason }),
    });
    remembered?.once.remember(draft, now, remembered.answer(next));
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
  }
}

const repeatMs = ({ config }: Deps, { endpoint }: Transaction): number =>
  config.endpoints.get(endpoint)?.repeatMs ?? 0;

/** A pending or approved one ends: its time is over, or what it rested on is no longer true. */
export async function close(
  deps: Deps,
  view: View,
  transaction: Transaction,
  state: 'expired' | 'denied',
  { reason, evidence }: { readonly reason: Reason; readonly evidence?: Evidence },
  now: number,
): Promise<'done' | 'again'> {
  const { sealedPassword: _sealed, ...rest } = transaction;
  const draft = new Draft(view);
  const next = {
    ...moved(rest, state, now, 'system'),
    reason,
    ...(evidence ? { evidence } : {}),
    repeatUntil: now + repeatMs(deps, transaction),
  };
  draft.put('transaction', transaction.id, next);
  draft.event(now, deps.random, {
    ...eventOf(next),
    type: state === 'expired' ? 'request.expired' : 'request.denied',
    actor: { kind: 'system' },
    note: reason,
  });
  return (await deps.store.write(draft.actions)) === 'done' ? 'done' : 'again';
}
