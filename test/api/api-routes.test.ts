// The contract of the admin API: what clients and server can rely on in each route, and what the compiler refuses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { type RouteName, routes } from '../../lib/api/api.ts';
import type { Routes, Schema, SentTo } from '../../lib/api/route.ts';
import type { HandlersOf } from '../../lib/http/admin/handlers.ts';

const fieldsOf = (schema: Schema | undefined): readonly string[] =>
  schema ? Object.keys(z.toJSONSchema(schema, { io: 'input' }).properties ?? {}) : [];

test("every parameter in a route's path is a field of its schema, and every field is in the path", () => {
  for (const { name, path, params } of routes) {
    const written = [...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => field);
    assert.deepEqual(written, fieldsOf(params), name);
  }
});

test('every field of a query may be left out', () => {
  for (const { name, query } of routes) {
    if (query) assert.ok(z.safeParse(query, {}).success, name);
  }
});

test('a list takes a limit and a cursor, and answers the next cursor', () => {
  const lists = routes.filter(({ query }) => fieldsOf(query).includes('cursor'));
  assert.ok(lists.length >= 5);
  for (const { name, method, query, answer } of lists) {
    assert.equal(method, 'GET', name);
    assert.ok(fieldsOf(query).includes('limit'), name);
    assert.ok(fieldsOf(answer).includes('next'), name);
  }
});

test('a request that changes something can be repeated, and one that only asks or copies, or does no more the second time, is not remembered', () => {
  const asks: readonly RouteName[] = [
    'POST /simulate',
    'POST /replay',
    'POST /challenges/check',
    // The same rows are left as they are.
    'POST /devices',
    'POST /snapshots',
    'POST /mac-keys/restore',
    'POST /logs/{log}/recover',
    'POST /transactions/{id}/forget',
    'POST /transactions/{id}/link',
  ];
  for (const { name, method, repeatable } of routes) {
    const changes = method === 'POST' && !asks.includes(name);
    assert.equal(repeatable ?? false, changes, name);
  }
});

// The compiler tests what follows: `npm run check` fails where it finds no error in a line that expects one.

const table = {
  'POST /things/{id}': {
    noun: 'thing',
    roles: [],
    summary: 'Change a thing',
    params: z.strictObject({ id: z.string() }),
    body: z.strictObject({ size: z._default(z.int(), 1) }),
    answer: z.strictObject({ size: z.int() }),
  },
  'GET /things': {
    noun: 'thing',
    roles: [],
    summary: 'All things',
    query: z.strictObject({ size: z.optional(z.string()) }),
    answer: z.strictObject({ sizes: z.array(z.int()) }),
    lines: true,
  },
} as const satisfies Routes;

const list = {
  handle: async () => ({ sizes: [1] }),
  async *lines() {
    yield '1\n';
  },
};
export const fits: HandlersOf<typeof table> = {
  'POST /things/{id}': async (_deps, { params: { id }, body: { size } }) => ({
    size: size + id.length,
  }),
  'GET /things': list,
};
export const refused = [
  // @ts-expect-error: a route has no handler
  { 'GET /things': list } satisfies HandlersOf<typeof table>,
  // @ts-expect-error: there is no such route
  { ...fits, 'GET /nothing': list } satisfies HandlersOf<typeof table>,
  {
    ...fits,
    // @ts-expect-error: the answer does not fit the schema
    'POST /things/{id}': async () => ({ size: 'large' }),
  } satisfies HandlersOf<typeof table>,
  {
    ...fits,
    // @ts-expect-error: the route has no such parameter
    'POST /things/{id}': async (_deps, { params: { name } }) => ({ size: name.length }),
  } satisfies HandlersOf<typeof table>,
  // @ts-expect-error: the list is not given as lines
  { ...fits, 'GET /things': list.handle } satisfies HandlersOf<typeof table>,

  { params: { id: 'x' }, body: {} } satisfies SentTo<(typeof table)['POST /things/{id}']>,
  {} satisfies SentTo<(typeof table)['GET /things']>,
  // @ts-expect-error: the parameter is missing
  { body: {} } satisfies SentTo<(typeof table)['POST /things/{id}']>,
  // @ts-expect-error: the body is missing
  { params: { id: 'x' } } satisfies SentTo<(typeof table)['POST /things/{id}']>,
  // @ts-expect-error: the query has no such field
  { query: { weight: '1' } } satisfies SentTo<(typeof table)['GET /things']>,
  // @ts-expect-error: the route takes no body
  { body: {} } satisfies SentTo<(typeof table)['GET /things']>,
];
