import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromUtf8, utf8 } from '../../../lib/base/bytes.ts';
import { CLOCK_SKEW_MS, SWEEP_PAGES } from '../../../lib/base/limits.ts';
import { LOG_EVERY_MS, SEQUENCE_PAGE, SEQUENCE_ROWS } from '../../../lib/base/log-limits.ts';
import { type SequenceDeps, sequenceLog } from '../../../lib/ca/log/sequence.ts';
import type { Action } from '../../../lib/ports/store.ts';
import { type KeptLogs, type MemoryLogFiles, memoryLogs } from '../../support/log.ts';
import { idsOf, log, logWorld } from '../../support/log-world.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const makeWorld = (table = new MemoryStore(), kept: KeptLogs<MemoryLogFiles> = memoryLogs(table)) =>
  logWorld(table, kept);

test('what happened is under a published checkpoint once, in the order of the ids', async () => {
  const world = makeWorld();
  for (const count of [1, 3, 252, 300, 1]) {
    await (count > 250 ? world.happenTogether(count) : world.happen(count));
    const { appended } = await sequenceLog(world.deps, log);
    assert.equal(appended, count);
    const { entries, size } = await world.published();
    assert.equal(size, world.ids.length);
    assert.deepEqual(idsOf(entries), world.ids);
    assert.equal(await world.waiting(), 0);
  }
  assert.deepEqual(
    [...world.files.files.keys()].filter((path) => path.includes('staged')),
    [],
  );
});

test('more than one checkpoint takes is taken by the next ones of the same run', async () => {
  const world = makeWorld();
  const count = 2 * SEQUENCE_ROWS + 1;
  await world.happen(count);
  assert.equal((await sequenceLog(world.deps, log)).appended, count);
  assert.deepEqual(idsOf((await world.published()).entries), world.ids);
  assert.equal(world.signed.length, 3);
});

test('without new events a checkpoint is signed once an hour, and a clock that was ahead delays it no longer', async () => {
  const world = makeWorld();
  assert.deepEqual(await sequenceLog(world.deps, log), { appended: 0, refused: 0, waitedMs: 0 });
  assert.equal(world.signed.length, 0);
  await world.happen();
  await sequenceLog(world.deps, log);
  const first = await world.published();
  world.clock.at += 59 * 60_000;
  await sequenceLog(world.deps, log);
  assert.equal(world.signed.length, 1);
  world.clock.at += 60_000;
  await sequenceLog(world.deps, log);
  const second = await world.published();
  assert.deepEqual([second.size, second.root], [first.size, first.root]);
  assert.equal(second.time, world.clock.at);
  world.clock.at -= 5 * 60_000;
  await sequenceLog(world.deps, log);
  assert.equal((await world.published()).time, world.clock.at);
});

test('cut off at any call, before or after it took effect, the log is whole and has every event once', async () => {
  for (let cut = 0; ; cut++) {
    for (const kind of ['before', 'after'] as const) {
      let [calls, on] = [-1, false];
      const fault = () => (on && ++calls === cut ? kind : undefined);
      const world = makeWorld(new MemoryStore({ fault }));
      world.files.fault = fault;
      await world.happenTogether(254);
      await sequenceLog(world.deps, log);
      await world.happen(3);
      on = true;
      const ended = await sequenceLog(world.deps, log).then(
        () => true,
        () => false,
      );
      on = false;
      const { entries } = await world.published();
      assert.ok([254, 257].includes(entries.length));
      await sequenceLog(world.deps, log);
      assert.deepEqual(
        idsOf((await world.published()).entries),
        world.ids,
        `cut off at ${cut}, ${kind}`,
      );
      assert.equal(await world.waiting(), 0);
      await world.happen();
      await sequenceLog(world.deps, log);
      const staged = [...world.files.files.keys()].filter((path) => path.includes('staged'));
      assert.deepEqual(staged, [], `cut off at ${cut}, ${kind}`);
      if (ended && calls < cut) return;
    }
  }
});

test('two sequencers at once, in every order of their steps, sign nothing inconsistent and lose nothing', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    let state = seed;
    const coin = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % 4;
    };
    const schedule = async () => {
      for (let turns = coin(); turns > 0; turns--)
        await new Promise((resolve) => setImmediate(resolve));
    };
    const world = makeWorld(new MemoryStore({ schedule }));
    world.files.schedule = schedule;
    await world.happen(30);
    const run = () => sequenceLog(world.deps, log).catch(() => undefined);
    await Promise.all([run(), run(), world.happen(20), run()]);
    await run();
    await sequenceLog(world.deps, log);
    const { entries } = await world.published();
    assert.deepEqual(new Set(idsOf(entries)), new Set(world.ids));
    assert.equal(entries.length, world.ids.length, `seed ${seed}`);
    assert.equal(await world.waiting(), 0);
  }
});

test('a table that was put back to an earlier moment signs nothing', async () => {
  const world = makeWorld();
  await world.happen(3);
  await sequenceLog(world.deps, log);
  const then = world.table.dump();
  await world.happen(4);
  await sequenceLog(world.deps, log);
  const older = new MemoryStore();
  for (const { kind, key, record } of then) {
    await older.write([{ do: 'put', kind, key, rev: 0, record } as never]);
  }
  const back = makeWorld(older, world);
  await back.happen(2);
  const before = world.signed.length;
  await assert.rejects(
    sequenceLog(back.deps, log),
    /what is published of the log "default" is not what the records say/,
  );
  assert.equal(world.signed.length, before);
  const lost = makeWorld(new MemoryStore(), world);
  await lost.happen();
  await assert.rejects(
    sequenceLog(lost.deps, log),
    /nothing is signed until "scepter log recover"/,
  );
});

