// `scepter backup` and `scepter restore`: the data folder, its database and its keys, in one file. A running
// server copies its database itself, because no other process can read it; the keys are taken from the folder,
// so that no API hands them out.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { access, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BackupEntry,
  entryOf,
  type Manifest,
  readBackup,
  writeBackup,
} from '../../lib/adapters/backup-file.ts';
import { InUse } from '../../lib/adapters/sqlite/file.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import { Malformed } from '../../lib/base/errors.ts';
import { MAX_PAGE } from '../../lib/base/limits.ts';
import { type Issuer, IssuingCas, openGeneration } from '../../lib/ca/authority/ca-certificates.ts';
import { beginLogsAnew } from '../../lib/ca/log/recover.ts';
import { type LookedThrough, lookThrough } from '../../lib/ca/record/altered-records.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { ownNames } from '../../lib/ca/record/tokens.ts';
import { View } from '../../lib/ca/record/unit-of-work.ts';
import {
  goOnFrom,
  type PublishedCrl,
  readPublished,
  revokeOpenChallenges,
  tellOfBackup,
  tellOfRestore,
  withPartitionsSince,
} from '../../lib/ca/revoke/after-restore.ts';
import { crlNames, crlUrl } from '../../lib/ca/revoke/partitions.ts';
import type {
  Backups,
  MadeBackup,
  MakeOptions,
  RestoredBackup,
  RestoreOptions,
} from '../../lib/cli/backups.ts';
import { CliError } from '../../lib/cli/io.ts';
import type { Config } from '../../lib/config/config.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { loadConfig } from '../config/default-config.ts';
import type { Env } from '../env.ts';
import { type Keys, openKeys } from '../keys.ts';
import { databaseIn, openDatabaseFile, storeOf } from '../node/database.ts';
import { operatorOf } from '../node/operator.ts';
import {
  awaitSnapshot,
  claimSnapshot,
  commitRestore,
  dropLinks,
  dropSnapshots,
  linkLogs,
  requireEmpty,
  snapshotBefore,
  staging,
} from './folder.ts';

const actor = { kind: 'admin', id: ownNames.operator, auth: 'credentials' } as const;
const silent = (): void => {};

export function backupsOf(env: Env): Backups {
  const inFolder = <Given extends readonly unknown[], T>(work: (...given: Given) => Promise<T>) => {
    return async (...given: Given): Promise<T> => {
      if (env.table === undefined) return work(...given);
      throw new CliError(
        'usage',
        `the records are in the DynamoDB table ${env.table}: back it up by the means of AWS (point-in-time recovery), and "scepter ca mac-keys" beside it`,
      );
    };
  };
  return {
    make: inFolder((target, options) => make(env, target, options)),
    restore: inFolder((file, options) => restore(env, file, options)),
  };
}

async function make(
  env: Env,
  target: string,
  { passphrase, askServer, sleep }: MakeOptions,
): Promise<MadeBackup> {
  const { dataDir } = env;
  await required(join(dataDir, 'scepter.db'), `${dataDir} holds no database: set SCEPTER_DATA_DIR`);
  if (env.sealingKey === undefined) {
    const lost = `${join(dataDir, 'keys')} is not whole: restore it from a backup`;
    await required(join(dataDir, 'keys', 'mac-keys.json'), lost);
  }
  await dropSnapshots(dataDir);
  const madeAt = new Date(systemClock.now()).toISOString();
  try {
    const snapshot = await copyOf(env, { askServer, sleep });
    const { records, altered } = await lookInto(env, snapshot);
    const logs = await linkLogs(dataDir);
    const files = await entriesOf(dataDir, snapshot, logs);
    const manifest: Manifest = {
      form: 1,
      release: packageJson.version,
      ...{ madeAt, records, altered: altered.length, files },
    };
    const path = await placeOf(target, madeAt);
    const pathOf = (name: string) =>
      name === 'scepter.db' ? snapshot : (logs.get(name) ?? join(dataDir, name));
    await writeBackup(path, { manifest, pathOf, passphrase });
    await readBackup(path, passphrase);
    const { size } = await stat(path);
    return { path, size, madeAt, records, altered, sealed: passphrase !== undefined };
  } finally {
    await dropSnapshots(dataDir);
    await dropLinks(dataDir);
  }
}

