// Who may have a certificate, and which: a renewal on the strength of the certificate that signed,
// or an enrolment by the endpoint's validators, all of which must allow. Nothing is written here but
// the count of refused attempts with a challenge that exists.
//
// `issue()` takes an `Authorization`, and only this file can make one. It carries what has to stay
// true until the intent is written.

import { type Evidence, Outage, type Reason, ScepFailure } from '../errors.ts';
import { CLEAR_OPEN_USES_AT, MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { EventType } from '../log/event.ts';
import type { CertificateRecord, Transaction } from '../ports/records.ts';
import type { ValidationRequest } from '../ports/validator.ts';
import { lapsed, loadForEnd } from './attempt.ts';
import { bindingHolds } from './challenges.ts';
import type { Deps } from './deps.ts';
import { type CertifiedNames, certifiedNames } from './policy.ts';
import type { CertificateRequest, Known } from './recall.ts';
import { renewal } from './renew.ts';
import { Draft, View } from './view.ts';

/** On what a grant rests, and what its intent does beside reserving a serial number. */
export type Grounds = {
  readonly names: CertifiedNames;
  /** For the record and people: `challenge <id>`, `renewal of <serial>`, `approved by <name>`. */
  readonly by: readonly string[];
  /** Key of the challenge whose use is taken; finished holders that are no longer listed. */
  readonly challenge?: { readonly key: string; readonly clear: readonly string[] };
  /** The certificate that is renewed; released successors of it that nobody has used. */
  readonly renews?: CertificateRecord;
  readonly supersedes?: readonly CertificateRecord[];
  /** Lapsed attempts of others that end in the same write. */
  readonly ends: readonly Transaction[];
  /** The outcome repeats for the certificate's life; otherwise for the endpoint's window. */
  readonly repeatsForLife: boolean;
  /** Validators that have to be told before anything is released. */
  readonly gates: readonly string[];
};

class Granted {
  readonly #made = true;
  readonly grounds: Grounds;

  constructor(grounds: Grounds) {
    this.grounds = grounds;
  }

  /** Keeps the private field, which makes the type nominal, in use. */
  get valid(): boolean {
    return this.#made;
  }
}

/** That a request may become a certificate, and on what conditions that stays true. */
export type Authorization = Granted;

export type Decision =
  | { readonly kind: 'grant'; readonly authorization: Authorization }
  /** Allowed, and an approver has the last word. */
  | { readonly kind: 'pend'; readonly authorization: Authorization }
  | { readonly kind: 'deny'; readonly reason: Reason; readonly evidence: Evidence }
  /** What would refuse has been voided since it was read: recall again. */
  | { readonly kind: 'again' };

const deny = (reason: Reason, evidence: Evidence = {}): Decision => ({
  kind: 'deny',
  reason,
  evidence,
});

/** @throws {Outage} when a validator could not say, or somebody else is working on the same thing */
export async function authorize(
  deps: Deps,
  request: CertificateRequest,
  known: Known,
  now: number,
): Promise<Decision> {
  const { endpoint, signer } = request;
  const { certificate, key } = signer;
  const asked = { endpoint, csr: request.csr, der: certificate.der, spki: key.spki };
  const renews = signer.ours
    ? await renewal(asked, known.view, known.signer, known.transaction, now)
    : undefined;
  if (renews?.kind === 'again') return renews;
  if (renews?.kind === 'not' && countsSuccessors.has(renews.reason)) {
    await known.view.reload(pointerTo(request));
    if (!isNewest(request, known)) return { kind: 'again' };
  }
  if (renews?.kind === 'renewable') {
    const { names, supersedes, ends } = renews;
    const grounds = {
      names: certifiedNames(request.csr, { names }),
      by: [`renewal of ${renews.renews.serial}`],
      renews: renews.renews,
      supersedes,
      ends,
      repeatsForLife: true,
    };
    return outside(deps, request, endpoint.renew.authorize, grounds);
  }
  const decision = await byChallenge(deps, request, known, now);
  // Where the challenge does not help, why the renewal is none is what its device must know.
  if (decision.kind !== 'deny' || !renews) return decision;
  return deny(renews.reason, decision.evidence);
}

/** A twin of this very request may be what these count. */
const countsSuccessors: ReadonlySet<Reason> = new Set(['renewalDone', 'renewalTooOften']);

const pointerTo = ({ requestHash }: CertificateRequest) =>
  ({ kind: 'request', key: requestHash }) as const;

/** Whether what was recalled of this request is, by what was just read, still all there is. */
const isNewest = ({ requestHash }: CertificateRequest, { view, transaction }: Known): boolean =>
  view.get('request', requestHash)?.transaction === transaction?.id;

async function byChallenge(
  deps: Deps,
  request: CertificateRequest,
  known: Known,
  now: number,
): Promise<Decision> {
  const { authorize: list } = request.endpoint.enrol;
  // No list without a challenge exists yet: what it would rest on instead comes with its validator.
  if (!list.includes('challenge')) throw new Outage('the endpoint does not ask for a challenge');
  const { challenge, transaction: own } = known;
  if (!request.csr.challengePassword) return deny('challengeMissing');
  if (!challenge) return deny('challengeUnknown');
  const { key, record } = challenge;
  const evidence = { challengeId: record.id };
  if (!bindingHolds(await deps.macKeys.live(), key, record)) {
    deps.log({ event: 'challenge.tampered', severity: 'error', ...evidence });
    return deny('challengeUnknown', evidence);
  }
  const refuse = async (reason: Reason, more: Evidence = {}): Promise<Decision> => {
    await countRefusal(deps, request, challenge, reason, now);
    return deny(reason, { ...evidence, ...more });
  };
  // A twin was faster, after the request had been looked for and before the challenge was read.
  if (!own && Object.values(record.open).includes(request.requestHash)) return { kind: 'again' };
  if (record.failures >= MAX_CHALLENGE_FAILURES) return deny('challengeLocked', evidence);
  // The use that this very request holds counts as free, and as taken in time.
  const held = own?.state === 'intended' && record.open[own.id] !== undefined;
  if (!held && record.expiresAt <= now) return deny('challengeExpired', evidence);
  const holders = held ? noHolders : await holdersOf(request, known, record.open, now);
  const free = record.usesLeft + holders.ends.length + (held ? 1 : 0);
  if (free < 1) {
    if (holders.busy)
      throw new Outage('the challenge is held by a request that is being worked on');
    if (holders.stale) return { kind: 'again' };
    return refuse('challengeSpent');
  }
  let names: CertifiedNames;
  try {
    names = certifiedNames(request.csr, record.binding);
  } catch (error) {
    // The use is not taken: the right request may still come. Guessing names locks it.
    if (error instanceof ScepFailure) return refuse(error.reason, error.evidence);
    throw error;
  }
  const grounds = {
    names,
    by: [`challenge ${record.id}`],
    ...(held ? {} : { challenge: { key, clear: holders.clear } }),
    ends: record.usesLeft > 0 ? [] : holders.ends.slice(0, 1),
    repeatsForLife: record.uses === 1,
  };
  return outside(deps, request, list, grounds);
}

type Holders = {
  readonly ends: Transaction[];
  readonly clear: string[];
  /** One is being worked on. */
  readonly busy: boolean;
  /** What was read before is no longer so: it refuses nobody. */
  readonly stale: boolean;
};
const noHolders: Holders = { ends: [], clear: [], busy: false, stale: false };

/**
 * The Transactions that hold a use, looked at only where it matters: with a use left and few listed
 * it does not. Lapsed ones can be ended; ended ones need not be listed any longer, except the one of
 * a one-time challenge, by which its repeat is known.
 */
async function holdersOf(
  request: CertificateRequest,
  known: Known,
  open: Readonly<Record<string, string>>,
  now: number,
): Promise<Holders> {
  const { view, challenge } = known;
  const ids = Object.keys(open);
  const { usesLeft = 0, uses = 1 } = challenge?.record ?? {};
  if (usesLeft > 0 && ids.length < CLEAR_OPEN_USES_AT) return noHolders;
  const keys = ids.map((id) => ({ kind: 'transaction', key: id }) as const);
  await view.reload(pointerTo(request), keys);
  const holders = ids.map((id) => ({ id, holder: view.get('transaction', id) }));
  // An approved request keeps its use when its attempt ends.
  const attempts = holders.flatMap(({ holder }) =>
    holder?.state === 'intended' && !holder.approval ? [holder] : [],
  );
  const ends = attempts.filter((holder) => lapsed(holder, now));
  const [first] = ends;
  if (first && usesLeft < 1) await loadForEnd(view, first);
  const done = holders.filter(({ holder }) => !holder || !attempts.includes(holder));
  return {
    ends,
    clear: uses > 1 ? done.map(({ id }) => id) : [],
    busy: attempts.length > ends.length,
    stale: !isNewest(request, known) || holders.some(({ holder }) => holder?.state === 'voided'),
  };
}

/** The validators outside, every one of which must allow. */
async function outside(
  deps: Deps,
  request: CertificateRequest,
  list: readonly string[],
  grounds: Omit<Grounds, 'gates'>,
): Promise<Decision> {
  const { endpoint, message, requestHash, csr } = request;
  const question: ValidationRequest = {
    requestHash,
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    csr: csr.der,
  };
  const by = [...grounds.by];
  const gates: string[] = [];
  for (const id of list.filter((name) => name !== 'challenge')) {
    const validator = deps.validators.get(id);
    if (!validator) throw new Outage(`the validator "${id}" is not there`);
    const answer = await validator.validate(question);
    if (!answer.allow) {
      return deny('validatorRefused', {
        validator: id,
        ...(answer.note ? { note: answer.note } : {}),
      });
    }
    by.push(`validator ${id}`);
    if (validator.notify) gates.push(id);
  }
  const authorization = new Granted({ ...grounds, by, gates });
  return { kind: endpoint.approval === 'always' ? 'pend' : 'grant', authorization };
}

/** For an approved request: its grounds come from the record, under the approver's MAC. */
export const approvedAuthorization = (grounds: Grounds): Authorization => new Granted(grounds);

/** Ten refused attempts lock a challenge; up to then each is counted with its event. */
async function countRefusal(
  { store, random }: Deps,
  { endpoint, message, signer }: CertificateRequest,
  { key, record }: NonNullable<Known['challenge']>,
  reason: Reason,
  now: number,
): Promise<void> {
  const view = new View(store);
  const draft = new Draft(view);
  const type: EventType = reason === 'challengeSpent' ? 'challenge.reused' : 'challenge.refused';
  draft.use(key, { fail: true });
  draft.event(now, random, {
    type,
    actor: { kind: 'device', id: signer.identity },
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    challengeId: record.id,
    note: reason,
  });
  // A conflict is a challenge that is locked or gone by now: there is nothing left to count.
  await store.write(draft.actions);
}
