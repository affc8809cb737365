// The embedded default, put together: SQLite and software keys in one folder, CAs made on the first
// start and found again on every later one. The records may be in a DynamoDB table instead.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SoftwareKeys } from '../lib/adapters/software-keys.ts';
import { systemClock, systemRandom } from '../lib/adapters/system.ts';
import { warnOfStaticChallenges } from '../lib/ca/by-static-challenge.ts';
import { CaCertificates } from '../lib/ca/ca-certificates.ts';
import { keepCrl } from '../lib/ca/crl.ts';
import type { Deps } from '../lib/ca/deps.ts';
import { initCa } from '../lib/ca/lifecycle.ts';
import { Tally } from '../lib/ca/tally.ts';
import type { Config } from '../lib/config.ts';
import type { Log } from '../lib/ports/log.ts';
import { keepToken } from './admin-token.ts';
import { type Database, openFile, openTable } from './database.ts';
import type { Env } from './env.ts';
import { readStaticSecrets } from './static-secrets.ts';

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
  const staticSecrets = readStaticSecrets(config);
  warnOfStaticChallenges(config, log);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const keys = await SoftwareKeys.open(join(dataDir, 'keys'));
  const store = await (table === undefined ? openFile(dataDir) : openTable(table));
  const { signer, raKeys, macKeys } = keys;
  const cas = new CaCertificates({ config, store, signer, raKeys, clock: systemClock });
  const validators = new Map();
  const outside = { store, crls: store, signer, raKeys, macKeys, validators, staticSecrets };
  const tally = new Tally();
  const deps: Deps = {
    config,
    ...outside,
    clock: systemClock,
    random: systemRandom,
    log,
    cas,
    tally,
  };
  const made: string[] = [];
  for (const authority of config.cas.values()) {
    if ((await initCa(deps, authority)) === 'done') made.push(authority.id);
  }
  // A CA that is loaded knows the keys of all others: none before the last one is made.
  for (const authority of config.cas.values()) {
    await keepCrl(deps, await cas.of(authority.id));
  }
  await keepToken(join(dataDir, 'token'), store);
  return { deps, store, made };
}
