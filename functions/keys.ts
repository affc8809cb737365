// Where the keys are: files in the data folder, or AWS KMS.

import { join } from 'node:path';
import type { KmsKeys } from '../lib/adapters/aws/kms/kms-keys.ts';
import { SoftwareKeys } from '../lib/adapters/software-keys.ts';
import { readMacKeys } from '../lib/ca/authority/mac-keys.ts';
import { ConfigError } from '../lib/config/config.ts';
import type { MacKeys } from '../lib/ports/mac-keys.ts';
import type { RaKeys } from '../lib/ports/ra-keys.ts';
import type { Signer } from '../lib/ports/signer.ts';
import type { Store } from '../lib/ports/store.ts';
import type { Env } from './env.ts';

export type Keys = {
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly macKeys: MacKeys;
  /** What only an operator does, where they are in KMS. */
  readonly kms?: Pick<KmsKeys, 'adopt' | 'makeMacKey' | 'close'>;
};

export type KeysEnv = Pick<Env, 'dataDir' | 'sealingKey' | 'deployment'>;

/** The SDK is loaded only where it is used. */
export async function openKeys(
  { dataDir, sealingKey, deployment }: KeysEnv,
  store: Store,
): Promise<Keys> {
  if (sealingKey === undefined) return SoftwareKeys.open(join(dataDir, 'keys'));
  if (deployment === undefined) throw new ConfigError(['SCEPTER_DEPLOYMENT must be set']);
  const { KmsKeys } = await import('../lib/adapters/aws/kms/kms-keys.ts');
  const kms = new KmsKeys({
    deployment,
    sealingKey,
    readMacKeys: (purpose) => readMacKeys(store, purpose),
  });
  const { signer, raKeys, macKeys } = kms;
  return { signer, raKeys, macKeys, kms };
}
