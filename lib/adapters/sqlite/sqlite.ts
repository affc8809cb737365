// The store of the embedded default: one SQLite file (node:sqlite), WAL with synchronous=FULL, so
// that what was acknowledged survives the process and the machine. One process owns the file.
//
//   records  kind, key -> rev, v (RECORD_VERSION), record (JSON),    read and conditional write by key
//            expires (when it may be deleted)
//   places   list, grp, sort -> key                                  lists, in their order
//   crls     ca, the name of a CRL -> number, der, thisUpdate, nextUpdate, changes, mac the newest CRL
//   searched, starts                                                 the index of searches: `search.ts`
//
// `records` keeps its rowid: without one a row of more than a quarter of a page, which most are, takes a
// page of its own, and the file twice the space.
//
// Writes that arrive together share one commit: each is a savepoint of its own, so that a conflict
// undoes one of them, and all are answered once the one fsync has returned.

import { basename } from 'node:path';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { type Bytes, concat } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { TRIED_OCTETS } from '../../base/limits.ts';
import type { Crl, CrlStore, StoredCrl } from '../../ports/crls.ts';
import type { WaitingEvents } from '../../ports/log-files.ts';
import { type Expiring, expiryOf } from '../../ports/records/expiry.ts';
import { placesOf } from '../../ports/records/places.ts';
import { type Challenge, RECORD_VERSION, recordIn } from '../../ports/records/records.ts';
import type { Snapshots } from '../../ports/snapshots.ts';
import {
  type Action,
  type AlteredRow,
  applyUse,
  type Key,
  type ListQuery,
  MAX_REV,
  type Page,
  type Row,
  revIn,
  SPOILT_REV,
  type Store,
} from '../../ports/store.ts';
import type { Writing } from '../../ports/writing.ts';
import { copySqlite, openSqlite, outageOf } from './file.ts';
import { SqliteSearch } from './search.ts';

/** What is longer is no place of ours, and could not be gone on from (DynamoDB's sort keys are no longer). */
const MAX_SORT_CHARACTERS = 1024;

type Waiting = {
  readonly actions: readonly Action[];
  resolve(answer: 'done' | 'conflict'): void;
  reject(error: unknown): void;
};

export class SqliteStore implements Store, CrlStore, Expiring, Snapshots, WaitingEvents, Writing {
  readonly index: SqliteSearch;
  readonly crls: CrlStore = this;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #waiting: Waiting[] = [];
  /** One copy at a time: what went wrong with the last one. */
  #copies: Promise<unknown> = Promise.resolve();

