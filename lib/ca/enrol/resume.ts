// What is on record of a request, for the same request again and for a poll: its outcome if that still
// counts. What is on its way is carried on, step by step: an approval becomes a certificate, and a signed
// certificate passes its gates. What is left to be judged is left to the caller.

import { fromBase64 } from '../../base/bytes.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { type ApprovedTransaction, isApproved, lacksPersons } from '../approve/approval-mac.ts';
import { close, type End } from '../approve/pending.ts';
import { release } from '../approve/release.ts';
import { isItsTurn } from '../approve/turns.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import { authorizeApproved } from '../authorize/authorize.ts';
import type { EnrolDeps } from '../deps.ts';
import { requesterOf } from '../record/transaction-event.ts';
import type { View } from '../record/unit-of-work.ts';
import { issue, type Made } from './issue.ts';
import { csrOf, type Recorded } from './lookup.ts';
import type { Outcome, Refused } from './request.ts';
import { endLapsed, lapsed } from './rollback.ts';

export type Standing =
  | Outcome
  /** busy: another process is working on it. lapsed: its own attempt has ended without a result. */
  | { readonly kind: 'busy' | 'lapsed' }
  /** Nothing stands (any more): the request is judged anew. */
  | { readonly kind: 'new' }
  /** A record changed during the call, and nothing was written: the caller must look up and decide again. */
  | { readonly kind: 'again' };

type Found = Recorded & {
  readonly endpoint: Endpoint;
  readonly ca: Ca;
  readonly view: View;
  /** Milliseconds since 1970: validators outside have until then. */
  readonly until: number;
};

/** @throws {Outage} when a gate could not say, or the stored approval does not hold */
export async function resume(deps: EnrolDeps, found: Found): Promise<Standing> {
  const { transaction, certificate, endpoint } = found;
  const now = deps.clock.now();
  switch (transaction?.state) {
    case 'pending': {
      if (transaction.expiresAt > now) return { kind: 'pending' };
      return closed(deps, found, transaction, { event: 'expire', reason: 'requestExpired', now });
    }
    case 'approved':
      return issueApproved(deps, found, transaction);
    case 'intended':
      if (!lapsed(transaction, now)) return { kind: 'busy' };
      return isApproved(transaction) ? issueApproved(deps, found, transaction) : { kind: 'lapsed' };
    case 'signed':
      if (!certificate) return { kind: 'new' };
      // A certificate in another state was read later: it has been released, or revoked, in between.
      return certificate.state === 'signed'
        ? finished(deps, { transaction, certificate }, found.until)
        : { kind: 'again' };
    case 'issued': {
      if (certificate?.state !== 'issued' || now >= transaction.repeatUntil) return { kind: 'new' };
      const outcome = issuedOf({ transaction, certificate });
      return { ...outcome, evidence: { ...outcome.evidence, repeated: 1 } };
    }
    case 'denied':
    case 'expired': {
      // A window that is longer than any began when the clock was wrong.
      const { repeatUntil, reason } = transaction;
      return now < repeatUntil && repeatUntil <= now + endpoint.repeatMs + CLOCK_SKEW_MS
        ? { kind: 'refused', reason }
        : { kind: 'new' };
    }
    case 'voided':
    case 'revoked':
    case 'refused':
    case undefined:
      return { kind: 'new' };
  }
}

/** The stored approval is one of the authorizations; from here on it is as for any other. */
async function issueApproved(
  deps: EnrolDeps,
  found: Found,
  transaction: ApprovedTransaction,
): Promise<Standing> {
  const { endpoint, ca, view } = found;
  // Without the record of its request there is nothing to certify: as if it had not been asked for.
  if ((await csrOf(view, transaction)).length === 0) return { kind: 'new' };
  const now = deps.clock.now();
  if (transaction.expiresAt > now) {
    if (lacksPersons(transaction, endpoint)) return { kind: 'pending' };
    if (!(await isItsTurn(deps, ca, transaction, now))) return { kind: 'pending' };
  }
  const decision = await authorizeApproved(
    deps,
    { endpoint, ca, transaction, view, until: found.until },
    now,
  );
  switch (decision.kind) {
    case 'again':
      return decision;
    case 'deny': {
      const { reason, evidence } = decision;
      const event = reason === 'requestExpired' ? 'expire' : 'deny';
      return closed(deps, found, transaction, { event, reason, evidence, now });
    }
    case 'grant':
      try {
        const order = { ca, endpoint, csr: decision.csr, transaction, view };
        const made = await issue(deps, order, decision.authorization, now);
        return made === 'again' ? { kind: 'again' } : await finished(deps, made, found.until);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const { reason, evidence } = error;
        return closed(deps, found, transaction, { event: 'deny', reason, evidence, now });
      }
  }
}

/** A lapsed attempt ends first: it gives back what it holds, and its process can issue nothing once the device
 * has been refused. What it leaves is approved again, and is judged again. */
async function closed(
  deps: EnrolDeps,
  { view }: Found,
  transaction: Transaction<'pending'> | ApprovedTransaction,
  end: End,
): Promise<Refused | { readonly kind: 'again' }> {
  if (transaction.state === 'intended') {
    await endLapsed(deps, view, transaction, { actor: { kind: 'system' }, now: end.now });
    return { kind: 'again' };
  }
  if ((await close(deps, view, transaction, end)) === 'again') return { kind: 'again' };
  const { reason, evidence } = end;
  return { kind: 'refused', reason, ...(evidence ? { evidence } : {}) };
}

/** What was made: given out at once, or through its gates. */
export async function finished(deps: EnrolDeps, made: Made, until: number): Promise<Standing> {
  const { transaction, certificate } = made;
  if (transaction.state === 'signed' && certificate.state === 'signed') {
    const by = { actor: requesterOf(transaction), until };
    const verdict = await release(deps, transaction, certificate, by);
    if (verdict === 'lost') return { kind: 'again' };
    if (verdict === 'revoked') return { kind: 'refused', reason: 'releaseRefused' };
  }
  return issuedOf(made);
}

const issuedOf = ({ transaction: { id }, certificate: { der, serial } }: Made) =>
  ({
    kind: 'issued',
    certificate: fromBase64(der),
    evidence: { transaction: id, serial },
  }) as const;
