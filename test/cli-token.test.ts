// Tokens of the admin API: made and revoked by an operator, on the store itself.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openTerminal } from './support/cli.ts';
import { makeLab } from './support/lab.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());

async function create(...flags: readonly string[]) {
  const { code, out, err } = await terminal.run(['token', 'create', '--name', 'portal', ...flags]);
  return { code, token: out.trim(), err };
}
const challenge = (token: string) =>
  terminal.run(['challenge', 'create', '--endpoint', 'default'], { token });

test('a token that was made lets in for its roles and no others, and its name stands in the events', async () => {
  const { code, token, err } = await create('--role', 'challenger');
  assert.equal(code, 0, err);
  assert.match(token, /^[\w-]{43}$/);
  assert.match(err, /it cannot be shown again/);
  assert.equal((await challenge(token)).code, 0);
  const denied = await terminal.run(['txn', 'list'], { token });
  assert.equal(denied.code, 4, denied.err);
  const events = await lab.deps.store.list({ list: 'events', group: 'all', limit: 100 });
  const rows = await lab.deps.store.read(events.keys.map((key) => ({ kind: 'event', key })));
  const bodies = rows.map(({ record }) => (record as { body: string }).body);
  assert.ok(
    bodies.some((body) => /made the token \\"portal\\" with the roles challenger/.test(body)),
  );
  assert.ok(
    bodies.every((body) => !body.includes(token)),
    'an event has the token',
  );
});

test('several roles are good together', async () => {
  const { token } = await create('--role', 'challenger', 'auditor');
  assert.equal((await challenge(token)).code, 0);
  assert.equal((await terminal.run(['txn', 'list'], { token })).code, 0);
});

test('a token that was revoked lets nobody in, and cannot be revoked again', async () => {
  const { token } = await create('--role', 'challenger');
  const revoke = () => terminal.run(['token', 'revoke'], { stdin: `${token}\n` });
  assert.equal((await revoke()).code, 0);
  assert.equal((await challenge(token)).code, 4);
  const again = await revoke();
  assert.deepEqual([again.code, again.err], [3, 'scepter: nobody is let in by this token\n']);
});

test('a role that there is none of, or a name with a space, is refused before anything is made', async () => {
  assert.equal((await create('--role', 'root')).code, 2);
  assert.equal((await terminal.run(['token', 'create', '--role', 'admin'])).code, 2);
  const named = await terminal.run(['token', 'create', '--name', 'a b', '--role', 'admin']);
  assert.deepEqual([named.code, named.out], [2, '']);
});
