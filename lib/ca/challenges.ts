// Challenges (shared design 4.8): made here, shown once, kept only as a MAC. The MAC covers the
// endpoint, so a challenge of one endpoint is an unknown one at every other.

import { type Bytes, equalSecret, fromHex, hex } from '../bytes.ts';
import { hmacSha256 } from '../cms/native.ts';
import type { Endpoint } from '../config.ts';
import { CHALLENGE_OCTETS } from '../limits.ts';
import { canonical, type Json } from '../log/canonical.ts';
import type { Binding, Challenge } from '../ports/challenges.ts';
import type { MacKey } from '../ports/mac-keys.ts';
import { base32, ulid } from '../ulid.ts';
import type { Deps } from './deps.ts';

export type NewChallenge = {
  readonly binding: Binding;
  readonly uses: number;
  readonly ttlMs: number;
};

/** Stores a new challenge. `challenge` is the only copy of the secret there will ever be. */
export async function createChallenge(
  { challenges, macKeys, clock, random }: Deps,
  endpoint: Endpoint,
  { binding, uses, ttlMs }: NewChallenge,
): Promise<{ id: string; challenge: string; expiresAt: number }> {
  const now = clock.now();
  const challenge = base32(random(CHALLENGE_OCTETS));
  const [macKey] = await macKeys.live();
  const fixed = {
    key: challengeKey(macKey, endpoint.id, challenge),
    id: ulid(now, random(10)),
    endpoint: endpoint.id,
    binding,
    uses,
    expiresAt: now + ttlMs,
  };
  await challenges.create({
    ...fixed,
    bindingMac: hex(bindingMac(macKey, fixed)),
    usesLeft: uses,
    createdAt: now,
    failures: 0,
    holder: undefined,
  });
  return { id: fixed.id, challenge, expiresAt: fixed.expiresAt };
}

/** The keys under which a challenge may be stored: one for each live MAC key. */
export function challengeKeys(
  macKeys: readonly MacKey[],
  endpoint: string,
  challenge: string,
): string[] {
  return macKeys.map((macKey) => challengeKey(macKey, endpoint, challenge));
}

function challengeKey(macKey: MacKey, endpoint: string, challenge: string): string {
  return `${endpoint}/${macKey.id}/${hex(mac(macKey, ['challenge', endpoint, challenge]))}`;
}

/** Whether the record still says what it said when it was made. */
export function bindingHolds(macKeys: readonly MacKey[], challenge: Challenge): boolean {
  const [, id] = challenge.key.split('/');
  const macKey = macKeys.find((candidate) => candidate.id === id);
  return (
    macKey !== undefined &&
    equalSecret(bindingMac(macKey, challenge), fromHex(challenge.bindingMac))
  );
}

type Fixed = Pick<Challenge, 'key' | 'id' | 'endpoint' | 'binding' | 'uses' | 'expiresAt'>;

function bindingMac(macKey: MacKey, fixed: Fixed): Bytes {
  const { key, id, endpoint, uses, expiresAt } = fixed;
  const binding = { subject: fixed.binding.subject, names: fixed.binding.names };
  return mac(macKey, ['binding', { key, id, endpoint, binding, uses, expiresAt }]);
}

/** HMAC-SHA-256 over the canonical form; the first member says what the MAC is for. */
const mac = ({ key }: MacKey, message: readonly [string, ...Json[]]): Bytes =>
  hmacSha256(key, canonical(message));
