// The contract over SQLite, and what only SQLite can show: that its file outlives the process.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { copySqlite, openSqlite } from '../../lib/adapters/sqlite/file.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { Outage } from '../../lib/base/errors.ts';
import { View } from '../../lib/ca/record/unit-of-work.ts';
import { type Action, nextRev, SPOILT_REV } from '../../lib/ports/store.ts';
import { crlContract } from './crls.contract.ts';
import { searchContract } from './search.contract.ts';
import { challengeRecord, storeContract, transactionRecord } from './store.contract.ts';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'scepter-store-')), 'scepter.db');
const token = {
  do: 'put',
  kind: 'token',
  key: 'h',
  rev: 0,
  record: { name: 'a', roles: ['admin'] },
} as const;

function byAnotherHand(path: string, sql: string): void {
  const raw = new DatabaseSync(path);
  raw.exec(sql);
  raw.close();
}

storeContract('SQLite', async () => new SqliteStore(fresh()));
crlContract('SQLite', async () => new SqliteStore(fresh()));
searchContract('SQLite', async () => new SqliteStore(fresh()));

test('SQLite: what was written is there when the file is opened again', async () => {
  const path = fresh();
  const first = new SqliteStore(path);
  await first.write([token]);
  first.close();
  const second = new SqliteStore(path);
  assert.equal((await second.read([{ kind: 'token', key: 'h' }])).length, 1);
  second.close();
});

test('SQLite: a try of a write leaves no record, and can be made again and again', async () => {
  const path = fresh();
  const store = new SqliteStore(path);
  for (let i = 0; i < 3; i++) await store.tryWrite();
  store.close();
  const raw = new DatabaseSync(path);
  assert.deepEqual(raw.prepare('SELECT count(*) AS n FROM records').get()?.n, 0);
  raw.close();
  await assert.rejects(store.tryWrite(), Outage);
});

