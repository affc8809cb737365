// Who may have a certificate, and which: a renewal on the strength of the certificate that signed,
// or an enrolment by the endpoint's validators, all of which must allow. Nothing is written here but
// the count of refused attempts with a challenge that exists.
//
// `issue()` takes an `Authorization`, and only this file can make one. It carries what has to stay
// true until the intent is written.

import { type Evidence, Malformed, Outage, type Reason, reasons, ScepFailure } from '../errors.ts';
import { CLEAR_OPEN_USES_AT, MAX_CHALLENGE_FAILURES, MAX_OPEN_USES } from '../limits.ts';
import type { EventFields } from '../log/event.ts';
import type { CertificateRecord, Challenge, Transaction } from '../ports/records.ts';
import type { ValidationRequest } from '../ports/validator.ts';
import { sameKey } from '../x509/csr.ts';
import { nameOf, sameAttributes } from '../x509/name.ts';
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
      names: certifiedNames(endpoint.profile, request.csr, { names }),
      by: [`renewal of ${renews.renews.serial}`],
      renews: renews.renews,
      supersedes,
      ends,
      repeatsForLife: true,
    };
    return outside(deps, request, known, endpoint.renew.authorize, grounds, now);
  }
  // The pkcsPKIEnvelope of one device, signed anew by another: it must not spend the challenge inside.
  if (renews && !ofItsSigner(request)) return deny(renews.reason);
  const decision = await byChallenge(deps, request, known, now);
  // Where the challenge does not help, why the renewal is none is what its device must know.
  if (decision.kind !== 'deny' || !renews) return decision;
  return deny(renews.reason, decision.evidence);
}

/**
 * The request is of the device that holds the certificate which signed: for the same key, or for the
 * same subject. An initial request is always for the key that signed.
 */
function ofItsSigner({ csr, signer: { certificate, key } }: CertificateRequest): boolean {
  if (sameKey(csr.publicKey, key)) return true;
  try {
    return sameAttributes(nameOf(csr.subject), nameOf(certificate.subject));
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
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
  // The use that this very request holds counts as free, and as taken in time.
  const held = own?.state === 'intended' && record.open[own.id] !== undefined;
  // Records of one read are of different moments: a challenge that names this request may be newer
  // than the pointer that did not know of it, and must not be what refuses it.
  if (!held && (await answeredSince(deps, request, known, record))) return { kind: 'again' };
  const refuse = async (reason: Reason, more: Evidence = {}): Promise<Decision> => {
    await countRefusal(deps, request, known, reason, now);
    return deny(reason, { ...evidence, ...more });
  };
  if (!held && record.revokedAt !== undefined) return deny('challengeRevoked', evidence);
  if (!held && record.failures >= MAX_CHALLENGE_FAILURES) return deny('challengeLocked', evidence);
  if (!held && record.expiresAt <= now) return deny('challengeExpired', evidence);
  const holders = held ? noHolders : await holdersOf(request, known, record.open, now);
  const free = record.usesLeft + holders.ends.length + (held ? 1 : 0);
  if (free < 1) {
    if (holders.busy)
      throw new Outage('the challenge is held by a request that is being worked on');
    if (holders.stale) return { kind: 'again' };
    return refuse('challengeSpent');
  }
  if (!held && Object.keys(record.open).length - holders.clear.length >= MAX_OPEN_USES) {
    throw new Outage('too many requests with one challenge are being worked on');
  }
  let names: CertifiedNames;
  try {
    names = certifiedNames(request.endpoint.profile, request.csr, record.binding);
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
  return outside(deps, request, known, list, grounds, now);
}

/** Whether the request has a newer Transaction than recall saw, by a holder that the challenge lists. */
async function answeredSince(
  { store }: Deps,
  { requestHash }: CertificateRequest,
  { transaction: own }: Known,
  { open }: Challenge,
): Promise<boolean> {
  const newer = Object.entries(open).some(([id, hash]) => hash === requestHash && id !== own?.id);
  if (!newer) return false;
  const view = new View(store);
  await view.load([{ kind: 'request', key: requestHash }]);
  return view.get('request', requestHash)?.transaction !== own?.id;
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
  known: Known,
  list: readonly string[],
  grounds: Omit<Grounds, 'gates'>,
  now: number,
): Promise<Decision> {
  const { endpoint, message, requestHash, csr } = request;
  if (withdrawn(known, now)) return deny('requestRevoked');
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

/**
 * This very request was answered with a certificate that has been revoked or suspended since, or
 * superseded by a later renewal. Whoever recorded the message could send it again: it must not undo that.
 */
const withdrawn = ({ transaction, certificate }: Known, now: number): boolean =>
  (certificate?.state === 'revoked' || certificate?.state === 'held') &&
  certificate.notAfter > now &&
  transaction?.timeline.some(({ state }) => state === 'issued') === true;

/** For an approved request: its grounds come from the record, under the approver's MAC. */
export const approvedAuthorization = (grounds: Grounds): Authorization => new Granted(grounds);

/**
 * Ten refused requests lock a challenge. The same one again tells nobody anything new and counts
 * once: neither a device that retries nor somebody who replays its message locks the others out.
 */
async function countRefusal(
  { store, random }: Deps,
  { endpoint, message, signer, requestHash }: CertificateRequest,
  { view, challenge }: Known,
  reason: Reason,
  now: number,
): Promise<void> {
  const pointer = view.get('request', requestHash);
  if (!challenge || pointer?.refused) return;
  const draft = new Draft(view);
  const { id, failures } = challenge.record;
  const about: Omit<EventFields, 'type'> = {
    actor: { kind: 'device', id: signer.identity },
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    challengeId: id,
    code: reasons[reason].code,
  };
  const type = reason === 'challengeSpent' ? 'challenge.reused' : 'challenge.refused';
  draft.use(challenge.key, { fail: true });
  draft.put('request', requestHash, { ...pointer, refused: true });
  draft.event(now, random, { ...about, type });
  if (failures + 1 === MAX_CHALLENGE_FAILURES) {
    draft.event(now, random, { ...about, type: 'challenge.locked' });
  }
  // A conflict is a challenge that is locked or gone by now, or this request counted already.
  await store.write(draft.actions);
}
