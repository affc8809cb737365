// Kills over SQLite: what was acknowledged is in the file, whenever the process went.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bytes } from '../../lib/bytes.ts';
import { generateKey, readCaCertificates } from '../../lib/scep/client.ts';
import { dumpSqlite } from '../history/stores.ts';
import { checkCa } from '../support/check-ca.ts';
import type { Lab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { freePort, startServer, temporary } from '../support/process.ts';
import { killScenarios } from './scenarios.ts';

killScenarios('SQLite', async () => ({
  env: {},
  rows: async (dataDir) => dumpSqlite(join(dataDir, 'scepter.db')),
}));

test('killed at any moment under load: every certificate that a device has is on record', async () => {
  const dataDir = join(temporary('kill'), 'data');
  const delivered: Bytes[] = [];
  for (const afterMs of [30, 80, 130, 180, 230, 280]) {
    const server = await startServer({ SCEPTER_DATA_DIR: dataDir, PORT: String(await freePort()) });
    const bag = await (await fetch(`${server.url}/scep?operation=GetCACert`)).arrayBuffer();
    const announced = readCaCertificates(new Uint8Array(bag));
    // What building a message takes of a lab.
    const lab = { announced, clock: { now: () => Date.now() } } as unknown as Lab;
    const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();
    const messages = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const headers = { authorization: `Bearer ${token}` };
        const url = `${server.url}/api/v1/challenges`;
        const made = await fetch(url, { method: 'POST', headers, body: '{}' });
        const { challenge } = (await made.json()) as { challenge: string };
        const key = await generateKey({ type: 'EC', curve: 'P-256' });
        return enrolment(lab, { key, challenge });
      }),
    );
    const ended = new Promise((resolve) => server.child.once('close', resolve));
    const before = delivered.length;
    const devices = messages.map(async ({ message, read }) => {
      const url = `${server.url}/scep?operation=PKIOperation`;
      const response = await fetch(url, { method: 'POST', body: message });
      const answer = await read(new Uint8Array(await response.arrayBuffer()));
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      delivered.push(...answer.certificates);
    });
    // How far they get is the machine's choice: the later the kill, the further.
    while (delivered.length === before) await sleep(1);
    await sleep(afterMs);
    server.child.kill('SIGKILL');
    const outcomes = await Promise.allSettled(devices);
    await ended;
    for (const outcome of outcomes) {
      // Whoever lost his connection has no answer; nobody has a wrong one.
      if (outcome.status === 'rejected') assert.equal(outcome.reason.name, 'TypeError');
    }
    checkCa(dumpSqlite(join(dataDir, 'scepter.db')), delivered);
  }
  assert.ok(delivered.length >= 6, `${delivered.length} were answered`);
});
