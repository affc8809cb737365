// What would become of a request: policy tried out on a CSR, or on recorded requests, with no device and no consequence.

import * as z from 'zod/mini';
import { MAX_PAGE } from '../../base/limits.ts';
import { notReplayedWords } from '../../base/words.ts';
import { binding } from '../../config/binding.ts';
import { described } from '../../config/schema.ts';
import { extension } from '../decoded.ts';
import type { Routes } from '../route.ts';
import {
  altered,
  answer,
  body,
  endpointId,
  evidence,
  moment,
  serial,
  time,
  ulidText,
  verdicts,
} from '../schemas.ts';

const challengeText =
  'must be "none" or an object with what it is bound to, such as {"subject": ..., "san": [...]}';

const simulation = body(
  'SimulatedRequest',
  z.strictObject({
    endpoint: z._default(endpointId, 'default'),
    csr: described('a PKCS#10: PEM, or DER in base64', z.string()),
    challenge: described(
      'as if it came with a fresh challenge that is bound like this; "none": without one',
      z._default(z.union([z.literal('none'), z.strictObject(binding)], challengeText), 'none'),
    ),
    signedBy: described(
      'where the endpoint takes signed challenges: the "kid" of the key that its challenge would be signed with; has to be given where it has several',
      z.optional(z.string()),
    ),
    validatorAnswers: described(
      'what validators outside are assumed to answer, by their names; one that is not named is assumed to allow',
      z.optional(
        z.record(
          z.string(),
          z.strictObject({
            answer: described(
              '"trouble": it gives none, and the device is told to come again',
              z.enum(['allow', 'refuse', 'trouble']),
            ),
            reason: described('what it says', z.optional(z.string().check(z.maxLength(500)))),
          }),
        ),
      ),
    ),
    from: described(
      'as if it came from this address; from one that its challenge allows if absent',
      z.optional(z.string()),
    ),
    renews: described(
      "as if it was signed with this certificate of the endpoint's CA",
      z.optional(serial),
    ),
  }),
);

const simulated = answer(
  'Simulation',
  z.strictObject({
    decision: described(
      '`trouble`: a validator outside gives no answer, and the device is told to come again',
      z.enum(['grant', 'pend', 'deny', 'trouble']),
    ),
    verdicts,
    code: described('of a refusal, as its device would be told', z.optional(z.string())),
    text: described(
      'the sentence to it, or which validator gives no answer',
      z.optional(z.string()),
    ),
    failInfo: z.optional(z.string()),
    evidence: z.optional(evidence),
    rule: described('where it is decided', z.optional(z.string())),
    means: z.optional(z.string()),
    change: described('what to do', z.optional(z.string())),
    certificate: described(
      'what would be signed',
      z.optional(
        z.strictObject({
          subject: z.string(),
          issuer: z.string(),
          names: z.array(z.string()),
          notBefore: time,
          notAfter: time,
          key: z.string(),
          extensions: z.array(extension),
          lint: z.literal('clean'),
        }),
      ),
    ),
  }),
);

const outcome = {
  decision: z.enum(['grant', 'pend', 'deny']),
  code: described('of a refusal, as its device would be told', z.optional(z.string())),
  text: z.optional(z.string()),
};

const replay = body(
  'Replay',
  z.strictObject({
    config: described(
      'another configuration: the whole document',
      z.record(z.string(), z.unknown()),
    ),
    since: described('requests that came from this time on', moment),
    endpoint: described('only of this endpoint; of all of now if absent', z.optional(endpointId)),
    limit: described(
      'how many requests at most',
      z._default(z.int().check(z.gte(1), z.lte(MAX_PAGE)), 20),
    ),
    cursor: described('`next` of the page before, of the same replay', z.optional(ulidText)),
  }),
);

const replayed = answer(
  'Replayed',
  z.strictObject({
    compared: described('how many requests were judged again', z.int()),
    differing: described(
      'of these the ones whose outcome would differ, newest first',
      z.array(
        z.strictObject({
          id: ulidText,
          endpoint: z.string(),
          subject: described('RFC 4514', z.string()),
          createdAt: time,
          was: z.strictObject(outcome),
          would: z.strictObject({
            ...outcome,
            rule: described('where it is decided', z.optional(z.string())),
            evidence: z.optional(evidence),
          }),
        }),
      ),
    ),
    notReplayed: described(
      'how many could not be judged again, by why',
      z.partialRecord(z.enum(notReplayedWords), z.int()),
    ),
    next: described('`cursor` of the next page; null at the end', z.nullable(z.string())),
    altered,
  }),
);

export const simulateRoutes = {
  'POST /simulate': {
    noun: 'simulation',
    roles: ['challenger', 'approver', 'auditor'],
    summary: 'What would become of a request; nothing is written and nothing is signed',
    body: simulation,
    answer: simulated,
  },
  'POST /replay': {
    noun: 'replay',
    roles: ['auditor'],
    summary:
      'Recorded requests judged under another configuration, newest first; nothing is written and nothing is signed',
    body: replay,
    answer: replayed,
  },
} as const satisfies Routes;
