// Challenges: made once and shown once, listed and revoked by their ids.

import * as z from 'zod/mini';
import { challengeStates } from '../../base/words.ts';
import { binding } from '../../config/binding.ts';
import { described, duration } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import {
  answer,
  author,
  body,
  endpointId,
  hexText,
  idPrefix,
  page,
  time,
  turn,
  ulidText,
} from '../schemas.ts';

const newChallenge = body(
  'NewChallenge',
  z.strictObject({
    endpoint: described('the endpoint that it is for', z._default(z.string(), 'default')),
    ...binding,
    uses: described(
      'how many certificates it is good for',
      z._default(z.int().check(z.gte(1), z.lte(100_000)), 1),
    ),
    ttl: described("how long it lives; the endpoint's time if absent", z.optional(duration)),
    decoy: described(
      'it lets nobody in: leave it where nobody should look, and whoever uses it raises an alarm',
      z._default(z.boolean(), false),
    ),
  }),
);

/** The same as it is bound. */
const bound = {
  subject: z.optional(z.string()),
  subjectPattern: z.optional(z.record(z.string(), z.array(z.string()))),
  san: z.array(z.string()),
  extKeyUsage: z.optional(z.array(z.string())),
  key: z.optional(z.string()),
  keyHash: z.optional(hexText),
  device: z.optional(z.string()),
  sources: z.optional(z.array(z.string())),
  profile: z.optional(z.string()),
  validitySeconds: z.optional(z.number()),
};

const madeChallenge = answer(
  'MadeChallenge',
  z.strictObject({
    id: ulidText,
    challenge: described('the secret; it is stored nowhere', z.string()),
    endpoint: z.string(),
    expiresAt: time,
  }),
);

const checkedChallenge = answer(
  'CheckedChallenge',
  z.strictObject({
    endpoint: z.string(),
    ...bound,
    uses: z.int(),
  }),
);

const challenge = answer(
  'Challenge',
  z.strictObject({
    id: ulidText,
    endpoint: z.string(),
    state: described(
      'locked: after too many refused attempts; invalid: its record was changed by another hand, or its MAC key is gone',
      z.enum(challengeStates),
    ),
    ...bound,
    decoy: described('it lets nobody in', z.optional(z.literal(true))),
    uses: z.int(),
    usesLeft: z.int(),
    failures: described('refused attempts', z.int()),
    createdAt: time,
    madeBy: z.optional(z.strictObject(author)),
    expiresAt: time,
    revokedAt: z.optional(time),
  }),
);

const byId = z.strictObject({ id: ulidText });

const somewhere = z.strictObject({
  endpoint: described('only there; everywhere if absent', z.optional(endpointId)),
});

export const challengeRoutes = {
  'POST /challenges': {
    noun: 'challenge',
    roles: ['challenger'],
    summary: 'Make a challenge; its secret is in this answer only',
    body: newChallenge,
    status: 201,
    answer: madeChallenge,
    repeatable: true,
    conflict: 'the challenge of this Idempotency-Key can no longer be told',
  },
  'POST /challenges/check': {
    noun: 'challenge',
    roles: ['challenger'],
    summary: 'Whether such a challenge could be made; none is',
    body: newChallenge,
    answer: checkedChallenge,
  },
  'GET /challenges': {
    noun: 'challenge',
    roles: ['challenger', 'auditor'],
    summary: 'Challenges of an endpoint or of all, newest first',
    query: z.strictObject({
      endpoint: z.optional(endpointId),
      state: z.optional(z.enum(challengeStates)),
      idPrefix,
      ...turn,
    }),
    answer: page('Challenges', 'challenges', challenge),
  },
  'GET /challenges/{id}': {
    noun: 'challenge',
    roles: ['challenger', 'auditor'],
    summary: 'One challenge, without its secret',
    params: byId,
    query: somewhere,
    answer: challenge,
  },
  'DELETE /challenges/{id}': {
    noun: 'challenge',
    roles: ['challenger'],
    summary: 'Revoke a challenge: no further request may use it; one that has used it is finished',
    params: byId,
    query: somewhere,
    answer: challenge,
  },
} as const satisfies Routes;
