// A proven request that is refused (shared design 4.11): kept for a time as a Transaction in the state
// `refused`, with what the rule looked at, so that people can see why. No pointer names it, so the same
// request is judged anew. To keep the store from being filled, refusals beyond a rate per endpoint, over
// all instances, are only counted. Failures of a one-time challenge are always counted, up to ten, which
// lock it; those of a challenge of several uses are counted within that rate.

import { errorText, Outage } from '../../base/errors.ts';
import { MAX_CHALLENGE_FAILURES, REFUSAL_KEPT_MS } from '../../base/limits.ts';
import { outsideOf } from '../../config/endpoint/enrolment.ts';
import type { EventFields } from '../../events/event.ts';
import { isGone } from '../../ports/records/expiry.ts';
import type { Challenge, RequestPointer } from '../../ports/records/records.ts';
import type { Transaction, Verdict } from '../../ports/records/transaction.ts';
import { isLocked } from '../../ports/store.ts';
import { type Reason, Refusal, reasons } from '../../refusal/reasons.ts';
import type { Denied } from '../authorize/grounds.ts';
import { questionOf, tellRefused } from '../authorize/validators.ts';
import { useChallenge } from '../challenge/use.ts';
import type { Deps } from '../deps.ts';
import { eventOf, expiresOf, requesterOf, saidOutside } from '../record/transaction-event.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import type { Known, KnownChallenge } from './lookup.ts';
import { leasePlaces } from './refusal-budget.ts';
import { cut, refusedTransaction } from './refused-record.ts';
import type { EnrolmentRequest, Refused } from './request.ts';
import type { Act } from './rollback.ts';

/** What `authorize` denied, with what it counts against. */
export class DeniedRequest extends Refusal {
  readonly against: Against | undefined;
  readonly verdicts: readonly Verdict[];
  constructor(
    { reason, evidence, asEnrolment = reason, verdicts = [] }: Denied,
    request: EnrolmentRequest,
    known: Known,
  ) {
    super(reason, evidence);
    this.verdicts = verdicts;
    const { view, challenge } = known;
    const counts = reasons[asEnrolment].countsAgainstChallenge === true;
    if (!challenge || !(counts || isOpenDecoy(challenge.record))) return;
    const pointer = view.get('request', request.requestHash);
    this.against = { reason: asEnrolment, challenge, view, pointer };
  }
}

/** Its uses are counted, up to those that would lock another. */
const isOpenDecoy = (record: Challenge | undefined): boolean =>
  record?.decoy === true && !isLocked(record);

type Against = {
  readonly reason: Reason;
  readonly challenge: KnownChallenge;
  readonly view: View;
  readonly pointer: RequestPointer | undefined;
};

/**
 * @returns the refusal, with the id of the Transaction in its evidence where there is one
 * @throws {Outage} when it could not be counted against its challenge
 */
export async function recordRefusal(
  deps: Deps,
  request: EnrolmentRequest,
  failure: Refusal,
): Promise<Refused> {
  const outcome = await keep(deps, request, failure);
  // Beyond the budget for records nobody outside is called either.
  if (outcome.evidence?.transaction === undefined) return outcome;
  // Whoever refused it knows.
  const others = outsideOf(request.endpoint).filter((id) => id !== failure.evidence.validator);
  await tellRefused(deps, others, questionOf(request), outcome.reason);
  return outcome;
}

/** Within the budget, and counted against its challenge. @throws {Outage} as above */
async function keep(deps: Deps, request: EnrolmentRequest, failure: Refusal): Promise<Refused> {
  const { reason, evidence } = failure;
  const now = deps.clock.now();
  const against = failure instanceof DeniedRequest ? standing(failure.against, now) : undefined;
  const outcome: Refused = { kind: 'refused', reason, evidence };
  // The same refusal is not recorded again.
  if (against?.pointer?.refused === reason) return outcome;
  const actor = requesterOf({ signer: request.signer.identity, ...request.kept });
  const act: Act = { actor, now, random: deps.random };
  const { id: endpoint } = request.endpoint;
  const lease = () => leasePlaces(deps, endpoint, now);
  const before = await deps.tally.takeRefusal(endpoint, now, lease);
  if (before === undefined) sayUnstored(deps, endpoint, now);
  const refused =
    before === undefined ? undefined : refusedTransaction(deps, request, failure, now);
  const about = before === undefined || before === 0 ? {} : { number: before };

  // A replay writes nothing beyond the budget, and is not counted twice.
  const locks = against?.challenge.record.uses === 1 && !against.pointer?.refused;
  if (against && (refused || locks)) {
    const draft = new Draft(against.view);
    count(draft, request, { ...against, kept: refused && reason }, act);
    if (refused) put(draft, refused, about, act);
    if ((await deps.store.write(draft.actions)) === 'done') {
      warnOfFailures(deps, endpoint, against);
      return withId(outcome, refused);
    }
    // The challenge is locked or gone by now, or this request was counted already.
  }
  if (refused === undefined || before === undefined) return outcome;
  const draft = new Draft(new View(deps.store));
  put(draft, refused, about, act);
  try {
    if ((await deps.store.write(draft.actions)) !== 'done') throw new Outage('its id is taken');
  } catch (error) {
    // The refusal is answered whether it could be kept or not.
    deps.tally.lostRefusal(endpoint, before);
    const detail = errorText(error);
    deps.log({ event: 'refusal.unstored', severity: 'error', endpoint, detail });
    return outcome;
  }
  return withId(outcome, refused);
}

