// An approved request becomes a certificate, when its device asks again: by polling or by repeating.
// The approval allows what was proven then; that it is still right to issue is checked now.

import { fromBase64 } from '../bytes.ts';
import type { Endpoint } from '../config.ts';
import { type Evidence, Outage, type Reason, ScepFailure } from '../errors.ts';
import type { Transaction } from '../ports/records.ts';
import { publicKeyOf, readCertificate } from '../x509/certificate.ts';
import { readCertificationRequest } from '../x509/csr.ts';
import { parseGeneralName } from '../x509/general-name.ts';
import { provenBy, requireApproval } from './approval.ts';
import { approvedAuthorization } from './authorize.ts';
import type { Ca } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import type { Grounds } from './grounds.ts';
import { issue, type Made } from './issue.ts';
import { requireGoodKey } from './key-rules.ts';
import { certificateKey, keyOwnerKey } from './keys.ts';
import { close } from './pending.ts';
import { requireProfile } from './policy.ts';
import { gatesOf } from './release.ts';
import { renewal } from './renew.ts';
import type { View } from './view.ts';

export type Redeemed = Made | 'again' | { readonly refused: Reason; readonly evidence: Evidence };

/** @param transaction approved, or an approved one whose attempt has lapsed */
export async function redeem(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  transaction: Transaction,
  view: View,
  now: number,
): Promise<Redeemed> {
  const refuse = async (
    state: 'expired' | 'denied',
    reason: Reason,
    evidence: Evidence = {},
  ): Promise<Redeemed> =>
    // A lapsed attempt has something to give back; the sweeper makes it approved again first.
    transaction.state === 'intended' ||
    (await close(deps, view, transaction, state, { reason, evidence }, now)) === 'done'
      ? { refused: reason, evidence }
      : 'again';
  const { macKeys } = deps;
  const live = { pending: await macKeys.live('pending'), approval: await macKeys.live('approval') };
  const approval = requireApproval(live, transaction);
  if ((transaction.expiresAt ?? 0) <= now) return refuse('expired', 'requestExpired');
  if (transaction.ca !== ca.id || transaction.profile !== endpoint.profile.id) {
    const { id } = endpoint.profile;
    return refuse('denied', 'requestDenied', { profile: id, approvedFor: transaction.profile });
  }
  const csr = readCertificationRequest(fromBase64(transaction.csr));
  const { publicKey } = csr;
  if (!publicKey) throw new Outage(`the request of ${transaction.id} cannot be read`);
  await view.load([{ kind: 'keyOwner', key: keyOwnerKey(ca.id, publicKey.spki) }]);
  const base: Grounds = {
    names: { subject: csr.subject, names: transaction.names.map(parseGeneralName) },
    by: [...provenBy(transaction), `approved by ${approval.by}`],
    ends: [],
    repeatsForLife: false,
    gates: gatesOf(deps, endpoint.enrol.authorize),
  };
  let grounds = base;
  if (transaction.renews !== undefined) {
    const key = certificateKey(ca.id, transaction.renews);
    await view.load([{ kind: 'certificate', key }]);
    const record = view.get('certificate', key);
    const der = fromBase64(record?.der ?? '');
    const spki = record?.der ? publicKeyOf(readCertificate(der))?.spki : undefined;
    const proven = { ...csr, publicKey };
    const asked = { endpoint, csr: proven, der, spki: spki ?? der };
    const renews = await renewal(asked, view, record, transaction, now);
    if (renews.kind === 'again') return 'again';
    if (renews.kind === 'not') return refuse('denied', renews.reason, renews.evidence);
    const { supersedes, ends } = renews;
    grounds = {
      ...base,
      renews: renews.renews,
      supersedes,
      ends,
      gates: gatesOf(deps, endpoint.renew.authorize),
    };
  }
  const order = { ca, endpoint, csr: { ...csr, publicKey }, transaction, isNew: false, view };
  try {
    // The list of blocked keys may have grown while the request waited.
    requireGoodKey(deps.config, ca, publicKey, 'request');
    requireProfile(endpoint.profile, publicKey.kind, grounds.names);
    return await issue(deps, order, approvedAuthorization(grounds), now);
  } catch (error) {
    if (error instanceof ScepFailure) return refuse('denied', error.reason, error.evidence);
    throw error;
  }
}
