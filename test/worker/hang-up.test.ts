// A device that hangs up, or sends less than it declared, causes no outage.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answered } from '../support/server-process.ts';
import type { Workerd } from '../support/workerd.ts';
import { workerWorld } from './world.ts';

/** Sends this much and is gone. @param halfClosed only says that no more will come */
async function leaves({ url }: Workerd, sent: readonly Uint8Array[], halfClosed = false) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).resume();
  socket.on('error', () => undefined);
  for (const part of sent) socket.write(part);
  if (halfClosed) socket.end();
  await sleep(300);
  socket.destroy();
}

const post = (more: string): Uint8Array =>
  Buffer.from(`POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: localhost\r\n${more}`);

test('a message that ends too early is refused, and causes no outage', async () => {
  const one = await (await workerWorld()).isolate();
  await leaves(one, [post('Content-Length: 5000\r\n\r\nabc')]);
  await leaves(one, [post('Content-Length: 5000\r\n\r\nabc')], true);
  await leaves(one, [post('Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')]);
  await leaves(one, [post('Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n')]);
  await answered(() => assert.equal(one.logged('http.refused').length, 4));
  assert.deepEqual(one.logged('http.outage'), []);
  const refused = one.logged('http.refused').map(({ status, detail }) => `${status} ${detail}`);
  assert.deepEqual(refused, Array(4).fill('400 the message ends too early'));
});

test('a request is completed when its device hangs up, and the next try gets its certificate', async () => {
  const w = await workerWorld();
  const one = await w.isolate({}, { hurried: true });
  await w.enrols(one, await w.sent('worker first'));
  const sent = await w.sent('worker leaves');
  const { hostname, port } = new URL(one.url);
  const socket = connect(Number(port), hostname).resume();
  const gone = once(socket, 'close');
  w.arm((call, at) => {
    if (call !== 'Sign' || w.calls.indexOf('Sign') < at) return undefined;
    socket.resetAndDestroy();
    // Long enough for the device's end to be noticed.
    return { kms: 'silent before' };
  });
  socket.write(post(`Content-Length: ${sent.message.length}\r\n\r\n`));
  socket.write(sent.message);
  await gone;
  await answered(() => assert.equal(one.logged('scep.pkiOperation').length, 2));
  assert.deepEqual(await w.checked(), ['issued', 'issued']);
  w.arm();
  await w.enrols(one, sent);
  assert.ok(!w.calls.includes('Sign'));
});
