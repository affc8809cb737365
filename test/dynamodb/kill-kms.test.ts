// Kills over DynamoDB Local and the KMS emulator: a SCEP function that has just been started, at every
// call of its first enrolment, those that open its keys included.

import assert from 'node:assert/strict';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { initCa } from '../../lib/ca/authority/init-ca.ts';
import { initMacKeys, readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import { type KillStore, killScenarios } from '../kill/scenarios.ts';
import { freshTable, rowsOf, tableEnv } from '../support/dynamodb.ts';
import { openKms } from '../support/kms.ts';

/** What an operator does, once. */
const open = async (document: ConfigDocument): Promise<KillStore> => {
  const [table, kms] = [await freshTable(), await openKms()];
  const store = await DynamoStore.open(table);
  const config = checkConfig(document);
  const keys = kms.keys({ readMacKeys: (purpose) => readMacKeys(store, purpose) });
  const log = () => {};
  const deps = {
    config,
    store: guarded(store, keys.macKeys, log),
    log,
    clock: systemClock,
    random: systemRandom,
  };
  await initMacKeys(deps, (purpose) => keys.makeMacKey(purpose), { kind: 'system' });
  const crls = { floor: async () => 0 };
  for (const authority of config.cas.values()) {
    const { signer, raKeys } = keys;
    assert.equal(await initCa({ ...deps, signer, raKeys, crls }, authority), 'done');
  }
  store.close();
  const settings = {
    ...(await kms.env()),
    ...tableEnv(table),
    SCEPTER_CONFIG: JSON.stringify(document),
  };
  return { env: settings, rows: () => rowsOf(table) };
};

killScenarios('DynamoDB Local and KMS', open, { cold: true, only: ['enrol'] });
