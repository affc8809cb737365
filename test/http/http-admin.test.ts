// The admin API: tokens, roles, problem+json, challenges.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_LOGGED_PATH } from '../../lib/base/limits.ts';
import * as api from '../support/api.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';

const store = new MemoryStore();
const lab = await makeLab({ store });
const tokenOf = (role: Parameters<typeof api.tokenOf>[1]) => api.tokenOf(lab.deps.store, role);
const call = (body: unknown, token = lab.adminToken, text = JSON.stringify(body)) =>
  api.call(lab, 'POST', '/challenges', { text, token });

describe('POST /api/v1/challenges', () => {
  test('POST /challenges answers with id, challenge, endpoint and expiry, and the challenge works', async () => {
    const { status, json } = await call({
      subject: 'CN=device-1,O=Test',
      san: ['dns:A.Example'],
      ttl: '10m',
    });
    assert.equal(status, 201);
    assert.deepEqual(Object.keys(json), ['id', 'challenge', 'endpoint', 'expiresAt']);
    assert.match(String(json.id), /^[0-9A-Z]{26}$/);
    assert.match(String(json.challenge), /^[0-9a-hjkmnp-tv-z]{26}$/);
    assert.equal(json.endpoint, 'default');
    assert.equal(json.expiresAt, new Date(lab.clock.now() + 600_000).toISOString());
    const sent = await enrolment(lab, {
      challenge: String(json.challenge),
      names: ['dns:a.example'],
    });
    assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'SUCCESS');
  });

  test('an empty object is a challenge for the default endpoint', async () => {
    assert.equal((await call({})).status, 201);
  });

  const wrong: [string, unknown, string][] = [
    ['an unknown endpoint', { endpoint: 'nowhere' }, 'endpoint: "nowhere" does not exist'],
    ['a subject', { subject: 'x' }, 'subject: expected TYPE=VALUE at "x"'],
    ['an empty subject', { subject: '' }, 'subject: the subject is empty'],
    [
      'a name',
      { san: ['a.example'] },
      'san: "a.example" must be TYPE:VALUE with a TYPE of dns, email, uri, ip, upn, sid',
    ],
    ['names that are no list', { san: 'dns:a' }, 'san: must be an array'],
    ['no uses', { uses: 0 }, 'uses: must be at least 1'],
    ['half a use', { uses: 1.5 }, 'uses: must be a whole number'],
    ['a duration', { ttl: '1y' }, 'ttl: must be a duration such as "30s", "15m", "1h" or "365d"'],
    [
      'an unknown field',
      { san: [], secret: 'x' },
      'the body: "secret" is not a field that exists here',
    ],
    ['a list', [], 'the body: must be an object'],
  ];
  for (const [name, body, detail] of wrong) {
    test(`wrong: ${name} is a 422 that says so`, async () => {
      const { status, json } = await call(body);
      assert.equal(status, 422);
      assert.equal(json.detail, detail);
      assert.equal(json.status, 422);
    });
  }

  test('a body that is not JSON is a 400, one that is too long a 413', async () => {
    assert.equal((await call(undefined, lab.adminToken, '{')).status, 400);
    assert.equal((await call(undefined, lab.adminToken, '')).status, 400);
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(9000)}1${close.repeat(9000)}`;
      // How deep is too deep for a runtime is its own affair: it is no outage.
      assert.ok([400, 422].includes((await call(undefined, lab.adminToken, deep)).status));
    }
    assert.equal((await call({ subject: 'x'.repeat(70_000) })).status, 413);
  });

  test('a request without a token or with a wrong one is a 401, with a token of another role a 403', async () => {
    assert.equal((await call({}, '')).status, 401);
    assert.equal((await call({}, 'wrong'.repeat(9))).status, 401);
    assert.equal((await call({}, 'short')).status, 401);
    assert.equal((await call({}, await tokenOf('auditor'))).status, 403);
    assert.equal((await call({}, await tokenOf('approver'))).status, 403);
    assert.equal((await call({}, await tokenOf('challenger'))).status, 201);
    const response = await lab.fetch('/api/v1/challenges', { method: 'POST' });
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
  });

  test('the token may come in X-Scepter-Token when an ingress uses Authorization', async () => {
    const own = await tokenOf('challenger');
    const ask = async (token: string, authorization?: string) => {
      const headers = { 'x-scepter-token': token, ...(authorization ? { authorization } : {}) };
      const { status } = await lab.fetch('/api/v1/challenges', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', ...headers },
      });
      return status;
    };
    assert.equal(await ask(own), 201);
    assert.equal(await ask(own, 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'), 201);
    assert.equal(
      await ask(own, 'AWS4-HMAC-SHA256 Credential=A/20261122/x/lambda/aws4_request'),
      201,
    );
    // It is the one that counts: a good token beside a wrong one does not help.
    assert.equal(await ask('wrong'.repeat(9), `Bearer ${own}`), 401);
    assert.equal(await ask(`${own}, ${own}`), 401);
    assert.equal(await ask(await tokenOf('auditor')), 403);
  });

  test('an unknown path below the API is a 404 that tells nothing about the API', async () => {
    for (const path of [
      '/api/v1/nothing',
      '/api/v1',
      '/api/v2/challenges',
      '/api/v1/challenges/x/y',
    ]) {
      assert.equal((await lab.fetch(path)).status, 404, path);
    }
  });
});

describe('who asks, and from where', () => {
  const from = { hops: ['192.0.2.7'] };
  const asked = (path: string, token: string, method = 'GET') =>
    lab.fetch(path, { method, headers: { authorization: `Bearer ${token}` } }, from);
  const refused = () => lab.log.find(({ event }) => event === 'http.refused');

  test('a refusal is logged with method, path and the name of the token, and never with a query or the token', async () => {
    const auditor = await tokenOf('auditor');
    const secret = 'a-query-may-be-a-whole-message';
    lab.log.length = 0;
    assert.equal((await asked(`/api/v1/challenges?x=${secret}`, auditor, 'POST')).status, 403);
    const { client, method, path, token } = refused() ?? assert.fail();
    assert.deepEqual(
      [client, method, path, token],
      ['192.0.2.7', 'POST', '/api/v1/challenges', 'auditor'],
    );
    const said = JSON.stringify(lab.log);
    assert.ok(!said.includes(auditor) && !said.includes(secret), said);

    lab.log.length = 0;
    assert.equal((await asked('/api/v1/nothing/here', auditor)).status, 404);
    assert.deepEqual([refused()?.path, refused()?.token], ['/api/v1/nothing/here', undefined]);
    lab.log.length = 0;
    const stranger = 'a-token-that-nobody-made';
    assert.equal((await asked(`/api/v1/status`, stranger)).status, 401);
    assert.equal(refused()?.token, undefined);
    assert.ok(!JSON.stringify(lab.log).includes(stranger));
  });

  test('the log has a bounded part of a path, as it was sent', async () => {
    lab.log.length = 0;
    const long = `/${'x'.repeat(9000)}`;
    assert.equal((await lab.fetch(long)).status, 404);
    assert.equal(refused()?.path, long.slice(0, MAX_LOGGED_PATH));
    lab.log.length = 0;
    const sent = { ...from, path: '/scep/../api/v1/status' };
    assert.equal((await lab.fetch('/api/v1/status', {}, sent)).status, 400);
    assert.equal(refused()?.path, sent.path);
  });

  test('what an administrator did is an event with the name of the token and the address', async () => {
    // Events of one millisecond have no order.
    lab.clock.at += 1000;
    assert.equal((await asked('/api/v1/crls/default/publish', lab.adminToken, 'POST')).status, 200);
    const { json } = await api.call(lab, 'GET', '/events?type=crl.published&order=newest&limit=1');
    const [event] = json.events as { personal: { readonly actor: unknown } }[];
    assert.deepEqual(event?.personal.actor, { auth: 'token', from: '192.0.2.7', id: 'test' });
  });
});

describe('status', () => {
  test('the CRL, the CA certificate and the probes are served without a token', async () => {
    const types: Record<string, string> = {
      '/crl/default.crl': 'application/pkix-crl',
      '/aia/default.cer': 'application/pkix-cert',
      '/healthz': 'text/plain',
      '/readyz': 'text/plain',
    };
    for (const [path, type] of Object.entries(types)) {
      const response = await lab.fetch(path);
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('content-type'), type);
    }
    for (const path of ['/crl/nowhere.crl', '/aia/nowhere.cer', '/crl/default', '/crl/x%2fy.crl']) {
      assert.equal((await lab.fetch(path)).status, 404, path);
    }
    assert.equal((await lab.fetch('/crl/..%2fx.crl')).status, 400);
  });
});
