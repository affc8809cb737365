// The logs of a Worker: its schedule puts events under checkpoints that KMS has signed, which it serves from S3.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorker } from '../support/wrangler-dev.ts';
import { adminToken, workerWorld } from './world.ts';

test('what happened is under a published checkpoint when a run of the schedule has ended', async () => {
  const { env } = await workerWorld();
  const worker = await startWorker({ env });
  try {
    const ask = (path: string, init: RequestInit = {}) => {
      const headers = {
        authorization: `Bearer ${adminToken}`,
        'content-type': 'application/json',
        'idempotency-key': crypto.randomUUID(),
      };
      return fetch(`${worker.url}${path}`, { headers, ...init });
    };
    const happen = async (): Promise<void> => {
      const made = await ask('/api/v1/challenges', { method: 'POST', body: '{}' });
      assert.equal(made.status, 201, await made.text());
    };
    // The isolate's own events (the configuration in force, reading) may come between the challenges.
    const challenges = async (): Promise<number> => {
      const checkpoint = await fetch(`${worker.url}/log/system/checkpoint`);
      if (!checkpoint.ok) return 0;
      const size = Number((await checkpoint.text()).split('\n')[1]);
      const entries = await ask(`/log/system/tile/entries/000.p/${size}`);
      return (await entries.text()).split('"challenge.created"').length - 1;
    };
    await happen();
    const run = worker.scheduled();
    while ((await challenges()) === 0) await sleep(200);
    // What happens after the first half of a minute has begun is taken by the second.
    await happen();
    assert.equal((await run).status, 200, worker.printed().slice(-1500));
    assert.equal(await challenges(), 2, worker.printed().slice(-1500));
    assert.deepEqual(worker.logged('upkeep.failed'), []);
    const { logs } = (await (await ask('/api/v1/logs')).json()) as { logs: { log: string }[] };
    assert.deepEqual(
      logs.map(({ log }) => log),
      ['system'],
      'nothing has happened to the CA since there are logs',
    );
  } finally {
    await worker.stop();
  }
});
