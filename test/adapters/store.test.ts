// The contract over the store in memory, which tests use.

import { MemoryStore } from '../support/memory-store.ts';
import { searchContract } from './search.contract.ts';
import { storeContract } from './store.contract.ts';

storeContract('memory', async () => new MemoryStore());
searchContract('memory', async () => new MemoryStore());
storeContract(
  'memory, interleaved',
  async () => new MemoryStore({ schedule: () => new Promise(setImmediate) }),
);
