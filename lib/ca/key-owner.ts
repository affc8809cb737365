// A public key belongs to the names it was first certified for (RFC 8894 §7.6): somebody who renews
// with another's key, or enrols with one, would get his names on it.

import type { Evidence } from '../errors.ts';
import type { KeyOwner, Transaction } from '../ports/records.ts';
import { lapsed, loadForEnd } from './attempt.ts';
import { certificateKey } from './keys.ts';
import { loadTransaction } from './recall.ts';
import type { View } from './view.ts';

/**
 * free: absent, expired, or the same names; `ends` is the lapsed attempt that still holds it.
 * later: the same names, for longer than ours will be.
 * busy: an attempt that is being worked on holds it. again: what it names has been voided since.
 * owned: certified for other names.
 */
export type Ownership =
  | { readonly kind: 'free' | 'later'; readonly ends?: Transaction }
  | { readonly kind: 'busy' | 'again' }
  | { readonly kind: 'owned'; readonly evidence: Evidence };

export type OwnKey = {
  /** `keyOwnerKey` and `namesHash` of what is asked for. */
  readonly key: string;
  readonly names: string;
  readonly requestHash: string;
  readonly notAfter: number;
};

/**
 * A key is held by one unfinished attempt at a time, also for the same names: what such an attempt
 * gives back when it ends is then always an owner that stays, never another attempt.
 * @param ends attempts that the same write will end: what they hold counts as given back
 */
export async function ownership(
  view: View,
  ca: string,
  ours: OwnKey,
  ends: readonly Transaction[],
  now: number,
): Promise<Ownership> {
  const owner = view.get('keyOwner', ours.key);
  if (!owner) return { kind: 'free' };
  const ending = ends.find(({ serial }) => serial === owner.serial);
  if (ending) return settled(ending.undo.keyOwner?.previous, ours, now);
  const key = certificateKey(ca, owner.serial);
  await view.load([{ kind: 'certificate', key }]);
  const certificate = view.get('certificate', key);
  if (certificate?.state === 'voided') return { kind: 'again' };
  if (certificate?.state !== 'intended') return settled(owner, ours, now);
  const { transaction } = await loadTransaction(view, certificate.transaction);
  if (transaction?.serial !== owner.serial) return { kind: 'again' };
  if (owner.requestHash === ours.requestHash) return { kind: 'again' };
  if (!lapsed(transaction, now)) return { kind: 'busy' };
  await loadForEnd(view, transaction);
  const after = settled(transaction.undo.keyOwner?.previous, ours, now);
  return after.kind === 'free' || after.kind === 'later' ? { ...after, ends: transaction } : after;
}

/** By an owner that stays whatever becomes of the attempts of this moment. */
function settled(owner: KeyOwner | null | undefined, ours: OwnKey, now: number): Ownership {
  if (!owner || owner.expiresAt <= now) return { kind: 'free' };
  if (owner.names === ours.names) {
    return { kind: owner.expiresAt > ours.notAfter ? 'later' : 'free' };
  }
  if (owner.requestHash === ours.requestHash) return { kind: 'again' };
  const { serial, expiresAt } = owner;
  const until = new Date(expiresAt).toISOString();
  return { kind: 'owned', evidence: { ownedBy: serial, until } };
}
