// What an operator's commands work with where no server has the store and the keys: both themselves, with the
// operator's own credentials, behind an admin API of this process.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InUse } from '../../lib/adapters/sqlite/file.ts';
import { jsonLog, systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { base64url } from '../../lib/base/bytes.ts';
import { CaCertificates } from '../../lib/ca/authority/ca-certificates.ts';
import type { AdminDeps, Operator } from '../../lib/ca/deps.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { ownNames, tokenHash } from '../../lib/ca/record/tokens.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import type { Elsewhere, Operating } from '../../lib/cli/io.ts';
import type { Config } from '../../lib/config/config.ts';
import type { Actor } from '../../lib/events/event.ts';
import { makeOperatorApp } from '../../lib/http/app.ts';
import type { Log } from '../../lib/ports/log.ts';
import { loadConfig } from '../config/default-config.ts';
import type { Env } from '../env.ts';
import { ceremonies, type Keys, openKeys, requireTogether } from '../keys.ts';
import { keepToken, readToken, replaceToken } from './admin-token.ts';
import { type Database, logsOf, openDatabase, storeOf } from './database.ts';

/** Where the records are a table, it is worked on with the operator's credentials; a folder only while no server
 * has it. */
export async function findOperator(env: Env): Promise<Operating | Elsewhere> {
  if (env.table === undefined && env.url !== undefined) {
    return { hint: 'without SCEPTER_URL, and while no server runs, SCEPTER_DATA_DIR is worked on' };
  }
  try {
    const { deps, close } = await openOperator(env);
    return operatingOf(deps, close);
  } catch (error) {
    if (!(error instanceof InUse)) throw error;
    return { hint: `${env.dataDir} is in use: set SCEPTER_URL to the address of its server` };
  }
}

/** The admin API for one command, whose token nobody else has. */
export function operatingOf(deps: AdminDeps, close: () => void): Operating {
  const token = base64url(systemRandom(32));
  const own = { name: ownNames.operator, roles: ['admin'] } as const;
  const app = makeOperatorApp({ ...deps, tokens: new Map([[tokenHash(token), own]]) });
  return {
    async ask({ method, path, headers, body }) {
      const request = new Request(`http://localhost${path}`, {
        method,
        headers: { ...headers, authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body }),
      });
      const response = await app.fetch(request);
      return { status: response.status, text: await response.text() };
    },
    close,
  };
}

type Opened = { readonly deps: AdminDeps; close(): void };

/** @throws {Error} with a sentence @throws {InUse} */
export async function openOperator(env: Env): Promise<Opened> {
  const config = await loadConfig(env);
  const { dataDir, table } = env;
  const inFolder = table === undefined || env.sealingKey === undefined;
  if (inFolder) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const database = await openDatabase(env);
  const keys = await openKeys(env, database);
  const printed = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  // What a command is refused, it says itself.
  const log: Log = (entry) => {
    if (entry.event !== 'http.refused') printed(entry);
  };
  const path = join(dataDir, 'token');
  const shared = operatorOf(config, database, keys, log);
  const logs = await logsOf(database, keys);
  const begin = async (): Promise<void> => {
    await requireTogether(keys, shared.store, { dataDir, cas: config.cas.keys() });
    await keepToken({ path, token: await readToken(path) }, shared);
  };
  const operator: Operator = {
    ...shared,
    ...(keys.caKeys ? { begin } : {}),
    ...(table === undefined
      ? { alone: true, replaceTokenFile: (actor: Actor) => replaceToken(path, shared, actor) }
      : {}),
  };
  return {
    deps: {
      ...{ ...shared, operator, validators: new Map(), staticSecrets: new Map() },
      written: new TriedWrites(database, systemClock),
      index: database.index,
      logs,
      tally: new Tally(),
    },
    close: () => {
      database.close();
      keys.kms?.close();
    },
  };
}

export function operatorOf(
  config: Config,
  database: Database,
  keys: Keys,
  log: Log,
): Operator & Pick<AdminDeps, 'cas'> {
  const { signer, raKeys, macKeys, kms } = keys;
  const store = storeOf(database, keys, log);
  const cas = new CaCertificates({ config, store, clock: systemClock });
  const keyOf = (id: string) => cas.publicKey(id);
  const crls = new GuardedCrls(database.crls, { keyOf, macKeys, log });
  return {
    ...{ config, store, crls, cas, macKeys, log },
    ...{ signer, crlSigner: signer, raKeys },
    served: new ServedCrls(),
    clock: systemClock,
    random: systemRandom,
    ...ceremonies(keys),
    reload: () => {
      cas.reload();
      kms?.reload();
    },
  };
}
