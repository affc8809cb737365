// Challenges as people look at them, and the end that they can put to one. The secret is nowhere in
// here: a challenge is found by its id.

import { Outage } from '../errors.ts';
import { MAX_CHALLENGE_FAILURES, MAX_ISSUE_ROUNDS, MAX_PAGE } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { Challenge } from '../ports/records.ts';
import type { Row } from '../ports/store.ts';
import { browse, type Range, type Turn } from './browse.ts';
import type { Deps } from './deps.ts';
import { Draft, View } from './view.ts';

/** revoked: by a person. locked: after too many refused attempts. */
export const challengeStates = ['open', 'spent', 'expired', 'locked', 'revoked'] as const;
export type ChallengeState = (typeof challengeStates)[number];

/** The first that is true, the one that nothing changes any more first. */
export function challengeState(
  { revokedAt, usesLeft, failures, expiresAt }: Challenge,
  now: number,
): ChallengeState {
  if (revokedAt !== undefined) return 'revoked';
  if (usesLeft < 1) return 'spent';
  if (failures >= MAX_CHALLENGE_FAILURES) return 'locked';
  return expiresAt <= now ? 'expired' : 'open';
}

export type ChallengeQuery = Turn & {
  readonly endpoint: string;
  readonly state?: ChallengeState | undefined;
};

/** Newest first. */
export async function listChallenges(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  { endpoint, state, ...turn }: ChallengeQuery,
): Promise<{ readonly challenges: readonly Challenge[]; readonly next?: string }> {
  const now = clock.now();
  const keep = (challenge: Challenge): boolean => challengeState(challenge, now) === state;
  const all = { list: 'challenges', groups: [endpoint], reverse: true } as const;
  const range: Range<'challenge'> = { kind: 'challenge', ...all, ...(state ? { keep } : {}) };
  const { records, ...rest } = await browse({ store }, range, turn);
  return { challenges: records, ...rest };
}

/** @param endpoint where to look; undefined: everywhere */
export async function findChallenge(
  deps: Pick<Deps, 'store' | 'config'>,
  id: string,
  endpoint: string | undefined,
): Promise<Challenge | undefined> {
  return (await find(deps, id, endpoint))?.record;
}

async function find(
  { store, config }: Pick<Deps, 'store' | 'config'>,
  id: string,
  endpoint: string | undefined,
): Promise<Row<'challenge'> | undefined> {
  const groups = endpoint === undefined ? [...config.endpoints.keys()] : [endpoint];
  for (const group of groups) {
    // In a list that is sorted by ids: what begins like this one, up to this one.
    const range = { from: id.slice(0, -1), until: `${id}0` };
    const { keys } = await store.list({ list: 'challenges', group, ...range, limit: MAX_PAGE });
    const view = new View(store);
    await view.load(keys.map((key) => ({ kind: 'challenge', key })));
    for (const key of keys) {
      const row = view.row('challenge', key);
      if (row?.record.id === id) return row;
    }
  }
  return undefined;
}

/**
 * From now on it lets nobody in. A request that has taken its use already is finished.
 * @returns undefined for a challenge that is not there
 */
export async function revokeChallenge(
  deps: Pick<Deps, 'store' | 'config' | 'clock' | 'random'>,
  id: string,
  endpoint: string | undefined,
  actor: Actor,
): Promise<Challenge | undefined> {
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const row = await find(deps, id, endpoint);
    if (!row || row.record.revokedAt !== undefined) return row?.record;
    const now = deps.clock.now();
    const view = new View(deps.store).with([row]);
    const draft = new Draft(view);
    // Locked too: no device can take a use of it, whatever else was read of it before.
    const revoked = { ...row.record, revokedAt: now, failures: MAX_CHALLENGE_FAILURES };
    draft.put('challenge', row.key, revoked);
    draft.event(now, deps.random, {
      type: 'challenge.revoked',
      actor,
      endpoint: revoked.endpoint,
      challengeId: id,
    });
    if ((await deps.store.write(draft.actions)) === 'done') return revoked;
  }
  throw new Outage('the challenge kept changing while it was to be revoked');
}
