// The file of the SQLite store: its tables, how it is opened, how it is copied while it is in use, and what
// SQLite's refusals mean.

import { open, rename, rm } from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { Outage } from '../../base/errors.ts';
import { searchSchema } from './search.ts';

/** `user_version` of the file: the form of its tables. */
const FILE_VERSION = 6;
const schema = `
  CREATE TABLE records (
    kind TEXT, key TEXT, rev INTEGER NOT NULL, v INTEGER NOT NULL, record TEXT NOT NULL,
    expires INTEGER, PRIMARY KEY (kind, key)
  ) STRICT;
  CREATE INDEX recordsByExpiry ON records (expires) WHERE expires IS NOT NULL;
  CREATE TABLE places (
    list TEXT, grp TEXT, sort TEXT, key TEXT NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (list, grp, sort)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX placesOfRecord ON places (kind, key);
  CREATE TABLE crls (
    ca TEXT PRIMARY KEY, number INTEGER, der BLOB, thisUpdate INTEGER, nextUpdate INTEGER,
    changes INTEGER, mac TEXT
  ) STRICT;
  PRAGMA user_version = ${FILE_VERSION};
`;

/** One process owns it. @throws {Error} with a sentence when it is another's, damaged, or cannot be written */
export function openSqlite(path: string): DatabaseSync {
  const database = opened(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;');
    database.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE;');
    const version = database.prepare('PRAGMA user_version').get()?.user_version;
    if (version === 0) database.exec(schema);
    else if (version !== FILE_VERSION) {
      throw new Error(
        `${path} is of version ${version}; this release reads version ${FILE_VERSION}: go on with the release that made it, or begin anew in another data folder`,
      );
    }
    requireOurs(database, path);
    database.exec(searchSchema);
    database.exec('COMMIT');
    return database;
  } catch (error) {
    database.close();
    throw refusalOf(path, error);
  }
}

type Made = { readonly type: string; readonly name: string; readonly sql: string };

/** What stands in a file beside rows; the name of its index of searches' own tables begins with the index's. */
const madeIn = (database: DatabaseSync): Made[] =>
  database
    .prepare('SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL')
    .all()
    .map(({ type, name, sql }) => ({
      type: String(type),
      name: String(name),
      sql: String(sql).replace(/\s+/g, ' '),
    }));

/**
 * Rows of another hand are judged one by one. But statements in a file are run with each write, and tables without their
 * keys take everything twice: both would go on doing what their writer wanted. More indexes do nothing.
 * @throws {Error} with a sentence
 */
function requireOurs(database: DatabaseSync, path: string): void {
  const own = new DatabaseSync(':memory:');
  own.exec(schema + searchSchema);
  const ours = new Map(madeIn(own).map((one) => [one.name, one]));
  own.close();
  const isOptional = (name: string): boolean => /^(?:searched$|starts)/.test(name);
  const found = new Map(madeIn(database).map((one) => [one.name, one]));
  const wrong =
    [...found.values()].find(({ type }) => type === 'trigger' || type === 'view') ??
    [...ours.values()].find(({ name, sql }) =>
      found.has(name)
        ? !name.startsWith('starts_') && found.get(name)?.sql !== sql
        : !isOptional(name),
    );
  if (!wrong) return;
  const { type, name } = wrong;
  throw new Error(
    `${path} was changed by another hand: its ${type} "${name}" is not as this service makes it; restore the data folder from a backup`,
  );
}

/**
 * Copies the database as it is at one moment, whatever is written meanwhile: by the connection that has the
 * file, because no other one can. The copy is whole or not there; only its owner reads it.
 */
export async function copySqlite(
  database: DatabaseSync,
  path: string,
  copy: typeof backup = backup,
): Promise<void> {
  const half = `${path}.new`;
  // SQLite takes an empty file for a new database, and leaves it the mode that it has.
  await (await open(half, 'w', 0o600)).close();
  try {
    await copy(database, half).catch((error: unknown) => {
      if (isUnsaid(error)) return copy(database, half);
      throw error;
    });
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}

/** A step of a copy failed on another thread, and a statement here has taken its reason away before Node read it. */
const isUnsaid = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === 0;

function opened(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path);
  } catch (error) {
    throw refusalOf(path, error);
  }
}

const IN_USE = 5;
/** What result codes of SQLite mean, without their extension. */
const meanings: Readonly<Record<number, string>> = {
  [IN_USE]:
    'is in use by another process: only one server may use a data folder, stop the other one first',
  8: 'cannot be written: give the server write access to the data folder',
  10: 'cannot be read or written: it is read-only, or the disk is full or fails',
  11: 'is damaged: restore the data folder from a backup',
  13: 'cannot be written: the disk is full',
  14: 'cannot be opened: give the server read and write access to the data folder',
  26: 'is not a database of this service: restore it, or use another data folder',
};

/** Another process has the file. */
export class InUse extends Error {
  override readonly name = 'InUse';
}

function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof Error && 'errcode' in error)) return error;
  const code = Number(error.errcode) & 0xff;
  const meaning = meanings[code];
  if (meaning === undefined) return error;
  const said = `${name} ${meaning} (${error.message})`;
  return code === IN_USE ? new InUse(said) : new Error(said);
}

export function outageOf(error: unknown): unknown {
  if (error instanceof Outage || error instanceof TypeError) return error;
  const refusal = refusalOf('the database', error);
  const said = refusal instanceof Error ? refusal.message : String(refusal);
  return new Outage(refusal === error ? `the database failed: ${said}` : said);
}