test('SQLite: what waits when a list is asked for goes first', async () => {
  const store = new SqliteStore(fresh());
  let went = false;
  setImmediate(() => {
    went = true;
  });
  await store.list({ list: 'transactions', group: 'default', limit: 1 });
  assert.ok(went);
  store.close();
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

test('SQLite: what has expired is deleted with its places, a batch at a time, and nothing else is', async () => {
  const store = new SqliteStore(fresh());
  const now = 1_800_000_000_000;
  const put = (
    kind: 'transaction' | 'challenge' | 'request' | 'idempotency',
    key: string,
    record: object,
  ) => store.write([{ do: 'put', kind, key, rev: 0, record } as Action]);
  const day = 86_400_000;
  for (const id of ['a', 'b', 'c']) {
    await put('transaction', id, transactionRecord(id, { state: 'refused', expiresAt: now }));
  }
  await put(
    'transaction',
    'kept',
    transactionRecord('kept', { state: 'refused', expiresAt: now + 1 }),
  );
  // What it waits for has nothing to do with how long it is kept.
  await put(
    'transaction',
    'waits',
    transactionRecord('waits', { state: 'pending', expiresAt: now }),
  );
  await store.index.add(['a', 'b', 'c', 'kept'].map((id) => ({ id, starts: ['cn'] })));
  await put('request', 'refused', { refused: true, expiresAt: now });
  await put('request', 'issued', { transaction: 'waits' });
  await put('challenge', 'old', challengeRecord({ id: 'old', expiresAt: now - 30 * day }));
  await put('challenge', 'expired', challengeRecord({ id: 'late', expiresAt: now - 30 * day + 1 }));
  await put('idempotency', 'old', { request: '', answer: '{}', expiresAt: now });
  const left = async () => {
    const list = { list: 'transactions', group: 'default', limit: 10 } as const;
    const others = (['refused', 'issued'] as const).map(
      (key) => ({ kind: 'request', key }) as const,
    );
    const challenges = ['old', 'expired'].map((key) => ({ kind: 'challenge', key }) as const);
    const rows = await store.read([...others, ...challenges, { kind: 'idempotency', key: 'old' }]);
    const { keys } = await store.list(list);
    return [...keys, ...rows.map(({ kind, key }) => `${kind} ${key}`)];
  };
  assert.equal(await store.expire(now, 4), 4);
  assert.equal(await store.expire(now, 4), 2);
  assert.equal(await store.expire(now, 4), 0);
  assert.deepEqual(await left(), ['kept', 'waits', 'request issued', 'challenge expired']);
  const { hits } = await store.index.find({ terms: [{ text: 'cn', inside: false }], limit: 9 });
  assert.deepEqual(
    hits.map(({ id }) => id),
    ['kept'],
  );
  // One that is written again has the end of what is written.
  const [row] = await store.read([{ kind: 'request', key: 'issued' }]);
  await store.write([
    {
      do: 'put',
      kind: 'request',
      key: 'issued',
      rev: row?.rev ?? 0,
      record: { refused: true, expiresAt: now },
    },
  ]);
  assert.equal(await store.expire(now, 4), 1);
  store.close();
});

test('SQLite: a file from before searches had an index gets one, and keeps it', async () => {
  const path = fresh();
  new SqliteStore(path).close();
  byAnotherHand(path, 'DROP TABLE starts; DROP TABLE searched');
  for (const expected of [[], ['a']]) {
    const store = new SqliteStore(path);
    const { hits } = await store.index.find({ terms: [{ text: 'b', inside: false }], limit: 9 });
    assert.deepEqual(
      hits.map(({ id }) => id),
      expected,
    );
    await store.index.add([{ id: 'a', starts: ['b'] }]);
    store.checkFile();
    store.close();
  }
});

const keyless = `
  ALTER TABLE records RENAME TO old;
  CREATE TABLE records (kind TEXT, key TEXT, rev INTEGER, v INTEGER, record TEXT, expires INTEGER);
  INSERT INTO records SELECT * FROM old; DROP TABLE old;
`;
for (const [name, change, said] of [
  [
    'a trigger that gives a use back',
    'CREATE TRIGGER again AFTER UPDATE ON records BEGIN UPDATE records SET rev = 1; END',
    /its trigger "again" is not as this service makes it/,
  ],
  ['a view', 'CREATE VIEW more AS SELECT 1', /its view "more" is not/],
  ['tables that take everything twice', keyless, /its (?:table "records"|index "\w+") is not/],
  ['a table less', 'DROP TABLE crls', /its table "crls" is not/],
] as const) {
  test(`SQLite: a file with ${name} is refused with a sentence: it would run what another hand wrote`, () => {
    const path = fresh();
    new SqliteStore(path).close();
    byAnotherHand(path, change);
    assert.throws(() => new SqliteStore(path), said);
    assert.throws(() => new SqliteStore(path), /restore the data folder from a backup/);
  });
}

test('SQLite: an index more, and other white space in what made a table, are none of our business', () => {
  const path = fresh();
  new SqliteStore(path).close();
  byAnotherHand(path, 'CREATE INDEX mine ON records (key)');
  new SqliteStore(path).close();
});

test('SQLite: rows that another hand has added to the index hide none that are added later', async () => {
  const path = fresh();
  new SqliteStore(path).close();
  byAnotherHand(
    path,
    "INSERT INTO searched VALUES (9223372036854775807, 'a', 'x'), (-5, 'b', 'x')",
  );
  const store = new SqliteStore(path);
  await store.index.add(['a', 'b', 'c'].map((id) => ({ id, starts: ['word'] })));
  const { hits } = await store.index.find({ terms: [{ text: 'wo', inside: false }], limit: 9 });
  assert.deepEqual(hits.map(({ id }) => id).sort(), ['a', 'b', 'c']);
  store.close();
});

test('SQLite: a file of another release is refused with a sentence and left alone', () => {
  const path = fresh();
  new SqliteStore(path).close();
  byAnotherHand(path, 'PRAGMA user_version = 99');
  assert.throws(
    () => new SqliteStore(path),
    /is of version 99; this release reads version 6: go on with the release that made it, or begin anew in another data folder/,
  );
});

test('SQLite: a record of version 1 is read, and one of a later release is an outage with a sentence', async () => {
  const path = fresh();
  new SqliteStore(path).close();
  const written = async (v: number) => {
    byAnotherHand(
      path,
      `INSERT OR REPLACE INTO records (kind, key, rev, v, record)
         VALUES ('token', 'h', 1, ${v}, '${JSON.stringify(token.record)}')`,
    );
    const store = new SqliteStore(path);
    const view = new View(store);
    await view.load([{ kind: 'token', key: 'h' }]);
    store.close();
    return view;
  };
  assert.deepEqual((await written(1)).get('token', 'h'), token.record);
  const later = await written(2);
  assert.throws(
    () => later.get('token', 'h'),
    (error) => error instanceof Outage && /says that a later release wrote it/.test(error.message),
  );
});

test('SQLite: a row whose text is no JSON object is a row without a record, which says what stands there', async () => {
  const path = fresh();
  const first = new SqliteStore(path);
  await first.write([token]);
  first.close();
  for (const said of ['', 'no JSON', '{"name":', 'null', '1', '"text"', 'true']) {
    byAnotherHand(path, `UPDATE records SET record = '${said}'`);
    const store = new SqliteStore(path);
    const rows = await store.read([token]);
    assert.deepEqual(rows, [{ kind: 'token', key: 'h', rev: 1, record: undefined, said }]);
    store.close();
  }
});

test('SQLite: whatever number another hand writes as count or version, it is read and written over', async () => {
  const numbers = ['0', '-1', '-5', '9007199254740993', '9223372036854775807', '1000000000000000'];
  for (const column of ['rev', 'v']) {
    for (const n of numbers) {
      const path = fresh();
      const first = new SqliteStore(path);
      const poll = { do: 'put', kind: 'poll', key: 'p', record: { transaction: 't' } } as const;
      await first.write([token, { ...poll, rev: 0 }]);
      first.close();
      byAnotherHand(path, `UPDATE records SET ${column} = ${n} WHERE kind = 'poll'`);
      const store = new SqliteStore(path);
      const rows = await store.read([token, poll]);
      assert.equal(rows.length, 2, `${column} ${n}`);
      const rev = rows[1]?.rev ?? 0;
      assert.equal(rev, column === 'rev' ? SPOILT_REV : 1);
      assert.equal(await store.write([{ ...poll, do: 'check', rev }]), 'done');
      assert.equal(await store.write([{ ...poll, rev }]), 'done');
      const [again] = await store.read([poll]);
      assert.deepEqual(again?.record, poll.record);
      assert.equal(again?.rev, nextRev(rev));
      assert.equal(await store.write([{ ...poll, rev: SPOILT_REV }]), 'conflict');
      assert.equal(await store.write([{ ...poll, do: 'delete', rev: SPOILT_REV }]), 'conflict');
      store.close();
    }
  }
});

test('SQLite: places that another hand took are given back, and none is too long to go on from', async () => {
  const path = fresh();
  new SqliteStore(path).close();
  const raw = new DatabaseSync(path);
  const insert = raw.prepare('INSERT INTO places VALUES (?, ?, ?, ?, ?)');
  insert.run('transactions', 'default', 't', 'other', 'transaction');
  insert.run('transactions', 'default', 'u'.repeat(5000), 'long', 'transaction');
  raw.close();
  const store = new SqliteStore(path);
  const record = transactionRecord('t', { endpoint: 'default' });
  assert.equal(
    await store.write([{ do: 'put', kind: 'transaction', key: 't', rev: 0, record }]),
    'done',
  );
  const page = await store.list({ list: 'transactions', group: 'default', limit: 9 });
  assert.deepEqual(page, { keys: ['t'] });
  store.close();
});

test('SQLite: a copy whose failure has no reason is made once more, and one with a reason is not', async () => {
  const database = openSqlite(fresh());
  const failing = (errcode: number, times: number) => {
    let left = times;
    return (...args: Parameters<typeof backup>) =>
      left-- > 0
        ? Promise.reject(Object.assign(new Error('not an error'), { errcode }))
        : backup(...args);
  };
  const path = fresh();
  await copySqlite(database, path, failing(0, 1));
  new DatabaseSync(path).close();
  for (const copy of [failing(0, 2), failing(13, 1)]) {
    await assert.rejects(copySqlite(database, path, copy), /not an error/);
    assert.equal(existsSync(`${path}.new`), false);
  }
  database.close();
});
