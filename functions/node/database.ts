// Where the records are: a file in the data folder, or a DynamoDB table.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import type { CrlStore } from '../../lib/ports/crls.ts';
import type { Expiring } from '../../lib/ports/records/expiry.ts';
import type { SearchIndex } from '../../lib/ports/search-index.ts';
import type { Snapshots } from '../../lib/ports/snapshots.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Writing } from '../../lib/ports/writing.ts';
import { settleRestore } from '../backup/folder.ts';

export type Database = Store &
  CrlStore &
  Writing &
  Partial<Expiring> &
  Partial<Snapshots> & { readonly index: SearchIndex; close(): void };

export async function openDatabaseFile(dataDir: string): Promise<SqliteStore> {
  await settleRestore(dataDir);
  const path = join(dataDir, 'scepter.db');
  // SQLite gives the files beside this one the mode of this one.
  await writeFile(path, '', { flag: 'a', mode: 0o600 });
  await chmod(path, 0o600);
  return new SqliteStore(path);
}

/** The SDK is loaded only where it is used. */
export async function openTable(table: string): Promise<Database> {
  const { DynamoStore } = await import('../../lib/adapters/aws/dynamodb/dynamodb.ts');
  return DynamoStore.open(table);
}
