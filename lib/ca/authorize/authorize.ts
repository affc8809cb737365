// Decides whether a request may have a certificate: a renewal because of the certificate that signed it, or
// an enrolment by the endpoint's validators, all of which must allow it. Nothing is written here.
//
// `issue()` takes an `Authorization`, and only this file can make one: from a decision, or from an approval
// whose MAC is verified here. It carries the conditions that must stay true until the intent is written.

import { fromBase64 } from '../../base/bytes.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { isOutside, keepsChallenge } from '../../config/endpoint/enrolment.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import { BY_CERTIFICATE, type Transaction } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import { Refusal, reasons } from '../../refusal/reasons.ts';
import { publicKeyOf, readCertificate } from '../../x509/certificate.ts';
import type { ProvenRequest } from '../../x509/csr.ts';
import { parseGeneralName } from '../../x509/names/general-name.ts';
import { requireApprovable } from '../approve/approvable.ts';
import {
  APPROVAL,
  type ApprovedTransaction,
  isByRule,
  provenBy,
  requireApproval,
} from '../approve/approval-mac.ts';
import { laterTurn } from '../approve/turns.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import type { Deps } from '../deps.ts';
import { csrOf, isNewest, type Known, pointerTo } from '../enrol/lookup.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { lapsed } from '../enrol/rollback.ts';
import { askedUsage } from '../policy/asked-usage.ts';
import { narrowed } from '../policy/bound.ts';
import { requireGoodKey, requireUncompromised } from '../policy/good-key.ts';
import { certifiedNames } from '../policy/policy.ts';
import { certificateKey, keyHash, keyOwnerKey } from '../record/keys.ts';
import type { View } from '../record/unit-of-work.ts';
import { basisOf } from './basis.ts';
import { asRowHas, DEVICE_LIST, onList, withList } from './by-list.ts';
import { type Again, type Denied, deny, type Grounds } from './grounds.ts';
import { needsApprover } from './needs-approver.ts';
import { type NotRenewable, type Renewal, renewal } from './renew.ts';
import { areJudgedWhole, askValidators, gatesOf, questionAbout, questionOf } from './validators.ts';

/** Unexported, so that nothing but the check makes one. */
class Granted {
  readonly #grounds: Grounds;

  constructor(grounds: Grounds) {
    this.#grounds = grounds;
  }

  get grounds(): Grounds {
    return this.#grounds;
  }
}

/** That a request may become a certificate, and on what conditions that stays true. */
export type Authorization = Granted;

export type Decision =
  | { readonly kind: 'grant'; readonly authorization: Authorization }
  /** Allowed, and an approver has the last word. */
  | { readonly kind: 'pend'; readonly authorization: Authorization }
  /** Proven on these grounds, and its CA has no turn for it before that moment. Its validators outside are asked then,
   * and may refuse. */
  | { readonly kind: 'defer'; readonly grounds: Grounds; readonly turn: number }
  | Denied
  | Again;

/**
 * As a renewal of the certificate that signed.
 * @param request the request, and what is known of it, under its identity as a renewal
 * @returns `not` with the reason: the caller then tries it as an enrolment
 * @throws {Outage} when a validator gave no answer, or another request is using the same challenge or key
 */
export async function authorizeRenewal(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  now: number,
): Promise<Decision | NotRenewable> {
  const { endpoint, csr, signer } = request;
  const { certificate, key } = signer;
  const by = { der: certificate.der, spki: key.spki, record: known.signer };
  const asked = { endpoint, csr, ...by, own: known.transaction };
  const found = await renewal(asked, known.view, now);
  const renews = withNames(deps, request, found);
  if (renews.kind === 'again') return renews;
  if (renews.kind === 'not') {
    if (!mayBeTwins(renews, known.signer)) return renews;
    await known.view.reload(pointerTo(request));
    return isNewest(request, known) ? renews : { kind: 'again' };
  }
  const { names, certified, profile, narrowing, supersedes, ends, lineage } = renews;
  // Signed anew by another device of the same subject: its key would get the names of that one.
  const bound = known.challenge?.record.binding.names ?? [];
  if (bound.some((name) => !names.includes(name))) {
    const evidence = { renews: renews.renews.serial, challenge: bound.join(', ') };
    return { kind: 'not', reason: 'renewalOtherNames', evidence };
  }
  const says = `renewal of ${renews.renews.serial}`;
  const grounds = {
    names: certified,
    profile,
    narrowing,
    device: renews.renews.device,
    by: [says],
    verdicts: [{ validator: BY_CERTIFICATE, allows: true, says }],
    renews: renews.renews,
    supersedes,
    lineage,
    ends,
    repeatsForLife: true,
  };
  const list = endpoint.renew.authorize;
  if (!list.includes(DEVICE_LIST)) return outside(deps, request, known, { list, grounds, now });
  const onIts = await onList(endpoint, csr, known.view, grounds.device);
  const listed = withList(grounds, endpoint, onIts);
  if ('kind' in listed) return listed;
  return outside(deps, request, known, { list, grounds: listed, now });
}

