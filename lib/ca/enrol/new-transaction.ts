// The beginning of a Transaction: the record of an allowed request, for a certificate that is made at once or
// after an approval.

import { hex } from '../../base/bytes.ts';
import { ulid } from '../../base/ulid.ts';
import { keepsChallenge } from '../../config/endpoint/enrolment.ts';
import { hash } from '../../crypto/native.ts';
import { printName } from '../../x509/names/name.ts';
import { keepChallenge, keepForOutside } from '../approve/sealed.ts';
import type { Deps } from '../deps.ts';
import type { Begun } from '../record/transition.ts';
import type { Known } from './lookup.ts';
import type { EnrolmentRequest } from './request.ts';

/** The Transaction as it begins; the write that stores it says in which state. */
export function beginTransaction(
  { random, config }: Deps,
  request: EnrolmentRequest,
  now: number,
): Begun {
  const { endpoint, ca, transactionID, signer, csr, requestHash, kept } = request;
  return {
    id: ulid(now, random(10)),
    endpoint: endpoint.id,
    ca: ca.id,
    state: 'begin',
    signer: signer.identity,
    requestHash,
    transactionIDs: [transactionID],
    subject: printName(csr.subject),
    csrHash: hex(hash('SHA-256', csr.der)),
    names: [],
    profile: endpoint.profile.id,
    authorizedBy: [],
    undo: {},
    repeatUntil: now + endpoint.repeatMs,
    configHash: config.digest,
    ...kept,
    timeline: [],
    createdAt: now,
  };
}

/**
 * The same of one that is allowed: its challenge is kept, sealed.
 * @param outside validators outside are yet to be asked, or told
 */
export async function beginAllowed(
  deps: Deps,
  request: EnrolmentRequest,
  { challenge }: Pick<Known, 'challenge'>,
  { outside, now }: { readonly outside: boolean; readonly now: number },
): Promise<Begun> {
  const begun = beginTransaction(deps, request, now);
  return {
    ...begun,
    ...(await keepChallenge(deps, begun.id, request.csr, challenge)),
    ...(outside && !keepsChallenge(request.endpoint.enrol)
      ? await keepForOutside(deps, begun.id, request.csr)
      : {}),
  };
}
