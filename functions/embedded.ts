// The embedded default, put together: SQLite and software keys in one folder, CAs made on the first
// start and found again on every later one.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SoftwareKeys } from '../lib/adapters/software-keys.ts';
import { SqliteStore } from '../lib/adapters/sqlite.ts';
import { systemClock, systemRandom } from '../lib/adapters/system.ts';
import { CaCertificates } from '../lib/ca/ca-certificates.ts';
import type { Deps } from '../lib/ca/deps.ts';
import { initCa, keepCrl } from '../lib/ca/lifecycle.ts';
import type { Config } from '../lib/config.ts';
import type { Log } from '../lib/ports/log.ts';
import { keepToken } from './admin-token.ts';

export type Embedded = {
  readonly deps: Deps;
  readonly store: SqliteStore;
  /** CAs made by this start. */
  readonly made: readonly string[];
};

export async function openEmbedded(dataDir: string, config: Config, log: Log): Promise<Embedded> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const keys = await SoftwareKeys.open(join(dataDir, 'keys'));
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  const store = new SqliteStore(path);
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
