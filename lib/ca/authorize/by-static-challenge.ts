// An enrolment on a static challenge: one secret that many devices know, for clients that can carry
// nothing else. It is loud: a warning at the start and for each use, a count, its own words in every
// record. Whoever knows it can enrol any subject that the endpoint's pattern fits, so it gives no
// names but those that the profile lets a request give itself, and nothing that is only `bound`.
//
// It has no record: the request's pointer and the owner of the key make an enrolment happen once. It is never
// locked, because one device could lock out all others. An EC client's reply is sealed with it, so that
// whoever knows it can read the certificate in the reply, which is not a secret.

import { equalSecret, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import type { Config } from '../../config/config.ts';
import type { StaticChallenge } from '../../config/endpoint/enrolment.ts';
import { hash } from '../../crypto/native.ts';
import type { Log } from '../../ports/log.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { printName } from '../../x509/names/name.ts';
import type { Deps } from '../deps.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { certifiedNames, requireSubject } from '../policy/policy.ts';
import { type Basis, deny } from './grounds.ts';

/** @throws {Outage} when this instance does not have the secret */
export function byStaticChallenge(
  { staticSecrets }: Pick<Deps, 'staticSecrets'>,
  { endpoint, csr }: Pick<EnrolmentRequest, 'endpoint' | 'csr'>,
  { secret, subject }: StaticChallenge,
): Basis {
  const path = `endpoints.${endpoint.id}.enrol.staticChallenge`;
  const { challengePassword } = csr;
  if (!challengePassword) return deny('challengeMissing', { rule: path });
  const expected = staticSecrets.get(secret);
  if (!expected) throw new Outage(`what "${secret}" refers to is not there`);
  // Digests are of one length, whatever was sent.
  const sent = utf8(challengePassword);
  if (!equalSecret(hash('SHA-256', sent), expected)) {
    return deny('challengeUnknown', { rule: path, octets: sent.length });
  }
  try {
    const names = certifiedNames(endpoint.profile, csr, { names: [] });
    requireSubject(`${path}.subject`, subject, csr.subject);
    const by = [`static challenge of endpoint ${endpoint.id}`];
    const { profile } = endpoint;
    const grounds = { names, profile, by, ends: [], repeatsForLife: false, isStatic: true };
    return { kind: 'basis', grounds };
  } catch (error) {
    if (error instanceof Refusal) return deny(error.reason, error.evidence);
    throw error;
  }
}

/** One certificate, or one request for an approver, on the strength of it. */
export function sayStaticUse(
  { tally, log }: Pick<Deps, 'tally' | 'log'>,
  { endpoint, signer, csr }: EnrolmentRequest,
): void {
  tally.countStaticChallenge(endpoint.id);
  log({
    event: 'staticChallenge.used',
    severity: 'warning',
    endpoint: endpoint.id,
    signer: signer.identity,
    subject: printName(csr.subject),
    uses: tally.staticChallengeUses.get(endpoint.id),
  });
}

/** What a start says of every endpoint that has one. */
export function warnOfStaticChallenges({ endpoints }: Pick<Config, 'endpoints'>, log: Log): void {
  for (const { id, enrol } of endpoints.values()) {
    if (!enrol.staticChallenge) continue;
    const detail =
      'whoever knows this one secret can enrol: for clients that can carry nothing else';
    log({ event: 'staticChallenge.enabled', severity: 'warning', endpoint: id, detail });
  }
}
