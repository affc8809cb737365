// Stores that break one promise of the port, by seed. A judge that lets one of them pass would prove
// nothing about the others.

import type { Kind } from '../../lib/ports/records/records.ts';
import type { Action, AlteredRow, Key, Row, Store } from '../../lib/ports/store.ts';
import type { Chance } from '../support/seeded.ts';

type Break = (store: Store, chance: Chance) => Store;

const nameOf = ({ kind, key }: Key): string => `${kind} ${key}`;

/** Writes a record of this kind whatever has happened to it since it was read. */
const losesConditionsOn =
  (...kinds: Kind[]): Break =>
  (store) => ({
    ...methods(store),
    write: async (actions) => {
      const rows = await store.read(actions);
      const revs = new Map(rows.map((row) => [nameOf(row), row.rev]));
      const forced = actions.map((action): Action => {
        if (!kinds.includes(action.kind) || action.do === 'use') return action;
        return { ...action, rev: revs.get(nameOf(action)) ?? 0 } as Action;
      });
      return store.write(forced);
    },
  });

const methods = (store: Store): Store => ({
  read: (keys) => store.read(keys),
  write: (actions) => store.write(actions),
  list: (query) => store.list(query),
});

export const breaks: Readonly<Record<string, Break>> = {
  'loses conditions on Transactions': losesConditionsOn('transaction'),
  'loses conditions on certificates': losesConditionsOn('certificate'),
  'loses conditions on pointers': losesConditionsOn('request', 'poll'),
  'loses conditions on key owners': losesConditionsOn('keyOwner'),

  'gives uses of a challenge that are not left': (store) => ({
    ...methods(store),
    write: async (actions) => {
      const said = await store.write(actions);
      if (said === 'done') return said;
      // Everything but the use, as if its condition had held.
      return store.write(actions.filter((action) => action.do !== 'use'));
    },
  }),

  'applies half of a write': (store, chance) => ({
    ...methods(store),
    write: async (actions) =>
      store.write(chance.happens(0.05) ? actions.slice(0, Math.ceil(actions.length / 2)) : actions),
  }),

  'forgets a write that it acknowledged': (store, chance) => ({
    ...methods(store),
    write: async (actions) => (chance.happens(0.03) ? 'done' : store.write(actions)),
  }),

  'reads from a cache as if it were consistent': (store, chance) => {
    const cache = new Map<string, Row | AlteredRow | undefined>();
    return {
      ...methods(store),
      read: async (keys) => {
        const fresh = new Map((await store.read(keys)).map((row) => [nameOf(row), row]));
        return keys.flatMap((key) => {
          const name = nameOf(key);
          const stale = cache.has(name) && chance.happens(0.5);
          if (!stale) cache.set(name, fresh.get(name));
          return cache.get(name) ?? [];
        });
      },
    };
  },
};
