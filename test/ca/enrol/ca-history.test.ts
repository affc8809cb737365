// Random histories over the stores (shared design, "How it is tested"); `npm run test:history` is for
// longer ones. A failure names its seed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { history } from '../../history/history.ts';
import { memory, sqlite } from '../../history/stores.ts';

const operations = 150;

describe('enrol, repeat, renew, poll, approve, deny, revoke, sweep at once, with faults and deaths', () => {
  for (const seed of ['1', '2', '3']) {
    test(`every promise is kept: memory, one step at a time, seed ${seed}`, async () => {
      await history({ seed, operations, order: 'seeded', open: memory });
    });
  }

  test('every promise is kept: SQLite, one step at a time', async () => {
    await history({ seed: 'sqlite', operations, order: 'seeded', open: sqlite });
  });

  test('every promise is kept: SQLite, all at once', async () => {
    await history({ seed: 'sqlite', operations, order: 'free', open: sqlite });
  });

  test('the same seed is the same history', async () => {
    const run = (seed: string) => history({ seed, operations: 60, order: 'seeded', open: memory });
    const [one, same, other] = [await run('a'), await run('a'), await run('b')];
    assert.deepEqual(same, one);
    assert.notDeepEqual(other.transcript, one.transcript);
    assert.ok(one.transcript.length > 30);
  });
});
