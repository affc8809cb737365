// The store of the embedded default: one SQLite file (node:sqlite), WAL with synchronous=FULL, so
// that what was acknowledged survives the process and the machine. One process owns the file.
//
//   records  kind, key -> rev, v (RECORD_VERSION), record (JSON)     read and conditional write by key
//   places   list, grp, sort -> key                                  lists, in their order
//   crls     ca -> number, der, thisUpdate, nextUpdate, changes      the newest CRL
//
// `records` keeps its rowid: without one a row of more than a quarter of a page, which most are, takes a
// page of its own, and the file twice the space.
//
// Writes that arrive together share one commit: each is a savepoint of its own, so that a conflict
// undoes one of them, and all are answered once the one fsync has returned.

import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type Bytes, concat } from '../bytes.ts';
import { Outage } from '../errors.ts';
import type { Crl, Crls } from '../ports/crls.ts';
import { placesOf } from '../ports/places.ts';
import { type Challenge, RECORD_VERSION } from '../ports/records.ts';
import {
  type Action,
  applyUse,
  type Key,
  type ListQuery,
  type Page,
  type Row,
  type Store,
} from '../ports/store.ts';

/** `user_version` of the file: the form of its tables. */
const FILE_VERSION = 4;
const schema = `
  CREATE TABLE records (
    kind TEXT, key TEXT, rev INTEGER NOT NULL, v INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT;
  CREATE TABLE places (
    list TEXT, grp TEXT, sort TEXT, key TEXT NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (list, grp, sort)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX placesOfRecord ON places (kind, key);
  CREATE TABLE crls (
    ca TEXT PRIMARY KEY, number INTEGER, der BLOB, thisUpdate INTEGER, nextUpdate INTEGER,
    changes INTEGER
  ) STRICT;
  PRAGMA user_version = ${FILE_VERSION};
`;

type Waiting = {
  readonly actions: readonly Action[];
  resolve(answer: 'done' | 'conflict'): void;
  reject(error: unknown): void;
};

export class SqliteStore implements Store, Crls {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #waiting: Waiting[] = [];

