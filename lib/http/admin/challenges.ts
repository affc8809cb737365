// Challenges: made here and shown once, listed and revoked by their ids.

import type { challengeRoutes } from '../../api/routes/challenges.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { normalBinding, type WantedBinding } from '../../ca/challenge/binding.ts';
import {
  findChallenge,
  type ListedChallenge,
  listChallenges,
  revokeChallenge,
} from '../../ca/challenge/challenge-list.ts';
import { createChallenge, deriveAgain, type MadeChallenge } from '../../ca/challenge/challenges.ts';
import type { Deps } from '../../ca/deps.ts';
import { Unusable } from '../../ca/policy/wanted.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { purposeName } from '../../config/purposes.ts';
import type { Narrowing } from '../../ports/records/certificate.ts';
import type { Binding } from '../../ports/records/records.ts';
import { toldOf } from '../absent.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

/** As the API has it. */
function shownBinding(binding: Binding) {
  const { names, extKeyUsage: _purposes, validityMs: _lifetime, ...rest } = binding;
  return { ...rest, san: names, ...shownNarrowing(binding) };
}

export const shownNarrowing = ({ extKeyUsage, keyUsage, validityMs }: Narrowing) => ({
  ...(keyUsage ? { keyUsage } : {}),
  ...(extKeyUsage ? { extKeyUsage: extKeyUsage.map(purposeName) } : {}),
  ...(validityMs === undefined ? {} : { validitySeconds: validityMs / 1000 }),
});

function shown(record: ListedChallenge) {
  const { id, endpoint, binding, uses, usesLeft, failures, createdAt, expiresAt } = record;
  const { state, revokedAt, madeBy } = record;
  return {
    id,
    endpoint,
    state,
    ...shownBinding(binding),
    ...(record.decoy ? { decoy: true as const } : {}),
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
    async handle(deps, { actor, body: { endpoint: id, uses, ttl, decoy, ...asked }, once }) {
      const endpoint = taking(deps, id);
      const binding = bindingOf(endpoint, asked);
      const wanted = { binding, uses, ttlMs: ttl ?? endpoint.challengeTtlMs, decoy };
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
  async 'POST /challenges/check'(
    deps,
    { body: { endpoint: id, uses, ttl: _, decoy: __, ...asked } },
  ) {
    return { endpoint: id, ...shownBinding(bindingOf(taking(deps, id), asked)), uses };
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

/** @throws {HttpFailure} 422 */
function bindingOf({ profile }: Endpoint, asked: WantedBinding): Binding {
  try {
    return normalBinding(profile, asked);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    throw new HttpFailure(422, `${error.field}: ${error.message}`);
  }
}
