// The contract over each store, and what only SQLite can show: that its file outlives the process.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { MemoryStore } from '../lib/adapters/memory.ts';
import { SqliteStore } from '../lib/adapters/sqlite.ts';
import { Outage } from '../lib/errors.ts';
import { storeContract } from './store.contract.ts';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'scepter-store-')), 'scepter.db');
const token = {
  do: 'put',
  kind: 'token',
  key: 'h',
  rev: 0,
  record: { name: 'a', roles: ['admin'] },
} as const;

storeContract('memory', async () => new MemoryStore());
storeContract(
  'memory, interleaved',
  async () => new MemoryStore({ schedule: () => new Promise(setImmediate) }),
);
storeContract('SQLite', async () => new SqliteStore(fresh()));

test('SQLite: what was written is there when the file is opened again', async () => {
  const path = fresh();
  const first = new SqliteStore(path);
  await first.write([token]);
  first.close();
  const second = new SqliteStore(path);
  assert.equal((await second.read([{ kind: 'token', key: 'h' }])).length, 1);
  second.close();
});

test('SQLite: a second process on the same file is refused with a sentence', () => {
  const path = fresh();
  const first = new SqliteStore(path);
  assert.throws(
    () => new SqliteStore(path),
    /is in use by another process: only one server may use/,
  );
  first.close();
  new SqliteStore(path).close();
});

test('SQLite: a write after the end is refused, and breaks nothing else', async () => {
  const store = new SqliteStore(fresh());
  store.close();
  await assert.rejects(store.write([token]), Outage);
  await assert.rejects(store.read([{ kind: 'token', key: 'h' }]), Outage);
});

test('SQLite: a file of another release is refused with a sentence and left alone', () => {
  const path = fresh();
  new SqliteStore(path).close();
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  assert.throws(() => new SqliteStore(path), /is of version 99; this release reads version 4/);
});

test('SQLite: a record of a later release is an outage with a sentence', async () => {
  const path = fresh();
  const first = new SqliteStore(path);
  await first.write([token]);
  first.close();
  const raw = new DatabaseSync(path);
  raw.exec('UPDATE records SET v = 99');
  raw.close();
  const second = new SqliteStore(path);
  await assert.rejects(second.read([{ kind: 'token', key: 'h' }]), (error) => {
    return error instanceof Outage && /was written by a later release/.test(error.message);
  });
  second.close();
});
