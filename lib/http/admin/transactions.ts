// Transactions: listed, searched, shown with all that happened to them, approved and denied.

import * as z from 'zod/mini';
import { type Bytes, base64 } from '../../base/bytes.ts';
import { HttpFailure, Malformed } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { transactionStates } from '../../base/words.ts';
import { decide } from '../../ca/approve/pending.ts';
import type { Deps } from '../../ca/deps.ts';
import { explainRefusal } from '../../ca/query/explain-refusal.ts';
import { findTransaction, listTransactions, storyOf } from '../../ca/query/transactions.ts';
import { described } from '../../config/schema.ts';
import type { NamedActor } from '../../events/event.ts';
import { isReleased } from '../../ports/records/certificate.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { Refusal, reasons } from '../../refusal/reasons.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import { decodedRequest } from '../decoded.ts';
import { turnOf } from '../request.ts';
import {
  answer,
  beginning,
  body,
  der,
  endpointId,
  evidence,
  hexText,
  page,
  serial,
  time,
  turn,
  ulidText,
} from '../schemas.ts';
import { event } from './events.ts';
import { type ApiCall, type Route, route } from './route.ts';

const state = z.enum(transactionStates);

const fields = {
  id: ulidText,
  endpoint: z.string(),
  ca: z.string(),
  state,
  messageType: z.enum(['PKCSReq', 'RenewalReq']),
  signer: described('`key:` or `certificate:` and the SHA-256 of what signed', z.string()),
  requestHash: z.string(),
  transactionIDs: described('as sent, one character per octet', z.array(z.string())),
  subject: described('RFC 4514', z.string()),
  csrHash: described('SHA-256 of the request as it came', hexText),
  names: described('TYPE:VALUE of the subjectAltNames', z.array(z.string())),
  profile: z.string(),
  authorizedBy: z.array(z.string()),
  serial: described('of the certificate of the latest attempt', z.optional(hexText)),
  approval: z.optional(z.strictObject({ by: z.string(), at: time })),
  gates: z.optional(z.array(z.string())),
  reason: z.optional(z.string()),
  evidence: z.optional(evidence),
  renews: described('serial of the certificate that it renews', z.optional(hexText)),
  expiresAt: z.optional(time),
  reply: z.strictObject({ digest: z.string(), cipher: z.string() }),
  timeline: z.array(z.strictObject({ at: time, state, by: z.optional(z.string()) })),
  createdAt: time,
};
const transaction = answer('Transaction', z.strictObject(fields));

const story = answer(
  'TransactionStory',
  z.strictObject({
    ...fields,
    csr: described(
      'the request without its challengePassword, DER, base64; empty where a refused one is too large to be kept',
      z.string(),
    ),
    request: described('the same in words', z.optional(decodedRequest)),
    refusal: described(
      'why it was refused, in words',
      z.optional(
        z.strictObject({
          code: described('as its device was told', z.string()),
          text: z.string(),
          rule: described('where it is decided: the configuration, or a standard', z.string()),
          means: z.string(),
          looked: described('what the rule looked at, a line each', z.array(z.string())),
          sent: described('what the device asked for, a line each', z.array(z.string())),
          evidence,
          change: described('what to do', z.string()),
        }),
      ),
    ),
    certificate: z.optional(der),
    events: described('everything that happened to it, oldest first', z.array(event)),
    moreEvents: described(
      'there are more events than these: see /events?transaction=',
      z.optional(z.literal(true)),
    ),
  }),
);

