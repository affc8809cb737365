// What `scepter ca init`, `rotate-ra` and `import-chain` work with: the store and the keys themselves,
// with the operator's own credentials. No server does this for anybody: its role cannot make keys.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonLog, systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { CaCertificates } from '../../lib/ca/authority/ca-certificates.ts';
import type { Operator } from '../../lib/ca/authority/init-ca.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import type { Config } from '../../lib/config/config.ts';
import type { Log } from '../../lib/ports/log.ts';
import { loadConfig } from '../default-config.ts';
import type { Env } from '../env.ts';
import { type Keys, openKeys, requireTogether } from '../keys.ts';
import { keepToken, readToken } from './admin-token.ts';
import { type Database, openDatabaseFile, openTable } from './database.ts';

/** @throws {Error} with a sentence, also while a server has the folder: its database has one owner */
export async function openOperator(env: Env): Promise<Operator> {
  const config = await loadConfig(env);
  const { dataDir, table } = env;
  const inFolder = table === undefined || env.sealingKey === undefined;
  if (inFolder) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const database = await (table === undefined ? openDatabaseFile(dataDir) : openTable(table));
  const log = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  const keys = await openKeys(env, database);
  const operator = operatorOf(config, database, keys, log);
  if (!keys.caKeys) return operator;
  const begin = async (): Promise<void> => {
    const { store } = operator;
    await requireTogether(keys, store, { dataDir, cas: config.cas.keys() });
    const path = join(dataDir, 'token');
    await keepToken({ path, token: await readToken(path) }, store);
  };
  return { ...operator, begin };
}

export function operatorOf(
  config: Config,
  database: Database,
  { signer, raKeys, macKeys, kms }: Keys,
  log: Log,
): Operator {
  const store = guarded(database, macKeys, log);
  const cas = new CaCertificates({ config, store, clock: systemClock });
  const keyOf = (id: string) => cas.publicKey(id);
  const crls = new GuardedCrls(database, { keyOf, macKeys, log });
  const served = new ServedCrls();
  return {
    ...{
      config,
      store,
      crls,
      served,
      signer,
      crlSigner: signer,
      raKeys,
      clock: systemClock,
      random: systemRandom,
      log,
    },
    ...(kms
      ? {
          adoptKey: (key, spec) => kms.adopt(key, spec),
          makeMacKey: (purpose) => kms.makeMacKey(purpose),
        }
      : {}),
    close: () => {
      database.close();
      kms?.close();
    },
  };
}
