// Lists, shows and revokes challenges for people. It never has the secret: a challenge is found by its id.

import { Outage } from '../../base/errors.ts';
import { MAX_ISSUE_ROUNDS, MAX_PAGE, MAX_PAGE_READS } from '../../base/limits.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import type { ChallengeState } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import type { Challenge } from '../../ports/records/records.ts';
import { isLocked, type Row } from '../../ports/store.ts';
import type { Deps } from '../deps.ts';
import { type Altered, browseAs, type Selection, type Turn } from '../query/browse.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { bindingHolds, revokedChallenge } from './challenges.ts';

export type ListedChallenge = Challenge & { readonly state: ChallengeState };

/** The first state that applies; final states come first. */
function challengeState(challenge: Challenge, now: number): ChallengeState {
  const { revokedAt, usesLeft, expiresAt } = challenge;
  if (revokedAt !== undefined) return 'revoked';
  if (usesLeft < 1) return 'spent';
  if (isLocked(challenge)) return 'locked';
  return expiresAt <= now ? 'expired' : 'open';
}

type Reading = Pick<Deps, 'store' | 'macKeys' | 'clock' | 'log'>;

/** @returns the function that adds to a challenge the state in which it is */
async function listing({ macKeys, clock, log }: Reading) {
  const live = await macKeys.live('challenge');
  return (record: Challenge, key: string): ListedChallenge => {
    const holds = bindingHolds(live, key, record);
    if (!holds) log({ event: 'challenge.tampered', severity: 'error', challengeId: record.id });
    if (!holds) return { ...record, state: 'invalid' };
    // Its id is under its MAC, and begins with the time.
    return {
      ...record,
      createdAt: timeOfUlid(record.id),
      state: challengeState(record, clock.now()),
    };
  };
}

type ChallengeQuery = Turn & {
  /** Only those of this endpoint; otherwise of every one that is configured. */
  readonly endpoint?: string | undefined;
  readonly state?: ChallengeState | undefined;
  /** How the id begins; not all of it. */
  readonly idPrefix?: string | undefined;
};

/** Newest first. */
export async function listChallenges(
  deps: Reading & Pick<Deps, 'config'>,
  { endpoint, state, idPrefix, ...turn }: ChallengeQuery,
): Promise<Altered & { readonly challenges: readonly ListedChallenge[]; readonly next?: string }> {
  const listed = await listing(deps);
  const groups = endpoint === undefined ? [...deps.config.endpoints.keys()] : [endpoint];
  const selection: Selection<'challenge', ListedChallenge> = {
    ...{ kind: 'challenge', list: 'challenges', groups, reverse: true },
    ...(idPrefix === undefined ? {} : { from: `${idPrefix}~`, until: idPrefix }),
    select(record, key) {
      const challenge = listed(record, key);
      return state === undefined || challenge.state === state ? challenge : undefined;
    },
    filters: state !== undefined,
  };
  const { records, ...rest } = await browseAs(deps, selection, turn);
  return { challenges: records, ...rest };
}

/** @param endpoint where to look; undefined: everywhere */
export async function findChallenge(
  deps: Reading & Pick<Deps, 'config'>,
  id: string,
  endpoint: string | undefined,
): Promise<ListedChallenge | undefined> {
  return (await find(deps, id, endpoint))?.record;
}

type Found = Pick<Row<'challenge'>, 'kind' | 'key' | 'rev'> & { readonly record: ListedChallenge };

/** One that only calls itself that is found where there is no other. */
async function find(
  deps: Reading & Pick<Deps, 'config'>,
  id: string,
  endpoint: string | undefined,
): Promise<Found | undefined> {
  const { store } = deps;
  const listed = await listing(deps);
  const groups = endpoint === undefined ? [...deps.config.endpoints.keys()] : [endpoint];
  let invalid: Found | undefined;
  for (const group of groups) {
    // In a list that is sorted by ids: what begins like this one, up to this one.
    let from: string | undefined = id.slice(0, -1);
    const range = { list: 'challenges', group, until: `${id}0`, limit: MAX_PAGE } as const;
    for (let reads = 0; from !== undefined && reads < MAX_PAGE_READS; reads++) {
      const { keys, next } = await store.list({ ...range, from });
      const view = new View(store);
      await view.load(keys.map((key) => ({ kind: 'challenge', key })));
      for (const key of keys) {
        const record = view.unaltered('challenge', key);
        if (record?.id !== id) continue;
        const found: Found = {
          ...{ kind: 'challenge', key, rev: view.rev('challenge', key) },
          record: listed(record, key),
        };
        if (found.record.state !== 'invalid') return found;
        invalid ??= found;
      }
      from = next;
    }
  }
  return invalid;
}

/**
 * Revokes a challenge: no further request can use it. A request that has taken its use already is finished.
 * @returns undefined for an unknown challenge
 */
export async function revokeChallenge(
  deps: Reading & Pick<Deps, 'config' | 'random'>,
  id: string,
  endpoint: string | undefined,
  actor: Actor,
): Promise<ListedChallenge | undefined> {
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const row = await find(deps, id, endpoint);
    if (!row || row.record.revokedAt !== undefined || row.record.state === 'invalid') {
      return row?.record;
    }
    const now = deps.clock.now();
    const view = new View(deps.store).with([row]);
    const draft = new Draft(view);
    // From this write on no device can take a use of it.
    const { state: _state, ...record } = row.record;
    const live = await deps.macKeys.live('challenge');
    const revoked = revokedChallenge(live, row.key, record, now);
    if (!revoked) return { ...record, state: 'invalid' };
    draft.put('challenge', row.key, revoked);
    draft.event(now, deps.random, {
      type: 'challenge.revoked',
      actor,
      endpoint: revoked.endpoint,
      challengeId: id,
    });
    if ((await deps.store.write(draft.actions)) === 'done') return { ...revoked, state: 'revoked' };
  }
  throw new Outage('the challenge kept changing while it was to be revoked');
}
