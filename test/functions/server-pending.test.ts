// Requests that wait, with real processes: a client that is stopped and started again, a server that
// is stopped while they wait; and what a server does with records whose time is over.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../functions/config/default-config.ts';
import { readEnv } from '../../functions/env.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { doAll } from '../../functions/upkeep.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { freshService, type Running, run, startServer, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';

const BRIEF_MS = 1000;
const { env } = await freshService('pending', {
  endpoints: {
    default: { ca: 'default', approval: 'always' },
    brief: { ca: 'default', approval: 'always', pendingTtl: `${BRIEF_MS / 1000}s` },
  },
});
let server: Running;
before(async () => {
  server = await startServer(env);
});
after(() => server.stop());

async function cli(...args: string[]): Promise<string> {
  const { code, out, err } = await run('bin/scepter.js', args, { env });
  assert.equal(code, 0, err);
  return out;
}

async function enrolment(endpoint: string, ...more: string[]): Promise<string[]> {
  const challenge = (await cli('challenge', 'create', '--endpoint', endpoint)).trim();
  const out = join(temporary('device'), endpoint);
  const url = `${server.url}/scep/${endpoint}`;
  const wanted = ['--challenge', challenge, '--subject', `CN=${endpoint}`, '--out', out];
  return ['enrol', '--url', url, ...wanted, ...more];
}

/** The one request at this endpoint, in whatever state it is. */
async function askedAt(endpoint: string): Promise<Pick<Transaction, 'id' | 'state'>> {
  const list = await cli('txn', 'list', '--endpoint', endpoint, '--json');
  const { transactions } = JSON.parse(list) as {
    transactions: Pick<Transaction, 'id' | 'state'>[];
  };
  const [only, ...more] = transactions;
  assert.ok(only && more.length === 0, list);
  return only;
}

test('a client stopped while it waits ends at once, and goes on when started again', async () => {
  const args = await enrolment('default', '--poll-interval', '1h', '--max-wait', '9h');
  const bin = join(import.meta.dirname, '..', '..', 'bin/scepter.js');
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const stops = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      child.stderr.on('data', (data) => {
        said += data;
        if (pattern.test(said)) resolve();
      });
    });
  await stops(/asking again in 1h/);
  // The stream ends with the last process that holds it: also the one that does the work.
  const closed = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_, signal) => resolve(signal)),
  );
  child.kill('SIGTERM');
  assert.equal(await closed, 'SIGTERM');
  const { id } = await askedAt('default');
  const made = await cli('token', 'create', 'approver', '--role', 'approver');
  const approver = { ...env, SCEPTER_URL: server.url, SCEPTER_TOKEN: made.trim() };
  const decided = await run('bin/scepter.js', ['txn', 'approve', id], { env: approver });
  assert.equal(decided.code, 0, decided.err);
  await cli(...args);
  const shown = JSON.parse(await cli('txn', 'show', id, '--json')) as Transaction;
  assert.deepEqual(
    shown.timeline.map(({ state, by }) => [state, by]),
    [
      ['pending', undefined],
      ['approved', 'approver'],
      ['intended', undefined],
      ['issued', undefined],
    ],
  );
});

test('a request that ran out while no server ran is expired by the next server without being asked', async () => {
  const args = await enrolment('brief', '--max-wait', '0');
  const { code, err } = await run('bin/scepter.js', args, { env });
  assert.equal(code, 1, err);
  await server.stop();
  await sleep(BRIEF_MS);
  server = await startServer(env);
  await answered(async () => assert.equal((await askedAt('brief')).state, 'expired'));
  assert.ok(!existsSync(join(args[args.indexOf('--out') + 1] ?? '', 'cert.pem')));
  assert.doesNotMatch(server.logged(), /upkeep\.failed|sweep\.failed/);
});

test('a record whose time is over is deleted by the upkeep of a server over a file', async () => {
  const own = readEnv((await freshService('expired', {})).env);
  const { deps, close } = await openEmbedded(own, await loadConfig(own), () => {});
  const over = { kind: 'idempotency', key: 'over' } as const;
  const record = { request: 'aa', answer: '{}', expiresAt: 1 };
  assert.equal(await deps.store.write([{ ...over, do: 'put', rev: 0, record }]), 'done');
  await doAll(deps);
  assert.deepEqual(await deps.store.read([over]), []);
  close();
});
