// The embedded default, put together: SQLite and software keys in one folder, CAs made on the first
// start and found again on every later one. The records may be in a DynamoDB table instead.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SoftwareKeys } from '../lib/adapters/software-keys.ts';
import { SqliteStore } from '../lib/adapters/sqlite.ts';
import { systemClock, systemRandom } from '../lib/adapters/system.ts';
import { CaCertificates } from '../lib/ca/ca-certificates.ts';
import type { Deps } from '../lib/ca/deps.ts';
import { initCa, keepCrl } from '../lib/ca/lifecycle.ts';
import type { Config } from '../lib/config.ts';
import { tokenHash } from '../lib/http/auth.ts';
import type { Crls } from '../lib/ports/crls.ts';
import type { Log } from '../lib/ports/log.ts';
import type { Store } from '../lib/ports/store.ts';
import type { Env } from './env.ts';

type Database = Store & Crls & { close(): void };

export type Embedded = {
  readonly deps: Deps;
  readonly store: Database;
  /** CAs made by this start. */
  readonly made: readonly string[];
};

export async function openEmbedded(
  { dataDir, table }: Pick<Env, 'dataDir' | 'table'>,
  config: Config,
  log: Log,
): Promise<Embedded> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const keys = await SoftwareKeys.open(join(dataDir, 'keys'));
  const store = await (table === undefined ? openFile(dataDir) : openTable(table));
  const { signer, raKeys, macKeys } = keys;
  const cas = new CaCertificates({ store, signer, raKeys, clock: systemClock });
  const outside = { store, crls: store, signer, raKeys, macKeys, validators: new Map() };
  const deps: Deps = { config, ...outside, clock: systemClock, random: systemRandom, log, cas };
  const made: string[] = [];
  for (const authority of config.cas.values()) {
    if ((await initCa(deps, authority)) === 'done') made.push(authority.id);
    await keepCrl(deps, await cas.of(authority.id));
  }
  await keepToken(join(dataDir, 'token'), store);
  return { deps, store, made };
}

async function openFile(dataDir: string): Promise<Database> {
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  return new SqliteStore(path);
}

/** The SDK is loaded only where it is used. */
async function openTable(table: string): Promise<Database> {
  const { DynamoStore } = await import('../lib/adapters/dynamodb.ts');
  return DynamoStore.open(table);
}

/** The admin token file of this folder; made once, its hash put into the store at every start. */
async function keepToken(path: string, store: Store): Promise<void> {
  const token = randomBytes(32).toString('base64url');
  await writeFile(path, `${token}\n`, { mode: 0o600, flag: 'wx' }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const kept = (await readFile(path, 'utf8')).trim();
  const key = { kind: 'token', key: tokenHash(kept) } as const;
  const [row] = await store.read([key]);
  const record = { name: 'token-file', roles: ['admin'] } as const;
  if (!row) await store.write([{ ...key, do: 'put', rev: 0, record }]);
}