/** Of the database, by its server if there is one. */
async function copyOf(
  env: Env,
  { askServer, sleep }: Pick<MakeOptions, 'askServer' | 'sleep'>,
): Promise<string> {
  const { dataDir } = env;
  const copied = async (): Promise<string> => {
    const database = await openDatabaseFile(dataDir);
    try {
      const store = storeOf(database, await openKeys(env, database), silent);
      await tellOfBackup({ store, clock: systemClock, random: systemRandom }, actor);
      return await database.snapshot();
    } finally {
      database.close();
    }
  };
  const name = await copied().catch(async (error: unknown) => {
    if (!(error instanceof InUse)) throw error;
    const before = await snapshotBefore(dataDir);
    return askServer().catch((unanswered: unknown) => {
      if (!(unanswered instanceof CliError && unanswered.exit === 'remote')) throw unanswered;
      return awaitSnapshot(dataDir, { before, sleep, unanswered });
    });
  });
  return claimSnapshot(dataDir, name);
}

async function lookInto(env: Env, path: string): Promise<Whole> {
  const database = new SqliteStore(path);
  try {
    await requirePairs(join(env.dataDir, 'keys'));
    return await checked(database, await openKeys(env, database));
  } finally {
    database.close();
  }
}

/** The keys are read after the database: every key that it names is among them. */
async function entriesOf(
  dataDir: string,
  snapshot: string,
  logs: ReadonlyMap<string, string>,
): Promise<BackupEntry[]> {
  const keys = await readdir(join(dataDir, 'keys')).catch(() => []);
  const token = await readdir(dataDir).then((all) => all.filter((name) => name === 'token'));
  const names = [...token, ...keys.filter(isKey).map((name) => `keys/${name}`)];
  const others = await Promise.all(names.map((name) => entryOf(name, join(dataDir, name))));
  const published: BackupEntry[] = [];
  for (const [name, path] of logs) published.push(await entryOf(name, path));
  return [...others, ...published, await entryOf('scepter.db', snapshot)];
}
const isKey = (name: string): boolean => /^[A-Za-z0-9][\w.-]*\.(?:p8|spki|json)$/.test(name);

/** In a folder, a name that says when. */
async function placeOf(target: string, madeAt: string): Promise<string> {
  const found = await stat(target).catch(() => undefined);
  if (!found?.isDirectory()) return target;
  return join(target, `scepter-${madeAt.replace(/[:.]/g, '-')}.backup`);
}

async function required(path: string, sentence: string): Promise<void> {
  await access(path).catch(() => {
    throw new CliError('notFound', sentence);
  });
}

