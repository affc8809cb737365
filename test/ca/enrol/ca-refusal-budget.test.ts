// The budget of refusals (shared design 4.11): so many a second for each endpoint over all instances,
// whatever floods them, however many they are, and whichever of their clocks is wrong.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CLOCK_SKEW_MS,
  REFUSAL_PLACES,
  REFUSALS_BURST,
  REFUSALS_PER_SECOND,
} from '../../../lib/base/limits.ts';
import { leasePlaces, takePlaces } from '../../../lib/ca/enrol/refusal-budget.ts';
import { Tally } from '../../../lib/ca/tally.ts';
import type { Records } from '../../../lib/ports/records/records.ts';
import type { Store } from '../../../lib/ports/store.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { Chance } from '../../support/seeded.ts';

type RefusalBudget = Records['refusalBudget'];

const begin = 1_800_000_000_000;
const most = (seconds: number): number => REFUSALS_BURST + REFUSALS_PER_SECOND * seconds;

/** Instances over one store, each with a clock of its own. */
function fleet(count: number, store: Store) {
  const log: string[] = [];
  const deps = { store, log: ({ event }: { readonly event: string }) => log.push(event) };
  const tallies = Array.from({ length: count }, () => new Tally());
  /** @returns whether the refusal may be stored */
  const refuse = async (instance: number, now: number): Promise<boolean> => {
    const lease = () => leasePlaces(deps, 'default', now);
    return (await tallies[instance]?.takeRefusal('default', now, lease)) !== undefined;
  };
  return { refuse, log };
}

/** Counts the calls of a store. */
function counted() {
  const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
  const calls = { read: 0, write: 0 };
  const counting: Store = {
    list: (query) => store.list(query),
    read: (keys) => {
      calls.read++;
      return store.read(keys);
    },
    write: (actions) => {
      calls.write++;
      return store.write(actions);
    },
  };
  return { calls, store: counting };
}

test('50 instances, each flooded for a minute: no more is stored than the burst and the rate, and the budget costs little', async () => {
  const { store, calls } = counted();
  const { refuse } = fleet(50, store);
  let stored = 0;
  const seconds = 60;
  for (let ms = 0; ms <= seconds * 1000; ms += 100) {
    const asked = Array.from({ length: 50 }, (_, i) => [
      refuse(i, begin + ms),
      refuse(i, begin + ms),
    ]);
    stored += (await Promise.all(asked.flat())).filter((kept) => kept).length;
    assert.ok(stored <= most(ms / 1000), `${stored} after ${ms} ms`);
  }
  assert.ok(stored > most(seconds) / 2, `${stored}`);
  const perSecond = { reads: calls.read / seconds, writes: calls.write / seconds };
  console.log(`stored ${stored} of ${most(seconds)}; ${JSON.stringify(perSecond)} a second`);
  assert.ok(perSecond.reads <= 7, 'whoever got none asks once in ten seconds');
  assert.ok(perSecond.writes <= 7);
});

test('one instance alone gets the whole rate', async () => {
  const { refuse } = fleet(1, new MemoryStore());
  let stored = 0;
  for (let ms = 0; ms <= 60_000; ms += 50) if (await refuse(0, begin + ms)) stored++;
  assert.ok(stored >= REFUSALS_PER_SECOND * 60, `${stored}`);
  assert.ok(stored <= most(60));
});

test('those who come while an instance asks wait for what it gets', async () => {
  const { store, calls } = counted();
  const { refuse } = fleet(1, store);
  const kept = await Promise.all(Array.from({ length: 30 }, () => refuse(0, begin)));
  assert.equal(kept.filter((one) => one).length, REFUSAL_PLACES);
  assert.deepEqual(calls, { read: 1, write: 1 });
});

