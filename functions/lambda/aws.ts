// The parts of a function on AWS: records in DynamoDB, CRLs in S3, keys in KMS, the configuration that SCEPTER_CONFIG
// names. Each function states the keys that it uses; the others are refused here, before the policy of its
// role would refuse them.

import { type AwsConnection, clientConfig, RetryQuota } from '../../lib/adapters/aws/aws.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { KmsKeys } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { S3Files } from '../../lib/adapters/aws/s3/files.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import {
  AnsweringCas,
  CaCertificates,
  IssuingCas,
} from '../../lib/ca/authority/ca-certificates.ts';
import { readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { warnOfStaticChallenges } from '../../lib/ca/authorize/by-static-challenge.ts';
import type { Deps, PublishDeps, ServerDeps } from '../../lib/ca/deps.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import { ConfigError } from '../../lib/config/error.ts';
import type { Log } from '../../lib/ports/log.ts';
import { loadConfig } from '../default-config.ts';
import { readEnv } from '../env.ts';
import { lookUpSecrets, readStaticSecrets } from '../static-secrets.ts';

/** What every function has, and the keys, of which each takes what it uses. */
async function open(log: Log, connection?: AwsConnection, quota?: RetryQuota) {
  const env = readEnv();
  const settings = {
    table: setting('SCEPTER_TABLE', env.table),
    bucket: setting('SCEPTER_FILES', env.files),
    deployment: setting('SCEPTER_DEPLOYMENT', env.deployment),
    sealingKey: setting('SCEPTER_SEALING_KEY', env.sealingKey),
  };
  setting('SCEPTER_CONFIG', env.config);
  const config = await loadConfig(env, connection);
  const table = await DynamoStore.open(settings.table, connection, quota);
  const keys = new KmsKeys(
    { ...settings, readMacKeys: (purpose) => readMacKeys(table, purpose) },
    makeKmsClient(clientConfig('kms', connection)),
  );
  const ports = {
    config,
    store: guarded(table, keys.macKeys, log),
    index: table.index,
    macKeys: keys.macKeys,
    validators: new Map(),
    staticSecrets: new Map(),
    clock: systemClock,
    random: systemRandom,
    log,
    served: new ServedCrls(),
    written: new TriedWrites(table, systemClock),
    tally: new Tally(),
  };
  const files = new S3Files(settings.bucket, { connection, endpoint: env.s3Endpoint });
  const cas = new CaCertificates(ports);
  const keyOf = (id: string) => cas.publicKey(id);
  const crls = new GuardedCrls(files, { keyOf, macKeys: keys.macKeys, log });
  return { deps: { ...ports, cas, crls, issuerFiles: files }, keys };
}

/**
 * The admin API: no key of a CA or RA.
 * @throws {Error} with a sentence: a setting is missing or wrong, or the table cannot be used
 */
export const openAdministration = async (log: Log): Promise<Deps> => (await open(log)).deps;

/** Maintenance: signs CRLs. @throws {Error} as above */
export async function openMaintenance(log: Log): Promise<PublishDeps> {
  const { deps, keys } = await open(log);
  const { signer } = keys;
  return { ...deps, crlSigner: signer, cas: new IssuingCas({ ...deps, signer }) };
}

/**
 * Everything that devices ask for.
 * @param connection by default what the SDK finds in the process's environment
 * @throws {Error} as above
 */
export async function openService(log: Log, connection?: AwsConnection): Promise<ServerDeps> {
  const { deps, keys } = await open(log, connection, new RetryQuota());
  const staticSecrets = readStaticSecrets(
    deps.config,
    await lookUpSecrets(deps.config, connection),
  );
  warnOfStaticChallenges(deps.config, log);
  const { signer, raKeys } = keys;
  const cas = new AnsweringCas({ ...deps, signer, raKeys });
  return { ...deps, staticSecrets, signer, crlSigner: signer, raKeys, cas };
}

function setting(name: string, value: string | undefined): string {
  if (value === undefined) throw new ConfigError([`${name} must be set`]);
  return value;
}