  /** @throws {Error} with a sentence when the file is another's, damaged, or cannot be written */
  constructor(path: string) {
    this.#database = opened(path);
    try {
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;');
      this.#database.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE;');
      const version = this.#get('PRAGMA user_version')?.user_version;
      if (version === 0) this.#database.exec(schema);
      else if (version !== FILE_VERSION) {
        throw new Error(
          `${path} is of version ${version}; this release reads version ${FILE_VERSION}`,
        );
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.close();
      throw refusalOf(path, error);
    }
  }

  close(): void {
    this.#flush();
    this.#database.close();
  }

  async read(keys: readonly Key[]): Promise<readonly Row[]> {
    return this.#alone(() => keys.flatMap((key) => this.#row(key) ?? []));
  }

  write(actions: readonly Action[]): Promise<'done' | 'conflict'> {
    const names = actions.map(({ kind, key }) => `${kind} ${key}`);
    if (new Set(names).size !== names.length) throw new TypeError('two actions on one record');
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ actions, resolve, reject }) === 1) setImmediate(() => this.#flush());
    });
  }

  async list({ list, group, from, until, reverse, limit }: ListQuery): Promise<Page> {
    const [after, before, order] = reverse ? ['<', '>', 'DESC'] : ['>', '<', 'ASC'];
    // A bound that is not there is left out: "? IS NULL OR ..." would walk the whole group.
    const bounds = [
      ...(from === undefined ? [] : [[`AND sort ${after} ?`, from] as const]),
      ...(until === undefined ? [] : [[`AND sort ${before} ?`, until] as const]),
    ];
    const rows = this.#alone(() =>
      this.#all(
        `SELECT sort, key FROM places WHERE list = ? AND grp = ?
           ${bounds.map(([condition]) => condition).join(' ')} ORDER BY sort ${order} LIMIT ?`,
        ...[list, group, ...bounds.map(([, value]) => value), limit + 1],
      ),
    );
    const page = rows.slice(0, limit);
    const next = rows.length > limit ? { next: String(page.at(-1)?.sort) } : {};
    return { keys: page.map(({ key }) => String(key)), ...next };
  }

  async newest(ca: string): Promise<Crl | undefined> {
    const row = this.#alone(() => this.#get('SELECT * FROM crls WHERE ca = ?', ca));
    return (
      row && {
        number: Number(row.number),
        der: octetsOf(row.der),
        thisUpdate: Number(row.thisUpdate),
        nextUpdate: Number(row.nextUpdate),
        changes: Number(row.changes),
      }
    );
  }

  async publish(
    ca: string,
    { number, der, thisUpdate, nextUpdate, changes }: Crl,
  ): Promise<'done' | 'stale'> {
    const stored = this.#alone(() =>
      this.#run(
        `INSERT INTO crls VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ca) DO UPDATE SET
           number = excluded.number, der = excluded.der,
           thisUpdate = excluded.thisUpdate, nextUpdate = excluded.nextUpdate,
           changes = excluded.changes
         WHERE excluded.number > crls.number`,
        ...[ca, number, der, thisUpdate, nextUpdate, changes],
      ),
    );
    return stored === 1 ? 'done' : 'stale';
  }

  /** One commit for all that waits. */
  #flush(): void {
    const batch = this.#waiting.splice(0);
    if (batch.length === 0) return;
    try {
      this.#alone(() => this.#database.exec('BEGIN IMMEDIATE'));
      const answers = batch.map(({ actions }) => this.#savepoint(actions));
      this.#database.exec('COMMIT');
      for (const [i, { resolve }] of batch.entries()) resolve(answers[i] ?? 'conflict');
    } catch (error) {
      for (const { reject } of batch) reject(outageOf(error));
    }
  }

  /** What a failed write has left is never read: it is rolled back first. @throws {Outage} */
  #alone<T>(work: () => T): T {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      return work();
    } catch (error) {
      throw outageOf(error);
    }
  }

  #savepoint(actions: readonly Action[]): 'done' | 'conflict' {
    this.#database.exec('SAVEPOINT one');
    const done = actions.every((action) => this.#act(action));
    this.#database.exec(done ? 'RELEASE one' : 'ROLLBACK TO one; RELEASE one');
    return done ? 'done' : 'conflict';
  }

  /** @returns whether the action's condition held */
  #act(action: Action): boolean {
    const { kind, key } = action;
    switch (action.do) {
      case 'check':
        return (this.#row(action)?.rev ?? 0) === action.rev;
      case 'delete':
        this.#run('DELETE FROM places WHERE kind = ? AND key = ?', kind, key);
        return (
          this.#run(
            'DELETE FROM records WHERE kind = ? AND key = ? AND rev = ?',
            kind,
            key,
            action.rev,
          ) === 1
        );
      case 'put':
        return this.#put(action, action.rev, action.record);
      case 'use': {
        const row = this.#row(action);
        const used = row && applyUse(row.record as Challenge, action);
        return row !== undefined && used !== undefined && this.#put(action, row.rev, used);
      }
    }
  }

  #put({ kind, key }: Key, rev: number, record: Row['record']): boolean {
    const text = JSON.stringify(record);
    const written =
      rev === 0
        ? this.#run(
            'INSERT INTO records VALUES (?, ?, 1, ?, ?) ON CONFLICT DO NOTHING',
            ...[kind, key, RECORD_VERSION, text],
          )
        : this.#run(
            'UPDATE records SET rev = rev + 1, v = ?, record = ? WHERE kind = ? AND key = ? AND rev = ?',
            ...[RECORD_VERSION, text, kind, key, rev],
          );
    if (written !== 1) return false;
    const places = placesOf(kind, key, record);
    if (rev > 0) this.#run('DELETE FROM places WHERE kind = ? AND key = ?', kind, key);
    for (const { list, group, sort } of places) {
      this.#run('INSERT INTO places VALUES (?, ?, ?, ?, ?)', list, group, sort, key, kind);
    }
    return true;
  }

  #row({ kind, key }: Key): Row | undefined {
    const found = this.#get(
      'SELECT rev, v, record FROM records WHERE kind = ? AND key = ?',
      kind,
      key,
    );
    if (!found) return undefined;
    if (Number(found.v) > RECORD_VERSION) {
      throw new Outage(
        `the ${kind} ${key} was written by a later release, which this one cannot read`,
      );
    }
    return { kind, key, rev: Number(found.rev), record: JSON.parse(String(found.record)) } as Row;
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  /** @returns how many rows it changed */
  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }
}

const octetsOf = (value: unknown): Bytes =>
  value instanceof Uint8Array ? concat([value]) : new Uint8Array(0);

function opened(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path);
  } catch (error) {
    throw refusalOf(path, error);
  }
}

/** Result codes of SQLite, without their extension, and what a start says to them. */
const refusals: Readonly<Record<number, string>> = {
  5: 'is in use by another process: only one server may use a data folder',
  8: 'cannot be written: give the server write access to the data folder',
  10: 'cannot be read or written: it is read-only, or the disk is full or fails',
  11: 'is damaged: restore the data folder from a backup',
  13: 'cannot be written: the disk is full',
  14: 'cannot be opened: give the server read and write access to the data folder',
  26: 'is not a database of this service: restore it, or use another data folder',
};

function refusalOf(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'errcode' in error)) return error;
  const said = refusals[Number(error.errcode) & 0xff];
  return said === undefined ? error : new Error(`${path} ${said} (${error.message})`);
}

function outageOf(error: unknown): unknown {
  if (error instanceof Outage || error instanceof TypeError) return error;
  return new Outage(`the database failed: ${error instanceof Error ? error.message : error}`);
}
