// What `scepter ca init`, `rotate-ra` and `import-chain` work with: the store and the keys themselves,
// with the operator's own credentials. No server does this for anybody: its role cannot make keys.

import { mkdir } from 'node:fs/promises';
import { jsonLog, systemClock, systemRandom } from '../lib/adapters/system.ts';
import type { Operator } from '../lib/ca/lifecycle.ts';
import { openFile, openTable } from './database.ts';
import { loadConfig } from './default-config.ts';
import type { Env } from './env.ts';
import { openKeys } from './keys.ts';

/** @throws {Error} with a sentence, also while a server has the folder: its database has one owner */
export async function openOperator(env: Env): Promise<Operator> {
  const config = await loadConfig(env);
  const { dataDir, table } = env;
  const inFolder = table === undefined || env.sealingKey === undefined;
  if (inFolder) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const store = await (table === undefined ? openFile(dataDir) : openTable(table));
  const { signer, raKeys, kms } = await openKeys(env, store);
  const log = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  return {
    ...{ config, store, signer, raKeys, clock: systemClock, random: systemRandom, log },
    ...(kms
      ? {
          adoptKey: (key, spec) => kms.adopt(key, spec),
          makeMacKey: (purpose) => kms.makeMacKey(purpose),
        }
      : {}),
    close: () => {
      store.close();
      kms?.close();
    },
  };
}
