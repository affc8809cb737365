// GET /api/v1/transactions as its users meet it: pages that are filtered, and what they may write
// wrongly.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../lib/ca/pending.ts';
import { MAX_PAGE, MAX_PAGE_READS } from '../lib/limits.ts';
import { ulid } from '../lib/ulid.ts';
import { transactionRecord } from './store.contract.ts';
import * as api from './support/api.ts';
import { deviceKey } from './support/keys.ts';
import { enrolment } from './support/messages.ts';
import { type World, world } from './support/world.ts';

type Body = {
  readonly transactions: readonly { readonly id: string; readonly subject: string }[];
  readonly next: string | null;
  readonly detail: string;
};

async function call(w: World, path: string, init: { method?: string; body?: string } = {}) {
  const { method = 'GET', body } = init;
  const answered = await api.call(w.lab, method, path, body === undefined ? {} : { text: body });
  return { status: answered.status, json: answered.json as unknown as Body };
}

/** Requests that wait, one a millisecond, at these endpoints in turn. */
async function waiting(count: number, ...endpoints: string[]) {
  const w = await world({
    config: {
      endpoints: Object.fromEntries(
        ['default', 'other'].map((id) => [id, { ca: 'default', approval: 'always' as const }]),
      ),
    },
  });
  const key = await deviceKey('list ec', { type: 'EC', curve: 'P-256' });
  for (let i = 0; i < count; i++) {
    w.lab.clock.at += 1;
    const endpoint = endpoints[i % endpoints.length] ?? 'default';
    const challenge = await w.lab.challenge({ endpoint });
    const sent = await enrolment(w.lab, { challenge, key, subject: `CN=${endpoint}-${i}` });
    await w.send(sent, `/scep/${endpoint}`);
  }
  return w;
}

/** All pages, one after the other. */
async function all(w: World, query: string): Promise<Body['transactions'][]> {
  const pages: Body['transactions'][] = [];
  let next = '';
  for (let i = 0; i < 100; i++) {
    const { status, json } = await call(w, `/transactions?${query}${next}`);
    assert.equal(status, 200);
    pages.push(json.transactions);
    if (json.next === null) return pages;
    next = `&cursor=${encodeURIComponent(json.next)}`;
  }
  return assert.fail('no end');
}

describe('pages of a list', () => {
  test('what waits at one endpoint is not hidden behind what waits at another', async () => {
    const w = await waiting(12, 'other', 'other', 'other', 'default');
    const pages = await all(w, 'state=pending&limit=2');
    assert.deepEqual(
      pages.flat().map(({ subject }) => subject),
      ['CN=default-3', 'CN=default-7', 'CN=default-11'],
    );
    assert.deepEqual(
      pages.map(({ length }) => length),
      [2, 1],
    );
  });

  test('the few of a state among many of others, each once, none left out', async () => {
    const w = await waiting(9, 'default');
    const [oldest] = w.transactions();
    await decide(w.lab.deps, oldest?.id ?? '', 'denied', { by: 'somebody' });
    const pages = await all(w, 'state=denied&limit=1');
    assert.deepEqual(
      pages.flat().map(({ id }) => id),
      [oldest?.id],
    );
    const every = (await all(w, 'limit=4')).flat().map(({ id }) => id);
    assert.deepEqual(
      every,
      w
        .transactions()
        .map(({ id }) => id)
        .reverse(),
    );
  });

  test('a page costs a bounded number of reads, whatever is asked for', async () => {
    const w = await world();
    const count = MAX_PAGE_READS * MAX_PAGE + 1;
    for (let i = 0; i < count; i++) {
      const id = ulid(i, new Uint8Array(10));
      const record = transactionRecord(id, { state: i === 0 ? 'voided' : 'issued' });
      await w.store.write([{ do: 'put', kind: 'transaction', key: id, rev: 0, record }]);
    }
    w.lab.calls.length = 0;
    const { json } = await call(w, '/transactions?state=voided&limit=1');
    assert.deepEqual(json.transactions, []);
    assert.notEqual(json.next, null, 'there is more to look through');
    assert.equal(w.lab.calls.filter((name) => name === 'store.list').length, MAX_PAGE_READS);
    assert.equal((await all(w, 'state=voided&limit=1')).flat().length, 1);
  });
});

describe('what is written wrongly', () => {
  const wrong: Record<string, RegExp> = {
    'limit=2.5': /^limit: must be a whole number$/,
    'limit=0': /^limit: /,
    'limit=': /^limit: /,
    'limit=1e3': /^limit: /,
    'limit=NaN': /^limit: /,
    [`limit=${MAX_PAGE + 1}`]: /^limit: /,
    'cursor=': /^cursor: is not a cursor of this list$/,
    'cursor=%00': /^cursor: is not a cursor of this list$/,
    'cursor=0': /^cursor: is not a cursor of this list$/,
    [`cursor=${'9'.repeat(2049)}`]: /^cursor: is not a cursor of this list$/,
    'state=PENDING': /^state: /,
    'endpoint=__proto__': /^endpoint: "__proto__" does not exist$/,
    'order=asc': /"order" is not a field that exists here/,
  };
  for (const [query, said] of Object.entries(wrong)) {
    test(`?${query.slice(0, 20)}: a 422 that says so`, async () => {
      const w = await world();
      const { status, json } = await call(w, `/transactions?${query}`);
      assert.equal(status, 422, JSON.stringify(json));
      assert.match(json.detail, said);
    });
  }

  test('an id that is none is a 404, and no store is asked for it', async () => {
    const w = await world();
    const ids = [
      'x',
      '%00',
      '%2e%2e%2f',
      '01ARZ3NDEKTSV4RRFFQ69G5FAU',
      'a'.repeat(4000),
      '%F0%9F%98%80',
    ];
    for (const id of ids) {
      w.lab.calls.length = 0;
      assert.equal((await call(w, `/transactions/${id}`)).status, 404, id);
      for (const act of ['approve', 'deny']) {
        const init = { method: 'POST', body: '{}' };
        assert.equal((await call(w, `/transactions/${id}/${act}`, init)).status, 404, id);
      }
      assert.deepEqual([...new Set(w.lab.calls)], ['store.read'], 'the token only');
      assert.equal(w.lab.calls.length, 3);
    }
  });

  test('text that is not Unicode is a 400, not an outage: nothing is decided by it', async () => {
    const w = await waiting(1, 'default');
    const [{ id } = { id: '' }] = w.transactions();
    for (const [path, body] of [
      [`/transactions/${id}/deny`, '{"reason":"\\ud800"}'],
      [`/transactions/${id}/approve`, '{"\\udc00":1}'],
      ['/challenges', '{"subject":"CN=\\ud83d"}'],
      ['/challenges', '{"san":["dns:\\udfff"]}'],
    ] as const) {
      const { status } = await call(w, path, { method: 'POST', body });
      assert.ok([400, 422].includes(status), `${path}: ${status}`);
    }
    assert.equal(w.transactions()[0]?.state, 'pending');
  });

  test('a reason in any script is kept as it is', async () => {
    const w = await waiting(1, 'default');
    const [{ id } = { id: '' }] = w.transactions();
    const reason = 'nein \u0000 \u202e Ünïcödé 🔑';
    const init = { method: 'POST', body: JSON.stringify({ reason }) };
    assert.equal((await call(w, `/transactions/${id}/deny`, init)).status, 200);
    const denied = w.events().find(({ type }) => type === 'request.denied');
    assert.equal(denied?.note, reason);
  });
});
