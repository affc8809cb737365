// The day of `api.contract.ts` over the store of this machine; `npm run test:dynamodb` has another, and what a
// store in memory does with each list and search is in the other tests here.

import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { temporary } from '../support/process.ts';
import { apiContract } from './api.contract.ts';

apiContract('SQLite', async () => new SqliteStore(join(temporary('api'), 'scepter.db')));
