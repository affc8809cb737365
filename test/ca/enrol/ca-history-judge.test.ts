// The judge of histories is worth something: it finds out every store that breaks a promise.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../../../lib/ports/store.ts';
import { breaks } from '../../history/broken.ts';
import { history } from '../../history/history.ts';
import { memory } from '../../history/stores.ts';
import type { Tried } from '../../history/world.ts';
import { Chance, type Turns } from '../../support/seeded.ts';

/** The history's own set-up is done by the good store. */
async function broken(name: string, seed: string, turns: Turns): Promise<Tried> {
  const tried = await memory(turns);
  const bad = breaks[name]?.(tried.store, new Chance(seed)) ?? tried.store;
  let now = tried.store;
  const store: Store = {
    read: (keys) => now.read(keys),
    write: (actions) => now.write(actions),
    list: (query) => now.list(query),
  };
  const begin = () => {
    now = bad;
  };
  return { ...tried, store, begin };
}

/** The history that noticed it when this was written: it goes first, the others follow where code has moved. */
const noticedBy: Readonly<Record<string, number>> = {
  'loses conditions on Transactions': 1,
  'loses conditions on certificates': 1,
  'loses conditions on pointers': 2,
  'loses conditions on key owners': 2,
  'gives uses of a challenge that are not left': 7,
};

describe('a store is found out that', () => {
  for (const name of Object.keys(breaks)) {
    test(name, async () => {
      for (const i of new Set([noticedBy[name] ?? 0, ...Array(20).keys()])) {
        const open = (turns: Turns) => broken(name, `${i}`, turns);
        try {
          await history({ seed: `broken ${i}`, operations: 150, order: 'seeded', open });
        } catch {
          return;
        }
      }
      assert.fail('twenty histories over it, and nobody noticed');
    });
  }
});
