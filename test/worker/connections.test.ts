// A Worker far from its table: Cloudflare gives a request six connections, more calls wait for one, and
// workerd here does not do as much. Something between does it: it passes six calls at once, each late.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { STORE_CALL_MS } from '../../lib/base/limits.ts';
import { startWorker } from '../support/wrangler-dev.ts';
import { adminToken, type WorkerWorld, workerWorld } from './world.ts';

/** Half the way around the world and back. */
const ROUND_TRIP_MS = 200;
const CONNECTIONS = 6;

let world: WorkerWorld;
let far: Readonly<Record<string, string>>;
let most = 0;
const waiting: (() => void)[] = [];
let open = 0;

const passOn = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const sent = await buffer(request);
  await sleep(ROUND_TRIP_MS);
  const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
  const reply = await fetch(world.env.AWS_ENDPOINT_URL_DYNAMODB, {
    method: 'POST',
    headers: headers as Record<string, string>,
    body: sent,
  });
  response.writeHead(reply.status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(await reply.bytes());
};

const server = createServer(async (request, response) => {
  most = Math.max(most, open + waiting.length + 1);
  if (open === CONNECTIONS) await new Promise<void>((resolve) => waiting.push(resolve));
  else open++;
  // A call that has been aborted meanwhile takes no connection.
  if (!response.destroyed) await passOn(request, response).catch(() => response.destroy());
  const next = waiting.shift();
  if (next) next();
  else open--;
});

before(async () => {
  world = await workerWorld();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  far = { ...world.env, AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}` };
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test('a list is answered though its calls together take longer than one may', async () => {
  const one = await world.isolate(far);
  const headers = { authorization: `Bearer ${adminToken}` };
  for (const list of ['events', 'transactions', 'certificates', 'challenges']) {
    const began = performance.now();
    const answer = await fetch(`${one.url}/api/v1/${list}`, { headers });
    assert.equal(answer.status, 200, `${list}: ${one.printed().slice(-500)}`);
    assert.ok(performance.now() - began > STORE_CALL_MS, list);
  }
  assert.ok(most <= CONNECTIONS, `${most} at once`);
});

test('upkeep is done, and a job that waits for a connection waits for one answer', async () => {
  most = 0;
  const worker = await startWorker({ env: far });
  try {
    await worker.upkept();
    assert.deepEqual(worker.logged('upkeep.failed'), []);
    assert.ok(most < 2 * CONNECTIONS, `${most} at once`);
  } finally {
    await worker.stop();
  }
});
