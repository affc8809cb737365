// Each write that has events also writes for which logs they wait: one record a write and log, under the key of
// its first event. The sequencer (`sequence.ts`) removes it once they are under a published checkpoint.

import type { Json } from '../../base/json.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import type { Records } from '../../ports/records/records.ts';
import type { Action, Store } from '../../ports/store.ts';

type Waiting = Records['unlogged'];

function waitingIn(actions: readonly Action[]): Action[] {
  const waiting = new Map<string, Waiting & { readonly key: string }>();
  for (const action of actions) {
    // One that is written once more has lost what it names, and is in the log already.
    if (action.do !== 'put' || action.kind !== 'event' || action.rev !== 0) continue;
    const { ca } = JSON.parse(action.record.body) as { readonly ca?: Json };
    const log = typeof ca === 'string' ? ca : SYSTEM_LOG;
    const { key, events } = waiting.get(log) ?? { key: `${log}/${action.key}`, events: [] };
    waiting.set(log, { key, log, events: [...events, action.key] });
  }
  return [...waiting.values()].map(({ key, ...record }) => ({
    do: 'put',
    kind: 'unlogged',
    rev: 0,
    ...{ key, record },
  }));
}

/** The same store, for a process beside which a sequencer runs. @param store guarded */
export const logged = (store: Store): Store => ({
  read: (keys) => store.read(keys),
  list: (query) => store.list(query),
  write: (actions) => store.write([...actions, ...waitingIn(actions)]),
});
