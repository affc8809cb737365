// Tokens of the admin API: 256 random bits, of which the store has the hash. A name has one token, so that an
// event names the token that was used: the record of a name is made and removed together with its token.

import { base64url, hex, utf8 } from '../../base/bytes.ts';
import { hash } from '../../crypto/native.ts';
import type { Actor } from '../../events/event.ts';
import type { AdminToken } from '../../ports/records/registry.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from './unit-of-work.ts';

type TokenDeps = Pick<Deps, 'store' | 'clock' | 'random'>;

const TOKEN_OCTETS = 32;

/** Names by which an operator's commands and the tokens outside of the store act in events. */
export const ownNames = {
  operator: 'operator',
  tokenFile: 'token-file',
  workerSecret: 'worker-secret',
} as const;

/** SHA-256 is enough: tokens are 256 random bits. Hexadecimal; the key of the token's record. */
export const tokenHash = (token: string): string => hex(hash('SHA-256', utf8(token)));

/** Key of the record of a name. No token has such a hash, so it cannot be used as one. */
export const tokenNameKey = (name: string): string => `name:${name}`;

/** What stands there: the hash of the token that has the name, and no role. */
export const tokenNameRecord = (hash: string): AdminToken => ({ name: hash, roles: [] });

/** @returns the token, which is nowhere else; undefined where another token has its name */
export async function makeToken(
  { store, clock, random }: TokenDeps,
  token: AdminToken,
  actor: Actor,
): Promise<string | undefined> {
  const text = base64url(random(TOKEN_OCTETS));
  const key = tokenHash(text);
  const nameKey = tokenNameKey(token.name);
  const view = new View(store);
  await view.load([{ kind: 'token', key: nameKey }]);
  if (view.get('token', nameKey)) return undefined;
  const draft = new Draft(view);
  draft.create('token', key, token);
  // The new record replaces an altered record of the name.
  draft.put('token', nameKey, tokenNameRecord(key));
  const note = `made the token "${token.name}" with the roles ${token.roles.join(', ')}`;
  draft.event(clock.now(), random, { type: 'admin.acted', actor, note });
  return (await store.write(draft.actions)) === 'done' ? text : undefined;
}

/**
 * Revokes a token.
 * @param which the token itself, or its name where the token is lost
 */
export async function revokeToken(
  { store, clock, random }: TokenDeps,
  which: { readonly token: string } | { readonly name: string },
  actor: Actor,
): Promise<'done' | 'unknown'> {
  const view = new View(store);
  const load = async (key: string): Promise<AdminToken | undefined> => {
    await view.load([{ kind: 'token', key }]);
    return view.get('token', key);
  };
  const key =
    'token' in which ? tokenHash(which.token) : (await load(tokenNameKey(which.name)))?.name;
  const token = key === undefined ? undefined : await load(key);
  if (key === undefined || !token) return 'unknown';
  const nameKey = tokenNameKey(token.name);
  const named = await load(nameKey);
  const draft = new Draft(view);
  draft.remove('token', key);
  if (named?.name === key) draft.remove('token', nameKey);
  const note = `revoked the token "${token.name}"`;
  draft.event(clock.now(), random, { type: 'admin.acted', actor, note });
  // A conflict: another operator has just removed it.
  await store.write(draft.actions);
  return 'done';
}
