// A proven request to its outcome: what is known of it, how that stands, whether it may become a
// certificate, and the certificate. An attempt that lost a race starts over; a refusal rests on what
// was read, never on a race.

import { Outage } from '../../base/errors.ts';
import { CHALLENGE_AHEAD_MS, MAX_ISSUE_ROUNDS, WAIT_FOR_TWIN_MS } from '../../base/limits.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { followPolls, pend } from '../approve/pending.ts';
import { authorizeEnrolment, authorizeRenewal, type Decision } from '../authorize/authorize.ts';
import { sayStaticUse } from '../authorize/by-static-challenge.ts';
import type { NotRenewable } from '../authorize/renew.ts';
import { requireSigner } from '../authorize/signer.ts';
import type { Deps, EnrolDeps } from '../deps.ts';
import { requireUncompromised } from '../policy/good-key.ts';
import { requesterOf } from '../record/transaction-event.ts';
import { issue, requireIssuable } from './issue.ts';
import { asRenewal, type Known, lookup } from './lookup.ts';
import { beginAllowed } from './new-transaction.ts';
import { DeniedRequest } from './record-refusal.ts';
import type { EnrolmentRequest, Outcome } from './request.ts';
import { finished, resume, type Standing } from './resume.ts';
import { endLapsed, lapsed } from './rollback.ts';

/**
 * @throws {Refusal} for what the request itself is refused for, where that is not on record yet
 * @throws {Outage} when our own side failed or is busy; the request may be sent again as it is
 */
export async function enrol(deps: EnrolDeps, request: EnrolmentRequest): Promise<Outcome> {
  let waits = 0;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; ) {
    // 6. One consistent read: what is known of the request, and of what it proves itself by.
    const known = await lookup(deps, request);
    requireUncompromised(known.view, request.csr.publicKey, 'request');
    requireUncompromised(known.view, request.signer.key, 'signer');
    const result = await oneRound(deps, request, known);
    switch (result.kind) {
      case 'issued':
      case 'pending':
      case 'refused':
        return result;
      case 'busy': {
        // Another process handles the same request: wait, and answer with its result.
        const ms = WAIT_FOR_TWIN_MS[waits++];
        if (ms === undefined) throw new Outage('this request is being worked on');
        await deps.clock.sleep(ms);
        break;
      }
      default:
        round++;
    }
  }
  throw new Outage('too many requests compete for the same records');
}

/** Tries a renewal if a certificate of this CA signed and may be renewed, and otherwise an enrolment. */
async function oneRound(deps: EnrolDeps, asked: EnrolmentRequest, found: Known): Promise<Standing> {
  const renewing = asRenewal(asked, found);
  let renews: NotRenewable | undefined;
  if (renewing) {
    const { request, known } = renewing;
    const stands = await onRecord(deps, request, known);
    if (!isOpen(stands)) return stands;
    const now = requireClock(deps, request);
    // 7. May it become a certificate, and which?
    const decision = await authorizeRenewal(deps, request, known, now);
    if (decision.kind !== 'not') {
      // One certificate for one request: its attempt as an enrolment is waited for, or ends.
      const other = found.transaction?.state === 'intended' && !lapsed(found.transaction, now);
      if (other) return { kind: 'busy' };
      if (await endOwn(deps, asked, found, now)) return { kind: 'again' };
      return carryOut(deps, request, known, { decision, now });
    }
    if (await endOwn(deps, request, known, now)) return { kind: 'again' };
    renews = decision;
  }
  requireSigner(asked, renews);
  // Whoever signs with the very certificate that answered has it, and asks for the next one.
  const own = found.signer !== undefined && found.signer.serial === found.certificate?.serial;
  const stands = own ? undefined : await onRecord(deps, asked, found);
  if (stands && !isOpen(stands)) return stands;
  const now = requireClock(deps, asked);
  const decision = await authorizeEnrolment(deps, asked, found, { renews, now });
  return carryOut(deps, asked, found, { decision, now });
}

/** Has it been answered before? What is on its way is carried on. */
async function onRecord(
  deps: EnrolDeps,
  request: EnrolmentRequest,
  known: Known,
): Promise<Standing> {
  const { endpoint, ca, until } = request;
  const stands = await resume(deps, { ...known, endpoint, ca, until });
  if (stands.kind === 'pending') await followPolls(deps, request, known);
  return stands;
}

/** It is to be judged. */
const isOpen = ({ kind }: Standing): boolean => kind === 'new' || kind === 'lapsed';

/** By a clock of before the CA every challenge is of the future: a fault of our own refuses no device. */
function requireClock({ clock }: Deps, { ca }: EnrolmentRequest): number {
  const now = clock.now();
  if (now + CHALLENGE_AHEAD_MS < ca.certificate.notBefore) {
    throw new Outage('the clock is before the beginning of the CA');
  }
  return now;
}

type Decided = { readonly decision: Decision; readonly now: number };

async function carryOut(
  deps: EnrolDeps,
  request: EnrolmentRequest,
  known: Known,
  decided: Decided,
): Promise<Standing> {
  try {
    return await asDecided(deps, request, known, decided);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (await endOwn(deps, request, known, decided.now)) return { kind: 'again' };
    const { decision } = decided;
    if (!('authorization' in decision)) throw error;
    // It was allowed, and cannot be certified: who allowed it is on record all the same.
    throw Object.assign(error, { verdicts: decision.authorization.grounds.verdicts });
  }
}

/**
 * A lapsed attempt of the request itself ends before the request is refused: its process may still be at
 * work, and would issue what the device has been told that it does not get.
 * @returns whether there was one: the request is then judged again, by what that has become
 */
async function endOwn(
  deps: EnrolDeps,
  { signer, kept }: EnrolmentRequest,
  { view, transaction }: Known,
  now: number,
): Promise<boolean> {
  if (!transaction || !lapsed(transaction, now)) return false;
  const actor = requesterOf({ signer: signer.identity, ...kept });
  await endLapsed(deps, view, transaction, { actor, now });
  return true;
}

async function asDecided(
  deps: EnrolDeps,
  request: EnrolmentRequest,
  known: Known,
  { decision, now }: Decided,
): Promise<Standing> {
  const { endpoint, ca, csr } = request;
  const { transaction, view } = known;
  switch (decision.kind) {
    case 'again':
      return decision;
    case 'deny':
      throw new DeniedRequest(decision, request, known);
    case 'pend':
    case 'defer': {
      const { grounds, turn } =
        decision.kind === 'defer'
          ? decision
          : { grounds: decision.authorization.grounds, turn: undefined };
      await requireIssuable(deps, { ca, csr }, grounds, now);
      if ((await pend(deps, request, known, { grounds, now, turn })) === 'again') {
        return { kind: 'again' };
      }
      if (grounds.isStatic) sayStaticUse(deps, request);
      return { kind: 'pending' };
    }
    case 'grant': {
      // Its own attempt has lapsed, and is replaced.
      const again = transaction && lapsed(transaction, now) ? transaction : undefined;
      const { authorization } = decision;
      const outside = authorization.grounds.gates.length > 0;
      const begun = again ?? (await beginAllowed(deps, request, known, { outside, now }));
      const order = { ca, endpoint, csr, transaction: begun, view };
      // 8. Recorded, signed, verified, recorded again.
      const made = await issue(deps, order, decision.authorization, now);
      if (made === 'again') return { kind: 'again' };
      if (decision.authorization.grounds.isStatic) sayStaticUse(deps, request);
      return finished(deps, made, request.until);
    }
  }
}