/**
 * As an enrolment, by what the device brings along.
 * @param renews why it is not a renewal, if a certificate of this CA signed it
 * @throws {Outage} when a validator gave no answer, or another request is using the same challenge or key
 */
export async function authorizeEnrolment(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  { renews, now }: { readonly renews: NotRenewable | undefined; readonly now: number },
): Promise<Decision> {
  const { endpoint } = request;
  const basis = await basisOf(deps, request, known, now);
  if (basis.kind === 'again') return basis;
  const decision =
    basis.kind === 'deny'
      ? basis
      : await outside(deps, request, known, {
          list: endpoint.enrol.authorize,
          grounds: basis.grounds,
          now,
        });
  // If the challenge does not help either, the device is told why it cannot renew.
  if (decision.kind !== 'deny' || !renews) return decision;
  const { challengeId } = decision.evidence;
  const evidence: Evidence = {
    ...renews.evidence,
    ...(challengeId === undefined ? {} : { challengeId }),
    asEnrolment: reasons[decision.reason].code,
  };
  return { ...decision, ...deny(renews.reason, evidence), asEnrolment: decision.reason };
}

/** What a renewal will be certified for; none where the profile allows it no longer. */
function withNames({ config }: Deps, { endpoint, csr }: EnrolmentRequest, renews: Renewal) {
  if (renews.kind !== 'renewable') return renews;
  try {
    const { names } = renews;
    const { narrowing: had } = renews.renews;
    // Whoever judges the whole renewal judges what it asks for now. Nobody else lets it have more than it had.
    const asked = areJudgedWhole(config, endpoint) ? askedUsage(endpoint.profile, csr) : undefined;
    const kept = had?.validityMs === undefined ? {} : { validityMs: had.validityMs };
    const narrowing = asked ? { ...asked, ...kept } : had;
    const profile = narrowed(endpoint.profile, narrowing);
    return { ...renews, narrowing, profile, certified: certifiedNames(profile, csr, { names }) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { reason, evidence } = error;
    return {
      kind: 'not',
      reason,
      evidence: { ...evidence, renews: renews.renews.serial },
    } as const;
  }
}

/** Whether a twin of this very request, newer than the lookup, may be among the renewals of the certificate: its
 * attempt goes on whatever has become of that, or it is what refuses this one. */
const mayBeTwins = ({ reason }: NotRenewable, signer: CertificateRecord | undefined): boolean =>
  reason === 'renewalTooOften' || Object.keys(signer?.successors ?? {}).length > 0;

type Asking = {
  /** The endpoint's list: the validators outside among it are asked. */
  readonly list: readonly string[];
  readonly grounds: Omit<Grounds, 'gates'>;
  readonly now: number;
};

/** The validators outside, every one of which must allow. */
async function outside(
  deps: Deps,
  request: EnrolmentRequest,
  known: Known,
  { list, grounds, now }: Asking,
): Promise<Decision> {
  for (const { transaction, certificate } of [known, ...(known.renewal ? [known.renewal] : [])]) {
    if (!certificate || !withdrawn(transaction, certificate, now)) continue;
    const { serial, state, revocationReason = '' } = certificate;
    return deny('requestRevoked', { serial, state, revocationReason });
  }
  const waits = await needsApprover(request, known, grounds);
  const ask = () => askValidators(deps, questionOf(request), list, grounds);
  // What nobody has proven yet takes no turn from others, and nothing is written for it.
  const isProven = grounds.renews !== undefined || keepsChallenge(request.endpoint.enrol);
  const before = isProven ? undefined : await ask();
  if (before?.kind === 'deny') return before;
  // A lapsed attempt has had its turn.
  const isOwn = known.transaction !== undefined && lapsed(known.transaction, now);
  const turn = waits || isOwn ? undefined : await laterTurn(deps, request, now);
  if (turn !== undefined) {
    return { kind: 'defer', grounds: { ...grounds, gates: gatesOf(deps, list) }, turn };
  }
  const asked = before ?? (await ask());
  if (asked.kind === 'deny') return asked;
  return { kind: waits ? 'pend' : 'grant', authorization: new Granted(asked.grounds) };
}

/**
 * This very request was answered with a certificate that has been revoked or suspended since, or
 * superseded by a later renewal. Whoever recorded the message could send it again: it must not undo that.
 */
const withdrawn = (
  transaction: Transaction | undefined,
  certificate: CertificateRecord,
  now: number,
): boolean =>
  (certificate.state === 'revoked' || certificate.state === 'held') &&
  certificate.notAfter > now &&
  transaction?.timeline.some(({ state }) => state === 'issued') === true;

type Approved = {
  /** Milliseconds since 1970: validators outside have until then. */
  readonly until: number;
  readonly endpoint: Endpoint;
  readonly ca: Ca;
  /** Approved, or an approved one whose attempt has lapsed. */
  readonly transaction: ApprovedTransaction;
  readonly view: View;
};

/**
 * As an approver has allowed it. The approval allows what was proven then, and its MAC is verified here;
 * that it is still right to issue is judged by what is known and configured now.
 * @throws {Outage} when the approval's MAC is wrong, or another request is using the same challenge or key
 */
export async function authorizeApproved(
  deps: Deps,
  approved: Approved,
  now: number,
): Promise<
  | { readonly kind: 'grant'; readonly authorization: Authorization; readonly csr: ProvenRequest }
  | Denied
  | Again
> {
  const { endpoint, ca, transaction, view, until } = approved;
  const { macKeys } = deps;
  const live = { pending: await macKeys.live('pending'), approval: await macKeys.live('approval') };
  const stored = await csrOf(view, transaction);
  requireApproval(live, transaction, stored);
  if (transaction.expiresAt <= now) return deny('requestExpired');
  try {
    const csr = requireApprovable(endpoint, transaction, stored);
    await view.load([
      { kind: 'keyOwner', key: keyOwnerKey(ca.id, csr.publicKey.spki) },
      { kind: 'blockedKey', key: keyHash(csr.publicKey.spki) },
    ]);
    const base: Omit<Grounds, 'gates'> = {
      names: { subject: csr.subject, names: transaction.names.map(parseGeneralName) },
      profile: narrowed(endpoint.profile, transaction.narrowing),
      narrowing: transaction.narrowing,
      device: transaction.device,
      by: [...provenBy(transaction), ...(isByRule(transaction) ? [] : [APPROVAL])],
      ...(transaction.challengeBy ? { challengeBy: transaction.challengeBy } : {}),
      ends: [],
      repeatsForLife: false,
    };
    const renews = await stillRenewable(approved, csr, now);
    if (renews.kind === 'again') return renews;
    if (renews.kind === 'not') return deny(renews.reason, renews.evidence);
    const asked = renews.kind === 'enrolment' ? endpoint.enrol : endpoint.renew;
    if (asked.authorize.includes(DEVICE_LIST)) {
      // A list may have changed while the request waited.
      const found = await onList(endpoint, csr, view, transaction.device);
      const listed = found.kind === 'listed' ? asRowHas(endpoint, found.row, base.names) : found;
      if (listed.kind === 'deny') return listed;
    }
    // What is known of keys may have grown while the request waited.
    requireGoodKey(deps.config, ca, csr.publicKey, 'request');
    requireUncompromised(view, csr.publicKey, 'request');
    let grounds = { ...base, gates: gatesOf(deps, asked.authorize) };
    if (renews.kind !== 'enrolment') {
      if (renews.signer) requireUncompromised(view, renews.signer, 'signer');
      const { supersedes, ends, lineage } = renews;
      grounds = { ...grounds, renews: renews.renews, supersedes, lineage, ends };
    }
    const { judgedBy = [] } = transaction;
    const unasked = asked.authorize.filter((id) => isOutside(id) && !judgedBy.includes(id));
    if (unasked.length === 0) {
      return { kind: 'grant', authorization: new Granted(grounds), csr };
    }
    const question = await questionAbout(deps, transaction, { csr: stored, until });
    // What they said before an attempt that came to nothing is said anew.
    const { verdicts: all = [] } = transaction;
    const verdicts = all.filter(({ validator }) => !unasked.includes(validator));
    const said = await askValidators(deps, question, unasked, { ...grounds, verdicts });
    if (said.kind === 'deny') return said;
    // Those that were asked before are gates too.
    const { gates } = grounds;
    return { kind: 'grant', authorization: new Granted({ ...said.grounds, gates }), csr };
  } catch (error) {
    if (error instanceof Refusal) return deny(error.reason, error.evidence);
    throw error;
  }
}

/** Whether the certificate that signed may still be renewed. */
async function stillRenewable(
  { endpoint, ca, transaction, view }: Approved,
  csr: ProvenRequest,
  now: number,
) {
  if (transaction.renews === undefined) return { kind: 'enrolment' } as const;
  const key = certificateKey(ca.id, transaction.renews);
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  const der = fromBase64(record?.der ?? '');
  const signer = record?.der ? publicKeyOf(readCertificate(der)) : undefined;
  if (signer) await view.load([{ kind: 'blockedKey', key: keyHash(signer.spki) }]);
  const asked = { endpoint, csr, der, spki: signer?.spki ?? der, record, own: transaction };
  return { ...(await renewal(asked, view, now)), signer };
}
