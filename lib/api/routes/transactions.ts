// Transactions: listed, searched, shown with all that happened to them, approved and denied.

import * as z from 'zod/mini';
import { MAX_LINK_MS } from '../../base/link-limits.ts';
import { clientFamilies, transactionStates, withheldWords } from '../../base/words.ts';
import { described, duration } from '../../config/schema.ts';
import { decodedRequest } from '../decoded.ts';
import type { Routes } from '../route.ts';
import {
  altered,
  answer,
  author,
  beginning,
  body,
  der,
  endpointId,
  evidence,
  hexText,
  holderName,
  idPrefix,
  page,
  search,
  serial,
  time,
  turn,
  ulidText,
  verdicts,
} from '../schemas.ts';
import { event } from './events.ts';

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
  verdicts,
  serial: described('of the certificate of the latest attempt', z.optional(hexText)),
  device: described('what its owner calls it, by its challenge', z.optional(z.string())),
  keyUsage: described(
    'where a validator outside judged the whole request, and that asks for fewer than the profile has',
    z.optional(z.array(z.string())),
  ),
  extKeyUsage: described(
    'the same, or where its challenge allows fewer',
    z.optional(z.array(z.string())),
  ),
  validitySeconds: described(
    'lifetime, where its challenge allows less than the profile',
    z.optional(z.number()),
  ),
  challengeBy: described('whoever made its challenge', z.optional(z.strictObject(author))),
  approval: z.optional(
    z.strictObject({
      ...author,
      at: time,
      turn: described(
        'when it is issued, where a rule approved it (by "storm": cas.<ca>.issuancesPerSecond)',
        z.optional(time),
      ),
    }),
  ),
  votes: described(
    'who has approved it while another person had to approve it too',
    z.optional(z.array(z.strictObject({ ...author, at: time }))),
  ),
  approvers: described(
    'while it waits: how many persons must approve it, by the configuration in force',
    z.optional(z.int()),
  ),
  gates: z.optional(z.array(z.string())),
  reason: z.optional(z.string()),
  evidence: z.optional(evidence),
  renews: described('serial of the certificate that it renews', z.optional(hexText)),
  supersedeAt: described(
    'when that certificate is revoked, or looked at again (endpoints.<endpoint>.renew.supersede)',
    z.optional(time),
  ),
  expiresAt: z.optional(time),
  reply: z.strictObject({ digest: z.string(), cipher: z.string() }),
  timeline: described(
    'by whom, unless it was the device',
    z.array(z.strictObject({ at: time, state, ...author, by: z.optional(z.string()) })),
  ),
  client: described(
    'the address that the request came from, and its User-Agent; absent once they were forgotten',
    z.optional(z.strictObject({ from: z.optional(z.string()), agent: z.optional(z.string()) })),
  ),
  family: described(
    'the kind of client, as far as its message told',
    z.optional(z.enum(clientFamilies)),
  ),
  configHash: described('of the configuration under which it was decided last', hexText),
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
    altered,
    moreEvents: described(
      'there are more events than these: see /events?transaction=',
      z.optional(z.literal(true)),
    ),
  }),
);

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

const decision = {
  noun: 'transaction',
  roles: ['approver'],
  params: byId,
  body: verdict,
  answer: transaction,
  conflict:
    'it does not wait, and the detail says what it is; or whoever asks has made its challenge, or has approved it already where two persons must',
  repeatable: true,
} as const;

const ttlText = 'must be at most "7d"';

const wantedLink = body(
  'NewDecisionLink',
  z.strictObject({
    person: described('who decides by it, as tokens name persons', holderName),
    ttl: described(
      'how long it is good, at most "7d" and until the request expires; "24h" if absent',
      z.optional(duration.check(z.refine((ms: number) => ms <= MAX_LINK_MS, ttlText))),
    ),
  }),
);

const madeLink = answer(
  'DecisionLink',
  z.strictObject({
    url: described('whoever has it decides as that person, once', z.string()),
    person: z.string(),
    expiresAt: time,
  }),
);

export const transactionRoutes = {
  'GET /transactions': {
    noun: 'transaction',
    roles: ['auditor', 'approver'],
    summary:
      'Transactions of an endpoint or of all, newest first; those of an open state by when they are due; or what a search finds',
    query: z.strictObject({
      endpoint: z.optional(endpointId),
      state: z.optional(state),
      idPrefix,
      search: z.optional(search),
      subject: described('how the subject begins, in any case', z.optional(beginning)),
      device: described(
        'how its name begins: that of its challenge, or the first subjectAltName, or else the common name',
        z.optional(beginning),
      ),
      serial: z.optional(serial),
      ...turn,
    }),
    answer: page('Transactions', 'transactions', transaction),
  },
  'GET /transactions/{id}': {
    noun: 'transaction',
    roles: ['auditor', 'approver'],
    summary: 'One transaction, with its request, its certificate and its events',
    params: byId,
    answer: story,
  },
  'GET /transactions/{id}/request': {
    noun: 'transaction',
    roles: ['auditor'],
    summary: 'The request as it came, whose signature proves that its sender had the key',
    params: byId,
    answer: answer(
      'OriginalRequest',
      z.strictObject({
        csr: z.optional(der),
        withheld: described(
          'why it is not told: no certificate came of it; its record is gone; its challengePassword is none of this service for one use, so that others may have it; it can still be used',
          z.optional(z.enum(withheldWords)),
        ),
      }),
    ),
  },
  'POST /transactions/{id}/approve': {
    ...decision,
    summary:
      'Let a waiting request have its certificate, or, where two persons must approve it, wait for the other one',
  },
  'POST /transactions/{id}/link': {
    noun: 'transaction',
    roles: [],
    summary:
      'Make a link by which one person, without a token, decides about a waiting request, once',
    params: byId,
    body: wantedLink,
    status: 201,
    answer: madeLink,
    conflict:
      'it does not wait; or the person has made its challenge; or the configuration has no `decisionUrl`',
  },
  'POST /transactions/{id}/deny': { ...decision, summary: 'Refuse a waiting request' },
  'POST /transactions/{id}/forget': {
    noun: 'transaction',
    roles: [],
    summary:
      'Forget whom and what its events name: the log keeps the hash of it, and tells who forgot it',
    params: byId,
    answer: answer(
      'Forgotten',
      z.strictObject({ events: described('that named somebody or something', z.int()) }),
    ),
    conflict: 'it is not over: what happens to it next would name the same again',
  },
} as const satisfies Routes;
