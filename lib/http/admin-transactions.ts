// Transactions: listed, searched, shown with all that happened to them, approved and denied.

import * as z from 'zod/mini';
import { fromBase64 } from '../bytes.ts';
import type { Deps } from '../ca/deps.ts';
import { explainRefusal } from '../ca/explain-refusal.ts';
import { decide } from '../ca/pending.ts';
import { findTransaction, listTransactions, storyOf } from '../ca/transactions.ts';
import { HttpFailure, Malformed } from '../errors.ts';
import { isReleased, type Transaction, transactionStates } from '../ports/records.ts';
import { described } from '../schema.ts';
import { describeRequest } from '../x509/describe.ts';
import { event } from './admin-events.ts';
import { decodedRequest } from './decoded.ts';
import { turnOf } from './request.ts';
import { type Call, type Route, route } from './route.ts';
import {
  answer,
  beginning,
  body,
  der,
  endpointId,
  evidence,
  hexText,
  iso,
  page,
  serial,
  time,
  turn,
  ulid,
} from './schemas.ts';

const state = z.enum(transactionStates);

const fields = {
  id: ulid,
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
    csr: described('the request without its challengePassword, DER, base64', z.string()),
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

/** A Transaction as the API shows it: nothing that is sealed, under a MAC or only for ourselves. */
export function shown(one: Transaction) {
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

/** The record has been read by our own parser once; one that no longer can be is shown as it is. */
function requestOf({ csr }: Transaction) {
  try {
    return { csr, request: describeRequest(fromBase64(csr)) };
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) return { csr };
    throw error;
  }
}

const byId = z.strictObject({ id: ulid });
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
      decided(deps, actor.id, params.id, state, body.reason, once),
  });

async function decided(
  deps: Deps,
  by: string,
  id: string,
  state: 'approved' | 'denied',
  reason: string | undefined,
  once: Call<unknown, unknown, unknown>['once'],
) {
  const verdict = { by, ...(reason === undefined ? {} : { reason }) };
  const said = await decide(deps, id, state, verdict, once && { once, answer: shown });
  if (said === 'missing') throw new HttpFailure(404, 'no such transaction');
  if (said !== 'done') throw new HttpFailure(409, `the transaction is ${said}, not pending`);
  const transaction = await findTransaction(deps, id);
  if (!transaction) throw new HttpFailure(404, 'no such transaction');
  return shown(transaction);
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
      return { transactions: transactions.map(shown), next: nextOf(next) };
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
      const refusal = explainRefusal(found.transaction);
      return {
        ...shown(found.transaction),
        ...requestOf(found.transaction),
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