  /** @throws {Error} with a sentence when the file is another's, damaged, or cannot be written */
  constructor(path: string) {
    this.#path = path;
    this.#database = openSqlite(path);
    this.index = new SqliteSearch(this.#database, (work) => this.#alone(work));
  }

  close(): void {
    this.#flush();
    this.#database.close();
  }

  async read(keys: readonly Key[]): Promise<readonly (Row | AlteredRow)[]> {
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
    // People look through lists, thousands of records at a time: what devices wait for goes first.
    await turn();
    const [after, before, order] = reverse ? ['<', '>', 'DESC'] : ['>', '<', 'ASC'];
    // A bound that is not there is left out: "? IS NULL OR ..." would walk the whole group.
    const bounds = [
      ...(from === undefined ? [] : [[`AND sort ${after} ?`, from] as const]),
      ...(until === undefined ? [] : [[`AND sort ${before} ?`, until] as const]),
    ];
    const rows = this.#alone(() =>
      this.#all(
        `SELECT sort, key FROM places WHERE list = ? AND grp = ? AND length(sort) <= ${MAX_SORT_CHARACTERS}
           ${bounds.map(([condition]) => condition).join(' ')} ORDER BY sort ${order} LIMIT ?`,
        ...[list, group, ...bounds.map(([, value]) => value), limit + 1],
      ),
    );
    const page = rows.slice(0, limit);
    const next = rows.length > limit ? { next: String(page.at(-1)?.sort) } : {};
    return { keys: page.map(({ key }) => String(key)), ...next };
  }

  async newest(ca: string): Promise<StoredCrl | undefined> {
    // Read as text, so that a number beyond JavaScript's integers can be read too.
    const row = this.#alone(() =>
      this.#get(
        `SELECT CAST(number AS TEXT) AS number, der, CAST(thisUpdate AS TEXT) AS thisUpdate,
           CAST(nextUpdate AS TEXT) AS nextUpdate, CAST(changes AS TEXT) AS changes, mac
         FROM crls WHERE ca = ?`,
        ca,
      ),
    );
    return (
      row && {
        stored: String(row.number),
        ...(typeof row.mac === 'string' ? { mac: row.mac } : {}),
        number: Number(row.number),
        der: octetsOf(row.der),
        thisUpdate: Number(row.thisUpdate),
        nextUpdate: Number(row.nextUpdate),
        changes: Number(row.changes),
      }
    );
  }

  async publish(
    name: string,
    { number, der, thisUpdate, nextUpdate, changes, mac }: Crl,
    spoilt?: string,
  ): Promise<'done' | 'stale'> {
    const stored = this.#alone(() =>
      this.#run(
        `INSERT INTO crls VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ca) DO UPDATE SET
           number = excluded.number, der = excluded.der,
           thisUpdate = excluded.thisUpdate, nextUpdate = excluded.nextUpdate,
           changes = excluded.changes, mac = excluded.mac
         WHERE excluded.number > crls.number OR CAST(crls.number AS TEXT) = ?`,
        ...[name, number, der, thisUpdate, nextUpdate, changes, mac ?? null, spoilt ?? 'none'],
      ),
    );
    return stored === 1 ? 'done' : 'stale';
  }

  /** Two commits: what is put and deleted in one leaves nothing to be written. */
  async tryWrite(): Promise<void> {
    const attempt = ['tried', '', RECORD_VERSION, ' '.repeat(TRIED_OCTETS)];
    this.#alone(() => {
      this.#run('INSERT OR REPLACE INTO records VALUES (?, ?, 1, ?, ?, NULL)', ...attempt);
      this.#run("DELETE FROM records WHERE kind = 'tried'");
    });
  }

  async expire(now: number, limit: number): Promise<number> {
    return this.#alone(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      const gone = this.#all(
        'DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE expires <= ? LIMIT ?) RETURNING kind, key',
        ...[now, limit],
      );
      for (const { kind, key } of gone) {
        this.#run('DELETE FROM places WHERE kind = ? AND key = ?', String(kind), String(key));
        if (kind === 'transaction') this.index.forget(String(key));
      }
      this.#database.exec('COMMIT');
      return gone.length;
    });
  }

  async forget(keys: readonly string[]): Promise<void> {
    this.#alone(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const key of keys) {
        for (const from of ['records', 'places']) {
          this.#run(`DELETE FROM ${from} WHERE kind = 'unlogged' AND key = ?`, key);
        }
      }
      this.#database.exec('COMMIT');
    });
  }

  /** It is claimed by renaming it: until then the next one takes its place. */
  snapshot(): Promise<string> {
    const path = `${this.#path}.snapshot`;
    this.#copies = this.#copies.then(() => copySqlite(this.#database, path)).catch(outageOf);
    return this.#copies.then((error) => {
      if (error) throw error;
      return basename(path);
    });
  }

  /** @throws {Outage} where SQLite finds the file damaged */
  checkFile(): void {
    const said = this.#alone(() => this.#get('PRAGMA integrity_check(1)')?.integrity_check);
    if (said !== 'ok') throw new Outage(`the database is damaged: ${said}`);
  }

  /** The keys of all records, in pages. */
  async *everyKey(limit: number): AsyncGenerator<readonly Key[], void> {
    for (let last = 0; ; ) {
      const rows = this.#alone(() =>
        this.#all(
          'SELECT rowid, kind, key FROM records WHERE rowid > ? ORDER BY rowid LIMIT ?',
          last,
          limit,
        ),
      );
      if (rows.length === 0) return;
      yield rows.map(({ kind, key }) => ({ kind: String(kind), key: String(key) }) as Key);
      last = Number(rows.at(-1)?.rowid);
    }
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
            `DELETE FROM records WHERE kind = ? AND key = ? AND ${atRev(action.rev)}`,
            ...[kind, key, action.rev],
          ) === 1
        );
      case 'put':
        return this.#put(action, action.rev, action.record);
      case 'use': {
        const row = this.#row(action);
        const used = row?.record && applyUse(row.record as Challenge, action);
        return row !== undefined && used !== undefined && this.#put(action, row.rev, used);
      }
    }
  }

  #put({ kind, key }: Key, rev: number, record: Row['record']): boolean {
    const text = JSON.stringify(record);
    const expires = expiryOf(kind, record) ?? null;
    const written =
      rev === 0
        ? this.#run(
            'INSERT INTO records VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING',
            ...[kind, key, RECORD_VERSION, text, expires],
          )
        : this.#run(
            `UPDATE records SET rev = ${rev === SPOILT_REV ? 1 : 'rev + 1'}, v = ?, record = ?, expires = ?
               WHERE kind = ? AND key = ? AND ${atRev(rev)}`,
            ...[RECORD_VERSION, text, expires, kind, key, rev],
          );
    if (written !== 1) return false;
    const places = placesOf(kind, key, record);
    if (rev !== 0) this.#run('DELETE FROM places WHERE kind = ? AND key = ?', kind, key);
    for (const { list, group, sort } of places) {
      const place = [list, group, sort, key, kind];
      this.#run('INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)', ...place);
    }
    return true;
  }

  #row({ kind, key }: Key): Row | AlteredRow | undefined {
    // As text, because the driver refuses a row with an integer that JavaScript cannot represent.
    const found = this.#get(
      `SELECT CAST(rev AS TEXT) AS rev, CAST(v AS TEXT) AS v, record FROM records
         WHERE kind = ? AND key = ?`,
      ...[kind, key],
    );
    if (!found) return undefined;
    const rev = revIn(String(found.rev));
    const isLater = Number(found.v) > RECORD_VERSION;
    const record = isLater ? undefined : recordIn(String(found.record));
    if (record === undefined) {
      return { kind, key, rev, record, said: found.record, ...(isLater ? { later: true } : {}) };
    }
    return { kind, key, rev, record } as Row;
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

/** The record still is as it was read; takes `rev` as its parameter. */
const atRev = (rev: number): string =>
  rev === SPOILT_REV ? `? < 0 AND rev NOT BETWEEN 1 AND ${MAX_REV}` : 'rev = ?';

const octetsOf = (value: unknown): Bytes =>
  value instanceof Uint8Array ? concat([value]) : new Uint8Array(0);
