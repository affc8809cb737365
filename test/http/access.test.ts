// Who reads and who is refused is told in events: enough to find it, and never enough to fill the table.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACCESS_EVENTS, ACCESS_TOLD_MS } from '../../lib/base/log-limits.ts';
import type { EventRecord } from '../../lib/ports/records/records.ts';
import { eventIn } from '../support/event-in.ts';
import { type Lab, makeLab, putToken } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';

const told = (store: MemoryStore, type: string) =>
  store
    .dump()
    .flatMap(({ kind, record }) => (kind === 'event' ? [eventIn(record as EventRecord)] : []))
    .filter((event) => event.type === type);

const auditor = 'a'.repeat(52);

async function opened() {
  const store = new MemoryStore();
  const lab = await makeLab({ store });
  await putToken(lab.deps.store, auditor, { name: 'ann', roles: ['auditor'] });
  return { store, lab };
}

const asked = (lab: Lab, path: string, token: string, method = 'GET') =>
  lab.fetch(path, { method, headers: { authorization: `Bearer ${token}` } });

test('reading is told once an hour for each token, with the first query', async () => {
  const { store, lab } = await opened();
  for (const query of ['?search=jane', '?search=joe', '']) {
    assert.equal((await asked(lab, `/api/v1/transactions${query}`, auditor)).status, 200);
  }
  const [event, ...others] = told(store, 'admin.read');
  assert.deepEqual(others, []);
  assert.equal(event?.actor.id, 'ann');
  assert.equal(event?.note, 'GET /api/v1/transactions?search=jane');
  // Another instance has its own memory, and the same records.
  const another = await makeLab({ store });
  await asked(another, '/api/v1/events', auditor);
  assert.equal(told(store, 'admin.read').length, 1);
  lab.clock.at += ACCESS_TOLD_MS;
  await asked(lab, '/api/v1/events', auditor);
  assert.equal(told(store, 'admin.read').length, 2);
});

test('whoever only asks for the status, or changes something, has read nothing', async () => {
  const { store, lab } = await opened();
  assert.equal((await asked(lab, '/api/v1/status', auditor)).status, 200);
  await asked(lab, '/api/v1/simulate', auditor, 'POST');
  assert.equal(told(store, 'admin.read').length, 0);
});

test('what is read and cannot be told is a line of the log', async () => {
  const { store, lab } = await opened();
  store.write = async () => {
    throw new Error('the disk is full');
  };
  assert.equal((await asked(lab, '/api/v1/events', auditor)).status, 200);
  const untold = lab.log.filter(({ event }) => event === 'access.untold');
  assert.deepEqual(
    untold.map(({ detail }) => detail),
    ['the disk is full'],
  );
});

test('refused access is told with the name of the token, if it is one, and of none without the query', async () => {
  const { store, lab } = await opened();
  assert.equal((await asked(lab, '/api/v1/challenges?x=secret', 'b'.repeat(52))).status, 401);
  assert.equal((await asked(lab, '/api/v1/tokens', auditor)).status, 403);
  const [unknown, known, ...others] = told(store, 'admin.refused');
  assert.deepEqual(others, []);
  assert.deepEqual(unknown?.actor, { kind: 'admin' });
  assert.equal(unknown?.note, '401: GET /api/v1/challenges');
  assert.deepEqual(known?.actor, { kind: 'admin', id: 'ann' });
  assert.equal(known?.note, '403: GET /api/v1/tokens');
  await asked(lab, '/api/v1/tokens', auditor);
  assert.equal(told(store, 'admin.refused').length, 2, 'once an hour for each');
});

test('a flood of strangers writes a few events an hour, is refused all the same, and hides no token that is refused', async () => {
  const { store, lab } = await opened();
  for (let i = 0; i < ACCESS_EVENTS + 9; i++) {
    const sent = { hops: [`2001:db8:${i.toString(16)}::1`] };
    assert.equal((await lab.fetch('/api/v1/events', {}, sent)).status, 401);
  }
  assert.equal(told(store, 'admin.refused').length, ACCESS_EVENTS);
  assert.equal((await asked(lab, '/api/v1/tokens', auditor)).status, 403);
  assert.equal((await asked(lab, '/api/v1/challenges', auditor, 'POST')).status, 403);
  const notes = told(store, 'admin.refused').flatMap(({ actor, note }) => (actor.id ? [note] : []));
  assert.deepEqual(notes.sort(), ['403: GET /api/v1/tokens', '403: POST /api/v1/challenges']);
  store.write = async () => {
    throw new Error('the disk is full');
  };
  lab.clock.at += ACCESS_TOLD_MS;
  assert.equal((await asked(lab, '/api/v1/events', 'c'.repeat(52))).status, 401);
});

test('a token that reads from many addresses writes a few events an hour', async () => {
  const { store, lab } = await opened();
  const headers = { authorization: `Bearer ${auditor}` };
  for (let i = 0; i < ACCESS_EVENTS + 9; i++) {
    const hops = [`2001:db8:${i.toString(16)}::${i + 1}`];
    assert.equal((await lab.fetch('/api/v1/events', { headers }, { hops })).status, 200);
  }
  assert.equal(told(store, 'admin.read').length, ACCESS_EVENTS);
});
