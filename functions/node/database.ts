// Where the records and the CRLs are: a file in the data folder, or a DynamoDB table and a bucket of S3.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logFolder } from '../../lib/adapters/log-folder.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { logKey } from '../../lib/events/note.ts';
import type { CrlStore, IssuerFiles } from '../../lib/ports/crls.ts';
import type { Log } from '../../lib/ports/log.ts';
import type { Logs } from '../../lib/ports/log-files.ts';
import type { Expiring } from '../../lib/ports/records/expiry.ts';
import type { SearchIndex } from '../../lib/ports/search-index.ts';
import type { Snapshots } from '../../lib/ports/snapshots.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Writing } from '../../lib/ports/writing.ts';
import { settleRestore } from '../backup/folder.ts';
import type { Env } from '../env.ts';
import type { Keys } from '../keys.ts';

export type Database = Store &
  Writing &
  Partial<Expiring> &
  Partial<Snapshots> & {
    readonly index: SearchIndex;
    readonly crls: CrlStore;
    /** Absent where this process serves them itself. */
    readonly issuerFiles?: IssuerFiles;
    close(): void;
  };

export type DatabaseEnv = Pick<Env, 'dataDir' | 'table'> &
  Partial<Pick<Env, 'files' | 's3Endpoint'>>;

/** The SDK is loaded only where it is used. @throws {Error} with a sentence @throws {InUse} */
export async function openDatabase(env: DatabaseEnv): Promise<Database> {
  const { dataDir, table, files: bucket, s3Endpoint: endpoint } = env;
  if (table === undefined) return openDatabaseFile(dataDir);
  if (bucket === undefined) {
    throw new ConfigError(['SCEPTER_FILES must be set: the S3 bucket that has the CRLs']);
  }
  const [{ DynamoStore }, { S3Files }] = await Promise.all([
    import('../../lib/adapters/aws/dynamodb/dynamodb.ts'),
    import('../../lib/adapters/aws/s3/files.ts'),
  ]);
  const store = await DynamoStore.open(table);
  const files = new S3Files(bucket, { endpoint });
  const closeStore = store.close.bind(store);
  const close = () => {
    files.close();
    closeStore();
  };
  return Object.assign(store, { crls: files, issuerFiles: files, close });
}

/** The key of the logs that a process with this database keeps: a file, beside keys in files. Undefined: it keeps none. */
const keyOfLogs = (database: Database, { logKey }: Keys): Keys['logKey'] =>
  database.snapshot && logKey;

/** Guarded; and what happens waits for the logs, where they are kept. @param store by default the database itself */
export function storeOf(database: Database, keys: Keys, log: Log, store: Store = database): Store {
  const believed = guarded(store, keys.macKeys, log);
  return keyOfLogs(database, keys) ? logged(believed) : believed;
}

/** Undefined where they are not kept. */
export async function logsOf(
  dataDir: string,
  database: Database,
  keys: Keys,
): Promise<Logs | undefined> {
  const key = keyOfLogs(database, keys);
  if (!key) return undefined;
  const files = logFolder(join(dataDir, 'log'));
  return { files, key: logKey(await key.publicKey()), sign: key.sign };
}

export async function openDatabaseFile(dataDir: string): Promise<SqliteStore> {
  await settleRestore(dataDir);
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  await chmod(path, 0o600);
  return new SqliteStore(path);
}
