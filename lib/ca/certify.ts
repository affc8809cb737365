// A proven request to its outcome: what is known of it, how that stands, whether it may become a
// certificate, and the certificate. An attempt that lost a race starts over; a refusal rests on what
// was read, never on a race.

import { encodeCertsOnly } from '../cms/certs-only.ts';
import { Outage } from '../errors.ts';
import { MAX_ISSUE_ROUNDS, WAIT_FOR_TWIN_MS } from '../limits.ts';
import { authorize } from './authorize.ts';
import { beginTransaction } from './begin.ts';
import { sayStaticUse } from './by-static-challenge.ts';
import type { Deps } from './deps.ts';
import { issue, requireIssuable } from './issue.ts';
import { followPolls, pend } from './pending.ts';
import { type CertificateRequest, type Known, recall } from './recall.ts';
import { DeniedRequest } from './refusal.ts';
import type { Outcome } from './reply.ts';
import { finished, type Standing, standing } from './standing.ts';

/**
 * @throws {ScepFailure} for what the request itself is refused for, where that is not on record yet
 * @throws {Outage} when our own side failed or is busy; the request may be sent again as it is
 */
export async function certify(deps: Deps, request: CertificateRequest): Promise<Outcome> {
  const { endpoint, ca, recipient } = request;
  let waits = 0;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; ) {
    const known = await recall(deps, request);
    const { transaction, certificate, view } = known;
    const stands = await standing(deps, endpoint, ca, transaction, certificate, view);
    if (stands.kind === 'busy') {
      // A twin is at work: its result is ours.
      const ms = WAIT_FOR_TWIN_MS[waits++];
      if (ms === undefined) throw new Outage('this request is being worked on');
      await deps.clock.sleep(ms);
      continue;
    }
    round++;
    const result = await further(deps, request, known, stands);
    switch (result.kind) {
      case 'issued': {
        const plaintext = encodeCertsOnly([result.certificate]);
        return { pkiStatus: 'SUCCESS', plaintext, recipient, evidence: result.evidence };
      }
      case 'pending':
        return { pkiStatus: 'PENDING', evidence: {} };
      case 'refused':
        return { pkiStatus: 'FAILURE', reason: result.reason, evidence: result.evidence ?? {} };
      default:
    }
  }
  throw new Outage('too many requests compete for the same records');
}

/** One step on from how it stands. */
async function further(
  deps: Deps,
  request: CertificateRequest,
  known: Known,
  stands: Standing,
): Promise<Standing> {
  const { endpoint, ca, csr } = request;
  const { transaction, view } = known;
  if (stands.kind === 'pending') await followPolls(deps, request, known);
  if (stands.kind !== 'new' && stands.kind !== 'lapsed') return stands;
  const now = deps.clock.now();
  const decision = await authorize(deps, request, known, now);
  switch (decision.kind) {
    case 'again':
      return decision;
    case 'deny':
      throw new DeniedRequest(decision, request, known);
    case 'pend': {
      requireIssuable(deps, { ca, endpoint, csr }, decision.authorization, now);
      const pending = await pend(deps, request, known, decision.authorization, now);
      if (pending === 'again') return { kind: 'again' };
      if (decision.authorization.grounds.isStatic) sayStaticUse(deps, request);
      return { kind: 'pending' };
    }
    case 'grant': {
      const again = stands.kind === 'lapsed' ? transaction : undefined;
      const begun = again ?? beginTransaction(deps, request, now);
      const order = { ca, endpoint, csr, transaction: begun, isNew: again === undefined, view };
      const made = await issue(deps, order, decision.authorization, now);
      if (made === 'again') return { kind: 'again' };
      if (decision.authorization.grounds.isStatic) sayStaticUse(deps, request);
      return finished(deps, made);
    }
  }
}
