// The parts of a function on AWS: records in DynamoDB, CRLs in S3, keys in KMS, the configuration that SCEPTER_CONFIG
// names. Each function states the keys that it uses; the others are refused here, before the policy of its
// role would refuse them.

import { type AwsConnection, clientConfig, RetryQuota } from '../../lib/adapters/aws/aws.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { KmsKeys } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { S3Files } from '../../lib/adapters/aws/s3/files.ts';
import { S3LogFiles } from '../../lib/adapters/aws/s3/log-files.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { errorText, Outage } from '../../lib/base/errors.ts';
import { RA_RELOAD_MS } from '../../lib/base/limits.ts';
import { SingleFlight } from '../../lib/base/single-flight.ts';
import {
  AnsweringCas,
  CaCertificates,
  IssuingCas,
} from '../../lib/ca/authority/ca-certificates.ts';
import { readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { warnOfStaticChallenges } from '../../lib/ca/authorize/by-static-challenge.ts';
import type { ChallengeDeps, Deps, PublishDeps, ServerDeps } from '../../lib/ca/deps.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import type { SequenceDeps } from '../../lib/ca/log/sequence.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import type { Config } from '../../lib/config/config.ts';
import { type Endpoint, everySecret, pageSecrets } from '../../lib/config/endpoint/endpoint.ts';
import type { SecretUse } from '../../lib/config/secret.ts';
import type { Log } from '../../lib/ports/log.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { loadConfig } from '../config/default-config.ts';
import { byName, outsideValidators, secretsOfValidators } from '../config/outside.ts';
import { lookUpSecrets, readStaticSecrets } from '../config/static-secrets.ts';
import { readEnv, setting } from '../env.ts';
import { sequencingWith } from '../keys.ts';

/** What every function has, and the keys, of which each takes what it uses. */
async function open(log: Log, connection?: AwsConnection, quota?: RetryQuota) {
  const env = readEnv();
  const settings = {
    table: setting('SCEPTER_TABLE', env.table),
    bucket: setting('SCEPTER_FILES', env.files),
    logs: setting('SCEPTER_LOGS', env.logs),
    logKey: setting('SCEPTER_LOG_KEY', env.logKey),
    deployment: setting('SCEPTER_DEPLOYMENT', env.deployment),
    sealingKey: setting('SCEPTER_SEALING_KEY', env.sealingKey),
  };
  const { s3Endpoint: endpoint } = env;
  setting('SCEPTER_CONFIG', env.config);
  const config = await loadConfig(env, connection);
  const table = await DynamoStore.open(settings.table, connection, quota);
  const keys = new KmsKeys(
    { ...settings, readMacKeys: (purpose) => readMacKeys(table, purpose) },
    makeKmsClient(clientConfig('kms', connection)),
  );
  const sequencing = sequencingWith(keys.logKey(settings.logKey), {
    files: new S3LogFiles(settings.logs, { connection, endpoint }),
    waiting: table,
  });
  const ports = {
    config,
    store: logged(guarded(table, keys.macKeys, log)),
    logs: sequencing,
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
  const files = new S3Files(settings.bucket, { connection, endpoint });
  const cas = new CaCertificates(ports);
  const keyOf = (id: string) => cas.publicKey(id);
  const crls = new GuardedCrls(files, { keyOf, macKeys: keys.macKeys, log });
  return { deps: { ...ports, cas, crls, issuerFiles: files }, keys, sequencing, files };
}

/**
 * The admin API: no key of a CA or RA.
 * @throws {Error} with a sentence: a setting is missing or wrong, or the table cannot be used
 */
export const openAdministration = async (log: Log): Promise<Deps> => (await open(log)).deps;

/**
 * Puts what has happened into the logs: it has the key of the logs, and none of a CA or RA.
 * @throws {Error} as above
 */
export async function openSequencer(log: Log): Promise<SequenceDeps> {
  const { deps, sequencing } = await open(log);
  return { ...deps, logs: sequencing };
}

/**
 * Challenges for MDMs: it has the MAC keys of challenges and of records, and of a CA what everybody may read of it.
 * @throws {Error} as above
 */
export async function openChallenges(log: Log): Promise<ChallengeDeps> {
  const { deps, files } = await open(log);
  const uses = [...deps.config.endpoints.values()].flatMap(pageSecrets);
  const staticSecrets = readStaticSecrets(uses, await lookUpSecrets(uses));
  return { ...deps, staticSecrets, cas: publishedCas(files) };
}

/** Maintenance: signs CRLs. @throws {Error} as above */
export async function openMaintenance(log: Log): Promise<PublishDeps> {
  const { deps, keys } = await open(log);
  const { signer } = keys;
  return {
    ...{ ...deps, validators: await validatorsIfThere(deps.config, log) },
    ...{ crlSigner: signer, cas: new IssuingCas({ ...deps, signer }) },
  };
}

/** CRLs are published also while no validator can be asked; what waits for one is asked about later. */
async function validatorsIfThere(config: Config, log: Log): Promise<Deps['validators']> {
  try {
    const secrets = await lookUpSecrets(secretsOfValidators(config));
    return await outsideValidators(config, secrets);
  } catch (error) {
    log({ event: 'validators.absent', severity: 'error', detail: errorText(error) });
    return new Map();
  }
}

/**
 * Everything that devices ask for.
 * @param connection by default what the SDK finds in the process's environment
 * @param uses the secrets that it asks for
 * @throws {Error} as above
 */
export async function openService(
  log: Log,
  connection?: AwsConnection,
  uses: (endpoint: Endpoint) => readonly SecretUse[] = everySecret,
): Promise<ServerDeps> {
  const { deps, keys, sequencing } = await open(log, connection, new RetryQuota());
  const { config } = deps;
  const used = [...config.endpoints.values()].flatMap(uses);
  const found = await lookUpSecrets([...used, ...secretsOfValidators(config)], connection);
  const staticSecrets = readStaticSecrets(used, found);
  // A connection of its own is what a Worker has, which reaches hosts by their names only.
  const validators = await outsideValidators(config, found, connection && byName);
  warnOfStaticChallenges(config, log);
  const { signer, raKeys } = keys;
  const cas = new AnsweringCas({ ...deps, signer, raKeys });
  return {
    ...{ ...deps, staticSecrets, validators, signer, crlSigner: signer, raKeys, cas, sequencing },
  };
}

/** Of CAs, what relying parties fetch: its certificate as the file has it. */
function publishedCas(files: Pick<S3Files, 'issuer'>): ChallengeDeps['cas'] {
  const known = new SingleFlight<Certificate>();
  const read = async (id: string): Promise<Certificate> => {
    const der = await files.issuer(id);
    if (der) return readCertificate(der);
    throw new Outage(`the certificate of the CA "${id}" is not among the files yet`);
  };
  return {
    certificate: (id) =>
      known.get(id, () => read(id), { now: systemClock.now(), maxMs: RA_RELOAD_MS }),
  };
}
