// Challenges (shared design 4.8): made here, shown once, kept only as a MAC. The MAC covers the
// endpoint, so a challenge of one endpoint is an unknown one at every other.

import { type Bytes, equalSecret, hex, type Random, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { canonical, type Json } from '../../base/json.ts';
import { CHALLENGE_OCTETS } from '../../base/limits.ts';
import { base32, ulid } from '../../base/ulid.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { ChallengeForm } from '../../config/outside/ndes.ts';
import { hmacSha256 } from '../../crypto/native.ts';
import type { Actor, EventFields } from '../../events/event.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { Binding, Challenge } from '../../ports/records/records.ts';
import type { Author } from '../../ports/records/transaction.ts';
import type { Deps } from '../deps.ts';
import { loadNew, type Once, type Remembered, Repeated } from '../record/idempotency.ts';
import { expiresOf } from '../record/transaction-event.ts';
import { authorOf } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';

type NewChallenge = {
  /** How it is written, where what reads it expects another form than ours. */
  readonly form?: ChallengeForm;
  readonly binding: Binding;
  readonly uses: number;
  readonly ttlMs: number;
  readonly decoy?: boolean;
};

export type MadeChallenge = {
  readonly id: string;
  /** The only copy of the secret. One made under an Idempotency-Key is derived again for a repeat. */
  readonly challenge: string;
  readonly endpoint: string;
  readonly expiresAt: number;
};

type ChallengeMaker = {
  readonly actor: Actor;
  /** Of a request that may come again: its challenge is derived instead of drawn, and its answer is given
   * without it. */
  readonly remembered?: Remembered<Omit<MadeChallenge, 'challenge'>> | undefined;
};

/**
 * Stores a new challenge.
 * @throws {Repeated}
 */
export async function createChallenge(
  { store, macKeys, clock, random }: Pick<Deps, 'store' | 'macKeys' | 'clock' | 'random'>,
  endpoint: Endpoint,
  { form, ...wanted }: NewChallenge,
  { actor, remembered }: ChallengeMaker,
): Promise<MadeChallenge> {
  const now = clock.now();
  const view = new View(store);
  await loadNew(view, [], remembered, now);
  const [macKey] = await macKeys.live('challenge');
  const id = ulid(now, random(10));
  const derived = remembered?.once.deriveChallenge(macKey, id);
  const challenge = form ? drawn(form, random) : derived ? base32(derived) : freshText(random);
  const made = { ...wanted, id, now, madeBy: authorOf(actor) };
  const { key, record } = makeChallenge(macKey, endpoint.id, challenge, made);
  const { expiresAt } = record;
  const shown = { id, endpoint: endpoint.id, expiresAt };
  const draft = new Draft(view);
  draft.create('challenge', key, record);
  draft.event(now, random, challengeCreated(record, actor));
  remembered?.once.remember(draft, now, remembered.answer(shown), macKey);
  if ((await store.write(draft.actions)) !== 'done') {
    if (remembered) throw new Repeated();
    // So many random bits that exist already mean a broken generator or a broken store.
    throw new Outage('a fresh challenge exists');
  }
  return { ...shown, challenge };
}

/** A text as challenges are; nobody knows it until it is stored. */
export const freshText = (random: Random): string => base32(random(CHALLENGE_OCTETS));

/** Each of the characters as often as any other. */
function drawn({ alphabet, length }: ChallengeForm, random: Random): string {
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const octet of random(length - text.length)) {
      if (octet < fair) text += alphabet[octet % alphabet.length];
    }
  }
  return text;
}

export function challengeCreated(record: Challenge, actor: Actor): EventFields {
  const { id, endpoint, binding, uses } = record;
  return {
    type: 'challenge.created',
    actor,
    endpoint,
    challengeId: id,
    names: binding.names,
    ...(binding.device === undefined ? {} : { device: binding.device }),
    ...(binding.subject === undefined ? {} : { subject: binding.subject }),
    number: uses,
    ...expiresOf('challenge', record),
  };
}

