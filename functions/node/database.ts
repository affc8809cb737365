// Where the records and the CRLs are: a file in the data folder, or a DynamoDB table and a bucket of S3.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logFolder } from '../../lib/adapters/log-folder.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { ConfigError } from '../../lib/config/error.ts';
import type { CrlStore, IssuerFiles } from '../../lib/ports/crls.ts';
import type { Log } from '../../lib/ports/log.ts';
import type { LogFiles, Sequencing, WaitingEvents } from '../../lib/ports/log-files.ts';
import type { Expiring } from '../../lib/ports/records/expiry.ts';
import type { SearchIndex } from '../../lib/ports/search-index.ts';
import type { Snapshots } from '../../lib/ports/snapshots.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Writing } from '../../lib/ports/writing.ts';
import { settleRestore } from '../backup/folder.ts';
import type { Env } from '../env.ts';
import { type Keys, sequencingWith } from '../keys.ts';

export type Database = Store &
  Writing &
  WaitingEvents &
  Partial<Expiring> &
  Partial<Snapshots> & {
    readonly index: SearchIndex;
    readonly crls: CrlStore;
    /** Absent where this process serves them itself. */
    readonly issuerFiles?: IssuerFiles;
    /** Absent where no logs are kept. */
    readonly logFiles?: LogFiles;
    close(): void;
  };

export type DatabaseEnv = Pick<Env, 'dataDir' | 'table'> &
  Partial<Pick<Env, 'files' | 's3Endpoint' | 'logs'>>;

/** The SDK is loaded only where it is used. @throws {Error} with a sentence @throws {InUse} */
export async function openDatabase(env: DatabaseEnv): Promise<Database> {
  const { dataDir, table, files: bucket, s3Endpoint: endpoint, logs } = env;
  if (table === undefined) return openDatabaseFile(dataDir);
  if (bucket === undefined) {
    throw new ConfigError(['SCEPTER_FILES must be set: the S3 bucket that has the CRLs']);
  }
  const [{ DynamoStore }, { S3Files }, { S3LogFiles }] = await Promise.all([
    import('../../lib/adapters/aws/dynamodb/dynamodb.ts'),
    import('../../lib/adapters/aws/s3/files.ts'),
    import('../../lib/adapters/aws/s3/log-files.ts'),
  ]);
  const store = await DynamoStore.open(table);
  const files = new S3Files(bucket, { endpoint });
  const logFiles = logs === undefined ? undefined : new S3LogFiles(logs, { endpoint });
  const closeStore = store.close.bind(store);
  const close = () => {
    files.close();
    logFiles?.close();
    closeStore();
  };
  const more = { crls: files, issuerFiles: files, ...(logFiles ? { logFiles } : {}) };
  return Object.assign(store, more, { close });
}

/** Guarded; and what happens waits for the logs, where they are kept. @param store by default the database itself */
export function storeOf(database: Database, keys: Keys, log: Log, store: Store = database): Store {
  const believed = guarded(store, keys.macKeys, log);
  return database.logFiles && keys.logKey ? logged(believed) : believed;
}

/** Undefined where they are not kept. A key that is a file is made by the first start. */
export async function logsOf(database: Database, keys: Keys): Promise<Sequencing | undefined> {
  const { logFiles: files } = database;
  const { logKey, kms } = keys;
  if (!logKey || !files) return undefined;
  if (!kms) await logKey.publicKey();
  return sequencingWith(logKey, { files, waiting: database });
}

type DatabaseFile = SqliteStore & { readonly logFiles: LogFiles };

/** The database of a folder as it is, beside the files of its logs. */
export const databaseIn = (dataDir: string): DatabaseFile =>
  Object.assign(new SqliteStore(join(dataDir, 'scepter.db')), {
    logFiles: logFolder(join(dataDir, 'log')),
  });

export async function openDatabaseFile(dataDir: string): Promise<DatabaseFile> {
  await settleRestore(dataDir);
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  await chmod(path, 0o600);
  return databaseIn(dataDir);
}
