// A log of events that wait in a store, for tests of its sequencer: what happens, what is published of it, and every text
// that was signed.

import assert from 'node:assert/strict';
import { logged } from '../../lib/ca/log/outbox.ts';
import type { SequenceDeps } from '../../lib/ca/log/sequence.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { LogFiles, WaitingEvents } from '../../lib/ports/log-files.ts';
import type { Store } from '../../lib/ports/store.ts';
import { memoryMacKeys } from './keys.ts';
import { type KeptLogs, publishedOf, waitingIn } from './log.ts';
import { random } from './messages.ts';

export const log = 'default';
const origin = 'ca.example.com/log/default';

/** @param waiting where the table has a way of its own */
export function logWorld<T extends Store, F extends LogFiles>(
  table: T,
  kept: KeptLogs<F>,
  waiting: WaitingEvents = waitingIn(table),
) {
  const said: LogEntry[] = [];
  const clock = {
    at: Date.parse('2031-01-01T00:00:00Z'),
    now: () => clock.at,
    sleep: async () => {},
  };
  const store = logged(guarded(table, memoryMacKeys, (entry) => said.push(entry)));
  const config = { publicUrl: 'https://ca.example.com' };
  const deps = {
    store,
    clock,
    config,
    log: (entry: LogEntry) => said.push(entry),
    logs: { ...kept.logs, waiting },
  } as unknown as SequenceDeps;
  const ids: string[] = [];
  const happen = async (count = 1): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const draft = new Draft(new View(store));
      clock.at += 1;
      draft.event(clock.at, random, {
        type: 'crl.published',
        actor: { kind: 'system' },
        ca: log,
        number: ids.length,
      });
      const [action] = draft.actions;
      if (action) ids.push(action.key);
      assert.equal(await store.write(draft.actions), 'done');
    }
  };
  const happenTogether = async (count: number): Promise<void> => {
    const draft = new Draft(new View(store));
    for (let i = 0; i < count; i++) {
      draft.event(clock.at, random, { type: 'crl.published', actor: { kind: 'system' }, ca: log });
    }
    ids.push(...draft.actions.map(({ key }) => key));
    assert.equal(await store.write(draft.actions), 'done');
  };
  const published = () => publishedOf(kept, origin, log);
  const { logs, files, signed } = kept;
  return {
    deps,
    table,
    logs,
    files,
    signed,
    said,
    clock,
    ids,
    happen,
    happenTogether,
    waiting: async () =>
      (await table.list({ list: 'unlogged', group: log, limit: 1000 })).keys.length,
    published,
  };
}

export const idsOf = (entries: readonly string[]): string[] =>
  entries.map((entry) => (JSON.parse(entry) as { id: string }).id);
