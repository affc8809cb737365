// The sequencer over DynamoDB Local and S3: cut off at any call, two at once, a table that went back, a head that
// another hand has changed. Whatever happens, no two checkpoints of different histories are published, and none once
// the table and the files are not of one moment.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { S3LogFiles } from '../../lib/adapters/aws/s3/log-files.ts';
import { recoverLog } from '../../lib/ca/log/recover.ts';
import { sequenceLog } from '../../lib/ca/log/sequence.ts';
import type { LogFiles } from '../../lib/ports/log-files.ts';
import type { Action, Row } from '../../lib/ports/store.ts';
import { cutting } from '../support/cutting.ts';
import { freshStore } from '../support/dynamodb.ts';
import { keptLogs, notingSwaps, requireOneHistory } from '../support/log.ts';
import { idsOf, log, logWorld } from '../support/log-world.ts';
import { random } from '../support/messages.ts';
import { startS3Emulator } from '../support/s3-emulator.ts';
import { patient } from '../support/timers.ts';

const s3 = await startS3Emulator();
after(() => s3.stop());
let buckets = 0;
const bucket = (): S3LogFiles => s3.logFiles(patient, `logs-${buckets++}`);

async function open(files: LogFiles = bucket()) {
  const { store, rows } = await freshStore();
  const noted = notingSwaps(files);
  const kept = keptLogs(noted.files, store);
  const world = logWorld(store, kept, store);
  /** None of the checkpoints that were published is of another history, and every event is in it once. */
  const requireWhole = async (note = ''): Promise<readonly string[]> => {
    const { entries } = await world.published();
    assert.deepEqual(new Set(idsOf(entries)), new Set(world.ids), note);
    assert.equal(entries.length, world.ids.length, note);
    requireOneHistory(noted.swapped, entries);
    return entries;
  };
  return { ...world, kept, rows, requireWhole };
}

test('what happened is published once, in the order of the ids, and waits no longer', async () => {
  const w = await open();
  for (const count of [1, 3, 90, 1]) {
    await w.happenTogether(count);
    const { appended } = await sequenceLog(w.deps, log);
    assert.equal(appended, count);
    assert.deepEqual(idsOf(await w.requireWhole()), w.ids);
    assert.equal(await w.waiting(), 0);
  }
  const waiting = (await w.rows()).filter(({ kind }) => kind === 'unlogged');
  assert.deepEqual(waiting, []);
});

test('cut off at any call, before or after it took effect, the log is whole and has every event once', async () => {
  for (let at = 0; ; at++) {
    for (const kind of ['before', 'after'] as const) {
      const w = await open();
      await w.happen(2);
      await sequenceLog(w.deps, log);
      await w.happen(3);
      const { deps, arm, calls } = cutting(w.deps, (when) => {
        throw new Error(`cut off ${when}`);
      });
      arm(at, kind);
      const ended = await sequenceLog(deps, log).then(
        () => true,
        () => false,
      );
      const { entries } = await w.published();
      assert.ok([2, 5].includes(entries.length));
      await sequenceLog(w.deps, log);
      await w.requireWhole(`cut off at ${at}, ${kind}`);
      assert.equal(await w.waiting(), 0);
      if (ended && calls() < at) return;
    }
  }
});

test('two sequencers at once publish one history, and lose nothing', async () => {
  const w = await open();
  const run = () => sequenceLog(w.deps, log).catch(() => undefined);
  for (let round = 0; round < 12; round++) {
    await w.happen(3);
    await Promise.all([run(), w.happen(4), run(), run()]);
  }
  await run();
  await sequenceLog(w.deps, log);
  await w.requireWhole();
  assert.equal(await w.waiting(), 0);
});

/** A new table with these records, as a point in time that was restored has them. */
async function restored(rows: readonly Row[], files: LogFiles) {
  const back = await open(files);
  for (const { kind, key, record } of rows) {
    await back.table.write([{ do: 'put', kind, key, rev: 0, record } as Action]);
  }
  return back;
}

test('a table that is restored from an hour ago publishes nothing, until the log is recovered', async () => {
  const w = await open();
  await w.happen(3);
  await sequenceLog(w.deps, log);
  await w.happen(1);
  const then = await w.rows();
  await sequenceLog(w.deps, log);
  w.clock.at += 3_600_000;
  await w.happen(2);
  await sequenceLog(w.deps, log);
  const { entries } = await w.published();
  const back = await restored(then, w.files);
  const deps = { ...back.deps, logs: { ...w.deps.logs, waiting: back.table }, random };
  await back.happen(1);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(sequenceLog(deps, log), /nothing is signed until "scepter log recover"/);
  }
  assert.deepEqual((await w.published()).entries, entries);
  const recovered = await recoverLog(deps, log, { kind: 'admin', id: 'operator' });
  assert.deepEqual(recovered, { name: log, size: 6, lost: w.ids.slice(4) });
  await sequenceLog(deps, log);
  const after = (await w.published()).entries;
  assert.deepEqual(after.slice(0, 6), entries);
  assert.equal(new Set(idsOf(after)).size, after.length, 'none stands in it twice');
  assert.deepEqual(
    after
      .slice(6)
      .map((one) => JSON.parse(one).type)
      .sort(),
    ['crl.published', 'log.recovered'],
  );
});

test('a head that another hand has changed, put back or removed publishes nothing', async () => {
  const w = await open();
  await w.happen(2);
  await sequenceLog(w.deps, log);
  const headOf = async () =>
    (await w.rows()).find((row): row is Row<'logHead'> => row.kind === 'logHead') ??
    assert.fail('no head');
  const first = await headOf();
  await w.happen(2);
  await sequenceLog(w.deps, log);
  await w.happen(2);
  await sequenceLog(w.deps, log);
  await w.happen(1);
  const { entries } = await w.published();
  const { key, record: good } = await headOf();
  for (const record of [
    { ...good, checkpoint: first.record.checkpoint },
    { ...good, checkpoint: '', before: '' },
    { ...good, name: 'another' },
    first.record,
    undefined,
  ]) {
    const { rev } = await headOf();
    const put = { do: 'put', kind: 'logHead', key, rev, record } as Action;
    await w.table.write([record ? put : { do: 'delete', kind: 'logHead', key, rev }]);
    await assert.rejects(sequenceLog(w.deps, log), /"scepter log recover"/);
    assert.deepEqual((await w.published()).entries, entries);
  }
  await w.table.write([{ do: 'put', kind: 'logHead', key, rev: 0, record: good }]);
  await sequenceLog(w.deps, log);
  await w.requireWhole();
});
