// Where the records and the CRLs are: a file in the data folder, or a DynamoDB table and a bucket of S3.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logFolder } from '../../lib/adapters/log-folder.ts';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { SYSTEM_LOG } from '../../lib/base/words.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { checkpointPath } from '../../lib/ca/log/sequence.ts';
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
import { type Env, setting } from '../env.ts';
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
    readonly logFiles: LogFiles;
    close(): void;
  };

export type DatabaseEnv = Pick<Env, 'dataDir' | 'table'> &
  Partial<Pick<Env, 'files' | 's3Endpoint' | 'logs'>>;

/** The SDK is loaded only where it is used. @throws {Error} with a sentence @throws {InUse} */
export async function openDatabase(env: DatabaseEnv): Promise<Database> {
  const { dataDir, table, s3Endpoint: endpoint } = env;
  if (table === undefined) {
    if (env.logs === undefined) return openDatabaseFile(dataDir);
    throw new ConfigError([
      'SCEPTER_LOGS is a bucket for the logs of records in a table: set SCEPTER_TABLE, or leave it out',
    ]);
  }
  const bucket = setting('SCEPTER_FILES', env.files);
  const logs = setting('SCEPTER_LOGS', env.logs);
  const [{ DynamoStore }, { S3Files }, { S3LogFiles }] = await Promise.all([
    import('../../lib/adapters/aws/dynamodb/dynamodb.ts'),
    import('../../lib/adapters/aws/s3/files.ts'),
    import('../../lib/adapters/aws/s3/log-files.ts'),
  ]);
  const store = await DynamoStore.open(table);
  const files = new S3Files(bucket, { endpoint });
  const logFiles = new S3LogFiles(logs, { endpoint });
  const closeStore = store.close.bind(store);
  const close = () => {
    files.close();
    logFiles.close();
    closeStore();
  };
  return Object.assign(store, { crls: files, issuerFiles: files, logFiles, close });
}

/** Guarded; and what happens waits for its log. @param store by default the database itself */
export const storeOf = (
  database: Database,
  { macKeys }: Keys,
  log: Log,
  store: Store = database,
): Store => logged(guarded(store, macKeys, log));

/** A key that is a file is made by the first start. Where there was one, or a log, nothing takes its place. */
export async function logsOf(database: Database, { logKey }: Keys): Promise<Sequencing> {
  const { make, wasMade } = logKey;
  if (make && wasMade && !(await wasMade()) && !(await haveBegun(database))) await make();
  return sequencingWith(logKey, { files: database.logFiles, waiting: database });
}

/** Whether anything was signed: of the records or of the files one may be lost. */
async function haveBegun(database: Database): Promise<boolean> {
  const [head] = await database.read([{ kind: 'logHead', key: SYSTEM_LOG }]);
  return (
    head !== undefined || (await database.logFiles.read(checkpointPath(SYSTEM_LOG))) !== undefined
  );
}

/** The database of a folder as it is, beside the files of its logs. */
export const databaseIn = (dataDir: string): SqliteStore & Pick<Database, 'logFiles'> =>
  Object.assign(new SqliteStore(join(dataDir, 'scepter.db')), {
    logFiles: logFolder(join(dataDir, 'log')),
  });

export async function openDatabaseFile(dataDir: string): Promise<ReturnType<typeof databaseIn>> {
  await settleRestore(dataDir);
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  await chmod(path, 0o600);
  return databaseIn(dataDir);
}
