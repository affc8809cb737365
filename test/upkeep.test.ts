// What a server does beside answering: tasks that fail, take long and are stopped.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { keepUp, upkeepOf } from '../functions/upkeep.ts';
import { MemoryStore } from '../lib/adapters/memory.ts';
import type { LogEntry } from '../lib/ports/log.ts';
import type { Transaction } from '../lib/ports/records.ts';
import { makeLab } from './support/lab.ts';
import { enrolment } from './support/messages.ts';

const minute = 60_000;

/** A run that ends when it is told to. */
function held() {
  const ends: (() => void)[] = [];
  return {
    run: () => new Promise<void>((resolve) => ends.push(resolve)),
    begun: () => ends.length,
    end: async (which: number) => {
      ends[which]?.();
      await turn();
    },
  };
}

describe('tasks', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  test('a run that fails, at once or later, is logged and the next comes at its time', async () => {
    const log: LogEntry[] = [];
    let runs = 0;
    const run = (): Promise<void> => {
      runs++;
      if (runs === 1) throw new Error('thrown');
      return runs === 2 ? Promise.reject('rejected') : Promise.resolve();
    };
    const stop = keepUp([{ name: 'sweep', everyMs: minute, run }], (entry) => log.push(entry));
    for (let more = 0; more < 2; more++) {
      await turn();
      mock.timers.tick(minute);
    }
    await stop();
    assert.equal(runs, 3);
    const failed = { event: 'upkeep.failed', severity: 'error', task: 'sweep' };
    assert.deepEqual(log, [
      { ...failed, detail: 'thrown' },
      { ...failed, detail: 'rejected' },
    ]);
  });

  test('a run that takes longer than its interval is waited for, and keeps no other task', async () => {
    const slow = held();
    let others = 0;
    const other = async () => {
      others++;
    };
    const stop = keepUp(
      [
        { name: 'slow', everyMs: minute, run: slow.run },
        { name: 'other', everyMs: minute, run: other },
      ],
      () => undefined,
    );
    for (let more = 0; more < 5; more++) {
      await turn();
      mock.timers.tick(minute);
    }
    assert.equal(slow.begun(), 1);
    assert.equal(others, 6);
    await slow.end(0);
    mock.timers.tick(minute - 1);
    assert.equal(slow.begun(), 1);
    mock.timers.tick(1);
    assert.equal(slow.begun(), 2);
    const stopped = stop();
    await slow.end(1);
    await stopped;
  });

  test('stopping waits for the run at work, and nothing begins after it', async () => {
    const slow = held();
    const stop = keepUp([{ name: 'slow', everyMs: minute, run: slow.run }], () => undefined);
    let stopped = false;
    const done = stop().then(() => {
      stopped = true;
    });
    await turn();
    assert.equal(stopped, false);
    await slow.end(0);
    await done;
    mock.timers.tick(10 * minute);
    assert.equal(slow.begun(), 1);
  });
});

test('the upkeep of a service: what is due is swept every minute, each CRL looked after', async () => {
  const store = new MemoryStore();
  const cas = { default: { subject: 'CN=One' }, second: { subject: 'CN=Two' } };
  const endpoints = { default: { ca: 'default', approval: 'always' as const } };
  const lab = await makeLab({ store, config: { cas, endpoints } });
  const sent = await enrolment(lab, { challenge: await lab.challenge() });
  assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'PENDING');
  const [sweep, ...crls] = upkeepOf(lab.deps);
  assert.deepEqual(
    crls.map(({ name, everyMs }) => [name, everyMs]),
    [
      ['crl default', minute],
      ['crl second', minute],
    ],
  );
  assert.equal(sweep?.everyMs, minute);
  lab.clock.at += 8 * 24 * 60 * minute;
  for (const { run } of [sweep, ...crls]) await run();
  const found = store.dump().find(({ kind }) => kind === 'transaction')?.record as Transaction;
  assert.equal(found.state, 'expired');
  for (const id of ['default', 'second']) {
    assert.equal((await lab.deps.crls.newest(id))?.number, 2, id);
  }
});
