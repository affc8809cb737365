// Challenges: made here and shown once, listed and revoked by their ids.

import * as z from 'zod/mini';
import { HttpFailure } from '../../base/errors.ts';
import { MAX_NAMES } from '../../base/limits.ts';
import { iso } from '../../base/text.ts';
import { challengeStates } from '../../base/words.ts';
import { normalBinding } from '../../ca/challenge/binding.ts';
import {
  findChallenge,
  type ListedChallenge,
  listChallenges,
  revokeChallenge,
} from '../../ca/challenge/challenge-list.ts';
import { createChallenge, deriveAgain, type MadeChallenge } from '../../ca/challenge/challenges.ts';
import type { Deps } from '../../ca/deps.ts';
import type { Endpoint } from '../../config/config.ts';
import { described, duration } from '../../config/schema.ts';
import { turnOf } from '../request.ts';
import { answer, body, endpointId, page, time, turn, ulidText } from '../schemas.ts';
import { type Route, route } from './route.ts';

const newChallenge = body(
  'NewChallenge',
  z.strictObject({
    endpoint: described('the endpoint that it is for', z._default(z.string(), 'default')),
    subject: described('the only subject it may be used for, RFC 4514', z.optional(z.string())),
    san: described(
      'TYPE:VALUE of the subjectAltNames that the certificate gets, and no other',
      z._default(
        z.array(z.string()).check(z.maxLength(MAX_NAMES, `must hold at most ${MAX_NAMES} names`)),
        [],
      ),
    ),
    uses: described(
      'how many certificates it is good for',
      z._default(z.int().check(z.gte(1), z.lte(100_000)), 1),
    ),
    ttl: described("how long it lives; the endpoint's time if absent", z.optional(duration)),
  }),
);

const madeChallenge = answer(
  'MadeChallenge',
  z.strictObject({
    id: ulidText,
    challenge: described('the secret; it is stored nowhere', z.string()),
    endpoint: z.string(),
    expiresAt: time,
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
    subject: z.optional(z.string()),
    san: z.array(z.string()),
    uses: z.int(),
    usesLeft: z.int(),
    failures: described('refused attempts', z.int()),
    createdAt: time,
    expiresAt: time,
    revokedAt: z.optional(time),
  }),
);

function shown(record: ListedChallenge) {
  const { id, endpoint, binding, uses, usesLeft, failures, createdAt, expiresAt } = record;
  const { state, revokedAt } = record;
  return {
    id,
    endpoint,
    state,
    ...(binding.subject === undefined ? {} : { subject: binding.subject }),
    san: binding.names,
    ...{ uses, usesLeft, failures },
    createdAt: iso(createdAt),
    expiresAt: iso(expiresAt),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
  };
}

const withoutSecret = ({ id, endpoint, expiresAt }: Omit<MadeChallenge, 'challenge'>) => ({
  id,
  endpoint,
  expiresAt: iso(expiresAt),
});

const byId = z.strictObject({ id: ulidText });
const somewhere = z.strictObject({
  endpoint: described('only there; everywhere if absent', z.optional(endpointId)),
});

export const challengeRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/challenges',
    noun: 'challenge',
    roles: ['challenger'],
    summary: 'Make a challenge; its secret is in this answer only',
    body: newChallenge,
    status: 201,
    answer: madeChallenge,
    repeatable: true,
    async handle(deps, { actor, body: { endpoint: id, subject, san, uses, ttl }, once }) {
      const endpoint = existing(deps, id);
      if (!endpoint.enrol.authorize.includes('challenge')) {
        throw new HttpFailure(422, `endpoint: "${id}" takes no challenges but its static one`);
      }
      const binding = bindingOf(endpoint, subject, san);
      const wanted = { binding, uses, ttlMs: ttl ?? endpoint.challengeTtlMs };
      const remembered = once && { once, answer: withoutSecret };
      const made = await createChallenge(deps, endpoint, wanted, { actor, remembered });
      return inOrder(withoutSecret(made), made.challenge);
    },
    async repeat(deps, once, kept) {
      const made = JSON.parse(kept.answer) as ReturnType<typeof withoutSecret>;
      const secret = await deriveAgain(deps, once, kept.macKey, made.id);
      if (secret === undefined) {
        throw new HttpFailure(
          409,
          'the challenge that was made under this Idempotency-Key can no longer be told: its MAC key is gone',
        );
      }
      return inOrder(made, secret);
    },
    conflict: 'the challenge of this Idempotency-Key can no longer be told',
  }),
  route({
    method: 'GET',
    path: '/challenges',
    noun: 'challenge',
    roles: ['challenger', 'auditor'],
    summary: 'Challenges of an endpoint, newest first',
    query: z.strictObject({
      endpoint: z._default(endpointId, 'default'),
      state: z.optional(z.enum(challengeStates)),
      ...turn,
    }),
    answer: page('Challenges', 'challenges', challenge),
    async handle(deps, { path, query }) {
      existing(deps, query.endpoint);
      const { turn: asked, filters, nextOf } = turnOf(path, query);
      const { challenges, next } = await listChallenges(deps, { ...filters, ...asked });
      return { challenges: challenges.map(shown), next: nextOf(next) };
    },
  }),
  route({
    method: 'GET',
    path: '/challenges/{id}',
    noun: 'challenge',
    roles: ['challenger', 'auditor'],
    summary: 'One challenge, without its secret',
    params: byId,
    query: somewhere,
    answer: challenge,
    async handle(deps, { params: { id }, query: { endpoint } }) {
      const found = await findChallenge(deps, id, endpoint);
      if (!found) throw new HttpFailure(404, 'no such challenge');
      return shown(found);
    },
  }),
  route({
    method: 'DELETE',
    path: '/challenges/{id}',
    noun: 'challenge',
    roles: ['challenger'],
    summary: 'Revoke a challenge: no further request may use it; one that has used it is finished',
    params: byId,
    query: somewhere,
    answer: challenge,
    async handle(deps, { actor, params: { id }, query: { endpoint } }) {
      const revoked = await revokeChallenge(deps, id, endpoint, actor);
      if (!revoked) throw new HttpFailure(404, 'no such challenge');
      return shown(revoked);
    },
  }),
];

const inOrder = ({ id, ...rest }: ReturnType<typeof withoutSecret>, secret: string) => ({
  id,
  challenge: secret,
  ...rest,
});

function existing({ config }: Deps, id: string): Endpoint {
  const endpoint = config.endpoints.get(id);
  if (!endpoint) throw new HttpFailure(422, `endpoint: "${id}" does not exist`);
  return endpoint;
}

function bindingOf({ profile }: Endpoint, subject: string | undefined, san: readonly string[]) {
  try {
    return normalBinding(profile, subject, san);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, error.message);
    throw error;
  }
}