test('files that were put back, changed or lost sign nothing', async () => {
  const world = makeWorld();
  await world.happenTogether(300);
  await sequenceLog(world.deps, log);
  const then = new Map(world.files.files);
  await world.happen(2);
  await sequenceLog(world.deps, log);
  await world.happen(2);
  await sequenceLog(world.deps, log);
  await world.happen(1);
  const now = new Map(world.files.files);
  const partial = `${log}/tile/0/001.p/48`;
  const damage: (() => void)[] = [
    () => world.files.files.set(`${log}/checkpoint`, then.get(`${log}/checkpoint`) ?? utf8('')),
    () => world.files.files.delete(`${log}/checkpoint`),
    () => world.files.files.set(`${log}/checkpoint`, utf8('other\n')),
    () => world.files.files.delete(partial),
    () => world.files.files.set(partial, utf8('x'.repeat(48 * 32))),
  ];
  assert.ok(now.has(partial));
  for (const harm of damage) {
    world.files.files.clear();
    for (const [path, octets] of now) world.files.files.set(path, octets);
    harm();
    const before = world.signed.length;
    await assert.rejects(sequenceLog(world.deps, log));
    assert.equal(world.signed.length, before);
  }
  world.files.files.clear();
  for (const [path, octets] of now) world.files.files.set(path, octets);
  await sequenceLog(world.deps, log);
  assert.deepEqual(idsOf((await world.published()).entries), world.ids);
});

test('an event that another hand has made, changed or removed is not taken, is told of, and keeps no other waiting', async () => {
  const world = makeWorld();
  await world.happen(3);
  const [first = '', second = ''] = world.ids;
  const body = JSON.stringify({ id: 'X', ca: log });
  const forged = { do: 'put', kind: 'event', key: 'X', rev: 0, record: { body } } as const;
  const waits = { log, events: ['X'] };
  await world.table.write([
    forged,
    { do: 'put', kind: 'unlogged', key: `${log}/X`, rev: 0, record: waits },
  ]);
  const record = { body: body.replace('X', first) };
  await world.table.write([{ do: 'put', kind: 'event', key: first, rev: 1, record }]);
  await world.table.write([{ do: 'delete', kind: 'event', key: second, rev: 1 }]);
  assert.deepEqual(await sequenceLog(world.deps, log), { appended: 1, refused: 3, waitedMs: 0 });
  assert.deepEqual(idsOf((await world.published()).entries), world.ids.slice(2));
  const told = world.said.filter(({ event }) => event === 'log.refused').map(({ key }) => key);
  assert.deepEqual(
    new Set(told),
    new Set([`unlogged ${log}/X`, `unlogged ${log}/${first}`, `unlogged ${log}/${second}`]),
  );
});

test('a key that is not that of the log signs nothing that anybody sees', async () => {
  const world = makeWorld();
  await world.happen();
  const other = memoryLogs(world.table);
  const deps = { ...world.deps, logs: { ...world.logs, sign: other.logs.sign } };
  await assert.rejects(sequenceLog(deps, log), /its public key does not verify/);
  assert.equal(world.files.files.has(`${log}/checkpoint`), false);
  const moved = { ...world.deps, config: { publicUrl: 'https://new.example.com' } } as SequenceDeps;
  await sequenceLog(world.deps, log);
  await world.happen();
  await sequenceLog(moved, log);
  assert.match(
    fromUtf8(world.files.files.get(`${log}/checkpoint`) ?? utf8('')),
    /^ca\.example\.com\/log\/default\n2\n/,
  );
});

test('a record that is put back once its events are in the log puts them there no second time, however soon, and in a log of many tiles', async () => {
  for (const [pauseMs, between] of [
    [0, 1],
    [LOG_EVERY_MS, 1],
    [2 * CLOCK_SKEW_MS, 700],
  ] as const) {
    const world = makeWorld();
    await world.happen();
    const row = world.table.dump().find(({ kind }) => kind === 'unlogged');
    assert.ok(row);
    const { kind, key, record } = row;
    for (let i = 0; i < 2; i++) {
      await sequenceLog(world.deps, log);
      world.clock.at += pauseMs;
      await world.happen(between);
    }
    await sequenceLog(world.deps, log);
    const { size } = await world.published();
    await world.table.write([{ do: 'put', kind, key, rev: 0, record } as Action]);
    await world.happen(between);
    const { appended, refused } = await sequenceLog(world.deps, log);
    assert.deepEqual([appended, refused], [between, 1]);
    assert.equal((await world.published()).size, size + between);
  }
});

test('a list that is full of what is no record stops nothing silently', async () => {
  const world = makeWorld();
  const junk = Array.from({ length: SWEEP_PAGES * SEQUENCE_PAGE + 1 }, (_, i) => i);
  for (const i of junk) {
    const key = `${log}/0000${String(i).padStart(6, '0')}`;
    const record = { log, events: ['X'] };
    await world.table.write([{ do: 'put', kind: 'unlogged', key, rev: 0, record } as Action]);
  }
  await world.happen();
  await assert.rejects(sequenceLog(world.deps, log), /is full of 10000 records that are none/);
});
