// Who may have a certificate: the endpoint's validators, all of which must allow. Nothing is
// written here but the count of refused attempts with a known challenge.
//
// `issue()` takes an `Authorization`, and only this file can make one.

import { type Evidence, Outage, type Reason, ScepFailure } from '../errors.ts';
import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { Challenge } from '../ports/challenges.ts';
import type { Recalled } from '../ports/transactions.ts';
import { bindingHolds } from './challenges.ts';
import type { Deps } from './deps.ts';
import { type CertifiedNames, certifiedNames } from './policy.ts';
import type { CertificateRequest } from './recall.ts';

class Granted {
  readonly #made = true;
  readonly request: CertificateRequest;
  readonly names: CertifiedNames;
  /** Its use is taken in the same transaction that reserves the serial. */
  readonly challenge: Challenge;
  /** The Transaction that recall saw under this request hash. */
  readonly supersedes: string | undefined;

  constructor(
    request: CertificateRequest,
    names: CertifiedNames,
    challenge: Challenge,
    supersedes: string | undefined,
  ) {
    this.request = request;
    this.names = names;
    this.challenge = challenge;
    this.supersedes = supersedes;
  }

  /** Keeps the private field, which makes the type nominal, in use. */
  get valid(): boolean {
    return this.#made;
  }
}

/** That this request may become this certificate, and on what conditions that stays true. */
export type Authorization = Granted;

export type Decision =
  | { readonly kind: 'grant'; readonly authorization: Authorization }
  | { readonly kind: 'deny'; readonly reason: Reason; readonly evidence: Evidence };

const deny = (reason: Reason, evidence: Evidence = {}): Decision => ({
  kind: 'deny',
  reason,
  evidence,
});

/** @throws {Outage} when a validator could not say */
export async function authorize(
  deps: Deps,
  request: CertificateRequest,
  recalled: Recalled,
  now: number,
): Promise<Decision> {
  // The configuration allows no other validator today, and no list without one.
  if (!request.endpoint.enrol.authorize.includes('challenge')) throw new Outage('no validator');
  const { challenge } = recalled;
  if (!request.csr.challengePassword) return deny('challengeMissing');
  if (!challenge) return deny('challengeUnknown');
  if (!bindingHolds(await deps.macKeys.live(), challenge)) {
    deps.log({ event: 'challenge.tampered', severity: 'error', challengeId: challenge.id });
    return deny('challengeUnknown', { challengeId: challenge.id });
  }
  const evidence = { challengeId: challenge.id };
  if (challenge.failures >= MAX_CHALLENGE_FAILURES) return deny('challengeLocked', evidence);
  if (challenge.expiresAt <= now) return deny('challengeExpired', evidence);
  if (challenge.usesLeft < 1) return deny('challengeSpent', evidence);
  try {
    const names = certifiedNames(request.csr, challenge.binding);
    const supersedes = recalled.transaction?.id;
    return { kind: 'grant', authorization: new Granted(request, names, challenge, supersedes) };
  } catch (error) {
    if (!(error instanceof ScepFailure)) throw error;
    // The use is not taken: the right request may still come. Guessing names locks it.
    await deps.challenges.countFailure(challenge.key);
    return deny(error.reason, { ...evidence, ...error.evidence });
  }
}
