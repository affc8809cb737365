// An attempt is one serial number of one Transaction, from its intent to its end. This page is how an
// attempt ends without a certificate: everything that it holds goes back, in the same write that
// says so, whether the sweeper ends it or another request that takes its place.

import type { Random } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS, LEASE_MS } from '../../base/limits.ts';
import type { Actor } from '../../events/event.ts';
import { isUnreleased } from '../../ports/records/certificate.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { withoutAttempt } from '../authorize/lineage.ts';
import type { Deps } from '../deps.ts';
import { certificateKey } from '../record/keys.ts';
import { moved } from '../record/transition.ts';
import { Draft, type View } from '../record/unit-of-work.ts';

/** Whoever writes, and when. */
export type Act = { readonly actor: Actor; readonly now: number; readonly random: Random };

/** Its lease is over, so no process works on it: it may be replaced or voided. */
export const lapsed = (
  transaction: Transaction,
  now: number,
): transaction is Transaction<'intended'> => {
  const { state, leaseUntil } = transaction;
  if (state !== 'intended') return false;
  return leaseUntil <= now || leaseUntil > now + LEASE_MS + CLOCK_SKEW_MS;
};

/** Reads what the end of the attempt will touch. */
export async function loadForEnd(
  view: View,
  { id, ca, serial, undo }: Transaction<'intended'>,
): Promise<void> {
  await view.load([
    { kind: 'certificate', key: certificateKey(ca, serial) },
    ...(undo.keyOwner ? [{ kind: 'keyOwner', key: undo.keyOwner.key } as const] : []),
    ...(undo.signer
      ? [{ kind: 'certificate', key: certificateKey(ca, undo.signer) } as const]
      : []),
    ...(undo.challenge ? [{ kind: 'challenge', key: undo.challenge } as const] : []),
  ]);
  // One that does not list the attempt was read before that began. To read a challenge again is safe: it is only
  // ever used, and a use has conditions of its own.
  const open = view.get('challenge', undo.challenge)?.open;
  if (undo.challenge && open && open[id] === undefined) {
    await view.reload({ kind: 'challenge', key: undo.challenge });
  }
}

/**
 * The attempt's certificate is voided; key owner, successor entry and its place in the lineage go back.
 * Not the challenge. A record that says nothing of the attempt may have been read before it began: the write
 * fails if so, and nothing goes back elsewhere.
 * @returns false where nothing goes back: its certificate is out, or revoked, and the Transaction is an
 *   earlier one that another hand has put back
 */
export function endAttempt(
  draft: Draft,
  transaction: Transaction<'intended'>,
  { now, random, actor }: Act,
): boolean {
  const { ca, serial, undo } = transaction;
  const key = certificateKey(ca, serial);
  const certificate = draft.get('certificate', key);
  if (certificate && !isUnreleased(certificate)) return false;
  if (certificate?.state === 'intended') {
    draft.put('certificate', key, { ...certificate, state: 'voided' });
  }
  const owner = undo.keyOwner && draft.get('keyOwner', undo.keyOwner.key);
  if (undo.keyOwner && owner?.serial === serial) {
    if (undo.keyOwner.previous) draft.put('keyOwner', undo.keyOwner.key, undo.keyOwner.previous);
    else draft.remove('keyOwner', undo.keyOwner.key);
  } else if (undo.keyOwner) draft.hold('keyOwner', undo.keyOwner.key);
  const signerKey = undo.signer && certificateKey(ca, undo.signer);
  const signer = signerKey && draft.get('certificate', signerKey);
  if (signerKey && signer && serial in signer.successors) {
    const { [serial]: _ended, ...successors } = signer.successors;
    const lineage = withoutAttempt(signer.lineage, serial, undo.recent ?? signer.lineage.recent);
    draft.put('certificate', signerKey, { ...signer, successors, lineage });
  } else if (signerKey) draft.hold('certificate', signerKey);
  draft.event(now, random, {
    type: 'certificate.voided',
    actor,
    ca,
    endpoint: transaction.endpoint,
    transaction: transaction.id,
    serial,
    note: 'may have been signed, never released',
  });
  return true;
}

/**
 * A lapsed attempt ends, in a write of its own.
 * @returns `again` when the Transaction has changed since it was read: nothing was written. Its process may have
 *   been quicker, and it has its certificate
 */
export async function endLapsed(
  { store, random }: Pick<Deps, 'store' | 'random'>,
  view: View,
  transaction: Transaction<'intended'>,
  { actor, now }: Omit<Act, 'random'>,
): Promise<'done' | 'again'> {
  await loadForEnd(view, transaction);
  const draft = new Draft(view);
  voidTransaction(draft, transaction, { actor, now, random });
  return (await store.write(draft.actions)) === 'done' ? 'done' : 'again';
}

/** The Transaction itself ends too: voided, or back to approved if an approver had allowed it. */
export function voidTransaction(
  draft: Draft,
  transaction: Transaction<'intended'>,
  act: Act,
): void {
  const ended = endAttempt(draft, transaction, act);
  const { now, actor } = act;
  const { challenge } = transaction.undo;
  if (ended && transaction.approval) {
    const { serial: _serial, leaseUntil: _lease, ...rest } = transaction;
    draft.put('transaction', transaction.id, {
      ...rest,
      ...moved(transaction, 'reopen', now, { by: actor.kind }),
      undo: { ...(challenge ? { challenge } : {}) },
    });
    return;
  }
  // A challenge that is gone cannot take its use back, and cannot be used either.
  if (ended && challenge && draft.get('challenge', challenge)?.open[transaction.id] !== undefined) {
    draft.use(challenge, { free: [transaction.id] });
  }
  const { sealedChallenge: _free, gateChallenge: _gate, ...rest } = transaction;
  draft.put('transaction', transaction.id, {
    ...rest,
    ...moved(transaction, 'void', now, { by: actor.kind }),
    undo: {},
  });
}
