// Puts a long-running server together. The embedded default has SQLite and software keys in one folder; its
// first start makes the CAs, and later ones find them. The records may be in a DynamoDB table instead and the
// keys in KMS: then an operator has made the CAs, and a CA with a problem does not affect the others.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { errorText } from '../../lib/base/errors.ts';
import { disagreements, warnOfDisagreements } from '../../lib/ca/authority/as-made.ts';
import { type AnsweringCa, AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { initCa } from '../../lib/ca/authority/init-ca.ts';
import { warnOfStaticChallenges } from '../../lib/ca/authorize/by-static-challenge.ts';
import type { AdminDeps, LifecycleDeps, Operator, ServerDeps } from '../../lib/ca/deps.ts';
import { casOfJobs } from '../../lib/ca/jobs.ts';
import { Metrics } from '../../lib/ca/metrics.ts';
import { sampleCa, uncertifiable } from '../../lib/ca/policy/certifiable.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import type { Config } from '../../lib/config/config.ts';
import { everySecret } from '../../lib/config/endpoint/endpoint.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { countedLog } from '../../lib/http/metrics.ts';
import type { Log } from '../../lib/ports/log.ts';
import type { Sequencing } from '../../lib/ports/log-files.ts';
import { outsideValidators, secretsOfValidators } from '../config/outside.ts';
import { lookUpSecrets, readStaticSecrets } from '../config/static-secrets.ts';
import { ceremonies, type Keys, type KeysEnv, openKeys, requireTogether } from '../keys.ts';
import { keepToken, readToken, replaceToken } from './admin-token.ts';
import { type Database, type DatabaseEnv, logsOf, openDatabase, storeOf } from './database.ts';

export type Embedded = {
  readonly deps: ServerDeps & Pick<AdminDeps, 'operator'>;
  /** CAs made by this start, or for this configuration. */
  readonly made: readonly string[];
  /** CAs that have a CRL: also those that the configuration does not name any more. */
  readonly served: readonly string[];
  /** The same over another configuration: it shares the database and the keys. */
  readonly configured: (config: Config) => Promise<Embedded>;
  readonly close: () => void;
};

export async function openEmbedded(
  env: KeysEnv & DatabaseEnv,
  config: Config,
  plainLog: Log,
): Promise<Embedded> {
  const { dataDir, table } = env;
  const tokenPath = join(dataDir, 'token');
  // What can be found wrong before anything is made.
  const token = await readToken(tokenPath);
  await requireCertifiable(config);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const database = await openDatabase(env);
  const keys = await openKeys(env, database);
  const metrics = new Metrics(systemClock);
  const log = countedLog(metrics, plainLog);
  const kept = {
    ...{ tally: new Tally(), served: new ServedCrls(), metrics },
    written: new TriedWrites(database, systemClock),
  };
  const configured = async (document: Config): Promise<Embedded> => {
    await requireCertifiable(document);
    return begin(document);
  };
  const begin = async (document: Config): Promise<Embedded> => {
    const secrets = await lookUpSecrets(secretsOfValidators(document));
    const validators = await outsideValidators(document, secrets);
    const deps = depsOf(document, validators, { database, keys, kept, log, logs });
    warnOfStaticChallenges(document, log);
    const { signer, raKeys, kms } = keys;
    const made = kms ? await look(deps) : await makeAll({ ...deps, signer, raKeys });
    await requireCertifiable(document, (id) => deps.cas.of(id).catch(() => undefined));
    await warnOfDisagreements(deps);
    const served = await casOfJobs(deps);
    // One process has the file of the database: what an operator does goes through it.
    const operator = table === undefined ? { operator: operating(deps, keys, tokenPath) } : {};
    const close = () => database.close();
    return { deps: { ...deps, ...operator }, made, served, configured, close };
  };
  const store = storeOf(database, keys, log);
  const logs = await logsOf(database, keys);
  await requireTogether(keys, store, { dataDir, cas: config.cas.keys() });
  // Before the first CA is made: it shows later that the database is of these keys.
  const ports = { store, clock: systemClock, random: systemRandom };
  await keepToken({ path: tokenPath, token }, ports);
  return begin(config);
}

type Opened = {
  readonly database: Database;
  readonly keys: Keys;
  /** What an instance remembers whatever its configuration is. */
  readonly kept: Pick<ServerDeps, 'tally' | 'served' | 'written' | 'metrics'>;
  readonly log: Log;
  readonly logs: Sequencing;
};

function depsOf(
  config: Config,
  validators: ServerDeps['validators'],
  { database, keys, kept, log, logs }: Opened,
): ServerDeps {
  const { raKeys, macKeys } = keys;
  const { metrics } = kept;
  const signer = metrics?.signer(keys.signer) ?? keys.signer;
  const watched = kept.written.watching(metrics?.store(database) ?? database);
  const store = storeOf(database, keys, log, watched);
  const cas = new AnsweringCas({ config, store, signer, raKeys, clock: systemClock });
  const keyOf = (id: string) => cas.publicKey(id);
  const crls = new GuardedCrls(database.crls, { keyOf, macKeys, log });
  return {
    ...{ config, store, index: database.index, crls, cas, log },
    ...{ signer, crlSigner: signer, raKeys, macKeys },
    ...{ logs, sequencing: logs },
    validators,
    staticSecrets: readStaticSecrets([...config.endpoints.values()].flatMap(everySecret)),
    ...(database.issuerFiles ? { issuerFiles: database.issuerFiles } : {}),
    ...(database.expire ? { expiring: { expire: database.expire.bind(database) } } : {}),
    ...(database.snapshot ? { snapshots: { snapshot: database.snapshot.bind(database) } } : {}),
    clock: systemClock,
    random: systemRandom,
    ...kept,
  };
}

function operating(deps: ServerDeps, keys: Keys, tokenPath: string): Operator {
  const { signer, raKeys, kms } = keys;
  return {
    ...{ ...deps, ...ceremonies(keys), signer, raKeys, alone: true },
    replaceTokenFile: (actor) => replaceToken(tokenPath, deps, actor),
    reload: () => {
      deps.cas.reload();
      kms?.reload();
    },
  };
}

/**
 * Makes the CAs that are missing, but for one that may be missing because it has another name.
 * @returns the names of those that were made
 */
async function makeAll(deps: ServerDeps & LifecycleDeps): Promise<string[]> {
  const made: string[] = [];
  const usable: string[] = [];
  const found = await disagreements(deps);
  const apart = new Set(found.filter(({ goesOn }) => !goesOn).map(({ ca }) => ca));
  for (const authority of deps.config.cas.values()) {
    if (apart.has(authority.id)) continue;
    const state = await initCa(deps, authority);
    if (state === 'done') made.push(authority.id);
    if (state !== 'waiting') usable.push(authority.id);
  }
  // Loading a CA reads the keys of all others, so all are made first.
  for (const id of usable) await keepCrls(deps, await deps.cas.of(id));
  return made;
}

async function look(deps: ServerDeps): Promise<string[]> {
  for (const id of deps.config.cas.keys()) {
    try {
      await keepCrls(deps, await deps.cas.of(id));
    } catch (error) {
      const detail = errorText(error);
      deps.log({ event: 'start.ca', severity: 'error', ca: id, detail });
    }
  }
  return [];
}

/**
 * @param caOf the CA that there is; a sample of its kind stands for one that is yet to be made
 * @throws {ConfigError} for a profile of which there could be no certificate
 */
async function requireCertifiable(
  config: Config,
  caOf: (id: string) => Promise<AnsweringCa | undefined> = async () => undefined,
): Promise<void> {
  const problems: string[] = [];
  for (const authority of config.cas.values()) {
    const ca = await caOf(authority.id);
    problems.push(...(await uncertifiable(config, ca ?? sampleCa(authority), ca?.templates)));
  }
  if (problems.length > 0) throw new ConfigError(problems);
}
