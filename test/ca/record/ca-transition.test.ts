// The arrows of the shared design ("Issuance", States), those between two approvers among them: these, and no other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TIMELINE } from '../../../lib/base/limits.ts';
import { transactionStates } from '../../../lib/base/words.ts';
import { moved, transitions } from '../../../lib/ca/record/transition.ts';

/** state, event, next state */
const arrows = [
  'begin pend pending',
  'begin defer approved',
  'begin intend intended',
  'begin refuse refused',
  'pending vote pending',
  'pending approve approved',
  'pending deny denied',
  'pending expire expired',
  'approved approve approved',
  'approved intend intended',
  'approved deny denied',
  'approved expire expired',
  'intended intend intended',
  'intended sign signed',
  'intended issue issued',
  'intended void voided',
  'intended reopen approved',
  'signed issue issued',
  'signed revoke revoked',
  'issued revoke revoked',
];

test('the table of transitions has the arrows of the design and no other', () => {
  const table = Object.entries(transitions).flatMap(([state, events]) =>
    Object.entries(events).map(([event, next]) => `${state} ${event} ${next}`),
  );
  assert.deepEqual(table, arrows);
  assert.deepEqual(Object.keys(transitions).sort(), ['begin', ...transactionStates].sort());
});

test('every arrow gives a Transaction its next state and one line more in its timeline', () => {
  for (const arrow of arrows) {
    const [state, event, next] = arrow.split(' ');
    // What the types allow is what the table has.
    const given = { state, timeline: [] } as unknown as Parameters<
      typeof moved<'pending', 'deny'>
    >[0];
    const after = moved(given, event as 'deny', 7, { by: 'somebody', from: '192.0.2.9' });
    const timeline = [{ at: 7, state: next, by: 'somebody', from: '192.0.2.9' }];
    assert.deepEqual(after, { state: next, timeline }, arrow);
  }
});

test('a state that is an end has no event, and each state can be reached from the beginning', () => {
  const ends = Object.entries(transitions).filter(([, events]) => Object.keys(events).length === 0);
  const names = ends.map(([state]) => state);
  assert.deepEqual(names, ['denied', 'expired', 'voided', 'revoked', 'refused']);
  const reached = new Set<keyof typeof transitions>(['begin']);
  for (const state of reached)
    for (const next of Object.values(transitions[state])) reached.add(next);
  assert.equal(reached.size, transactionStates.length + 1);
});

test('a timeline keeps its last lines', () => {
  const full = Array.from(
    { length: MAX_TIMELINE },
    (_, at) => ({ at, state: 'intended' }) as const,
  );
  const { timeline } = moved({ state: 'intended', timeline: full }, 'intend', 999);
  assert.equal(timeline.length, MAX_TIMELINE);
  assert.deepEqual([timeline[0]?.at, timeline.at(-1)], [1, { at: 999, state: 'intended' }]);
});
