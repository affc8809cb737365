import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../lib/base/bytes.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { readVerifierKey } from '../../lib/events/note.ts';
import { checkProof } from '../../lib/events/proof.ts';
import { makeLab, putToken } from '../support/lab.ts';
import { memoryLogs } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

async function open() {
  const store = new MemoryStore();
  const { logs } = memoryLogs(store);
  const lab = await makeLab({ store, logs, operates: true, caKey: 'ec:P-256' });
  const ask = (path: string, token?: string, method = 'GET') =>
    lab.fetch(path, {
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(method === 'POST' ? { body: '{}' } : {}),
    });
  const tokenOf = async (role: 'auditor' | 'challenger') => {
    const token = role.padEnd(43, 'x');
    await putToken(lab.deps.store, token, { name: role, roles: [role] });
    return token;
  };
  return { lab, ask, tokenOf, deps: { ...lab.deps, logs } };
}

test('everybody gets checkpoints and hashes, which caches may keep as long as they are good', async () => {
  const { ask, deps } = await open();
  assert.equal((await ask('/log/default/checkpoint')).status, 404);
  await sequenceAll(deps);
  const checkpoint = await ask('/log/default/checkpoint');
  assert.equal(checkpoint.status, 200);
  assert.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(checkpoint.headers.get('cache-control'), 'public, max-age=5');
  const [origin, size] = (await checkpoint.text()).split('\n');
  assert.equal(origin, 'scep.test/log/default');
  const tile = await ask(`/log/default/tile/0/000.p/${size}`);
  assert.equal((await tile.arrayBuffer()).byteLength, 32 * Number(size));
  assert.match(tile.headers.get('cache-control') ?? '', /immutable/);
});

test('events are for tokens with the role auditor', async () => {
  const { lab, ask, deps, tokenOf } = await open();
  await sequenceAll(deps);
  const [, size] = (await (await ask('/log/default/checkpoint')).text()).split('\n');
  const bundle = `/log/default/tile/entries/000.p/${size}`;
  const statuses = [];
  for (const token of [undefined, 'x'.repeat(43), await tokenOf('challenger')]) {
    statuses.push((await ask(bundle, token)).status);
  }
  assert.deepEqual(statuses, [401, 401, 403]);
  for (const token of [await tokenOf('auditor'), lab.adminToken]) {
    const answer = await ask(bundle, token);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('cache-control') ?? '', /^private/);
    assert.match(await answer.text(), /"ca\.created"/);
  }
});

test('no path leads out of a log', async () => {
  const { lab, ask, deps } = await open();
  await sequenceAll(deps);
  const paths = [
    ...[
      'default/staged/x',
      'default',
      'default/',
      'default/tile/0/000.p/0x1',
      'default/tile/0/../checkpoint',
    ],
    ...[
      'default/tile/entries/../../../x',
      'nowhere/checkpoint',
      '../keys/log.p8',
      'default%2Fcheckpoint',
    ],
    ...['default/tile/0/x0001/000', 'default/tile/100/000', 'default/tile/0/000/x', './checkpoint'],
  ];
  for (const path of paths) {
    const { status } = await ask(`/log/${path}`, lab.adminToken);
    assert.ok([400, 404].includes(status), `${path}: ${status}`);
  }
});

test('the logs are listed with what they are verified with, and an event is proven', async () => {
  const { lab, ask, deps, tokenOf } = await open();
  const auditor = await tokenOf('auditor');
  assert.deepEqual(await (await ask('/api/v1/logs', auditor)).json(), { logs: [] });
  const { events } = (await (await ask('/api/v1/events', auditor)).json()) as {
    events: { id: string; ca?: string }[];
  };
  const [one] = events.filter(({ ca }) => ca === 'default');
  const proofOf = `/api/v1/events/${one?.id}/proof`;
  assert.equal((await ask(proofOf, auditor)).status, 409);
  await sequenceAll(deps);
  const proven = await (await ask(proofOf, auditor)).json();
  const verifier = readVerifierKey(proven.verifierKey);
  await checkProof(proven.proof, utf8(proven.event), verifier);
  const { logs } = (await (await ask('/api/v1/logs', auditor)).json()) as {
    logs: { log: string; verifierKey: string }[];
  };
  assert.ok(
    logs.some(({ log, verifierKey }) => log === 'default' && verifierKey === proven.verifierKey),
  );
  assert.equal((await ask('/api/v1/events/01ARZ3NDEKTSV4RRFFQ69G5FAV/proof', auditor)).status, 404);
  assert.equal((await ask('/api/v1/logs/default/recover', auditor, 'POST')).status, 403);
  assert.equal((await ask('/api/v1/logs/nowhere/recover', lab.adminToken, 'POST')).status, 404);
  const recovered = await ask('/api/v1/logs/default/recover', lab.adminToken, 'POST');
  assert.deepEqual([recovered.status, (await recovered.json()).log], [200, 'default']);
});
