// A proven request that is refused (shared design 4.11): kept as a Transaction in the state `refused`,
// with what the rule looked at, so that people can see why. No message ever meets it again: no pointer
// names it, and the same request is judged anew. Nobody can fill the store with them: beyond a rate
// per endpoint they are only counted. What counts against a challenge always counts.

import { Outage, type Reason, reasons, ScepFailure, shortened } from '../errors.ts';
import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { Actor, EventFields } from '../log/event.ts';
import type { Challenge, RequestPointer, Transaction } from '../ports/records.ts';
import { printGeneralName } from '../x509/general-name.ts';
import { moved } from './attempt.ts';
import { beginTransaction } from './begin.ts';
import type { Deps } from './deps.ts';
import type { Denied } from './grounds.ts';
import { eventOf } from './issue.ts';
import { askedNames } from './policy.ts';
import type { CertificateRequest, Known } from './recall.ts';
import type { Outcome } from './reply.ts';
import { Draft, View } from './view.ts';

/** What `authorize` denied, with what it counts against. */
export class DeniedRequest extends ScepFailure {
  readonly against: Against | undefined;
  constructor({ reason, evidence, counts }: Denied, request: CertificateRequest, known: Known) {
    super(reason, evidence);
    const { view, challenge } = known;
    this.against = counts &&
      challenge && {
        reason: counts,
        challenge,
        view,
        pointer: view.get('request', request.requestHash),
      };
  }
}

type Against = {
  readonly reason: Reason;
  readonly challenge: { readonly key: string; readonly record: Challenge };
  readonly view: View;
  readonly pointer: RequestPointer | undefined;
};

/**
 * @returns the FAILURE, with the id of the Transaction in its evidence where there is one
 * @throws {Outage} when it could not be counted against its challenge
 */
export async function refuse(
  deps: Deps,
  request: CertificateRequest,
  failure: ScepFailure,
): Promise<Outcome> {
  const { reason, evidence } = failure;
  const against = failure instanceof DeniedRequest ? failure.against : undefined;
  const outcome = { pkiStatus: 'FAILURE', reason, evidence } as const;
  // The same one again tells nobody anything new.
  if (against?.pointer?.refused === reason) return outcome;
  const { id: endpoint } = request.endpoint;
  const now = deps.clock.now();
  const before = deps.tally.takeRefusal(endpoint, now);
  if (before === undefined) sayUnstored(deps, endpoint, now);
  const refused =
    before === undefined ? undefined : refusedTransaction(deps, request, failure, now);
  const about = before === undefined || before === 0 ? {} : { number: before };

  // Whoever replays it writes nothing beyond the budget, nor does he count twice.
  if (against && (refused || !against.pointer?.refused)) {
    const draft = new Draft(against.view);
    count(deps, draft, request, against, refused && reason, now);
    if (refused) put(deps, draft, refused, about, now);
    if ((await deps.store.write(draft.actions)) === 'done') return withId(outcome, refused);
    // The challenge is locked or gone by now, or this request was counted already.
  }
  if (refused === undefined || before === undefined) return outcome;
  const draft = new Draft(new View(deps.store));
  put(deps, draft, refused, about, now);
  try {
    if ((await deps.store.write(draft.actions)) !== 'done') throw new Outage('its id is taken');
  } catch (error) {
    // The refusal is right whether it is kept or not.
    deps.tally.lostRefusal(endpoint, before, now);
    const detail = error instanceof Error ? error.message : String(error);
    deps.log({ event: 'refusal.unstored', severity: 'error', endpoint, detail });
    return outcome;
  }
  return withId(outcome, refused);
}

type Failure = Extract<Outcome, { pkiStatus: 'FAILURE' }>;

const withId = (outcome: Failure, refused: Transaction | undefined): Outcome =>
  refused ? { ...outcome, evidence: { ...outcome.evidence, transaction: refused.id } } : outcome;

function refusedTransaction(
  deps: Deps,
  request: CertificateRequest,
  { reason, evidence }: ScepFailure,
  now: number,
): Transaction {
  const begun = beginTransaction(deps, request, now);
  return {
    ...moved(begun, 'refused', now),
    names: namesAsked(request),
    reason,
    evidence,
    repeatUntil: now,
  };
}

/** Those that can be read; the CSR has them all as they came. A hundred of any length would make a
 * record that no store takes. */
function namesAsked({ csr }: CertificateRequest): string[] {
  try {
    return askedNames(csr).map((name) => shortened(printGeneralName(name)));
  } catch {
    return []; // hostile octets have a reason of their own
  }
}

function put(
  { random }: Deps,
  draft: Draft,
  refused: Transaction,
  about: Pick<EventFields, 'number'>,
  now: number,
): void {
  const { id, reason, evidence = {}, signer } = refused;
  const { challengeId } = evidence;
  draft.create('transaction', id, refused);
  draft.event(now, random, {
    ...eventOf(refused),
    ...about,
    type: 'request.refused',
    actor: { kind: 'device', id: signer },
    code: codeOf(reason),
    ...(challengeId === undefined ? {} : { challengeId: String(challengeId) }),
  });
}

const codeOf = (reason: string | undefined): string => reasons[reason as Reason].code;

/**
 * Ten refused requests lock a challenge. The same one again counts once: neither a device that
 * retries nor somebody who replays its message locks the others out.
 */
function count(
  { random }: Deps,
  draft: Draft,
  { endpoint, message, signer, requestHash }: CertificateRequest,
  { reason, challenge, pointer }: Against,
  kept: Reason | undefined,
  now: number,
): void {
  draft.put('request', requestHash, { ...pointer, refused: kept ?? true });
  if (pointer?.refused) return;
  const { id, failures } = challenge.record;
  const actor: Actor = { kind: 'device', id: signer.identity };
  const about: Omit<EventFields, 'type'> = {
    actor,
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    challengeId: id,
    code: codeOf(reason),
  };
  const type = reason === 'challengeSpent' ? 'challenge.reused' : 'challenge.refused';
  draft.use(challenge.key, { fail: true });
  draft.event(now, random, { ...about, type });
  if (failures + 1 === MAX_CHALLENGE_FAILURES) {
    draft.event(now, random, { ...about, type: 'challenge.locked' });
  }
}

function sayUnstored({ tally, log }: Deps, endpoint: string, now: number): void {
  const count = tally.sayUnstored(endpoint, now);
  if (count !== undefined) {
    log({ event: 'refusals.dropped', severity: 'warning', endpoint, count });
  }
}
