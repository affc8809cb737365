// A public key belongs to the names that it was first certified for (RFC 8894 §7.6): otherwise whoever renews
// or enrols with another's key would get his own names certified with it. It belongs to them until that
// certificate expires, or a person revokes it. A hold, or being superseded by its own renewal, does not free
// it; a key revoked for keyCompromise is blocked (`good-key.ts`).

import { Outage } from '../../base/errors.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { CertificateRecord, KeyOwner } from '../../ports/records/certificate.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { certificateKey } from '../record/keys.ts';
import type { View } from '../record/unit-of-work.ts';
import { loadTransaction } from './lookup.ts';
import { lapsed, loadForEnd } from './rollback.ts';

/**
 * free: absent, expired, revoked by a person, or the same names; `ends` is the lapsed attempt that still
 *   holds it.
 * later: the same names, for longer than ours will be.
 * busy: an attempt that is being worked on holds it; the device must come again.
 * again: the attempt that holds it has been voided since it was read; the caller looks up again.
 * owned: certified for other names.
 */
type Ownership =
  | { readonly kind: 'free' | 'later'; readonly ends?: Transaction<'intended'> }
  | { readonly kind: 'busy' | 'again' }
  | { readonly kind: 'owned'; readonly evidence: Evidence };

export type OwnKey = {
  readonly ca: string;
  /** `keyOwnerKey` and `namesHash` of what is asked for. */
  readonly key: string;
  readonly names: string;
  readonly requestHash: string;
  readonly notAfter: number;
  /** Attempts that the same write will end: what they hold counts as given back. */
  readonly ends: readonly Transaction<'intended'>[];
};

/** The key is free, or nobody asks whose it is. */
export type Free = Extract<Ownership, { kind: 'free' | 'later' }> | { readonly kind: 'unbound' };

/** @throws {Refusal} keyOwned @throws {Outage} while another attempt holds the key */
export async function claimKey(
  { endpoint, view }: { readonly endpoint: Endpoint; readonly view: View },
  owns: OwnKey,
  now: number,
): Promise<Free | 'again'> {
  if (endpoint.namesPerKey === 'any') return { kind: 'unbound' };
  const owned = await ownership(view, owns, now);
  switch (owned.kind) {
    case 'again':
      return 'again';
    case 'busy':
      throw new Outage('the key is held by a request being worked on');
    case 'owned':
      throw new Refusal('keyOwned', owned.evidence);
    default:
      return owned;
  }
}

/**
 * A key is held by one unfinished attempt at a time, also for the same names: what such an attempt
 * gives back when it ends is then always an owner that stays, never another attempt.
 */
async function ownership(view: View, ours: OwnKey, now: number): Promise<Ownership> {
  const owner = view.get('keyOwner', ours.key);
  if (!owner) return { kind: 'free' };
  const ending = ours.ends.find(({ serial }) => serial === owner.serial);
  if (ending) return settled(view, ours, ending.undo.keyOwner?.previous, now);
  const key = certificateKey(ours.ca, owner.serial);
  await view.load([{ kind: 'certificate', key }]);
  const certificate = view.get('certificate', key);
  if (certificate?.state === 'voided') return { kind: 'again' };
  if (certificate?.state !== 'intended') return settled(view, ours, owner, now);
  const { transaction } = await loadTransaction(view, certificate.transaction);
  // The Transaction was written with the certificate: if it is gone, no attempt is running.
  if (!transaction) return { kind: 'free' };
  if (transaction.serial !== owner.serial) return { kind: 'again' };
  if (owner.requestHash === ours.requestHash) return { kind: 'again' };
  if (!lapsed(transaction, now)) return { kind: 'busy' };
  await loadForEnd(view, transaction);
  const after = await settled(view, ours, transaction.undo.keyOwner?.previous, now);
  return after.kind === 'free' || after.kind === 'later' ? { ...after, ends: transaction } : after;
}

/** Judges an owner whose certificate was issued, so that no running attempt can change it. */
async function settled(
  view: View,
  ours: OwnKey,
  owner: KeyOwner | null | undefined,
  now: number,
): Promise<Ownership> {
  if (!owner || owner.expiresAt <= now) return { kind: 'free' };
  const key = certificateKey(ours.ca, owner.serial);
  await view.load([{ kind: 'certificate', key }]);
  if (freesItsKey(view.get('certificate', key))) return { kind: 'free' };
  if (owner.names === ours.names) {
    return { kind: owner.expiresAt > ours.notAfter ? 'later' : 'free' };
  }
  if (owner.requestHash === ours.requestHash) return { kind: 'again' };
  const { serial, expiresAt } = owner;
  const until = new Date(expiresAt).toISOString();
  return { kind: 'owned', evidence: { ownedBy: serial, until } };
}

/** Revoked by a person, and not for its key. A revocation is final, so an older read of it is still true. */
const freesItsKey = (certificate: CertificateRecord | undefined): boolean =>
  certificate?.state === 'revoked' &&
  certificate.supersededBy === undefined &&
  certificate.unseen === undefined &&
  certificate.revocationReason !== 'keyCompromise';
