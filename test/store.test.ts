// The contract over each store, and what only SQLite can show: that its file outlives the process.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { MemoryStore } from '../lib/adapters/memory.ts';
import { SqliteStore } from '../lib/adapters/sqlite.ts';
import { storeContract } from './store.contract.ts';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'scepter-store-')), 'scepter.db');

storeContract('memory', async () => new MemoryStore());
storeContract('SQLite', async () => new SqliteStore(fresh()));

test('SQLite: what was written is there when the file is opened again', async () => {
  const path = fresh();
  const first = new SqliteStore(path);
  await first.tokens.put({ name: 'a', hash: 'h', roles: ['admin'] });
  first.close();
  const second = new SqliteStore(path);
  assert.equal((await second.tokens.find('h'))?.name, 'a');
  second.close();
});

test('SQLite: a file of a newer release is refused with a sentence and left alone', () => {
  const path = fresh();
  new SqliteStore(path).close();
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  assert.throws(() => new SqliteStore(path), /has schema 99; this release reads 1/);
});
