// How many challenges an account that reads them from a page, or a hook, gets in an hour, over all instances. A record
// holds what is left; an instance takes several places at once, so that a flood does not become a flood of writes. What
// an instance took and never used is lost.

import { Outage } from '../../base/errors.ts';
import {
  CHALLENGE_PLACES,
  CHALLENGE_PLACES_EMPTY_MS,
  CHALLENGE_PLACES_PART,
  MAX_PLACE_ROUNDS,
} from '../../base/mdm-limits.ts';
import type { Deps } from '../deps.ts';
import { type Rate, takePlaces } from '../enrol/refusal-budget.ts';
import { Draft, View } from '../record/unit-of-work.ts';

const HOUR_S = 3600;

const rateOf = (perHour: number): Rate => ({
  burst: perHour,
  perSecond: perHour / HOUR_S,
  atOnce: Math.min(CHALLENGE_PLACES, Math.ceil(perHour / CHALLENGE_PLACES_PART)),
});

/**
 * Takes the place of one challenge.
 * @param account its name, with that of its page and endpoint
 * @returns whether there was one
 * @throws {Outage} where the store cannot be asked
 */
export async function takesPlace(
  { store, clock, tally }: Pick<Deps, 'store' | 'clock' | 'tally'>,
  account: string,
  perHour: number,
): Promise<boolean> {
  const now = clock.now();
  const own = tally.challengePlaces.get(account) ?? { left: 0, emptyUntil: 0 };
  tally.challengePlaces.set(account, own);
  for (let round = 0; round < MAX_PLACE_ROUNDS; round++) {
    if (own.left >= 1) {
      own.left--;
      return true;
    }
    const wait = own.emptyUntil - now;
    if (wait > 0 && wait <= CHALLENGE_PLACES_EMPTY_MS) return false;
    const view = new View(store);
    await view.load([{ kind: 'refusalBudget', key: account }]);
    const before = view.get('refusalBudget', account);
    const { places, budget } = takePlaces(before, now, rateOf(perHour));
    if (places < 1) {
      own.emptyUntil = now + CHALLENGE_PLACES_EMPTY_MS;
      return false;
    }
    const draft = new Draft(view);
    draft.put('refusalBudget', account, budget);
    // A conflict: somebody else has just taken some, of which one may be for this.
    if ((await store.write(draft.actions)) === 'done') own.left += places;
  }
  throw new Outage('too many take places of one account at the same time');
}
