// What a first request rests on: a challenge, or the one secret of all; or nothing, and an approver decides. And what the
// endpoint's device list, if it has one, says of it.

import { Refusal } from '../../refusal/reasons.ts';
import type { Deps } from '../deps.ts';
import type { Known } from '../enrol/lookup.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { askedUsage } from '../policy/asked-usage.ts';
import { narrowed } from '../policy/bound.ts';
import { asAsked, certifiedNames } from '../policy/policy.ts';
import { byChallenge } from './by-challenge.ts';
import { DEVICE_LIST, type Listed, onList, withList, withRow } from './by-list.ts';
import { byStaticChallenge } from './by-static-challenge.ts';
import { type Basis, type Denied, deny, withVerdict } from './grounds.ts';

/** What the device brings along: a challenge, or the one secret of all; or nothing, and an approver decides. */
export async function basisOf(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  now: number,
): Promise<Basis> {
  const { endpoint, csr } = request;
  const { binding } = known.challenge?.record ?? {};
  if (!endpoint.enrol.authorize.includes(DEVICE_LIST)) {
    return byProof(deps, request, known, { now, found: undefined });
  }
  const found = await onList(endpoint, csr, known.view, binding?.device);
  const basis = await byProof(deps, request, known, { now, found });
  // Only whoever has proven something is told what the list says.
  if (basis.kind !== 'basis') return basis;
  const listed = withList(basis.grounds, endpoint, found);
  if (!('kind' in listed)) return { kind: 'basis', grounds: listed };
  const by = known.challenge ? { challengeId: known.challenge.record.id } : {};
  return { ...listed, evidence: { ...listed.evidence, ...by } };
}

async function byProof(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  { now, found }: { readonly now: number; readonly found: Listed | Denied | undefined },
): Promise<Basis> {
  const { authorize, staticChallenge } = request.endpoint.enrol;
  // A secret that many devices know gives nobody the names of one.
  if (staticChallenge) {
    return withVerdict('staticChallenge', byStaticChallenge(deps, request, staticChallenge));
  }
  for (const validator of ['challenge', 'signedChallenge']) {
    if (!authorize.includes(validator)) continue;
    return withVerdict(validator, await byChallenge(deps, request, known, { now, found }));
  }
  return byNothing(request, found);
}

/** The names that a validator outside is going to judge with all of the request; or those that the list gives, or that
 * the profile lets a request give itself. */
function byNothing(
  { endpoint: { profile: whole, enrol }, csr }: EnrolmentRequest,
  found: Listed | Denied | undefined,
): Basis {
  try {
    const narrowing = enrol.namesAsAsked ? askedUsage(whole, csr) : undefined;
    const profile = narrowed(whole, narrowing);
    const binding = enrol.namesAsAsked ? asAsked(csr) : { names: [] };
    const names = certifiedNames(profile, csr, withRow(binding, found, csr));
    const grounds = { names, profile, narrowing, by: [], ends: [], repeatsForLife: false };
    return { kind: 'basis', grounds };
  } catch (error) {
    if (error instanceof Refusal) return deny(error.reason, error.evidence);
    throw error;
  }
}
