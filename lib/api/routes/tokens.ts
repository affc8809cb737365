// Tokens of the admin API: made and shown once, listed, revoked by their names.

import * as z from 'zod/mini';
import { roles } from '../../base/words.ts';
import { described, duration } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, body, holderName, moment, notHere, page, time, turn } from '../schemas.ts';

const name = described('its name, which events show', holderName);
const personText =
  'the person who has it, such as an address of e-mail; the name if absent. Where two persons must approve, tokens of one person count once, in any case';
const role = z.enum(roles);

const newToken = body(
  'NewToken',
  z.strictObject({
    name,
    person: described(personText, z.optional(holderName)),
    roles: z.array(role).check(z.minLength(1, 'must hold at least one role')),
    ttl: described('how long it is good for; until it is revoked if absent', z.optional(duration)),
    expiresAt: described('until when it is good, instead', z.optional(moment)),
  }),
);

const fields = {
  name: z.string(),
  person: described('the person who has it', z.string()),
  roles: z.array(role),
  createdAt: z.optional(time),
  expiresAt: z.optional(time),
};

const token = answer(
  'Token',
  z.strictObject({
    ...fields,
    state: z.enum(['live', 'expired']),
    usedAt: described('when it was last used, to the hour', z.optional(time)),
  }),
);

const madeToken = answer(
  'MadeToken',
  z.strictObject({ ...fields, token: described('it is stored nowhere', z.string()) }),
);

const revokedToken = answer(
  'RevokedToken',
  z.strictObject({
    ...fields,
    replaced: described(
      'it was the token of a file, which has another one now',
      z.optional(z.literal(true)),
    ),
  }),
);

const which = body(
  'RevokeToken',
  z.strictObject({
    name: described('the name of the token', z.optional(z.string())),
    token: described('the token itself, instead', z.optional(z.string())),
  }),
);

export const tokenRoutes = {
  'POST /tokens': {
    noun: 'token',
    roles: [],
    summary: 'Make a token, which is in this answer only',
    body: newToken,
    status: 201,
    answer: madeToken,
    repeatable: true,
    conflict: `another token has the name; or ${notHere}`,
  },
  'GET /tokens': {
    noun: 'token',
    roles: [],
    summary: 'The tokens of the store, by name, without the tokens themselves',
    query: z.strictObject(turn),
    answer: page('Tokens', 'tokens', token),
  },
  'POST /tokens/revoke': {
    noun: 'token',
    roles: [],
    summary: 'Revoke a token: from now on it is refused',
    body: which,
    answer: revokedToken,
    repeatable: true,
    missing: true,
    conflict: notHere,
  },
} as const satisfies Routes;
