// Transactions: listed, searched, shown with all that happened to them, approved and denied.

import type { transactionRoutes } from '../../api/routes/transactions.ts';
import { type Bytes, base64 } from '../../base/bytes.ts';
import { HttpFailure, Malformed } from '../../base/errors.ts';
import { LINK_MS } from '../../base/link-limits.ts';
import { iso } from '../../base/text.ts';
import { type Decided, decide } from '../../ca/approve/decide.ts';
import { makeLink } from '../../ca/approve/link.ts';
import type { Deps } from '../../ca/deps.ts';
import { forgetTransaction } from '../../ca/log/forget.ts';
import { explainRefusal } from '../../ca/query/explain-refusal.ts';
import { originalRequest } from '../../ca/query/original-request.ts';
import { findTransaction, listTransactions, storyOf } from '../../ca/query/transactions.ts';
import { authorOf } from '../../ca/record/transition.ts';
import { isReleased } from '../../ports/records/certificate.ts';
import type { Approval, Transaction } from '../../ports/records/transaction.ts';
import { messageTypeAsking } from '../../protocol/scep/wire/registry.ts';
import { Refusal, reasons } from '../../refusal/reasons.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import { absent, toldOf } from '../absent.ts';
import { turnOf, wordsOf } from '../request.ts';
import { shownNarrowing } from './challenges.ts';
import type { ApiCall, HandlersOf } from './handlers.ts';

