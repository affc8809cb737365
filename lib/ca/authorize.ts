// Who may have a certificate, and which: a renewal on the strength of the certificate that signed,
// or an enrolment by the endpoint's validators, all of which must allow. Nothing is written here.
//
// `issue()` takes an `Authorization`, and only this file can make one. It carries what has to stay
// true until the intent is written.

import { isOutside } from '../enrolment.ts';
import { type Evidence, Malformed, Outage, type Reason, reasons } from '../errors.ts';
import type { ValidationRequest } from '../ports/validator.ts';
import { sameKey } from '../x509/csr.ts';
import { printGeneralName } from '../x509/general-name.ts';
import { nameOf, sameAttributes } from '../x509/name.ts';
import { byChallenge } from './by-challenge.ts';
import { byStaticChallenge } from './by-static-challenge.ts';
import type { Deps } from './deps.ts';
import { type Again, type Denied, deny, type Grounds } from './grounds.ts';
import { subjectKey } from './keys.ts';
import { isKnownSubject } from './known-subject.ts';
import { certifiedNames } from './policy.ts';
import { type CertificateRequest, isNewest, type Known, pointerTo } from './recall.ts';
import { renewal } from './renew.ts';

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
  | Denied
  | Again;

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
  if (renews && !ofItsSigner(request)) return deny(renews.reason, renews.evidence);
  const { staticChallenge } = endpoint.enrol;
  const basis = staticChallenge
    ? byStaticChallenge(deps, request, staticChallenge)
    : await byChallenge(deps, request, known, now);
  if (basis.kind === 'again') return basis;
  const decision =
    basis.kind === 'deny'
      ? basis
      : await outside(deps, request, known, endpoint.enrol.authorize, basis.grounds, now);
  // Where the challenge does not help, why the renewal is none is what its device must know.
  if (decision.kind !== 'deny' || !renews) return decision;
  const { challengeId } = decision.evidence;
  const evidence: Evidence = {
    ...renews.evidence,
    ...(challengeId === undefined ? {} : { challengeId }),
    asEnrolment: reasons[decision.reason].code,
  };
  return { ...decision, reason: renews.reason, evidence };
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
  const { certificate } = known;
  if (certificate && withdrawn(known, now)) {
    const { serial, state, revocationReason = '' } = certificate;
    return deny('requestRevoked', { serial, state, revocationReason });
  }
  const question: ValidationRequest = {
    requestHash,
    endpoint: endpoint.id,
    transactionID: message.transactionID,
    csr: csr.der,
  };
  const by = [...grounds.by];
  const gates: string[] = [];
  for (const id of list.filter(isOutside)) {
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
  const waits = await needsApprover(deps, request, known, authorization.grounds);
  return { kind: waits ? 'pend' : 'grant', authorization };
}

async function needsApprover(
  deps: Deps,
  { endpoint, ca }: CertificateRequest,
  { view }: Known,
  { renews, names }: Grounds,
): Promise<boolean> {
  switch (endpoint.approval) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'firstEnrolment':
      return renews === undefined;
    case 'newSubject': {
      // A renewal is of a certificate that this endpoint has issued for the same names.
      if (renews) return false;
      const key = subjectKey(ca.id, endpoint.id, names.subject, names.names.map(printGeneralName));
      return !(await isKnownSubject(deps.macKeys, view, key));
    }
  }
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
