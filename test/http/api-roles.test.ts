// Calls every route of the admin API with every role, without a token, and with an invalid one. A route
// that is missing in the table below fails the test: whoever adds one states its roles here too.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { routes } from '../../lib/api/api.ts';
import { roles } from '../../lib/base/words.ts';
import { call, tokenOf } from '../support/api.ts';
import { makeLab, putToken } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';

const everybody = ['approver', 'auditor', 'challenger'];
const table: Readonly<Record<string, readonly string[]>> = {
  'POST /challenges': ['challenger'],
  'POST /challenges/check': ['challenger'],
  'GET /challenges': ['auditor', 'challenger'],
  'GET /challenges/{id}': ['auditor', 'challenger'],
  'DELETE /challenges/{id}': ['challenger'],
  'POST /devices': ['challenger'],
  'GET /devices': ['auditor', 'challenger'],
  'GET /devices/{id}': ['auditor', 'challenger'],
  'DELETE /devices/{id}': ['challenger'],
  'GET /transactions': ['approver', 'auditor'],
  'GET /transactions/{id}': ['approver', 'auditor'],
  'GET /transactions/{id}/request': ['auditor'],
  'POST /transactions/{id}/approve': ['approver'],
  'POST /transactions/{id}/deny': ['approver'],
  'GET /certificates': ['auditor'],
  'GET /certificates/{ca}/{serial}': ['auditor'],
  'GET /certificates/{ca}/{serial}/renewals': ['auditor'],
  'POST /certificates/{ca}/revoke': [],
  'POST /certificates/{ca}/{serial}/revoke': [],
  'GET /cas': everybody,
  'GET /cas/{ca}': everybody,
  'POST /cas/{ca}/init': [],
  'POST /cas/{ca}/chain': [],
  'POST /cas/{ca}/rotate-ra': [],
  'POST /cas/{ca}/restore': [],
  'GET /cas/{ca}/key': [],
  'GET /cas/{ca}/retirement': [],
  'POST /cas/{ca}/retire': [],
  'GET /mac-keys': [],
  'POST /mac-keys/restore': [],
  'POST /crls/{ca}/rebuild': [],
  'POST /crls/{ca}/floor': [],
  'POST /crls/{ca}/partition': [],
  'POST /tokens': [],
  'GET /tokens': [],
  'POST /tokens/revoke': [],
  'GET /crls/{ca}': ['auditor'],
  'POST /crls/{ca}/publish': [],
  'GET /events': ['auditor'],
  'GET /events/{event}/proof': ['auditor'],
  'GET /logs': ['auditor'],
  'POST /logs/{log}/recover': [],
  'POST /transactions/{id}/forget': [],
  'POST /transactions/{id}/link': [],
  'GET /status': everybody,
  'GET /config': ['auditor'],
  'POST /simulate': everybody,
  'POST /replay': ['auditor'],
  'POST /snapshots': [],
};

/** Well-formed, and of nothing that is there: whoever is let in changes nothing. */
const parameters: Readonly<Record<string, string>> = {
  id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  ca: 'nowhere',
  log: 'nowhere',
  event: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  serial: '00ff',
};
const bodies: Readonly<Record<string, unknown>> = {
  'POST /challenges': { endpoint: 'nowhere' },
  'POST /challenges/check': { endpoint: 'nowhere' },
  'POST /devices': { list: 'nowhere', rows: [{}] },
  'POST /certificates/{ca}/revoke': { certificate: 'AAAA', reason: 'unspecified' },
  'POST /certificates/{ca}/{serial}/revoke': { reason: 'unspecified' },
  'POST /cas/{ca}/chain': { chain: '' },
  'POST /cas/{ca}/restore': { chain: '' },
  'POST /tokens': { name: 'operator', roles: ['auditor'] },
  'POST /tokens/revoke': { name: 'nobody has it' },
  'POST /simulate': { csr: 'AAAA', endpoint: 'nowhere' },
  'POST /replay': { config: {}, since: '2030-01-31' },
};

const store = new MemoryStore();
const lab = await makeLab({ store, operates: true });
const tokens = new Map(
  await Promise.all(
    roles.map(async (role) => [role, await tokenOf(lab.deps.store, role)] as const),
  ),
);
const bothToken = 'both'.padEnd(43, 'y');
await putToken(lab.deps.store, bothToken, { name: 'both', roles: ['approver', 'challenger'] });
const noRoleToken = 'none'.padEnd(43, 'y');
await putToken(lab.deps.store, noRoleToken, { name: 'none', roles: [] });

test('the table has every route, and no other', () => {
  const names = routes.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(Object.keys(table).sort(), names.sort());
});

for (const { method, path } of routes) {
  const name = `${method} ${path}`;
  const url = path.replace(/\{(\w+)\}/g, (_, parameter: string) => parameters[parameter] ?? '');
  const body = bodies[name] ?? (method === 'POST' ? {} : undefined);
  const status = async (token: string): Promise<number> =>
    (await call(lab, method, url, { ...(body === undefined ? {} : { body }), token })).status;

  describe(name, () => {
    const allowed = table[name] ?? [];
    for (const role of roles) {
      const may = role === 'admin' || allowed.includes(role);
      test(`${role}: ${may ? 'yes' : 'no'}`, async () => {
        const got = await status(tokens.get(role) ?? '');
        if (may) assert.ok([200, 404, 409, 422].includes(got), String(got));
        else assert.equal(got, 403);
      });
    }

    test('a request without a token, with a wrong one, or with one of no role is refused', async () => {
      const changed = () => store.dump().filter(({ kind }) => kind !== 'event');
      const before = changed();
      for (const token of [
        '',
        'wrong'.repeat(9),
        'short',
        lab.adminToken.slice(1),
        'x'.repeat(300),
      ]) {
        assert.equal(await status(token), 401);
      }
      assert.equal(await status(noRoleToken), 403);
      assert.deepEqual(changed(), before);
    });

    test('a token with two roles may do what either role may', async () => {
      const may = ['approver', 'challenger'].some((role) => allowed.includes(role));
      const got = await status(bothToken);
      if (may) assert.ok([200, 404, 409, 422].includes(got), String(got));
      else assert.equal(got, 403);
    });
  });
}

test('a method that a path does not have is a 405 that names those it has', async () => {
  const allow = async (method: string, path: string): Promise<[number, string | null]> => {
    const response = await lab.fetch(`/api/v1${path}`, { method });
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    return [response.status, response.headers.get('allow')];
  };
  assert.deepEqual(await allow('PUT', '/challenges'), [405, 'POST, GET, HEAD']);
  assert.deepEqual(await allow('DELETE', '/challenges'), [405, 'POST, GET, HEAD']);
  assert.deepEqual(await allow('PATCH', `/challenges/${parameters.id}`), [
    405,
    'GET, HEAD, DELETE',
  ]);
  assert.deepEqual(await allow('OPTIONS', '/events'), [405, 'GET, HEAD']);
  assert.deepEqual(await allow('GET', `/transactions/${parameters.id}/approve`), [405, 'POST']);
  assert.deepEqual(await allow('PUT', '/nothing'), [404, null]);
  const head = await lab.fetch('/api/v1/status', {
    method: 'HEAD',
    headers: { authorization: `Bearer ${lab.adminToken}` },
  });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});
