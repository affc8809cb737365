// Challenges (shared design 4.8): made here, shown once, kept only as a MAC. The MAC covers the
// endpoint, so a challenge of one endpoint is an unknown one at every other.

import { type Bytes, equalSecret, fromHex, hex } from '../bytes.ts';
import { hmacSha256 } from '../cms/native.ts';
import type { Endpoint } from '../config.ts';
import { Outage } from '../errors.ts';
import { CHALLENGE_OCTETS } from '../limits.ts';
import { canonical, type Json } from '../log/canonical.ts';
import type { Actor } from '../log/event.ts';
import type { MacKey } from '../ports/mac-keys.ts';
import type { Binding, Challenge } from '../ports/records.ts';
import { base32, ulid } from '../ulid.ts';
import type { Deps } from './deps.ts';
import { Draft, View } from './view.ts';

export type NewChallenge = {
  readonly binding: Binding;
  readonly uses: number;
  readonly ttlMs: number;
};

/** Stores a new challenge. `challenge` is the only copy of the secret there will ever be. */
export async function createChallenge(
  { store, macKeys, clock, random }: Deps,
  endpoint: Endpoint,
  { binding, uses, ttlMs }: NewChallenge,
  actor: Actor,
): Promise<{ id: string; challenge: string; expiresAt: number }> {
  const now = clock.now();
  const challenge = base32(random(CHALLENGE_OCTETS));
  const [macKey] = await macKeys.live('challenge');
  const key = challengeKey(macKey, endpoint.id, challenge);
  const id = ulid(now, random(10));
  const fixed = { id, endpoint: endpoint.id, binding, uses, expiresAt: now + ttlMs };
  const draft = new Draft(new View(store));
  draft.create('challenge', key, {
    ...fixed,
    bindingMac: hex(bindingMac(macKey, key, fixed)),
    usesLeft: uses,
    createdAt: now,
    failures: 0,
    open: {},
  });
  draft.event(now, random, {
    type: 'challenge.created',
    actor,
    endpoint: endpoint.id,
    challengeId: id,
    names: binding.names,
    ...(binding.subject === undefined ? {} : { subject: binding.subject }),
    number: uses,
  });
  // 128 random bits that are taken are a broken generator or a broken store.
  if ((await store.write(draft.actions)) !== 'done') throw new Outage('a fresh challenge exists');
  return { id, challenge, expiresAt: fixed.expiresAt };
}

/** The keys under which a challenge may be stored: one for each live MAC key. */
export const challengeKeys = (
  macKeys: readonly MacKey[],
  endpoint: string,
  challenge: string,
): string[] => macKeys.map((macKey) => challengeKey(macKey, endpoint, challenge));

const challengeKey = (macKey: MacKey, endpoint: string, challenge: string): string =>
  `${endpoint}/${macKey.id}/${hex(mac(macKey, 'challenge', [endpoint, challenge]))}`;

/** Whether the record still says what it said when it was made. */
export function bindingHolds(
  macKeys: readonly MacKey[],
  key: string,
  challenge: Challenge,
): boolean {
  const [, id] = key.split('/');
  const macKey = macKeys.find((candidate) => candidate.id === id);
  return (
    macKey !== undefined &&
    equalSecret(bindingMac(macKey, key, challenge), fromHex(challenge.bindingMac))
  );
}

type Fixed = Pick<Challenge, 'id' | 'endpoint' | 'binding' | 'uses' | 'expiresAt'>;

function bindingMac(macKey: MacKey, key: string, fixed: Fixed): Bytes {
  const { id, endpoint, uses, expiresAt } = fixed;
  const binding = { subject: fixed.binding.subject, names: fixed.binding.names };
  return mac(macKey, 'binding', { key, id, endpoint, binding, uses, expiresAt });
}

/** HMAC-SHA-256 over the canonical form; `purpose` keeps MACs for different things apart. */
export const mac = ({ key }: MacKey, purpose: string, message: Json): Bytes =>
  hmacSha256(key, canonical([purpose, message]));
