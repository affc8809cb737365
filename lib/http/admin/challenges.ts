// Challenges: made here and shown once, listed and revoked by their ids.

import type { challengeRoutes } from '../../api/routes/challenges.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
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
import { toldOf } from '../absent.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

function shown(record: ListedChallenge) {
  const { id, endpoint, binding, uses, usesLeft, failures, createdAt, expiresAt } = record;
  const { state, revokedAt, madeBy } = record;
  return {
    id,
    endpoint,
    state,
    ...(binding.subject === undefined ? {} : { subject: binding.subject }),
    san: binding.names,
    ...{ uses, usesLeft, failures },
    createdAt: iso(createdAt),
    ...(madeBy ? { madeBy } : {}),
    expiresAt: iso(expiresAt),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
  };
}

const withoutSecret = ({ id, endpoint, expiresAt }: Omit<MadeChallenge, 'challenge'>) => ({
  id,
  endpoint,
  expiresAt: iso(expiresAt),
});

export const challengeHandlers: HandlersOf<typeof challengeRoutes> = {
  'POST /challenges': {
    async handle(deps, { actor, body: { endpoint: id, subject, san, uses, ttl }, once }) {
      const endpoint = taking(deps, id);
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
  },
  async 'POST /challenges/check'(deps, { body: { endpoint: id, subject, san, uses } }) {
    const { profile } = taking(deps, id);
    // Alone first, so that what is wrong with them is not taken for the subject's.
    const { names } = ofField('san', () => normalBinding(profile, undefined, san));
    ofField('subject', () => normalBinding(profile, subject, san));
    return { endpoint: id, ...(subject === undefined ? {} : { subject }), san: names, uses };
  },
  async 'GET /challenges'(deps, { path, query }) {
    if (query.endpoint !== undefined) existing(deps, query.endpoint);
    const { turn: asked, filters, nextOf } = turnOf(path, query);
    const { challenges, next, altered } = await listChallenges(deps, { ...filters, ...asked });
    return { challenges: challenges.map(shown), next: nextOf(next), ...toldOf(altered) };
  },
  async 'GET /challenges/{id}'(deps, { params: { id }, query: { endpoint } }) {
    const found = await findChallenge(deps, id, endpoint);
    if (!found) throw new HttpFailure(404, 'no such challenge');
    return shown(found);
  },
  async 'DELETE /challenges/{id}'(deps, { actor, params: { id }, query: { endpoint } }) {
    const revoked = await revokeChallenge(deps, id, endpoint, actor);
    if (!revoked) throw new HttpFailure(404, 'no such challenge');
    return shown(revoked);
  },
};

const inOrder = ({ id, ...rest }: ReturnType<typeof withoutSecret>, secret: string) => ({
  id,
  challenge: secret,
  ...rest,
});

/** @throws {HttpFailure} 422 */
function ofField<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpFailure(422, `${field}: ${error.message}`);
    throw error;
  }
}

/** An endpoint at which there are challenges. */
function taking(deps: Deps, id: string): Endpoint {
  const endpoint = existing(deps, id);
  if (endpoint.enrol.authorize.includes('challenge')) return endpoint;
  throw new HttpFailure(422, `endpoint: "${id}" takes no challenges but its static one`);
}

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
