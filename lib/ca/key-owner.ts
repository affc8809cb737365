// A public key belongs to the names it was first certified for (RFC 8894 §7.6): somebody who renews
// with another's key, or enrols with one, would get his names on it.

import type { KeyOwner, Transaction } from '../ports/records.ts';
import { lapsed, loadForEnd } from './attempt.ts';
import { certificateKey } from './keys.ts';
import { loadTransaction } from './recall.ts';
import type { View } from './view.ts';

/**
 * free: absent, expired, or the same names; `ends` is the lapsed attempt that still holds it, and
 * `previous` what is given back if ours ends too.
 * later: the same names, for longer than ours will be.
 * busy: an attempt that is being worked on holds it. again: what it names has been voided since.
 * owned: certified for other names.
 */
export type Ownership =
  | { readonly kind: 'free'; readonly previous: KeyOwner | null; readonly ends?: Transaction }
  | { readonly kind: 'later' | 'busy' | 'again' | 'owned' };

export type OwnKey = {
  /** `keyOwnerKey` and `namesHash` of what is asked for. */
  readonly key: string;
  readonly names: string;
  readonly requestHash: string;
  readonly notAfter: number;
};

/** @param ends attempts that the same write will end: what they hold counts as given back */
export async function ownership(
  view: View,
  ca: string,
  ours: OwnKey,
  ends: readonly Transaction[],
  now: number,
): Promise<Ownership> {
  let owner: KeyOwner | undefined = view.get('keyOwner', ours.key);
  const ending = ends.find(({ serial }) => serial === owner?.serial);
  if (ending) owner = ending.undo.keyOwner?.previous ?? undefined;
  if (!owner || owner.expiresAt <= now) return { kind: 'free', previous: null };
  const key = certificateKey(ca, owner.serial);
  await view.load([{ kind: 'certificate', key }]);
  const certificate = view.get('certificate', key);
  if (certificate?.state === 'voided') return { kind: 'again' };
  if (certificate?.state === 'intended') {
    // Even for the same names: it may end and take the owner with it, under ours or back over it.
    const { transaction } = await loadTransaction(view, certificate.transaction);
    if (transaction?.serial !== owner.serial) return { kind: 'again' };
    if (!lapsed(transaction, now)) return { kind: 'busy' };
    await loadForEnd(view, transaction);
    return {
      kind: 'free',
      previous: transaction.undo.keyOwner?.previous ?? null,
      ends: transaction,
    };
  }
  if (owner.names === ours.names) {
    return owner.expiresAt > ours.notAfter ? { kind: 'later' } : { kind: 'free', previous: owner };
  }
  return { kind: owner.requestHash === ours.requestHash ? 'again' : 'owned' };
}
