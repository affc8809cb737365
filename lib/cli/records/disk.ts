// Maps of any number of keys, for comparisons whose memory must not grow with what they compare: in a file of SQLite
// that nobody else sees, and that is gone with the process.

import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Json } from '../../base/json.ts';

export class Disk {
  readonly #database: DatabaseSync;
  #maps = 0;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  static async open(): Promise<Disk> {
    // Most commands need none of it.
    const { DatabaseSync } = await import('node:sqlite');
    // Without a name it is a file of its own in the folder for temporary ones.
    const database = new DatabaseSync('');
    database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000');
    database.exec('BEGIN');
    return new Disk(database);
  }

  map<Value extends Json>(): DiskMap<Value> {
    const name = `map${this.#maps++}`;
    this.#database.exec(
      `CREATE TABLE ${name} (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    const of = (sql: string) => this.#database.prepare(sql.replace('$', name));
    return new DiskMap({
      get: of('SELECT value FROM $ WHERE key = ?'),
      add: of('INSERT INTO $ VALUES (?, ?) ON CONFLICT DO NOTHING'),
      set: of('INSERT INTO $ VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
      delete: of('DELETE FROM $ WHERE key = ?'),
      all: of('SELECT key, value FROM $ ORDER BY key'),
    });
  }

  close(): void {
    this.#database.close();
  }
}

type Statements = Readonly<
  Record<'get' | 'add' | 'set' | 'delete' | 'all', ReturnType<DatabaseSync['prepare']>>
>;

/** Like a Map; whoever goes through it must not change it meanwhile. */
export class DiskMap<Value extends Json> {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  get(key: string): Value | undefined {
    const found = this.#statements.get.get(key);
    return found && (JSON.parse(String(found.value)) as Value);
  }

  has(key: string): boolean {
    return this.#statements.get.get(key) !== undefined;
  }

  /** @returns false, and nothing is changed, where the key is there already */
  add(key: string, value: Value): boolean {
    return this.#changed('add', key, JSON.stringify(value));
  }

  set(key: string, value: Value): void {
    this.#changed('set', key, JSON.stringify(value));
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    return this.#changed('delete', key);
  }

  *[Symbol.iterator](): Generator<[string, Value], void> {
    for (const { key, value } of this.#statements.all.iterate()) {
      yield [String(key), JSON.parse(String(value)) as Value];
    }
  }

  #changed(how: 'add' | 'set' | 'delete', ...values: SQLInputValue[]): boolean {
    return Number(this.#statements[how].run(...values).changes) > 0;
  }
}
