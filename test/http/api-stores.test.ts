// The day of `api.contract.ts` over the stores of this machine; `npm run test:dynamodb` has another.

import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { temporary } from '../support/process.ts';
import { apiContract } from './api.contract.ts';

apiContract('memory, interleaved', async () => {
  return new MemoryStore({ schedule: () => new Promise(setImmediate) });
});
apiContract('SQLite', async () => new SqliteStore(join(temporary('api'), 'scepter.db')));