test('whatever the instances, the times between refusals and the order of calls: never more than burst and rate', async () => {
  const step = fc.record({
    instance: fc.nat(9),
    after: fc.nat(5000),
    times: fc.integer({ min: 1, max: 30 }),
  });
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60 }),
    fc.nat(),
    async (steps, seed) => {
      const chance = new Chance(String(seed));
      const schedule = async () => {
        for (let i = (chance.octets(1)[0] ?? 0) % 3; i > 0; i--) await undefined;
      };
      const { refuse } = fleet(10, new MemoryStore({ schedule }));
      let [now, stored] = [begin, 0];
      for (const { instance, after, times } of steps) {
        now += after;
        const asked = Array.from({ length: times }, (_, i) => refuse((instance + i) % 10, now));
        stored += (await Promise.all(asked)).filter((kept) => kept).length;
        assert.ok(stored <= most((now - begin) / 1000));
      }
    },
  );
  await fc.assert(property, { numRuns: 50 });
});

describe('a wrong clock', () => {
  const empty = (at: number): RefusalBudget => ({ places: 0, at });

  test('a clock that was set back gives no places, and no time counts twice', () => {
    const { places, budget } = takePlaces(empty(begin), begin - 60_000);
    assert.deepEqual([places, budget], [0, empty(begin)]);
    assert.equal(takePlaces(budget, begin + 1000).places, REFUSALS_PER_SECOND);
  });

  test('a clock that was ahead starves the budget no longer than clocks differ', () => {
    for (const ahead of [1, 60_000, CLOCK_SKEW_MS]) {
      const { budget } = takePlaces(empty(begin + ahead), begin);
      assert.equal(
        takePlaces(budget, begin + ahead + 1000).places,
        REFUSALS_PER_SECOND,
        `${ahead}`,
      );
    }
    for (const ahead of [CLOCK_SKEW_MS + 1, 365 * 86_400_000, 8.64e15]) {
      const { places, budget } = takePlaces(empty(begin + ahead), begin);
      assert.deepEqual([places, budget], [0, empty(begin)], 'its time gives nothing');
      assert.equal(takePlaces(budget, begin + 1000).places, REFUSALS_PER_SECOND, `${ahead}`);
    }
  });

  test('one that is ahead beside right ones: together no more than by its time', async () => {
    const { refuse } = fleet(4, new MemoryStore());
    const ahead = 60_000;
    let stored = 0;
    for (let ms = 0; ms <= 30_000; ms += 100) {
      for (let i = 0; i < 4; i++) {
        if (await refuse(i, begin + ms + (i === 0 ? ahead : 0))) stored++;
      }
    }
    assert.ok(stored <= most((30_000 + ahead) / 1000), `${stored}`);
  });
});

test('a record that somebody bent gives no more than a burst, and never an outage', () => {
  const numbers = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, -1e300, 1e300, 0));
  const property = fc.property(numbers, numbers, fc.nat(), (places, at, later) => {
    const now = begin + later;
    let budget: RefusalBudget | undefined = { places, at };
    let taken = 0;
    for (let i = 0; i < 20; i++) {
      const next = takePlaces(budget, now);
      assert.ok(Number.isInteger(next.places) && next.places >= 0);
      taken += next.places;
      budget = next.budget;
    }
    assert.ok(taken <= REFUSALS_BURST);
    assert.equal(takePlaces(budget, now + CLOCK_SKEW_MS + 60_000).places, REFUSAL_PLACES);
  });
  fc.assert(property);
});

test('a budget that cannot be read stores nothing, says so, and is not asked again at once', async () => {
  const down = { now: true };
  const store = new MemoryStore({ fault: () => (down.now ? 'before' : undefined) });
  const { refuse, log } = fleet(1, store);
  for (let i = 0; i < 5; i++) assert.equal(await refuse(0, begin + i), false);
  assert.deepEqual(log, ['refusals.budgetUnknown']);
  down.now = false;
  assert.equal(await refuse(0, begin + 9999), false);
  assert.equal(await refuse(0, begin + 10_000), true);
});
