// Whether the store takes writes: tried seldom, because anybody may ask, and known soon after it has changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outage } from '../../../lib/base/errors.ts';
import { WRITE_FAILED_MS, WRITE_TRIED_MS } from '../../../lib/base/limits.ts';
import { TriedWrites } from '../../../lib/ca/record/written.ts';
import { ok } from '../../support/api.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';

function bench() {
  const state = { tries: 0, full: false };
  const writing = {
    tryWrite: async () => {
      state.tries++;
      if (state.full) throw new Outage('the disk is full');
    },
  };
  return { state, writing };
}

test('a store that takes writes is tried once a minute, however often and by however many it is asked', async () => {
  const { state, writing } = bench();
  const clock = { at: 1_000_000, now: () => clock.at, sleep: async () => {} };
  const written = new TriedWrites(writing, clock);
  const all = await Promise.all([1, 2, 3].map(() => written.trouble()));
  assert.deepEqual([all, state.tries], [[undefined, undefined, undefined], 1]);
  clock.at += WRITE_TRIED_MS - 1;
  await written.trouble();
  assert.equal(state.tries, 1);
  clock.at += 1;
  await written.trouble();
  assert.equal(state.tries, 2);
});

test('a store that takes no writes is tried again after seconds, and no more often', async () => {
  const { state, writing } = bench();
  const clock = { at: 1_000_000, now: () => clock.at, sleep: async () => {} };
  const written = new TriedWrites(writing, clock);
  state.full = true;
  for (let i = 0; i < 3; i++) assert.equal((await written.trouble())?.message, 'the disk is full');
  assert.equal(state.tries, 1);
  state.full = false;
  clock.at += WRITE_FAILED_MS;
  assert.equal(await written.trouble(), undefined);
  assert.equal(state.tries, 2);
});

test('a write that fails is no longer said to be taken, and is tried again once', async () => {
  const { state, writing } = bench();
  const clock = { at: 1_000_000, now: () => clock.at, sleep: async () => {} };
  const written = new TriedWrites(writing, clock);
  const memory = new MemoryStore();
  const store = written.watching({
    read: (keys) => memory.read(keys),
    list: (query) => memory.list(query),
    write: async () => {
      await writing.tryWrite();
      return 'done';
    },
  });
  assert.equal(await written.trouble(), undefined);
  state.full = true;
  for (let i = 0; i < 3; i++) {
    await assert.rejects(store.write([]), Outage);
    assert.equal((await written.trouble())?.message, 'the disk is full');
  }
  assert.equal(state.tries, 1 + 3 + 1, 'one of them is the try');
});

test('status and /readyz say that nothing can be written, and why; what only reads goes on', async () => {
  const { state, writing } = bench();
  const lab = await makeLab({ writing });
  state.full = true;
  const status = await ok(lab, 'GET', '/status');
  assert.deepEqual(
    [status.store, status.warnings],
    [{ reachable: true, writable: false }, ['nothing can be written: the disk is full']],
  );
  assert.deepEqual(
    lab.log.filter(({ event }) => event === 'status.written'),
    [{ event: 'status.written', severity: 'error', detail: 'the disk is full' }],
  );
  assert.equal((await lab.fetch('/readyz')).status, 503);
  assert.equal((await lab.fetch('/crl/default.crl')).status, 200);
  state.full = false;
  lab.clock.at += WRITE_FAILED_MS;
  assert.equal((await lab.fetch('/readyz')).status, 200);
  assert.deepEqual((await ok(lab, 'GET', '/status')).warnings, []);
  assert.equal(state.tries, 2);
});
