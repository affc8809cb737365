// The index of searches in the SQLite file: an FTS5 table of the trigrams of each Transaction's starts, and which row is
// which Transaction's. A start is written as `^^start`, so that the trigrams of `^^be` are those of a word that
// begins with "be", and the trigrams of "erlin" are those of any word that has it inside.
//
// Rows go up with time, and are searched from the newest on. Trigrams say which rows may have the texts: one in three
// is asked for, which covers a text once. Of those rows the starts are compared, so that nothing else is found.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type {
  Hits,
  Indexed,
  SearchIndex,
  SearchQuery,
  SearchTerm,
} from '../../ports/search-index.ts';

/** Rows are counted from 1; what is above came from another hand. */
const MAX_ROW = 2 ** 52;

/** Rows beside the records, which no decision rests on: a file without them gets them when it is opened. */
export const searchSchema = `
  CREATE TABLE IF NOT EXISTS searched (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL
  ) STRICT;
  CREATE VIRTUAL TABLE IF NOT EXISTS starts USING fts5 (
    text, tokenize = 'trigram case_sensitive 1', detail = none, content = '', contentless_delete = 1
  );
  -- Behind such a row of another hand every further one would be out of reach.
  DELETE FROM searched WHERE row NOT BETWEEN 1 AND ${MAX_ROW};
`;

export class SqliteSearch implements SearchIndex {
  readonly findsInside = true;
  readonly #alone: <T>(work: () => T) => T;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param alone does its work outside any other transaction, and says what went wrong */
  constructor(database: DatabaseSync, alone: <T>(work: () => T) => T) {
    this.#database = database;
    this.#alone = alone;
  }

  async add(all: readonly Indexed[]): Promise<void> {
    for (let at = 0; at < all.length; at += ADDED_AT_ONCE) {
      // Requests that wait are answered in between.
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      this.#alone(() => {
        this.#database.exec('BEGIN IMMEDIATE');
        for (const { id, starts } of all.slice(at, at + ADDED_AT_ONCE)) {
          this.forget(id);
          const text = starts.map((start) => `^^${start}`).join(' ');
          const { lastInsertRowid } = this.#statement(
            'INSERT INTO searched (id, text) VALUES (?, ?)',
          ).run(id, text);
          this.#statement('INSERT INTO starts (rowid, text) VALUES (?, ?)').run(
            lastInsertRowid,
            text,
          );
        }
        this.#database.exec('COMMIT');
      });
    }
  }

  /** Part of a transaction of the caller's. */
  forget(id: string): void {
    const known = this.#statement('DELETE FROM searched WHERE id = ? RETURNING row').get(id);
    if (known) this.#statement('DELETE FROM starts WHERE rowid = ?').run(Number(known.row));
  }

  async missing(ids: readonly string[]): Promise<readonly string[]> {
    return this.#alone(() => {
      const known = this.#statement('SELECT 1 FROM searched WHERE id = ?');
      return ids.filter((id) => known.get(id) === undefined);
    });
  }

  async find({ terms, from, limit }: SearchQuery): Promise<Hits> {
    const has = terms.map(() => 'AND instr(searched.text, ?) > 0').join(' ');
    const texts = terms.map(({ text, inside }) => (inside ? text : `^^${text}`));
    const before = from === undefined ? Number.MAX_SAFE_INTEGER : Number(from);
    const rows = this.#alone(() =>
      this.#statement(
        `SELECT searched.row, searched.id FROM starts JOIN searched ON searched.row = starts.rowid
           WHERE starts MATCH ? AND starts.rowid < ? ${has} ORDER BY starts.rowid DESC LIMIT ?`,
      ).all(matching(terms), before, ...texts, limit + 1),
    );
    const hits = rows.slice(0, limit).map(({ row, id }) => ({ id: String(id), at: String(row) }));
    const next = rows.length > limit ? hits.at(-1)?.at : undefined;
    return { hits, ...(next === undefined ? {} : { next }) };
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

/** One commit is some ten milliseconds. */
const ADDED_AT_ONCE = 200;

const matching = (terms: readonly SearchTerm[]): string =>
  [...new Set(terms.flatMap(trigramsOf))].map((trigram) => `"${trigram}"`).join(' AND ');

/** From its end on every third, and the first. */
function trigramsOf({ text, inside }: SearchTerm): string[] {
  const whole = inside ? text : `^${text.length === 1 ? '^' : ''}${text}`;
  const trigrams: string[] = [];
  for (let end = whole.length; end >= 3; end -= 3) trigrams.push(whole.slice(end - 3, end));
  return [...trigrams, whole.slice(0, 3)];
}
