// What status and /healthz/upkeep say of logs: a log into which nothing gets any more must not look well.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doAll } from '../../../functions/upkeep.ts';
import { sequenceAll } from '../../../lib/ca/log/sequence.ts';
import { logsStatus } from '../../../lib/ca/log/status.ts';
import { makeApp } from '../../../lib/http/app.ts';
import * as api from '../../support/api.ts';
import { openTerminal } from '../../support/cli.ts';
import { makeLab } from '../../support/lab.ts';
import { memoryLogs, waitingIn } from '../../support/log.ts';
import { MemoryStore } from '../../support/memory-store.ts';

async function open() {
  const store = new MemoryStore();
  const { files, logs: kept } = memoryLogs(store);
  const logs = { ...kept, waiting: waitingIn(store) };
  const lab = await makeLab({ store, logs, caKey: 'ec:P-256' });
  const sequence = () => sequenceAll({ ...lab.deps, logs });
  const warnings = async () => (await api.ok(lab, 'GET', '/status')).warnings as string[];
  return { lab, files, logs, sequence, warnings };
}

test('a log that has taken everything has nothing to say; one for which events wait, and one without a new checkpoint, have', async () => {
  const { lab, sequence, warnings } = await open();
  await sequence();
  assert.deepEqual(await warnings(), []);
  await lab.challenge();
  lab.clock.at += 60_000;
  assert.deepEqual(await warnings(), [], 'it has a minute');
  lab.clock.at += 61_000;
  const [late = '', ...more] = await warnings();
  assert.deepEqual(more, []);
  assert.match(late, /^log "system": events have waited for it since 2\d{3}-.*Z: upkeep\.failed/);
  await sequence();
  assert.deepEqual(await warnings(), []);
  lab.clock.at += 65 * 60_000;
  for (const said of await warnings()) assert.match(said, /its newest checkpoint is of 2\d{3}-/);
  lab.clock.at -= 3 * 60 * 60_000;
  const ofLogs = (await warnings()).filter((said) => said.startsWith('log '));
  assert.equal(ofLogs.length, 2);
  for (const said of ofLogs) assert.match(said, /is of the future \(.*\): a clock was/);
});

test('/healthz/upkeep of a server with its records in a file is a 503 where events do not get into a log', async () => {
  const { lab, sequence } = await open();
  await sequence();
  await doAll({ ...lab.deps, sequencing: undefined } as never);
  const app = makeApp({ ...lab.deps, snapshots: { snapshot: async () => 'copy' } });
  const health = async () => {
    lab.clock.at += 5000;
    return (await app.fetch(new Request('http://scep.test/healthz/upkeep'), {})).status;
  };
  assert.equal(await health(), 200);
  await lab.challenge();
  lab.clock.at += 121_000;
  assert.equal(await health(), 503);
  assert.equal(
    lab.log.findLast(({ event }) => event === 'http.outage')?.detail,
    'events wait for the log "system": "scepter status" says more',
  );
  await sequence();
  assert.equal(await health(), 200);
});

test('files that are lost or changed are named with the command that ends it, and status fails', async () => {
  const { lab, files, sequence, warnings } = await open();
  await lab.challenge();
  await sequence();
  const terminal = await openTerminal(lab);
  try {
    const well = await terminal.run(['status']);
    assert.equal(well.code, 0, well.err);
    assert.match(well.out, /^LOG {6}EVENTS {2}NEWEST CHECKPOINT$/m);
    files.files.clear();
    lab.clock.at += 121_000;
    const said = await warnings();
    assert.equal(said.length, 2);
    for (const one of said) assert.match(one, /^log "(system|default)": .*"scepter log recover"/);
    assert.equal((await terminal.run(['status'])).code, 1);
  } finally {
    await terminal.close();
  }
});

test('a log whose key or files cannot be read is named', async () => {
  const { lab, files, sequence, warnings } = await open();
  await sequence();
  files.fault = () => 'before';
  for (const one of await warnings()) assert.match(one, /it cannot be read: the log says why$/);
  assert.match(
    String(lab.log.findLast(({ event }) => event === 'status.logs')?.detail),
    /read failed before/,
  );
});

test('a log whose key was lost and made anew is named, with what ends it', async () => {
  const { lab, logs, sequence } = await open();
  await lab.challenge();
  await sequence();
  const other = memoryLogs(lab.deps.store).logs;
  const found = await logsStatus({ ...lab.deps, logs: { ...logs, key: other.key } });
  assert.equal(found.length, 2);
  for (const { warnings } of found) {
    assert.match(
      warnings.join(),
      /^the log "\w+" is not signed with the key of the logs .*"scepter log recover \w+ --new-key" ends/,
    );
  }
});
