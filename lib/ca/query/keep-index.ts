// Writes the index of searches, outside the write of an enrolment, which has no room for it:
//
//   - A Transaction begins with one of three events, and all events stand in a list by time. So that list says what is
//     not in the index yet, and nothing more has to be written for it with a Transaction.
//   - `fresh`, every minute: what was begun since its cursor, up to some seconds ago, goes into the index. Then the cursor
//     moves: what a run that died had done is done again, and that changes nothing.
//   - `late`, every ten minutes, some minutes behind: an event from a slow write or a clock that is behind may stand before
//     the cursor. What the index has nothing of is added then.
//   - Names do not change, states are looked at in the records. What an entry leads to decides: entries of a record that
//     is gone, or was changed by another hand, lead nowhere. They are deleted with the record.
//   - A cursor that is ahead of the clock came from a clock that was ahead, and begins anew an hour ago.
//
// So a Transaction is found within two minutes, where the clocks agree, and otherwise within twenty.

import type { EventType } from '../../base/words.ts';
import { expiryOf } from '../../ports/records/expiry.ts';
import type { Indexed } from '../../ports/search-index.ts';
import type { Store } from '../../ports/store.ts';
import type { Deps } from '../deps.ts';
import type { Measures } from '../record/lease.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { firstEvent } from './events.ts';
import { startsOf } from './words.ts';

type IndexDeps = Pick<Deps, 'store' | 'index' | 'clock'>;

/** Each is written with the first record of a Transaction. */
const begin: ReadonlySet<EventType> = new Set([
  'certificate.intended',
  'request.pending',
  'request.refused',
]);

/** Events that one step takes. */
export const INDEX_PAGE = 1000;

/** Milliseconds after which an event is taken: a write ends after six seconds, and an index of DynamoDB lags by some more. */
export const INDEX_SETTLED_MS = 15_000;

/** Milliseconds after which events are looked through for what came too late, and between two such looks: more than
 * two clocks differ by. */
export const INDEX_LATE_MS = 10 * 60 * 1000;

/** Milliseconds after which a run leaves the rest to the next one. */
const RUN_MS = 30_000;

const HOUR_MS = 60 * 60 * 1000;

/** What was begun since the last run. */
export const indexFresh = (deps: IndexDeps): Promise<Measures> => index(deps, 'fresh');

/** What came too late for that. */
export const indexLate = (deps: IndexDeps): Promise<Measures> => index(deps, 'late');

async function index(deps: IndexDeps, which: 'fresh' | 'late'): Promise<Measures> {
  const { store, clock } = deps;
  const began = clock.now();
  let view = new View(store);
  await view.load([
    { kind: 'indexed', key: 'fresh' },
    { kind: 'indexed', key: 'late' },
  ]);
  const behind = which === 'fresh' ? INDEX_SETTLED_MS : INDEX_LATE_MS;
  const until = firstEvent(began - behind);
  const upTo = view.get('indexed', which)?.upTo;
  const fresh = view.get('indexed', 'fresh')?.upTo;
  if (which === 'late' && fresh === undefined) return { indexed: 0 };
  // Beyond the cursor of `fresh` nothing has come too late for it.
  const end = which === 'late' && fresh !== undefined && fresh < until ? fresh : until;
  let from = upTo !== undefined && upTo > until ? firstEvent(began - HOUR_MS) : upTo;
  for (let added = 0; ; ) {
    const range = { list: 'events', group: 'all', until: end, limit: INDEX_PAGE } as const;
    const { keys, next } = await store.list({ ...range, ...(from === undefined ? {} : { from }) });
    const begun = await begunIn(store, keys);
    const ids = which === 'late' ? await deps.index.missing(begun) : begun;
    const found = await indexable(store, ids);
    if (found.length > 0) await deps.index.add(found);
    added += found.length;
    const last = next ?? keys.at(-1);
    if (last !== undefined) {
      const draft = new Draft(view);
      draft.put('indexed', which, { upTo: last });
      // A conflict: another instance goes on from here.
      if ((await store.write(draft.actions)) === 'conflict') return { indexed: added };
      view = draft.applied();
    }
    if (next === undefined) return { indexed: added };
    from = next;
    if (clock.now() - began > RUN_MS) return { indexed: added, more: 1 };
  }
}

/** The Transactions that these events begin. */
async function begunIn(store: Store, keys: readonly string[]): Promise<string[]> {
  const view = new View(store);
  await view.load(keys.map((key) => ({ kind: 'event', key })));
  const ids = keys.flatMap((key) => {
    const event = view.unaltered('event', key);
    const { type } = JSON.parse(event?.body ?? '{}') as { type?: string };
    return event?.transaction !== undefined && begin.has(type as EventType)
      ? [event.transaction]
      : [];
  });
  return [...new Set(ids)];
}

async function indexable(store: Store, ids: readonly string[]): Promise<Indexed[]> {
  const view = new View(store);
  await view.load(ids.map((key) => ({ kind: 'transaction', key })));
  return ids.flatMap((id) => {
    const record = view.unaltered('transaction', id);
    if (!record) return [];
    const expiresAt = expiryOf('transaction', record);
    return [{ id, starts: startsOf(record), ...(expiresAt === undefined ? {} : { expiresAt }) }];
  });
}
