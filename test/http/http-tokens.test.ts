// Tokens of the admin API, through a server that may make and end them: the embedded one.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TOKEN_USE_MS } from '../../lib/base/limits.ts';
import { useKey } from '../../lib/ca/record/token-use.ts';
import { isExpired, tokenHash, tokenNameKey } from '../../lib/ca/record/tokens.ts';
import * as api from '../support/api.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';

const DAY = 24 * 60 * 60 * 1000;
const isoOf = (at: number): string => new Date(at).toISOString();

async function service() {
  const store = new MemoryStore();
  const lab = await makeLab({ store, operates: true });
  const make = (body: object, headers = {}) =>
    api.call(lab, 'POST', '/tokens', { body: { roles: ['auditor'], ...body }, headers });
  const made = async (body: object): Promise<string> => {
    const { status, json } = await make(body);
    assert.equal(status, 201, String(json.detail));
    return String(json.token);
  };
  const asks = async (token: string) => (await api.call(lab, 'GET', '/events', { token })).status;
  const revoke = (body: object, headers = {}) =>
    api.call(lab, 'POST', '/tokens/revoke', { body, headers });
  const list = async () =>
    (await api.pages(lab, '/tokens?limit=1', 'tokens')).flat() as {
      readonly name: string;
      readonly person: string;
      readonly state: string;
      readonly usedAt?: string;
    }[];
  const events = async () =>
    ((await api.ok(lab, 'GET', '/events?type=admin.acted&limit=100')).events as api.Body[]).map(
      ({ personal }) => {
        const { note, actor } = personal as { note: string; actor: { id: string } };
        return `${actor.id} ${note}`;
      },
    );
  return { store, lab, make, made, asks, revoke, list, events };
}

