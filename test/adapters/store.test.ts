// The contract over the store in memory, which tests use; and what every store is told of times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGone } from '../../lib/ports/records/expiry.ts';
import { dueBefore } from '../../lib/ports/records/places.ts';
import { MemoryCrls, MemoryStore } from '../support/memory-store.ts';
import { crlContract } from './crls.contract.ts';
import { searchContract } from './search.contract.ts';
import { storeContract, transactionRecord } from './store.contract.ts';

storeContract('memory', async () => new MemoryStore());
crlContract('memory', async () => new MemoryCrls());
searchContract('memory', async () => new MemoryStore());
storeContract(
  'memory, interleaved',
  async () => new MemoryStore({ schedule: () => new Promise(setImmediate) }),
);

test('times sort as numbers do, from 1970 on, and an earlier one stands at its beginning', () => {
  const times = [0, 1, 999, 1_000, 1_800_000_000_000];
  assert.deepEqual(times.map(dueBefore).toSorted(), times.map(dueBefore));
  assert.equal(new Set(times.map(dueBefore)).size, times.length);
  assert.equal(dueBefore(-1), dueBefore(0));
});

test('a record that has an end is gone from that moment on, and one that has none is never', () => {
  const refused = transactionRecord('a', { state: 'refused', expiresAt: 5 });
  const waiting = transactionRecord('a', { state: 'pending', expiresAt: 5 });
  assert.deepEqual(
    [4, 5, 6].map((now) => isGone('transaction', refused, now)),
    [false, true, true],
  );
  assert.equal(isGone('transaction', waiting, 6), false);
});
