// Tokens of the admin API: 256 random bits, of which the store has the hash. A name has one token, so that an
// event names the token that was used: the record of a name is made and removed together with its token.

import { base64url, hex, utf8 } from '../../base/bytes.ts';
import { actorKinds } from '../../base/words.ts';
import { hash } from '../../crypto/native.ts';
import type { Actor } from '../../events/event.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import { placesOf } from '../../ports/records/places.ts';
import type { AdminToken } from '../../ports/records/registry.ts';
import type { Deps } from '../deps.ts';
import type { Altered, Turn } from '../query/browse.ts';
import { loadNew, type Once, type Remembered } from './idempotency.ts';
import { useKey, useOf } from './token-use.ts';
import { Draft, View } from './unit-of-work.ts';

type TokenDeps = Pick<Deps, 'store' | 'macKeys' | 'clock' | 'random'>;

const TOKEN_OCTETS = 32;

/** Names by which an operator's commands and the tokens outside of the store act in events. */
export const ownNames = {
  operator: 'operator',
  tokenFile: 'token-file',
  workerSecret: 'worker-secret',
} as const;

const withoutToken: readonly string[] = actorKinds.filter((kind) => kind !== 'admin');
/** Also the words by which events call whoever acts without a token: a token of that name would act in theirs. */
export const isOwnName = (name: string): boolean =>
  [...Object.values<string>(ownNames), ...withoutToken].includes(name.toLowerCase());

/** SHA-256 is enough: tokens are 256 random bits. Hexadecimal; the key of the token's record. */
export const tokenHash = (token: string): string => hex(hash('SHA-256', utf8(token)));

/** Key of the record of a name. No token has such a hash, so it cannot be used as one. */
export const tokenNameKey = (name: string): string => `name:${name}`;

/** What stands there: the hash of the token that has the name, and no role. */
export const tokenNameRecord = (hash: string): AdminToken => ({ name: hash, roles: [] });

export const isExpired = ({ expiresAt }: AdminToken, now: number): boolean =>
  expiresAt !== undefined && expiresAt <= now;

export const madeEvent = ({ name, person, roles, expiresAt }: AdminToken, actor: Actor) => {
  const of = person === undefined ? '' : ` of "${person}"`;
  const until = expiresAt === undefined ? '' : ` until ${new Date(expiresAt).toISOString()}`;
  const note = `made the token "${name}"${of} with the roles ${roles.join(', ')}${until}`;
  return { type: 'admin.acted', actor, note } as const;
};

export const revokedEvent = ({ name }: AdminToken, actor: Actor) =>
  ({ type: 'admin.acted', actor, note: `revoked the token "${name}"` }) as const;

type NewToken = Omit<AdminToken, 'createdAt'>;
export type DatedToken = AdminToken & { readonly createdAt: number };
type MadeToken = DatedToken & {
  /** It is nowhere else. One made under an Idempotency-Key is derived again for a repeat. */
  readonly token: string;
};

type By<Outcome> = {
  readonly actor: Actor;
  readonly remembered?: Remembered<Outcome> | undefined;
};

/**
 * The name of an expired token is free.
 * @returns undefined where another token has the name @throws {Repeated}
 */
export async function makeToken(
  deps: TokenDeps,
  wanted: NewToken,
  by: By<DatedToken>,
): Promise<MadeToken | undefined> {
  const { store, macKeys, clock, random } = deps;
  const { name } = wanted;
  const { actor, remembered } = by;
  const now = clock.now();
  const nameKey = tokenNameKey(name);
  const view = new View(store);
  await loadNew(view, [{ kind: 'token', key: nameKey }], remembered, now);
  const before = view.get('token', nameKey)?.name;
  if (before !== undefined) await view.load([{ kind: 'token', key: before }]);
  const holder = view.get('token', before);
  if (holder && !isExpired(holder, now)) return undefined;
  const made: DatedToken = { ...wanted, createdAt: now };
  const [macKey] = remembered ? await macKeys.live('registry') : [];
  const token =
    remembered && macKey
      ? deriveToken(remembered.once, macKey, made)
      : base64url(random(TOKEN_OCTETS));
  const key = tokenHash(token);
  const draft = new Draft(view);
  if (before !== undefined && holder) draft.remove('token', before);
  draft.create('token', key, made);
  // The new record replaces an altered record of the name.
  draft.put('token', nameKey, tokenNameRecord(key));
  draft.event(now, random, madeEvent(made, actor));
  remembered?.once.remember(draft, now, remembered.answer(made), macKey);
  const done = (await store.write(draft.actions)) === 'done';
  // A conflict: another has just taken the name, or made this token for the same request.
  return done ? { ...made, token } : makeToken(deps, wanted, by);
}

