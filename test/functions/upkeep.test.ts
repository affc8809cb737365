// What a server does beside answering: tasks that fail, take long and are stopped.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { doAll, keepUp, upkeepOf } from '../../functions/upkeep.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { requestCa } from '../../lib/ca/authority/init-ca.ts';
import { jobsOf } from '../../lib/ca/jobs.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';

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

test('the upkeep of a service sweeps every minute and looks after each CRL', async () => {
  const store = new MemoryStore();
  const cas = { default: { subject: 'CN=One' }, second: { subject: 'CN=Two' } };
  const endpoints = { default: { ca: 'default', approval: 'always' as const } };
  const lab = await makeLab({ store, config: { cas, endpoints } });
  const sent = await enrolment(lab, { challenge: await lab.challenge() });
  assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'PENDING');
  const tasks = upkeepOf(lab.deps);
  const names = ['sweep', 'search', 'search late', 'crl default', 'expiry default', 'lint default'];
  names.push('crl second', 'expiry second', 'lint second');
  assert.deepEqual(
    tasks.map(({ name, everyMs }) => [name, everyMs]),
    names.map((name) => [name, minute]),
  );
  lab.clock.at += 8 * 24 * 60 * minute;
  for (const { run } of tasks) await run();
  const found = store.dump().find(({ kind }) => kind === 'transaction')?.record as Transaction;
  assert.equal(found.state, 'expired');
  for (const id of ['default', 'second']) {
    assert.equal((await lab.deps.crls.newest(id))?.number, 2, id);
  }
});

test('a call of the maintenance function does all that is due and logs each job, whatever fails', async () => {
  const lab = await makeLab();
  const failing = { name: 'broken', everyMs: 0, limitMs: minute };
  const done: string[] = [];
  const jobs = [
    { ...failing, name: 'thrown', run: () => Promise.reject(new Error('no')) },
    { ...failing, name: 'slow', limitMs: 1, run: () => new Promise<never>(() => undefined) },
    {
      ...failing,
      name: 'good',
      run: async () => {
        done.push('good');
        return { swept: 3 };
      },
    },
  ];
  await assert.rejects(doAll(lab.deps, jobs), { message: 'upkeep failed: thrown, slow' });
  assert.deepEqual(done, ['good']);
  const said = lab.log.map(({ event, task, detail, swept }) => [event, task, detail ?? swept]);
  assert.deepEqual(said.sort(), [
    ['upkeep.done', 'good', 3],
    ['upkeep.failed', 'slow', 'it took longer than 0.001 s'],
    ['upkeep.failed', 'thrown', 'no'],
  ]);
});

test('the jobs of a service log what they measure, and warn', async () => {
  const lab = await makeLab();
  const day = 24 * 60 * minute;
  await doAll(lab.deps);
  const measured = Object.assign({}, ...lab.log);
  assert.equal(measured.voided, 0);
  assert.equal(measured.crlHoursLeft, 10 * 24);
  assert.ok(measured.caHoursLeft > 3600 * 24 && measured.raHoursLeft > 1800 * 24);
  lab.clock.at += 5 * 365 * day - 10 * day;
  await doAll(lab.deps); // finds a CRL that ended long ago, and makes another
  lab.log.length = 0;
  lab.clock.at += day;
  await doAll(lab.deps);
  const warnings = lab.log.filter(({ event }) => event === 'ca.warning');
  assert.deepEqual(
    warnings.map(({ severity, ca, detail }) => [severity, ca, String(detail).slice(0, 32)]),
    [['warning', 'default', 'its RA certificate expires on 20']],
  );
});

test('a CA that waits for its root to sign fails no job; one that was never made does', async () => {
  const lab = await makeLab({
    uninitialised: ['below', 'unmade'],
    config: {
      cas: {
        default: { subject: 'CN=Root' },
        below: { subject: 'CN=Below', key: 'ec:P-256' },
        unmade: { subject: 'CN=Unmade', key: 'ec:P-256' },
      },
    },
  });
  await requestCa(lab.deps, lab.config.cas.get('below') ?? assert.fail());
  await assert.rejects(doAll(lab.deps));
  const failed = lab.log.flatMap(({ event, task }) => (event === 'upkeep.failed' ? [task] : []));
  assert.deepEqual(failed.toSorted(), ['crl unmade', 'lint unmade']);
  const warned = lab.log.filter(({ event, ca }) => event === 'ca.warning' && ca === 'below');
  assert.match(String(warned[0]?.detail), /waits for the certificate that its root has to sign/);
});

test('jobs open no RA key', async () => {
  const lab = await makeLab();
  const { cas: _others, ...deps } = lab.deps;
  const refuse = async () => assert.fail('an RA key');
  const own = { ...deps, raKeys: { unseal: refuse, generate: refuse } };
  const jobs = jobsOf({ ...own, cas: new AnsweringCas(own) });
  await doAll(lab.deps, jobs);
  lab.clock.at += 6 * 24 * 60 * minute;
  await doAll(lab.deps, jobs);
  assert.equal((await lab.deps.crls.newest('default'))?.number, 2);
});

test('what a CA is configured otherwise than it was made is said by the first run of a process, and not by the next', async () => {
  const store = new MemoryStore();
  await makeLab({ store });
  const cas = { default: { subject: 'CN=Another CA', key: 'rsa:2048' } } as const;
  const lab = await makeLab({ store, config: { cas } });
  for (let run = 0; run < 2; run++) await doAll(lab.deps, []);
  const said = lab.log.filter(({ event }) => event === 'ca.warning');
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.detail), /the configuration has the subject "CN=Another CA"/);
});
