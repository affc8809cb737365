// Events over the admin API: by time, type, Transaction and certificate; page by page, or all as lines.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import { MAX_PAGE } from '../../lib/base/limits.ts';
import { eventText, makeEvent } from '../../lib/events/event.ts';
import type { EventRecord } from '../../lib/ports/records/records.ts';
import { type Body, call, pages } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { random } from '../support/messages.ts';
import { held, world } from '../support/world.ts';

const listed = async (lab: Lab, query = ''): Promise<Body[]> =>
  (await pages(lab, `/events${query}`, 'events')).flat();

async function lines(lab: Lab, query = '') {
  const response = await lab.fetch(`/api/v1/events${query}`, {
    headers: { authorization: `Bearer ${lab.adminToken}`, accept: 'application/x-ndjson' },
  });
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  return response;
}

async function many(count: number) {
  const store = new MemoryStore();
  const lab = await makeLab({ store });
  const from = lab.clock.at - count;
  for (let i = 0; i < count; i++) {
    const fields = { type: 'admin.acted', actor: { kind: 'system' }, number: i } as const;
    const { id, body } = makeEvent(from + i, random(34), fields);
    await lab.deps.store.write([{ do: 'put', kind: 'event', key: id, rev: 0, record: { body } }]);
  }
  return { store, lab, from };
}

describe('GET /events', () => {
  test('events come oldest first, as they were written, each once', async () => {
    const w = await world();
    await held(w, await deviceKey('events'));
    await listed(w.lab);
    const bodies = w.store
      .dump()
      .filter(({ kind }) => kind === 'event')
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ record }) => JSON.parse(eventText(record as EventRecord)));
    assert.ok(bodies.length >= 5);
    assert.deepEqual(await listed(w.lab), bodies);
    assert.deepEqual(await listed(w.lab, '?limit=2'), bodies);
  });

  test('events are selected between two times, the first inclusive and the second not', async () => {
    const { lab, from } = await many(20);
    const numbers = async (query: string) =>
      (await listed(lab, query)).flatMap(({ number, type }) =>
        type === 'admin.acted' ? [number] : [],
      );
    const at = (i: number): string => new Date(from + i).toISOString();
    assert.deepEqual(await numbers(`?from=${at(3)}&until=${at(6)}`), [3, 4, 5]);
    assert.deepEqual(await numbers(`?from=${at(3)}&until=${at(6)}&limit=1`), [3, 4, 5]);
    assert.deepEqual(await numbers(`?until=${at(2)}`), [0, 1]);
    assert.deepEqual(await numbers(`?from=${at(18)}`), [18, 19]);
    for (const time of ['0000-01-01', '9999-12-31T23:59:59.999Z', '1969-01-01']) {
      assert.equal((await call(lab, 'GET', `/events?from=${time}`)).status, 200, time);
    }
    for (const time of ['', 'yesterday', '2030-13-01', '2030-02-30T25:00:00Z', '1e9']) {
      assert.equal((await call(lab, 'GET', `/events?from=${time}`)).status, 422, time);
    }
  });

  test('events are selected by type, Transaction and serial number', async () => {
    const w = await world();
    const key = await deviceKey('events');
    const first = await held(w, key);
    const serial = hex(first.certificate.serial);
    const next = await deviceKey('events 2');
    for (const name of ['events 3', 'events 4']) {
      await w.ask({ signer: first, key: await deviceKey(name), messageType: 'RenewalReq' });
    }
    await held(w, next, 'CN=other');
    const types = async (query: string) => (await listed(w.lab, query)).map(({ type }) => type);
    assert.deepEqual(await types('?type=certificate.issued'), Array(4).fill('certificate.issued'));
    assert.deepEqual((await types(`?serial=${serial}`)).sort(), [
      'certificate.intended',
      'certificate.issued',
    ]);
    const superseded = (await listed(w.lab, '?type=certificate.superseded'))[0];
    assert.deepEqual((await types(`?serial=${superseded?.serial}`)).sort(), [
      'certificate.intended',
      'certificate.issued',
      'certificate.superseded',
    ]);
    const transaction = w.transactions().find(({ id }) => id !== superseded?.transaction)?.id;
    const about = await listed(w.lab, `?transaction=${transaction}`);
    assert.deepEqual(new Set(about.map((event) => event.transaction)), new Set([transaction]));
    assert.deepEqual(await types(`?transaction=${transaction}&serial=${superseded?.serial}`), []);
    assert.deepEqual(await types('?serial=00ff'), []);
    assert.equal((await call(w.lab, 'GET', '/events?type=nothing')).status, 422);
  });
});

describe('GET /events as application/x-ndjson', () => {
  test('lines have the same bodies as pages, octet for octet as they were written', async () => {
    const { lab, store } = await many(3 * MAX_PAGE + 1);
    await listed(lab, '?limit=1&type=ca.created');
    const bodies = store
      .dump()
      .filter(({ kind }) => kind === 'event')
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ record }) => eventText(record as EventRecord));
    const text = await (await lines(lab)).text();
    assert.equal(text, bodies.map((body) => `${body}\n`).join(''));
    const filtered = await (await lines(lab, '?type=ca.created')).text();
    assert.equal(filtered.split('\n').length, 2);
    assert.equal(await (await lines(lab, '?from=2999-01-01')).text(), '');
  });

  test('events are fetched from the store only as fast as the client reads', async () => {
    const { lab } = await many(5 * MAX_PAGE);
    lab.calls.length = 0;
    const reader = (await lines(lab)).body?.getReader();
    await reader?.read();
    const lists = lab.calls.filter((name) => name === 'store.list').length;
    assert.ok(lists <= 2, `${lists} pages for one line`);
    await reader?.cancel();
  });

  test('a failure before the first line is a 503; a later one breaks the reply off, and the log says so', async () => {
    const { lab, store } = await many(3 * MAX_PAGE);
    const list = store.list.bind(store);
    let left = 2;
    store.list = async (query) => {
      if (left-- <= 0) throw new Error('gone');
      return list(query);
    };
    const response = await lines(lab);
    lab.log.length = 0;
    await assert.rejects(response.text());
    const told = lab.log.filter(({ event }) => event === 'http.outage');
    assert.deepEqual(
      told.map(({ path, detail }) => [path, detail]),
      [['/api/v1/events', 'the reply was broken off: gone']],
    );
    const refused = await lab.fetch('/api/v1/events', {
      headers: { authorization: `Bearer ${lab.adminToken}`, accept: 'application/x-ndjson' },
    });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('content-type'), 'application/problem+json');
  });

  test('events that another hand has changed are left out, and named at the end', async () => {
    const { lab, store } = await many(5);
    await listed(lab, '?limit=1&type=ca.created');
    const rows = store.dump().filter(({ kind }) => kind === 'event');
    const spoilt = rows.slice(0, 2).map(({ key }) => key);
    for (const key of spoilt) {
      const row = rows.find((one) => one.key === key);
      const record = { body: '{"type":"admin.acted"}' };
      await store.write([{ do: 'put', kind: 'event', key, rev: row?.rev ?? 0, record }]);
    }
    const all = (await (await lines(lab)).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(all.at(-1), { altered: spoilt.toSorted().map((key) => `event ${key}`) });
    assert.deepEqual(
      new Set(all.slice(0, -1).map(({ id }) => id)),
      new Set(rows.map(({ key }) => key).filter((key) => !spoilt.includes(key))),
    );
  });
});
