// Tokens of the admin API: made and revoked by an operator, on the store itself.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { makeToken, tokenNameKey } from '../../lib/ca/record/tokens.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());

async function create(name: string, ...roles: readonly string[]) {
  const flags = ['--name', name, '--role', ...roles];
  const { code, out, err } = await terminal.run(['token', 'create', ...flags]);
  return { code, token: out.trim(), err };
}
const revoke = (token: string) => terminal.run(['token', 'revoke'], { stdin: `${token}\n` });
const challenge = (token: string) =>
  terminal.run(['challenge', 'create', '--endpoint', 'default'], { token });

test('a token that was made lets in for its roles and no others, and its name stands in the events', async () => {
  const { code, token, err } = await create('portal', 'challenger');
  assert.equal(code, 0, err);
  assert.match(token, /^[\w-]{43}$/);
  assert.match(err, /it cannot be shown again/);
  assert.equal((await challenge(token)).code, 0);
  const denied = await terminal.run(['txn', 'list'], { token });
  assert.equal(denied.code, 4, denied.err);
  const events = await lab.deps.store.list({ list: 'events', group: 'all', limit: 100 });
  const rows = await lab.deps.store.read(events.keys.map((key) => ({ kind: 'event', key })));
  const bodies = rows.map(({ record }) => JSON.stringify(record));
  assert.ok(
    bodies.some((body) => /made the token \\+"portal\\+" with the roles challenger/.test(body)),
  );
  assert.ok(
    bodies.every((body) => !body.includes(token)),
    'an event has the token',
  );
});

test('several roles are good together', async () => {
  const { token } = await create('both', 'challenger', 'auditor');
  assert.equal((await challenge(token)).code, 0);
  assert.equal((await terminal.run(['txn', 'list'], { token })).code, 0);
});

test('the list says the last use as well as it is known: to the hour; in CSV one that was never used is empty', async () => {
  const { token } = await create('used', 'auditor');
  await create('idle', 'auditor');
  await terminal.run(['status'], { token });
  const shown = async () => (await terminal.run(['token', 'list'])).out;
  lab.clock.at += 59 * 60_000;
  assert.match(await shown(), /^used .* in the last hour /m);
  lab.clock.at += 121 * 60_000;
  assert.match(await shown(), /^used .*Z {2}3h ago /m);
  assert.match(await shown(), /^idle .*Z {2}- /m);
  const csv = await terminal.run(['token', 'list', '-o', 'csv']);
  assert.match(csv.out, /^"idle","idle","auditor","[^"]+","","never"\r$/m);
});

test('a revoked token is refused, and cannot be revoked again', async () => {
  const { token } = await create('revoked', 'challenger');
  assert.equal((await revoke(token)).code, 0);
  assert.equal((await challenge(token)).code, 4);
  const again = await revoke(token);
  assert.deepEqual(
    [again.code, again.err],
    [3, 'scepter: this token is unknown, or revoked already\n'],
  );
});

test('an unknown role, or a name with a space, is refused before anything is made', async () => {
  assert.equal((await create('root', 'root')).code, 2);
  assert.equal((await terminal.run(['token', 'create', '--role', 'admin'])).code, 2);
  const named = await terminal.run(['token', 'create', '--name', 'a b', '--role', 'admin']);
  assert.deepEqual([named.code, named.out], [2, '']);
});

test('a name has one token: a second is refused with a sentence, until the first is revoked', async () => {
  const { token } = await create('once', 'challenger');
  const second = await create('once', 'admin');
  assert.deepEqual([second.code, second.token], [1, '']);
  assert.equal(
    second.err,
    'scepter: name: "once" is the name of another token: take another name, or revoke that token first\n',
  );
  assert.equal((await challenge(token)).code, 0, 'the first is as it was');
  assert.equal((await revoke(token)).code, 0);
  const next = await create('once', 'challenger');
  assert.equal(next.code, 0, next.err);
  assert.equal((await challenge(next.token)).code, 0);
  assert.equal((await challenge(token)).code, 4);
});

test('one of many commands that make a token of one name at once succeeds', async () => {
  const store = new MemoryStore({ schedule: () => new Promise(setImmediate) });
  const { deps } = await makeLab({ store });
  const actor = { kind: 'admin', id: 'operator' } as const;
  const wanted = { name: 'contested', roles: ['challenger'] } as const;
  const made = await Promise.all(
    Array.from({ length: 20 }, () => makeToken(deps, wanted, { actor })),
  );
  assert.equal(made.filter((token) => token !== undefined).length, 1);
  const tokens = store.dump().filter(({ kind, record }) => {
    return kind === 'token' && 'name' in record && record.name === 'contested';
  });
  assert.equal(tokens.length, 1);
});

test('a name whose record was altered may be given to a new token', async () => {
  const store = new MemoryStore();
  const { deps } = await makeLab({ store });
  const make = () =>
    makeToken(deps, { name: 'spoilt', roles: ['auditor'] }, { actor: { kind: 'system' } });
  assert.ok(await make());
  const key = tokenNameKey('spoilt');
  const row = store.dump().find((one) => one.kind === 'token' && one.key === key);
  assert.ok(row);
  const record = { name: 'another', roles: [] };
  await store.write([{ do: 'put', kind: 'token', key, rev: row.rev, record }]);
  assert.ok(await make());
  assert.equal(await make(), undefined, 'it has one token again');
});

test('a lost token is revoked by its name', async () => {
  const { token } = await create('lost', 'challenger');
  const byName = () => terminal.run(['token', 'revoke', '--name', 'lost']);
  assert.equal((await byName()).code, 0);
  assert.equal((await challenge(token)).code, 4);
  const again = await byName();
  assert.deepEqual([again.code, again.err], [3, 'scepter: no token has the name "lost"\n']);
});

test('names by which the service itself acts are refused for tokens', async () => {
  for (const name of [
    'operator',
    'token-file',
    'worker-secret',
    'system',
    'device',
    'Operator',
    'SYSTEM',
  ]) {
    const { code, token, err } = await create(name, 'challenger');
    assert.deepEqual([code, token], [2, ''], name);
    assert.match(err, /name: "[A-Za-z-]+" is a name that Scepter itself acts by: take another/);
  }
});
