// The stores that a history can be tried on.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import type { Row } from '../../lib/ports/store.ts';
import { MemoryStore } from '../support/memory-store.ts';
import type { Turns } from '../support/seeded.ts';
import type { Tried } from './world.ts';

/** Its batch reads give turns away between the items. */
export async function memory(turns: Turns): Promise<Tried> {
  const store = new MemoryStore({ schedule: () => turns.take() });
  return { store, dump: async () => store.dump(), close: async () => {} };
}

export async function sqlite(): Promise<Tried> {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-history-'));
  const path = join(folder, 'scepter.db');
  const store = new SqliteStore(path);
  let open = true;
  const close = () => {
    if (open) store.close();
    open = false;
  };
  return {
    store,
    dump: async () => {
      close();
      return dumpSqlite(path);
    },
    close: async () => {
      close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Every record of a file that nobody has open. */
export function dumpSqlite(path: string): Row[] {
  const database = new DatabaseSync(path);
  const rows = database.prepare('SELECT kind, key, rev, record FROM records').all();
  database.close();
  return rows.map(
    ({ kind, key, rev, record }) =>
      ({ kind, key, rev: Number(rev), record: JSON.parse(String(record)) }) as Row,
  );
}
