// What the functions of AWS are made of: records in DynamoDB, keys in KMS, the configuration that
// SCEPTER_CONFIG names. Each says which keys it uses; the others refuse here already, before the policy
// of its role does.

import { type AwsConnection, clientConfig } from '../lib/adapters/aws.ts';
import { DynamoStore } from '../lib/adapters/dynamodb.ts';
import { KmsKeys } from '../lib/adapters/kms-keys.ts';
import { makeClient } from '../lib/adapters/kms-keys-calls.ts';
import { systemClock, systemRandom } from '../lib/adapters/system.ts';
import { warnOfStaticChallenges } from '../lib/ca/by-static-challenge.ts';
import { CaCertificates } from '../lib/ca/ca-certificates.ts';
import type { Deps } from '../lib/ca/deps.ts';
import { readMacKeys } from '../lib/ca/mac-keys.ts';
import { Tally } from '../lib/ca/tally.ts';
import { ConfigError } from '../lib/config.ts';
import { Outage } from '../lib/errors.ts';
import type { Log } from '../lib/ports/log.ts';
import type { RaKeys } from '../lib/ports/ra-keys.ts';
import type { Signer } from '../lib/ports/signer.ts';
import { loadConfig } from './default-config.ts';
import { readEnv } from './env.ts';
import { readStaticSecrets } from './static-secrets.ts';

const refuse = (): Promise<never> =>
  Promise.reject(new Outage('this function may not use that key of a CA or RA'));
const noSigner: Signer = { create: refuse, publicKey: refuse, sign: refuse };
const noRaKeys: RaKeys = { generate: refuse, unseal: refuse };

export type Uses = { readonly caKeys: boolean; readonly raKeys: boolean };

/**
 * @param connection by default what the SDK finds in the process's environment
 * @throws {Error} with a sentence: a setting is missing or wrong, or the table cannot be used
 */
export async function openAws(uses: Uses, log: Log, connection?: AwsConnection): Promise<Deps> {
  const env = readEnv();
  const settings = {
    table: setting('SCEPTER_TABLE', env.table),
    deployment: setting('SCEPTER_DEPLOYMENT', env.deployment),
    sealingKey: setting('SCEPTER_SEALING_KEY', env.sealingKey),
  };
  setting('SCEPTER_CONFIG', env.config);
  const config = await loadConfig(env, connection);
  const staticSecrets = uses.raKeys ? readStaticSecrets(config) : new Map();
  if (uses.raKeys) warnOfStaticChallenges(config, log);
  const store = await DynamoStore.open(settings.table, connection);
  const keys = new KmsKeys(
    { ...settings, readMacKeys: (purpose) => readMacKeys(store, purpose) },
    makeClient(clientConfig('kms', connection)),
  );
  const keyless = !uses.caKeys && !uses.raKeys ? ({ keyless: true } as const) : {};
  const ports = {
    ...keyless,
    config,
    store,
    crls: store,
    signer: uses.caKeys ? keys.signer : noSigner,
    raKeys: uses.raKeys ? keys.raKeys : noRaKeys,
    macKeys: keys.macKeys,
    validators: new Map(),
    staticSecrets,
    clock: systemClock,
    random: systemRandom,
    log,
    tally: new Tally(),
  };
  return { ...ports, cas: new CaCertificates(ports) };
}

function setting(name: string, value: string | undefined): string {
  if (value === undefined) throw new ConfigError([`${name} must be set`]);
  return value;
}