const deriveToken = (once: Once, macKey: MacKey, { name, createdAt }: DatedToken): string =>
  base64url(once.derive(macKey, 'token', `${name} ${createdAt}`).slice(0, TOKEN_OCTETS));

/**
 * The token that a request with an Idempotency-Key was answered with.
 * @returns undefined once the MAC key that it was derived with is gone
 */
export async function tellAgain(
  { macKeys }: Pick<Deps, 'macKeys'>,
  once: Once,
  macKeyId: string | undefined,
  made: DatedToken,
): Promise<string | undefined> {
  const macKey = (await macKeys.live('registry')).find(({ id }) => id === macKeyId);
  return macKey && deriveToken(once, macKey, made);
}

type Which = { readonly token: string } | { readonly name: string };

/**
 * Finds a token.
 * @param which the token itself, or its name
 */
export async function findToken(view: View, which: Which) {
  const load = async (key: string): Promise<AdminToken | undefined> => {
    await view.load([{ kind: 'token', key }]);
    return view.get('token', key);
  };
  const key =
    'token' in which ? tokenHash(which.token) : (await load(tokenNameKey(which.name)))?.name;
  const token = key === undefined ? undefined : await load(key);
  return key === undefined || !token ? undefined : { key, token };
}

/**
 * Revokes a token. From now on it is refused.
 * @returns undefined where there is no such token @throws {Repeated}
 */
export async function revokeToken(
  deps: Pick<TokenDeps, 'store' | 'clock' | 'random'>,
  which: Which,
  by: By<AdminToken>,
): Promise<AdminToken | undefined> {
  const { store, clock, random } = deps;
  const { actor, remembered } = by;
  const now = clock.now();
  const view = new View(store);
  await loadNew(view, [], remembered, now);
  const found = await findToken(view, which);
  if (!found) return undefined;
  const { key, token } = found;
  const nameKey = tokenNameKey(token.name);
  await view.load([{ kind: 'token', key: nameKey }]);
  const draft = new Draft(view);
  draft.remove('token', key);
  if (view.get('token', nameKey)?.name === key) draft.remove('token', nameKey);
  draft.event(now, random, revokedEvent(token, actor));
  remembered?.once.remember(draft, now, remembered.answer(token));
  const done = (await store.write(draft.actions)) === 'done';
  // A conflict: another has just revoked it.
  return done ? token : revokeToken(deps, which, by);
}

export type ListedToken = AdminToken & {
  /** Milliseconds since 1970, to the hour. */
  readonly usedAt?: number;
};

/** By their names. */
export async function listTokens(
  { store }: Pick<Deps, 'store'>,
  { limit, cursor }: Turn,
): Promise<Altered & { readonly tokens: readonly ListedToken[]; readonly next?: string }> {
  const from = cursor === undefined ? {} : { from: cursor };
  const { keys, next } = await store.list({ list: 'tokens', group: 'all', limit, ...from });
  const view = new View(store);
  await view.load(keys.flatMap((key) => [{ kind: 'token' as const, key }, useKey(key)]));
  const tokens = [...new Set(keys)].flatMap((key): ListedToken[] => {
    const token = view.unaltered('token', key);
    // A list may be another hand's: what stands in it is what the record says.
    if (!token || placesOf('token', key, token).length === 0) return [];
    const usedAt = useOf(view, key);
    return [{ ...token, ...(usedAt === undefined ? {} : { usedAt }) }];
  });
  return { tokens, ...(next === undefined ? {} : { next }), altered: view.altered };
}
