// Storm control: a CA with `issuancesPerSecond` issues by turns. A turn is a moment; each is given out once, in order
// of arrival. A record holds the moment of the next one, from which instances lease a few at once, more while they need
// more, so that the record is written about once a second by each. Where its turn is now a request goes on. Where it is
// later, a device that is known to poll waits for it: the request is recorded, approved by this rule, under the MACs of
// every approval, and the poll after that moment has its validators outside asked, and issues it. Whoever is not known
// to poll for so long is told when to come again, and nothing is written.

import { TooEarly } from '../../base/errors.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import type { ClientFamily } from '../../base/words.ts';
import type { Records } from '../../ports/records/records.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import type { Deps } from '../deps.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import type { LeasedTurns } from '../tally.ts';
import type { ApprovedTransaction } from './approval-mac.ts';

/** Milliseconds for which each family polls at least, with what its clients are set to by themselves. */
const polls: Partial<Record<ClientFamily, number>> = {
  apple: 20_000,
  strongswan: 600_000,
  certmonger: 600_000,
  micromdm: 600_000,
  sscep: 600_000,
  cisco: 600_000,
};
/** Milliseconds between the turn and the last poll that must see it. */
const LAST_POLL_MS = 2000;
/** Milliseconds that turns are given out ahead: nobody polls for longer. */
const MAX_AHEAD_MS = 600_000;
/** Milliseconds for which a turn that nobody came for can still be used: so many are issued at once after a quiet time. */
const STALE_MS = 1000;
/** Tries to lease turns while other instances do so. */
const MAX_TRIES = 5;

/**
 * When a request that is allowed has to wait: its turn.
 * @returns undefined where it goes on now
 * @throws {TooEarly} where its client is not known to poll until then
 */
export async function laterTurn(
  deps: Deps,
  { endpoint, ca, kept: { family } }: EnrolmentRequest,
  now: number,
): Promise<number | undefined> {
  const turn = await takeTurn(deps, ca, now);
  if (turn === undefined || turn <= now) return undefined;
  // A person decides about what is issued then, and not about what it is now.
  const waits = endpoint.approval === 'never';
  const covered = (family && polls[family]) ?? 0;
  if (waits && turn <= now + covered - LAST_POLL_MS) return turn;
  giveBack(deps, ca, turn);
  throw new TooEarly(
    `the CA "${ca.id}" issues no more than its issuancesPerSecond`,
    Math.ceil((turn - now) / 1000),
  );
}

/** Whether an approved request is issued now. One that a person approved takes its turn with this poll. */
export async function isItsTurn(
  deps: Deps,
  ca: Pick<Ca, 'id'>,
  { state, approval }: ApprovedTransaction,
  now: number,
): Promise<boolean> {
  if (approval.turn !== undefined) return approval.turn <= now;
  // A lapsed attempt has had its turn.
  if (state === 'intended') return true;
  try {
    const turn = await takeTurn(deps, ca, now);
    if (turn === undefined || turn <= now) return true;
    giveBack(deps, ca, turn);
    return false;
  } catch (error) {
    // Whoever polls is told to wait, not to come again.
    if (error instanceof TooEarly) return false;
    throw error;
  }
}

const leasedOf = ({ tally }: Pick<Deps, 'tally'>, ca: string): LeasedTurns => {
  const leased = tally.turns.get(ca) ?? { ahead: [], batch: 1, leasedAt: 0 };
  tally.turns.set(ca, leased);
  return leased;
};

function giveBack(deps: Pick<Deps, 'tally'>, { id }: Pick<Ca, 'id'>, turn: number): void {
  const leased = leasedOf(deps, id);
  leased.ahead = [...leased.ahead, turn].sort((a, b) => a - b);
}

/** @returns undefined where the CA has no limit @throws {TooEarly} where none is to be had */
async function takeTurn(
  deps: Pick<Deps, 'config' | 'store' | 'tally'>,
  { id }: Pick<Ca, 'id'>,
  now: number,
): Promise<number | undefined> {
  const perSecond = deps.config.cas.get(id)?.issuancesPerSecond;
  if (perSecond === undefined) return undefined;
  const leased = leasedOf(deps, id);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    leased.ahead = leased.ahead.filter((turn) => turn > now - STALE_MS);
    const turn = leased.ahead.shift();
    if (turn !== undefined) return turn;
    // Another request of this instance may lease meanwhile: what both get is used by both.
    await lease(deps, id, { leased, perSecond, now });
  }
  throw new TooEarly(`too many instances ask for turns of the CA "${id}"`, 1);
}

type Leasing = { readonly leased: LeasedTurns; readonly perSecond: number; readonly now: number };

async function lease(
  { store }: Pick<Deps, 'store'>,
  ca: string,
  { leased, perSecond, now }: Leasing,
): Promise<void> {
  const since = now - leased.leasedAt;
  if (since < 1000) leased.batch = Math.min(leased.batch * 2, Math.max(1, Math.ceil(perSecond)));
  else if (since > 2000) leased.batch = Math.max(1, Math.floor(leased.batch / 2));
  const view = new View(store);
  await view.load([{ kind: 'turns', key: ca }]);
  const found = nextTurns(view.get('turns', ca), { count: leased.batch, perSecond, now });
  const draft = new Draft(view);
  draft.put('turns', ca, { next: found.next });
  if ((await store.write(draft.actions)) !== 'done') return;
  leased.leasedAt = now;
  leased.ahead = [...leased.ahead, ...found.turns].sort((a, b) => a - b);
}

/**
 * The next turns: one each 1/perSecond, with those of the last second that nobody took. A stored moment
 * that is further ahead than turns are given out was written by a wrong clock, and is ignored.
 * @throws {TooEarly} where all that may be given are taken
 */
export function nextTurns(
  record: Records['turns'] | undefined,
  {
    count,
    perSecond,
    now,
  }: { readonly count: number; readonly perSecond: number; readonly now: number },
): { readonly turns: readonly number[]; readonly next: number } {
  const every = 1000 / perSecond;
  const first = now - STALE_MS + 1;
  const stored = record && Number.isFinite(record.next) ? record.next : first;
  const isSound = stored <= now + MAX_AHEAD_MS + CLOCK_SKEW_MS + count * every;
  const from = isSound ? Math.max(stored, first) : first;
  if (from > now + MAX_AHEAD_MS) {
    const wait = Math.ceil((from - now - MAX_AHEAD_MS) / 1000);
    throw new TooEarly('all turns of the next ten minutes are taken', wait);
  }
  const turns = Array.from({ length: count }, (_, i) => Math.round(from + i * every));
  return { turns, next: Math.round(from + count * every) };
}