async function restore(
  env: Env,
  file: string,
  { passphrase, crls, withoutCrl }: RestoreOptions,
): Promise<RestoredBackup> {
  const { dataDir } = env;
  const config = await loadConfig(env);
  await required(file, `${file} is not there`);
  await requireEmpty(dataDir);
  const folder = staging(dataDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const manifest = await readBackup(file, passphrase, folder).catch((error: unknown) => {
    if (!(error instanceof Malformed)) throw error;
    throw new CliError('verification', `${file} ${error.message}`);
  });
  const database = databaseIn(folder);
  try {
    const keys = await openKeys({ ...env, dataDir: folder }, database);
    await requirePairs(join(folder, 'keys'));
    const { records, altered, issuers } = await checked(database, keys);
    if (records !== manifest.records || altered.length !== manifest.altered) {
      throw new CliError(
        'verification',
        `${file} is not what was backed up: ${altered.length} of its ${records} records do not hold, and ${manifest.altered} of ${manifest.records} did not then`,
      );
    }
    const strange = issuers.find(({ id }) => !config.cas.has(id));
    if (strange) {
      throw new CliError(
        'usage',
        `the backup has the CA "${strange.id}", and the configuration has not: set SCEPTER_CONFIG to the one that its server had`,
      );
    }
    const operator = operatorOf(config, database, keys, silent);
    const ders = crls.map(({ der }) => der);
    const grown: Issuer[] = [];
    for (const one of issuers) grown.push(await withPartitionsSince(operator, one, ders));
    const given = await matched(grown, crls);
    const pairs = [];
    for (const issuer of grown) {
      const published = given.get(issuer.id) ?? new Map<string, PublishedCrl>();
      const lacking: string[] = [];
      for (const name of crlNames(issuer)) {
        const [one, last] = [published.get(name), await operator.crls.newest(name)];
        if (one && last && one.number < last.number) {
          throw new CliError(
            'usage',
            `--crl: CRL ${one.number} of the CA "${issuer.id}" is older than the backup, which has ${last.number}: give the newest one`,
          );
        }
        if (last && !one) lacking.push(name);
      }
      if (lacking.length > 0 && !withoutCrl) throw needsCrl(config, issuer, lacking);
      const known = crlNames(issuer).every((name) => published.has(name));
      pairs.push([issuer, published, known] as const);
    }
    await tellOfRestore(operator, manifest.madeAt, actor);
    // What was published since the backup may be kept by anybody: none of these logs is signed any more.
    await beginLogsAnew(operator, actor);
    const cas = [];
    for (const [issuer, published, known] of pairs) {
      cas.push({ ...(await goOnFrom(operator, issuer, published, actor)), known });
    }
    const challenges = await revokeOpenChallenges({ ...operator, macKeys: keys.macKeys }, actor);
    database.close();
    keys.kms?.close();
    await commitRestore(dataDir);
    return { dataDir, madeAt: manifest.madeAt, records: manifest.records, cas, challenges };
  } catch (error) {
    database.close();
    throw error;
  }
}

type Whole = LookedThrough & { readonly issuers: readonly Issuer[] };

/**
 * Whether the database is whole, which of its records hold, and whether each CA has its keys: they are those of
 * its certificates, and open.
 */
async function checked(database: SqliteStore, { macKeys, signer, raKeys }: Keys): Promise<Whole> {
  database.checkFile();
  const store = guarded(database, macKeys, silent);
  const found = await lookThrough(store, database.everyKey(MAX_PAGE));
  const cas = new IssuingCas({ config: { cas: new Map() }, store, signer, clock: systemClock });
  const issuers: Issuer[] = [];
  for await (const page of database.everyKey(MAX_PAGE)) {
    const view = new View(store);
    const authorities = page.filter(({ kind }) => kind === 'authority');
    await view.load(authorities);
    for (const { key: id } of authorities) {
      const record = view.unaltered('authority', id);
      if (!record || record.chain.length === 0) continue;
      issuers.push(await cas.issuer(id));
      for (const generation of record.generations) {
        if (generation.state !== 'retired') await openGeneration(raKeys, id, generation);
      }
    }
  }
  return { ...found, issuers };
}

/** A private key file must be that of the public one beside it. */
async function requirePairs(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((one) => one.endsWith('.p8'))) {
    const key = createPublicKey({
      key: createPrivateKey({
        key: await readFile(join(folder, name)),
        format: 'der',
        type: 'pkcs8',
      }).export({ format: 'pem', type: 'pkcs8' }),
      format: 'pem',
    });
    const spki = key.export({ format: 'der', type: 'spki' });
    const kept = await readFile(join(folder, name.replace(/p8$/, 'spki')));
    if (!spki.equals(kept)) throw new Error(`${join(folder, name)} does not fit its public key`);
  }
}

/** The CRLs by the CAs that have signed them, and by name. */
async function matched(
  issuers: readonly Issuer[],
  crls: RestoreOptions['crls'],
): Promise<ReadonlyMap<string, Map<string, PublishedCrl>>> {
  const found = new Map(issuers.map(({ id }) => [id, new Map<string, PublishedCrl>()]));
  for (const { name, der } of crls) {
    let owner: string | undefined;
    for (const issuer of issuers) {
      const published = await readPublished(issuer, der);
      if (!published) continue;
      owner = issuer.id;
      const before = found.get(owner)?.get(published.name);
      if (!before || before.number < published.number) {
        found.get(owner)?.set(published.name, published);
      }
    }
    if (owner === undefined) {
      throw new CliError('verification', `--crl: ${name} is not signed by a CA of this backup`);
    }
  }
  return found;
}

const needsCrl = (
  { publicUrl }: Config,
  issuer: Issuer,
  [first = issuer.id, ...others]: readonly string[],
): CliError =>
  new CliError(
    'usage',
    `what the CA "${issuer.id}" has revoked since the backup is told by the newest CRL that it had published: give it with --crl (a copy of ${crlUrl(issuer, publicUrl, first)}${others.length > 0 ? ` and ${others.length} more of its CRLs` : ''}, from a cache, a relying party or the old machine); --without-crl goes on without, and those revocations are lost`,
  );