/** A new challenge, and the key of its record. */
export function makeChallenge(
  macKey: MacKey,
  endpoint: string,
  challenge: string,
  {
    id,
    now,
    binding,
    uses,
    ttlMs,
    decoy,
    madeBy,
  }: NewChallenge & {
    readonly id: string;
    readonly now: number;
    readonly madeBy?: Author;
  },
): { readonly key: string; readonly record: Challenge } {
  const key = challengeKey(macKey, endpoint, challenge);
  const by = madeBy === undefined ? {} : { madeBy };
  const trap = decoy ? { decoy } : {};
  const fixed = { id, endpoint, binding, uses, expiresAt: now + ttlMs, ...by, ...trap };
  return { key, record: sealedChallenge(macKey, key, fixed, now) };
}

/** The record of one that nobody has used, under its MAC. */
export const sealedChallenge = (
  macKey: MacKey,
  key: string,
  fixed: Fixed,
  now: number,
): Challenge => ({
  ...fixed,
  bindingMac: hex(bindingMac(macKey, key, fixed)),
  usesLeft: fixed.uses,
  createdAt: now,
  failures: 0,
  open: {},
});

/**
 * The challenge that a request with an Idempotency-Key was answered with.
 * @returns undefined once the MAC key that it was derived with is gone
 */
export async function deriveAgain(
  { macKeys }: Pick<Deps, 'macKeys'>,
  once: Once,
  macKeyId: string | undefined,
  id: string,
): Promise<string | undefined> {
  const macKey = (await macKeys.live('challenge')).find((candidate) => candidate.id === macKeyId);
  return macKey && base32(once.deriveChallenge(macKey, id));
}

/** The keys under which a challenge may be stored: one for each live MAC key. */
export const challengeKeys = (
  macKeys: readonly MacKey[],
  endpoint: string,
  challenge: string,
): string[] => macKeys.map((macKey) => challengeKey(macKey, endpoint, challenge));

const challengeKey = (macKey: MacKey, endpoint: string, challenge: string): string =>
  `${endpoint}/${macKey.id}/${hex(mac(macKey, 'challenge', [endpoint, challenge]))}`;

/** Whether the record's binding has a good MAC, and its counts are within it. */
export function bindingHolds(
  macKeys: readonly MacKey[],
  key: string,
  challenge: Challenge,
): boolean {
  const macKey = macKeyOf(macKeys, key);
  const { uses, usesLeft } = challenge;
  return (
    macKey !== undefined &&
    Number.isSafeInteger(usesLeft) &&
    usesLeft >= 0 &&
    usesLeft <= uses &&
    provable(() =>
      equalSecret(utf8(hex(bindingMac(macKey, key, challenge))), utf8(challenge.bindingMac)),
    )
  );
}

/** The MAC key that the record of a challenge was made with. */
const macKeyOf = (macKeys: readonly MacKey[], key: string): MacKey | undefined =>
  macKeys.find(({ id }) => id === key.split('/')[1]);

/** The challenge from this time on; undefined where its MAC key is gone. */
export function revokedChallenge(
  macKeys: readonly MacKey[],
  key: string,
  challenge: Challenge,
  revokedAt: number,
): Challenge | undefined {
  const macKey = macKeyOf(macKeys, key);
  const revoked = { ...challenge, revokedAt };
  return macKey && { ...revoked, bindingMac: hex(bindingMac(macKey, key, revoked)) };
}

type Fixed = Pick<
  Challenge,
  | 'id'
  | 'endpoint'
  | 'binding'
  | 'uses'
  | 'expiresAt'
  | 'madeBy'
  | 'revokedAt'
  | 'decoy'
  | 'signedBy'
>;

function bindingMac(macKey: MacKey, key: string, fixed: Fixed): Bytes {
  const { id, endpoint, uses, expiresAt, madeBy, revokedAt } = fixed;
  const { binding, decoy, signedBy } = fixed;
  const said = { key, id, endpoint, binding, uses, expiresAt, madeBy, revokedAt, decoy, signedBy };
  return mac(macKey, 'binding', said);
}

/** Whether a MAC holds over what another hand may have written: nothing, where it is of no form that one can
 * be made over (numbers and text that JSON lacks, nested too deep). */
export function provable(holds: () => boolean): boolean {
  try {
    return holds();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
      return false;
    }
    throw error;
  }
}

/** HMAC-SHA-256 over the canonical form; `purpose` keeps MACs for different things apart. */
export const mac = ({ key }: MacKey, purpose: string, message: Json): Bytes =>
  hmacSha256(key, canonical([purpose, message]));