describe('POST /tokens', () => {
  test('a token lets in at once; its event has name, roles and end, and never the token', async () => {
    const { lab, make, asks, events, store } = await service();
    const { json } = await make({ name: 'portal', ttl: '90d' });
    const expiresAt = isoOf(lab.clock.at + 90 * DAY);
    const { token, ...rest } = json;
    assert.deepEqual(rest, {
      name: 'portal',
      person: 'portal',
      roles: ['auditor'],
      createdAt: isoOf(lab.clock.at),
      expiresAt,
    });
    assert.equal(await asks(String(token)), 200);
    assert.deepEqual(await events(), [
      `test made the token "portal" with the roles auditor until ${expiresAt}`,
    ]);
    assert.ok(!JSON.stringify(store.dump()).includes(String(token)));
  });

  test('a token is of a person, whom the list and the events of its use name', async () => {
    const { lab, made, list, events } = await service();
    const token = await made({ name: 'laptop', person: 'alice', roles: ['admin'] });
    assert.equal((await list()).find(({ name }) => name === 'laptop')?.person, 'alice');
    assert.equal((await list()).find(({ name }) => name === 'test')?.person, 'test');
    assert.deepEqual(await events(), [
      'test made the token "laptop" of "alice" with the roles admin',
    ]);
    const { id } = await api.ok(lab, 'POST', '/challenges', { body: {}, token });
    const { madeBy } = await api.ok(lab, 'GET', `/challenges/${id}`);
    assert.deepEqual(madeBy, { by: 'laptop', person: 'alice', auth: 'token' });
  });

  test('an expired token is refused with a sentence, and only then is its name free', async () => {
    const { lab, made, make, asks, list, store } = await service();
    const expiresAt = isoOf(lab.clock.at + 1000);
    const token = await made({ name: 'short', expiresAt });
    lab.clock.at += 999;
    assert.equal(await asks(token), 200);
    assert.equal((await make({ name: 'short' })).status, 409);
    lab.clock.at += 1;
    const { status, json } = await api.call(lab, 'GET', '/events', { token });
    assert.deepEqual(
      [status, json.detail],
      [401, 'the token "short" has expired: have another one made'],
    );
    assert.deepEqual(
      lab.log.filter(({ event }) => event === 'http.refused').map((one) => one.token),
      ['test', 'short'],
    );
    assert.equal((await list()).find(({ name }) => name === 'short')?.state, 'expired');
    const next = await made({ name: 'short' });
    assert.equal(await asks(next), 200);
    assert.equal(await asks(token), 401);
    const left = store
      .dump()
      .filter(({ kind, key }) => kind === 'token' && key === tokenHash(token));
    assert.deepEqual(left, [], 'the one before is gone');
  });

  const wrong: [string, object, string][] = [
    ['no role', { name: 'a', roles: [] }, 'roles: must hold at least one role'],
    [
      'a name with a space',
      { name: 'a b' },
      'name: must be 1 to 64 printable characters without spaces',
    ],
    [
      'a person with a space',
      { name: 'a', person: 'Alice Doe' },
      'person: must be 1 to 64 printable characters without spaces',
    ],
    [
      'a name of our own',
      { name: 'token-file' },
      'name: "token-file" is a name that Scepter itself acts by: take another',
    ],
    [
      'two ends',
      { name: 'a', ttl: '1h', expiresAt: '2099-01-01' },
      'expiresAt: not together with ttl',
    ],
    ['an end that is over', { name: 'a', expiresAt: '2001-01-01' }, 'expiresAt: is over already'],
  ];
  for (const [what, body, detail] of wrong) {
    test(`${what} is a 422 that says so, and nothing is made`, async () => {
      const { make, list } = await service();
      const { status, json } = await make(body);
      assert.deepEqual([status, json.detail], [422, detail]);
      assert.deepEqual(
        (await list()).map(({ name }) => name),
        ['test'],
      );
    });
  }

  test('the same request again under an Idempotency-Key gets the same token; of another key another', async () => {
    const { make, asks, revoke } = await service();
    const key = { 'idempotency-key': 'once' };
    const [first, again] = await Promise.all([
      make({ name: 'portal' }, key),
      make({ name: 'portal' }, key),
    ]);
    assert.deepEqual([first?.status, again?.json], [201, first?.json]);
    assert.equal(await asks(String(again?.json.token)), 200);
    assert.equal((await make({ name: 'other' }, key)).status, 422);
    assert.equal((await revoke({ name: 'portal' })).status, 200);
    const other = await make({ name: 'portal' }, { 'idempotency-key': 'twice' });
    assert.notEqual(other.json.token, first?.json.token);
    assert.equal(await asks(String(first?.json.token)), 401);
  });

  test('of many requests for one name at once, one succeeds', async () => {
    const { make, list } = await service();
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        make({ name: 'contested' }, i % 2 ? { 'idempotency-key': `key ${i}` } : {}),
      ),
    );
    assert.deepEqual(all.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
    assert.equal((await list()).filter(({ name }) => name === 'contested').length, 1);
  });

  test('a name whose token another hand has removed can be given again', async () => {
    const { made, lab, asks } = await service();
    const token = await made({ name: 'lost' });
    const key = { kind: 'token', key: tokenHash(token) } as const;
    const [row] = await lab.unguarded.read([key]);
    await lab.unguarded.write([{ do: 'delete', ...key, rev: row?.rev ?? 0 }]);
    assert.equal(await asks(await made({ name: 'lost' })), 200);
  });
});

describe('POST /tokens/revoke', () => {
  test('a revoked token is refused at once, by its name or by itself, and the event says who', async () => {
    const { lab, made, asks, revoke, events, store } = await service();
    for (const by of ['name', 'token']) {
      const token = await made({ name: 'leaked' });
      assert.equal(await asks(token), 200);
      lab.clock.at += 1;
      const { status, json } = await revoke(by === 'name' ? { name: 'leaked' } : { token });
      assert.deepEqual([status, json.name], [200, 'leaked']);
      assert.equal(await asks(token), 401);
      lab.clock.at += 1;
      assert.equal((await events()).at(-1), 'test revoked the token "leaked"');
    }
    const left = store.dump().filter(({ kind, key }) => {
      return kind === 'token' && key === tokenNameKey('leaked');
    });
    assert.deepEqual(left, []);
  });

  test('one that is not there is a 404; neither name nor token, or both, a 422', async () => {
    const { revoke } = await service();
    assert.equal((await revoke({ name: 'nobody' })).status, 404);
    assert.equal((await revoke({ token: 'x'.repeat(43) })).status, 404);
    assert.equal((await revoke({})).status, 422);
    assert.equal((await revoke({ name: 'a', token: 'b' })).status, 422);
  });

  test('the same request again under an Idempotency-Key gets the same answer', async () => {
    const { made, revoke, events } = await service();
    await made({ name: 'portal' });
    const key = { 'idempotency-key': 'once' };
    const first = await revoke({ name: 'portal' }, key);
    await made({ name: 'portal' });
    const again = await revoke({ name: 'portal' }, key);
    assert.deepEqual([first.status, again.json], [200, first.json]);
    assert.equal((await events()).filter((note) => /revoked/.test(note)).length, 1);
  });
});

