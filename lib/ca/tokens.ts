// Tokens of the admin API: 256 random bits, of which the store has the hash.

import { base64url, hex, utf8 } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Actor } from '../log/event.ts';
import type { AdminToken } from '../ports/records.ts';
import type { Deps } from './deps.ts';
import { Draft, View } from './view.ts';

type TokenDeps = Pick<Deps, 'store' | 'clock' | 'random'>;

const TOKEN_OCTETS = 32;

/** SHA-256 is enough: tokens are 256 random bits. Hexadecimal; the key of the token's record. */
export const tokenHash = (token: string): string => hex(hash('SHA-256', utf8(token)));

/** @returns the token, which is nowhere else */
export async function makeToken(
  { store, clock, random }: TokenDeps,
  token: AdminToken,
  actor: Actor,
): Promise<string> {
  const text = base64url(random(TOKEN_OCTETS));
  const draft = new Draft(new View(store));
  draft.create('token', tokenHash(text), token);
  const note = `made the token "${token.name}" with the roles ${token.roles.join(', ')}`;
  draft.event(clock.now(), random, { type: 'admin.acted', actor, note });
  await store.write(draft.actions);
  return text;
}

/** From now on nobody is let in by it. */
export async function revokeToken(
  { store, clock, random }: TokenDeps,
  text: string,
  actor: Actor,
): Promise<'done' | 'unknown'> {
  const key = tokenHash(text);
  const view = new View(store);
  await view.load([{ kind: 'token', key }]);
  const token = view.get('token', key);
  if (!token) return 'unknown';
  const draft = new Draft(view);
  draft.remove('token', key);
  const note = `revoked the token "${token.name}"`;
  draft.event(clock.now(), random, { type: 'admin.acted', actor, note });
  // A conflict: somebody else has just removed it.
  await store.write(draft.actions);
  return 'done';
}