/** A Transaction as the API shows it, without sealed and internal fields and MACs. */
function shownTransaction({ config }: Pick<Deps, 'config'>, one: Transaction) {
  const { approval, expiresAt, serial: number, gates, reason, evidence: looked, renews } = one;
  const { challengeBy, state } = one;
  const votes = approval?.votes ?? one.votes;
  const { approvers } = config.endpoints.get(one.endpoint) ?? {};
  const waits = state === 'pending' || state === 'approved';
  return {
    id: one.id,
    endpoint: one.endpoint,
    ca: one.ca,
    state,
    messageType: messageTypeAsking[one.asked],
    signer: one.signer,
    requestHash: one.requestHash,
    transactionIDs: one.transactionIDs,
    subject: one.subject,
    csrHash: one.csrHash,
    names: one.names,
    profile: one.profile,
    authorizedBy: one.authorizedBy,
    ...(one.verdicts ? { verdicts: one.verdicts } : {}),
    ...(number === undefined ? {} : { serial: number }),
    ...(one.device === undefined ? {} : { device: one.device }),
    ...(one.narrowing ? shownNarrowing(one.narrowing) : {}),
    ...(challengeBy ? { challengeBy } : {}),
    ...(approval ? { approval: approvalOf(approval) } : {}),
    ...(votes ? { votes: votes.map(shownApproval) } : {}),
    ...(waits && approvers !== undefined ? { approvers } : {}),
    ...(gates ? { gates } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(looked ? { evidence: looked } : {}),
    ...(renews === undefined ? {} : { renews }),
    ...(one.supersedeAt === undefined ? {} : { supersedeAt: iso(one.supersedeAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
    reply: one.reply,
    timeline: one.timeline.map((step) => ({ ...step, at: iso(step.at) })),
    ...(one.client ? { client: one.client } : {}),
    ...(one.family ? { family: one.family } : {}),
    configHash: one.configHash,
    createdAt: iso(one.createdAt),
  };
}

type Approver = Omit<Approval, 'mac'> & Partial<Approval>;
const approvalOf = (approval: Approval) => ({
  ...shownApproval(approval),
  ...(approval.turn === undefined ? {} : { turn: iso(approval.turn) }),
});
const shownApproval = ({ at, mac: _mac, votes: _votes, turn: _turn, ...author }: Approver) => ({
  ...author,
  at: iso(at),
});

/** The service parsed this request once; if it no longer can, the octets are shown without a description. */
function requestOf(der: Bytes) {
  const csr = base64(der);
  try {
    return { csr, request: describeRequest(der) };
  } catch (error) {
    if (error instanceof Malformed) return { csr };
    throw error;
  }
}

/** The configuration has changed since the device asked: the request would be refused even if approved. */
export function notApprovable(error: unknown): never {
  if (!(error instanceof Refusal)) throw error;
  const { reason, evidence: found } = error;
  const changed = 'its endpoint has another CA or profile by now, or is gone';
  const why = found.approvedFor === undefined ? reasons[reason].text : changed;
  const by = found.rule === undefined ? '' : ` (${found.rule})`;
  throw new HttpFailure(422, `it would be refused although approved: ${why}${by}; deny it`);
}

const noSuch = (deps: Deps, key: string): Promise<never> =>
  absent(
    deps,
    { kind: 'transaction', key },
    'a certificate that came of it is found by its serial number',
  );

/** @param person whose decision it would be */
export function whyNot(said: Exclude<Decided, 'done' | 'missing'>, person: string): string {
  if (said === 'minter') return `"${person}" made its challenge: another person has to approve it`;
  if (said === 'voted') return `"${person}" has approved it already: another person has to, too`;
  return `the transaction is ${said}, not pending`;
}

type Deciding = ApiCall<(typeof transactionRoutes)['POST /transactions/{id}/approve']>;

async function decided(
  deps: Deps,
  { actor, params: { id }, body: { reason }, once }: Deciding,
  state: 'approved' | 'denied',
) {
  const shown = (one: Transaction) => shownTransaction(deps, one);
  const remembered = once && { once, answer: shown };
  const verdict = { ...authorOf(actor), remembered, ...(reason === undefined ? {} : { reason }) };
  const said = await decide(deps, id, state, verdict).catch(notApprovable);
  if (said === 'missing') return noSuch(deps, id);
  if (said !== 'done') throw new HttpFailure(409, whyNot(said, actor.person ?? actor.id));
  const transaction = await findTransaction(deps, id);
  return transaction ? shown(transaction) : noSuch(deps, id);
}

export const transactionHandlers: HandlersOf<typeof transactionRoutes> = {
  async 'GET /transactions'(deps, { path, query }) {
    const { turn: asked, filters, nextOf } = turnOf(path, query);
    const { search, ...others } = filters;
    const { endpoint } = filters;
    if (endpoint !== undefined && !deps.config.endpoints.has(endpoint)) {
      throw new HttpFailure(422, `endpoint: "${endpoint}" does not exist`);
    }
    const wanted = { ...others, ...wordsOf(deps, search), ...asked };
    const found = await listTransactions(deps, wanted);
    return {
      transactions: found.transactions.map((one) => shownTransaction(deps, one)),
      next: nextOf(found.next),
      ...toldOf(found.altered),
    };
  },
  async 'POST /transactions/{id}/forget'(deps, { actor, params: { id } }) {
    const forgotten = await forgetTransaction(deps, id, actor);
    if (forgotten === 'missing') throw new HttpFailure(404, 'no such transaction');
    if (forgotten === 'open') {
      throw new HttpFailure(
        409,
        'the transaction is not over, and what happens to it next would name the same again: deny it, or wait',
      );
    }
    return { events: forgotten };
  },
  async 'GET /transactions/{id}'(deps, { params: { id } }) {
    const found = await storyOf(deps, id);
    if (!found) return noSuch(deps, id);
    const { certificate, events, more, altered } = found;
    const given = certificate && isReleased(certificate);
    const refusal = explainRefusal({ ...found.transaction, csr: base64(found.csr) });
    return {
      ...shownTransaction(deps, found.transaction),
      ...requestOf(found.csr),
      ...(refusal ? { refusal } : {}),
      ...(given && certificate.der ? { certificate: certificate.der } : {}),
      events: events.map((one) => JSON.parse(one)),
      ...toldOf(altered),
      ...(more ? { moreEvents: true as const } : {}),
    };
  },
  async 'GET /transactions/{id}/request'(deps, { params: { id } }) {
    const found = await originalRequest(deps, id);
    if (found === undefined) return noSuch(deps, id);
    return typeof found === 'string' ? { withheld: found } : { csr: base64(found) };
  },
  async 'POST /transactions/{id}/link'(deps, { actor, params: { id }, body: { person, ttl } }) {
    const { decisionUrl } = deps.config;
    if (decisionUrl === undefined) {
      throw new HttpFailure(
        409,
        'there are no decision links: set "decisionUrl" in the configuration to where approvers reach this service',
      );
    }
    const made = await makeLink(deps, id, { person, ttlMs: ttl ?? LINK_MS, actor });
    if (made === 'missing') return noSuch(deps, id);
    if (typeof made === 'string') throw new HttpFailure(409, whyNot(made, person));
    const expiresAt = iso(made.link.expiresAt);
    return { url: `${decisionUrl}/decide?link=${made.text}`, person, expiresAt };
  },
  'POST /transactions/{id}/approve': (deps, call) => decided(deps, call, 'approved'),
  'POST /transactions/{id}/deny': (deps, call) => decided(deps, call, 'denied'),
};
