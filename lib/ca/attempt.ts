// An attempt is one serial number of one Transaction, from its intent to its end. This page is how an
// attempt ends without a certificate: everything that it holds goes back, in the same write that
// says so, whether the sweeper ends it or another request that takes its place.

import { CLOCK_SKEW_MS, LEASE_MS, MAX_TIMELINE } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { Random } from '../ports/clock-and-random.ts';
import type { Transaction, TransactionState } from '../ports/records.ts';
import { certificateKey } from './keys.ts';
import type { Draft, View } from './view.ts';

/** The Transaction in another state, with a line in its timeline. */
export function moved(
  transaction: Transaction,
  state: TransactionState,
  at: number,
  by?: string,
): Transaction {
  const step = { at, state, ...(by === undefined ? {} : { by }) };
  return { ...transaction, state, timeline: [...transaction.timeline, step].slice(-MAX_TIMELINE) };
}

/** Nobody may be working on it any more: it may be replaced or voided. */
export const lapsed = ({ state, leaseUntil = 0 }: Transaction, now: number): boolean =>
  state === 'intended' && (leaseUntil <= now || leaseUntil > now + LEASE_MS + CLOCK_SKEW_MS);

/** Reads what the end of the attempt will touch. */
export async function loadForEnd(view: View, { ca, serial, undo }: Transaction): Promise<void> {
  await view.load([
    ...(serial ? [{ kind: 'certificate', key: certificateKey(ca, serial) } as const] : []),
    ...(undo.keyOwner ? [{ kind: 'keyOwner', key: undo.keyOwner.key } as const] : []),
    ...(undo.signer
      ? [{ kind: 'certificate', key: certificateKey(ca, undo.signer) } as const]
      : []),
    ...(undo.challenge ? [{ kind: 'challenge', key: undo.challenge } as const] : []),
  ]);
}

/** The attempt's certificate is voided; key owner and successor entry go back. Not the challenge. */
export function endAttempt(
  draft: Draft,
  transaction: Transaction,
  now: number,
  random: Random,
  actor: Actor,
): void {
  const { ca, serial, undo } = transaction;
  if (serial === undefined) return;
  const key = certificateKey(ca, serial);
  const certificate = draft.get('certificate', key);
  if (certificate) draft.put('certificate', key, { ...certificate, state: 'voided' });
  const owner = undo.keyOwner && draft.get('keyOwner', undo.keyOwner.key);
  if (undo.keyOwner && owner?.serial === serial) {
    if (undo.keyOwner.previous) draft.put('keyOwner', undo.keyOwner.key, undo.keyOwner.previous);
    else draft.remove('keyOwner', undo.keyOwner.key);
  }
  const signerKey = undo.signer && certificateKey(ca, undo.signer);
  const signer = signerKey && draft.get('certificate', signerKey);
  if (signerKey && signer) {
    const successors = Object.fromEntries(
      Object.entries(signer.successors).filter(([successor]) => successor !== serial),
    );
    draft.put('certificate', signerKey, { ...signer, successors });
  }
  draft.event(now, random, {
    type: 'certificate.voided',
    actor,
    ca,
    endpoint: transaction.endpoint,
    transaction: transaction.id,
    serial,
    note: 'may have been signed, never released',
  });
}

/** The Transaction itself ends too: voided, or back to approved if an approver had allowed it. */
export function voidTransaction(
  draft: Draft,
  transaction: Transaction,
  now: number,
  random: Random,
  actor: Actor,
): void {
  endAttempt(draft, transaction, now, random, actor);
  const { serial: _serial, leaseUntil: _lease, ...rest } = transaction;
  if (transaction.approval) {
    draft.put('transaction', transaction.id, {
      ...moved(rest, 'approved', now, actor.kind),
      undo: { ...(rest.undo.challenge ? { challenge: rest.undo.challenge } : {}) },
    });
    return;
  }
  const { challenge } = transaction.undo;
  // A challenge that is gone cannot take its use back, and nobody can use it either.
  if (challenge && draft.get('challenge', challenge)?.open[transaction.id] !== undefined) {
    draft.use(challenge, { free: [transaction.id] });
  }
  draft.put('transaction', transaction.id, {
    ...moved(transaction, 'voided', now, actor.kind),
    undo: {},
  });
}