/** A Transaction as the API shows it, without sealed and internal fields and MACs. */
export function shownTransaction(one: Transaction) {
  const { approval, expiresAt, serial: number, gates, reason, evidence: looked, renews } = one;
  return {
    id: one.id,
    endpoint: one.endpoint,
    ca: one.ca,
    state: one.state,
    messageType: one.messageType,
    signer: one.signer,
    requestHash: one.requestHash,
    transactionIDs: one.transactionIDs,
    subject: one.subject,
    csrHash: one.csrHash,
    names: one.names,
    profile: one.profile,
    authorizedBy: one.authorizedBy,
    ...(number === undefined ? {} : { serial: number }),
    ...(approval ? { approval: { by: approval.by, at: iso(approval.at) } } : {}),
    ...(gates ? { gates } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(looked ? { evidence: looked } : {}),
    ...(renews === undefined ? {} : { renews }),
    ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
    reply: one.reply,
    timeline: one.timeline.map((step) => ({ ...step, at: iso(step.at) })),
    createdAt: iso(one.createdAt),
  };
}

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

const byId = z.strictObject({ id: ulidText });
const verdict = body(
  'Verdict',
  z.strictObject({
    reason: described(
      'why, for the record',
      z.optional(z.string().check(z.maxLength(500, 'must be at most 500 characters'))),
    ),
  }),
);

const decision = (path: string, state: 'approved' | 'denied', summary: string): Route =>
  route({
    method: 'POST',
    path: `/transactions/{id}/${path}`,
    noun: 'transaction',
    roles: ['approver'],
    summary,
    params: byId,
    body: verdict,
    answer: transaction,
    conflict: 'it is not pending; the detail says what it is',
    repeatable: true,
    handle: (deps, { actor, params, body, once }) =>
      decided(deps, params.id, state, { actor, reason: body.reason, once }),
  });

/** The configuration has changed since the device asked: the request would be refused even if approved. */
function notApprovable(error: unknown): never {
  if (!(error instanceof Refusal)) throw error;
  const { reason, evidence: found } = error;
  const changed = 'its endpoint has another CA or profile by now, or is gone';
  const why = found.approvedFor === undefined ? reasons[reason].text : changed;
  const by = found.rule === undefined ? '' : ` (${found.rule})`;
  throw new HttpFailure(422, `it would be refused although approved: ${why}${by}; deny it`);
}

type Deciding = {
  readonly actor: NamedActor;
  readonly reason: string | undefined;
  readonly once: ApiCall<unknown, unknown, unknown>['once'];
};

async function decided(
  deps: Deps,
  id: string,
  state: 'approved' | 'denied',
  { actor: { id: by, from }, reason, once }: Deciding,
) {
  const remembered = once && { once, answer: shownTransaction };
  const verdict = { by, from, remembered, ...(reason === undefined ? {} : { reason }) };
  const said = await decide(deps, id, state, verdict).catch(notApprovable);
  if (said === 'missing') throw new HttpFailure(404, 'no such transaction');
  if (said !== 'done') throw new HttpFailure(409, `the transaction is ${said}, not pending`);
  const transaction = await findTransaction(deps, id);
  if (!transaction) throw new HttpFailure(404, 'no such transaction');
  return shownTransaction(transaction);
}

export const transactionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/transactions',
    noun: 'transaction',
    roles: ['auditor', 'approver'],
    summary:
      'Transactions of an endpoint, newest first; those of an open state by when they are due; or what a search finds at all endpoints',
    query: z.strictObject({
      endpoint: described(
        'only of this one; "default" if nothing is searched for',
        z.optional(endpointId),
      ),
      state: z.optional(state),
      subject: described('how the subject begins, in any case', z.optional(beginning)),
      device: described(
        'how the first subjectAltName begins, or else the common name',
        z.optional(beginning),
      ),
      serial: z.optional(serial),
      ...turn,
    }),
    answer: page('Transactions', 'transactions', transaction),
    async handle(deps, { path, query }) {
      const { turn: asked, filters, nextOf } = turnOf(path, query);
      const searches = [filters.subject, filters.device, filters.serial].some(Boolean);
      const endpoint = filters.endpoint ?? (searches ? undefined : 'default');
      if (endpoint !== undefined && !deps.config.endpoints.has(endpoint)) {
        throw new HttpFailure(422, `endpoint: "${endpoint}" does not exist`);
      }
      const { transactions, next } = await listTransactions(deps, {
        ...filters,
        endpoint,
        ...asked,
      });
      return { transactions: transactions.map(shownTransaction), next: nextOf(next) };
    },
  }),
  route({
    method: 'GET',
    path: '/transactions/{id}',
    noun: 'transaction',
    roles: ['auditor', 'approver'],
    summary: 'One transaction, with its request, its certificate and its events',
    params: byId,
    answer: story,
    async handle(deps, { params: { id } }) {
      const found = await storyOf(deps, id);
      if (!found) throw new HttpFailure(404, 'no such transaction');
      const { certificate, events, more } = found;
      const given = certificate && isReleased(certificate);
      const refusal = explainRefusal({ ...found.transaction, csr: base64(found.csr) });
      return {
        ...shownTransaction(found.transaction),
        ...requestOf(found.csr),
        ...(refusal ? { refusal } : {}),
        ...(given && certificate.der ? { certificate: certificate.der } : {}),
        events: events.map((one) => JSON.parse(one)),
        ...(more ? { moreEvents: true as const } : {}),
      };
    },
  }),
  decision('approve', 'approved', 'Let a waiting request have its certificate'),
  decision('deny', 'denied', 'Refuse a waiting request'),
];