const withId = (outcome: Refused, refused: Transaction | undefined): Refused =>
  refused ? { ...outcome, evidence: { ...outcome.evidence, transaction: refused.id } } : outcome;

/** A refusal that was counted is not counted again for as long as it is kept. */
function standing(against: Against | undefined, now: number): Against | undefined {
  const { pointer } = against ?? {};
  if (!against || !pointer || !isGone('request', pointer, now)) return against;
  return { ...against, pointer: undefined };
}

function put(
  draft: Draft,
  refused: Transaction<'refused'>,
  about: Pick<EventFields, 'number'>,
  { actor, now, random }: Act,
): void {
  const { id, reason, evidence } = refused;
  const { challengeId } = evidence;
  // The event leaves out the names, which the record has for as long as it is kept.
  const { names: _kept, ...rest } = eventOf(refused);
  draft.create('transaction', id, refused);
  draft.event(now, random, {
    ...rest,
    ...saidOutside(refused),
    ...about,
    type: 'request.refused',
    actor,
    code: codeOf(reason),
    configHash: refused.configHash,
    ...expiresOf('transaction', refused),
    ...(challengeId === undefined ? {} : { challengeId: String(challengeId) }),
  });
}

const codeOf = (reason: string | undefined): string => reasons[reason as Reason].code;

/**
 * Ten refused requests lock a one-time challenge. A repeat is not counted again, so neither a device that
 * retries nor an attacker who replays its message locks it.
 */
function count(
  draft: Draft,
  { endpoint, transactionID, requestHash }: EnrolmentRequest,
  { reason, challenge, pointer, kept }: Against & { readonly kept: Reason | undefined },
  { actor, now, random }: Act,
): void {
  const until = pointer?.transaction === undefined ? { expiresAt: now + REFUSAL_KEPT_MS } : {};
  draft.put('request', requestHash, { ...pointer, refused: kept ?? true, ...until });
  if (pointer?.refused) return;
  const { id, uses, failures } = challenge.record;
  const about: Omit<EventFields, 'type'> = {
    actor,
    endpoint: endpoint.id,
    transactionID: cut(transactionID),
    challengeId: id,
    code: codeOf(reason),
  };
  const type = challenge.record.decoy
    ? 'challenge.decoyUsed'
    : reason === 'challengeSpent'
      ? 'challenge.reused'
      : 'challenge.refused';
  const { key, isNew, record } = challenge;
  useChallenge(draft, { key, fresh: isNew && record }, { fail: true }, { now, random });
  draft.event(now, random, { ...about, type });
  if (isLocked({ uses, failures: failures + 1 })) {
    draft.event(now, random, { ...about, type: 'challenge.locked' });
  }
}

/**
 * What a person should look at: a spent challenge that somebody else has, and the failures of one of several uses, which
 * never locks.
 */
function warnOfFailures({ log }: Deps, endpoint: string, against: Against): void {
  const { challenge, pointer, reason } = against;
  const { id, uses, failures } = challenge.record;
  if (pointer?.refused) return;
  if (reason === 'challengeSpent') {
    log({ event: 'challenge.reused', severity: 'warning', endpoint, challengeId: id });
  }
  if (uses === 1 || failures + 1 < MAX_CHALLENGE_FAILURES) return;
  const about = { endpoint, challengeId: id, failures: failures + 1 };
  log({ event: 'challenge.failing', severity: 'warning', ...about });
}

function sayUnstored({ tally, log }: Deps, endpoint: string, now: number): void {
  const count = tally.sayUnstored(endpoint, now);
  if (count !== undefined) {
    log({ event: 'refusals.dropped', severity: 'warning', endpoint, count });
  }
}
