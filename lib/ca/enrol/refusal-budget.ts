// How many refusals are stored (shared design 4.11): so many a second for each endpoint, over all
// instances. A record holds the endpoint's bucket of places; an instance takes several at once by one
// conditional write, and not often, so that a flood of refusals does not become a flood of writes. Places
// that an instance took and never used are lost.

import { errorText } from '../../base/errors.ts';
import {
  CLOCK_SKEW_MS,
  REFUSAL_PLACES,
  REFUSAL_PLACES_EMPTY_MS,
  REFUSAL_PLACES_MS,
  REFUSALS_BURST,
  REFUSALS_PER_SECOND,
} from '../../base/limits.ts';
import type { Records } from '../../ports/records/records.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import type { Leased } from '../tally.ts';

type RefusalBudget = Records['refusalBudget'];

/** How fast a budget fills, up to how many, and how many an instance takes at once. */
export type Rate = {
  readonly burst: number;
  readonly perSecond: number;
  readonly atOnce: number;
};

const ofRefusals: Rate = {
  burst: REFUSALS_BURST,
  perSecond: REFUSALS_PER_SECOND,
  atOnce: REFUSAL_PLACES,
};

/**
 * The places at `now` that one instance takes at once, and the rest. Time counts once, whichever clock
 * measured it. A stored time that is further ahead than clocks may differ is ignored: it neither adds
 * places nor withholds them.
 */
export function takePlaces(
  budget: RefusalBudget | undefined,
  now: number,
  { burst, perSecond, atOnce }: Rate = ofRefusals,
): { readonly places: number; readonly budget: RefusalBudget } {
  const { places: left, at } = isSound(budget) ? budget : { places: burst, at: now };
  const since = at > now + CLOCK_SKEW_MS ? now : at;
  const passed = Math.max(0, now - since) / 1000;
  const there = Math.min(burst, Math.max(0, left) + passed * perSecond);
  const places = Math.min(atOnce, Math.floor(there));
  return { places, budget: { places: there - places, at: Math.max(since, now) } };
}

const isSound = (budget: RefusalBudget | undefined): budget is RefusalBudget =>
  budget !== undefined && Number.isFinite(budget.places) && Number.isFinite(budget.at);

const none: Leased = { places: 0, pauseMs: REFUSAL_PLACES_EMPTY_MS };

/** Never throws: without a place the refusal is answered, and only counted. */
export async function leasePlaces(
  { store, log }: Pick<Deps, 'store' | 'log'>,
  endpoint: string,
  now: number,
): Promise<Leased> {
  try {
    const view = new View(store);
    await view.load([{ kind: 'refusalBudget', key: endpoint }]);
    const { places, budget } = takePlaces(view.get('refusalBudget', endpoint), now);
    if (places < 1) return none;
    const draft = new Draft(view);
    draft.put('refusalBudget', endpoint, budget);
    // A conflict: another instance has just taken some.
    const done = (await store.write(draft.actions)) === 'done';
    return done ? { places, pauseMs: REFUSAL_PLACES_MS } : none;
  } catch (error) {
    const detail = errorText(error);
    log({ event: 'refusals.budgetUnknown', severity: 'error', endpoint, detail });
    return none;
  }
}
