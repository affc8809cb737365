// The uses of one challenge in one write: a store takes one action on a record.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draft, View } from '../../../lib/ca/record/unit-of-work.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const draft = () => new Draft(new View(new MemoryStore()));
const take = { transaction: 'taker', requestHash: 'hash', now: 1 };
const about = { do: 'use', kind: 'challenge', key: 'c' } as const;

test('uses that several attempts give back, and the one that is taken then, are one action', () => {
  const one = draft();
  one.use('c', { free: ['a'] });
  one.use('c', { free: ['b'] });
  assert.deepEqual(one.actions, [{ ...about, free: ['a', 'b'] }]);
  one.use('c', { take, clear: ['d'] });
  assert.deepEqual(one.actions, [{ ...about, take, clear: ['d'], free: ['a', 'b'] }]);
});

test('uses of two challenges are two actions', () => {
  const one = draft();
  one.use('c', { take });
  one.use('other', { fail: true });
  assert.deepEqual(one.actions, [
    { ...about, take },
    { ...about, key: 'other', fail: true },
  ]);
});

test('a write that uses a challenge in two ways that do not meet is a programming error', () => {
  const error = { name: 'TypeError', message: 'one write uses a challenge twice' };
  for (const [first, second] of [
    [{ take }, { take }],
    [{ take }, { free: ['a'] }],
    [{ free: ['a'] }, { fail: true }],
    [{ fail: true }, { take }],
    [{ fail: true }, { fail: true }],
  ] as const) {
    const one = draft();
    one.use('c', first);
    assert.throws(() => one.use('c', second), error);
  }
});

test('a record that was never asked for is a programming error, and no absent one', async () => {
  const view = new View(new MemoryStore());
  const unread = { name: 'TypeError', message: 'request k has not been read' };
  for (const look of [
    () => view.get('request', 'k'),
    () => view.row('request', 'k'),
    () => view.rev('request', 'k'),
    () => view.unaltered('request', 'k'),
  ]) {
    assert.throws(look, unread);
  }
  await view.load([{ kind: 'request', key: 'k' }]);
  assert.deepEqual([view.get('request', 'k'), view.rev('request', 'k')], [undefined, 0]);
});
