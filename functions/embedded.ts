// A server that stays up, put together. The embedded default is SQLite and software keys in one folder,
// CAs made on the first start and found again on every later one. The records may be in a DynamoDB table
// instead, and the keys in KMS: then an operator has made the CAs, and one in trouble keeps no other
// from being served.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
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
import { type KeysEnv, openKeys } from './keys.ts';
import { readStaticSecrets } from './static-secrets.ts';

export type Embedded = {
  readonly deps: Deps;
  readonly store: Database;
  /** CAs made by this start. */
  readonly made: readonly string[];
};

export async function openEmbedded(
  env: KeysEnv & Pick<Env, 'table'>,
  config: Config,
  log: Log,
): Promise<Embedded> {
  const { dataDir, table } = env;
  const staticSecrets = readStaticSecrets(config);
  warnOfStaticChallenges(config, log);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const store = await (table === undefined ? openFile(dataDir) : openTable(table));
  const { signer, raKeys, macKeys, kms } = await openKeys(env, store);
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
  const made = kms ? await look(deps) : await makeAll(deps);
  await keepToken(join(dataDir, 'token'), store);
  return { deps, store, made };
}

/** @returns the names of those that were not there */
async function makeAll(deps: Deps): Promise<string[]> {
  const made: string[] = [];
  const usable: string[] = [];
  for (const authority of deps.config.cas.values()) {
    const state = await initCa(deps, authority);
    if (state === 'done') made.push(authority.id);
    if (state !== 'waiting') usable.push(authority.id);
  }
  // A CA that is loaded knows the keys of all others: none before the last one is made.
  for (const id of usable) await keepCrl(deps, await deps.cas.of(id));
  return made;
}

async function look(deps: Deps): Promise<string[]> {
  for (const id of deps.config.cas.keys()) {
    try {
      await keepCrl(deps, await deps.cas.of(id));
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      deps.log({ event: 'start.ca', severity: 'error', ca: id, detail });
    }
  }
  return [];
}