describe('GET /tokens', () => {
  test('tokens come by name, page by page, with roles and dates and without the tokens', async () => {
    const { made, list } = await service();
    const tokens = await Promise.all(['zoe', 'Ann', 'bob'].map((name) => made({ name })));
    const found = await list();
    assert.deepEqual(
      found.map(({ name }) => name),
      ['Ann', 'bob', 'test', 'zoe'],
    );
    const said = JSON.stringify(found);
    for (const token of tokens) {
      assert.ok(!said.includes(token) && !said.includes(tokenHash(token)));
    }
  });

  test('the last use is written at most once an hour, however often a token is used, and by however many instances', async () => {
    const { lab, made, asks, list, store } = await service();
    const token = await made({ name: 'busy' });
    const usedAt = async () => (await list()).find(({ name }) => name === 'busy')?.usedAt;
    const revOf = () => store.dump().find(({ key }) => key === useKey(tokenHash(token)).key)?.rev;
    assert.deepEqual([await usedAt(), revOf()], [undefined, undefined]);
    const first = isoOf(lab.clock.at);
    for (let i = 0; i < 20; i++) assert.equal(await asks(token), 200);
    assert.deepEqual([await usedAt(), revOf()], [first, 1]);
    // Another instance reads once what this one has written: the use, and who reads.
    const other = await makeLab({ store, operates: true });
    other.clock.at = lab.clock.at;
    other.calls.length = 0;
    const ask = () => api.call(other, 'GET', '/events?limit=1', { token });
    await ask();
    const reads = other.calls.length;
    await ask();
    assert.deepEqual([other.calls.length, revOf()], [2 * reads - 2, 1]);
    assert.ok(!other.calls.includes('store.write'));
    lab.clock.at += TOKEN_USE_MS - 1;
    assert.equal(await asks(token), 200);
    assert.equal(revOf(), 1);
    lab.clock.at += 1;
    assert.equal(await asks(token), 200);
    assert.deepEqual([await usedAt(), revOf()], [isoOf(lab.clock.at), 2]);
  });

  test('a token works although its use cannot be written, and the log says so once an hour', async () => {
    const { lab, made } = await service();
    const token = await made({ name: 'busy' });
    const { write } = lab.unguarded;
    const broken = await makeLab({
      store: {
        read: (keys) => lab.unguarded.read(keys),
        list: (query) => lab.unguarded.list(query),
        write: (actions) =>
          actions.some(({ kind }) => kind === 'idempotency')
            ? Promise.reject(new Error('the disk is full'))
            : write.call(lab.unguarded, actions),
      },
    });
    for (let i = 0; i < 3; i++) {
      assert.equal((await api.call(broken, 'GET', '/config', { token })).status, 200);
    }
    const lost = broken.log.filter(({ event }) => event === 'token.useLost');
    assert.deepEqual(
      lost.map(({ detail }) => detail),
      ['the disk is full'],
    );
  });
});

test('a process that has no right to it says where tokens are made, and changes nothing', async () => {
  const store = new MemoryStore();
  const lab = await makeLab({ store, adminOnly: true });
  await api.call(lab, 'GET', '/tokens');
  const before = store.dump();
  for (const [method, path, body] of [
    ['POST', '/tokens', { name: 'a', roles: ['admin'] }],
    ['POST', '/tokens/revoke', { name: 'test' }],
    ['POST', '/cas/default/init', {}],
    ['POST', '/cas/default/rotate-ra', {}],
    ['GET', '/mac-keys', undefined],
  ] as const) {
    const { status, json } = await api.call(lab, method, path, body ? { body } : {});
    assert.equal(status, 409, path);
    assert.match(String(json.detail), /^this server has no right to do that: run the command with/);
  }
  assert.deepEqual(store.dump(), before);
});

test('a token without an end does not expire', () => {
  assert.equal(isExpired({ name: 'a', roles: [] }, Number.MAX_SAFE_INTEGER), false);
});
