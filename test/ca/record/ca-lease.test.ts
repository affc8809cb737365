// Jobs under leases: one instance at a time, none before it is due, none for ever. And CRLs that are
// asked for by who may not sign them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CLOCK_SKEW_MS } from '../../../lib/base/limits.ts';
import { CaCertificates } from '../../../lib/ca/authority/ca-certificates.ts';
import { doIfDue, type Job } from '../../../lib/ca/record/lease.ts';
import { askForCrl, keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { makeAdminApp } from '../../../lib/http/app.ts';
import type { Store } from '../../../lib/ports/store.ts';
import { eventIn } from '../../support/event-in.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const minute = 60_000;

/** Instances over one store, and a job that notes its runs and ends when it is told to. */
function bench() {
  const store = new MemoryStore();
  const clock = { at: 1_800_000_000_000, now: () => clock.at, sleep: async () => undefined };
  const runs: { end: () => void; fail: () => void }[] = [];
  const job: Job = {
    name: 'sweep',
    everyMs: 45_000,
    limitMs: 50_000,
    run: () =>
      new Promise((resolve, reject) => {
        runs.push({ end: () => resolve({ done: 1 }), fail: () => reject(new Error('no')) });
      }),
  };
  /** Begins a run, and waits until it is at work or has found nothing to do. */
  const begin = async (through: Store = store) => {
    const before = runs.length;
    const result = doIfDue({ store: through, clock }, job);
    let over = false;
    const ended = () => {
      over = true;
    };
    result.then(ended, ended);
    while (!over && runs.length === before) await turn();
    return { begun: runs.length > before, result };
  };
  return { store, clock, job, runs, begin };
}

describe('a lease', () => {
  test('one of many instances does the job, and the others find nothing to do', async () => {
    const { runs, begin } = bench();
    const first = await begin();
    const others = await Promise.all(Array.from({ length: 10 }, () => begin()));
    assert.deepEqual(
      await Promise.all(others.map(({ result }) => result)),
      Array(10).fill(undefined),
    );
    runs[0]?.end();
    assert.deepEqual(await first.result, { done: 1 });
    assert.equal(runs.length, 1);
  });

  test('one of the instances that begin at the same moment does the job', async () => {
    for (let round = 0; round < 20; round++) {
      const { runs, store, clock, job } = bench();
      const own = { ...job, run: async () => ({ ran: runs.push({ end() {}, fail() {} }) }) };
      const all = Array.from({ length: 5 }, () => doIfDue({ store, clock }, own));
      const done = (await Promise.all(all)).filter((measures) => measures !== undefined);
      assert.equal(done.length, 1);
      assert.equal(runs.length, 1);
    }
  });

  test('a job that is done is not due before its time, one that failed is at once', async () => {
    const { runs, begin, clock } = bench();
    const failed = await begin();
    runs[0]?.fail();
    await assert.rejects(failed.result, /no/);
    const done = await begin();
    assert.ok(done.begun);
    clock.at += 10_000; // it took so long
    runs[1]?.end();
    await done.result;
    clock.at += 34_999;
    assert.equal((await begin()).begun, false);
    clock.at += 1;
    assert.equal((await begin()).begun, true);
  });

  test('an instance that died at work is waited for no longer than a run may take', async () => {
    const { begin, clock, runs } = bench();
    const dead = await begin();
    clock.at += 49_999;
    assert.equal((await begin()).begun, false);
    clock.at += 1;
    const next = await begin();
    assert.ok(next.begun);
    // It was not dead: its end takes nothing from who has begun meanwhile.
    runs[0]?.end();
    assert.deepEqual(await dead.result, { done: 1 });
    clock.at += 20_000;
    assert.equal((await begin()).begun, false);
    runs[1]?.end();
    assert.deepEqual(await next.result, { done: 1 });
  });

  test('one given by a clock that was wrong keeps nobody', async () => {
    const { begin, clock, runs } = bench();
    clock.at += 365 * 24 * 60 * minute;
    const first = await begin();
    runs[0]?.end();
    await first.result;
    clock.at -= 365 * 24 * 60 * minute;
    assert.ok((await begin()).begun);
  });

  test('clocks that differ as they may do not take it from each other', async () => {
    const { begin, clock } = bench();
    clock.at += CLOCK_SKEW_MS;
    await begin();
    clock.at -= CLOCK_SKEW_MS;
    assert.equal((await begin()).begun, false);
  });

  test('a store that is down is an error, not a job that is done', async () => {
    const { store, begin, runs } = bench();
    const down: Store = {
      read: (keys) => store.read(keys),
      list: (query) => store.list(query),
      write: async () => assert.fail('down'),
    };
    const { begun, result } = await begin(down);
    await assert.rejects(result, /down/);
    assert.deepEqual([begun, runs.length], [false, 0]);
  });
});

describe('a CRL that is asked for', () => {
  test('a CRL that is asked for is published once, with the next run, in the name of whoever asked', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    const ca = await lab.deps.cas.issuer('default');
    assert.equal((await keepCrls(lab.deps, ca))[0].number, 1);
    await askForCrl(lab.deps, 'default', { kind: 'admin', id: 'alice' });
    await askForCrl(lab.deps, 'default', { kind: 'admin', id: 'bob', from: '192.0.2.7' });
    assert.equal((await keepCrls(lab.deps, ca))[0].number, 2);
    assert.equal((await keepCrls(lab.deps, ca))[0].number, 2);
    const events = store
      .dump()
      .filter(({ kind }) => kind === 'event')
      .map(({ record }) => eventIn(record))
      .filter(({ type }) => type === 'crl.published');
    assert.deepEqual(events.at(-1)?.actor, { kind: 'admin', id: 'bob', from: '192.0.2.7' });
  });

  test('a CRL is not forgotten that was asked for while one was being made', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    const ca = await lab.deps.cas.issuer('default');
    await askForCrl(lab.deps, 'default', { kind: 'admin', id: 'alice' });
    const { sign } = lab.deps.signer;
    const signer = {
      ...lab.deps.signer,
      sign: async (...args: Parameters<typeof sign>) => {
        await askForCrl(lab.deps, 'default', { kind: 'admin', id: 'bob' });
        return sign.apply(lab.deps.signer, args);
      },
    };
    assert.equal((await keepCrls({ ...lab.deps, crlSigner: signer }, ca))[0].number, 2);
    assert.equal((await keepCrls(lab.deps, ca))[0].number, 3);
    assert.equal((await keepCrls(lab.deps, ca))[0].number, 3);
  });

  test('the API of a process that may use no key says that a CRL is to come', async () => {
    const lab = await makeLab();
    const { signer: _signer, crlSigner: _crlSigner, raKeys: _raKeys, ...own } = lab.deps;
    lab.calls.length = 0;
    const app = makeAdminApp({ ...own, cas: new CaCertificates(own) });
    const ask = async (method: string, path: string) => {
      const headers = { authorization: `Bearer ${lab.adminToken}` };
      const url = `http://scep.test/api/v1${path}`;
      return (await app.fetch(new Request(url, { method, headers }))).json();
    };
    const { number, pending } = await ask('POST', '/crls/default/publish');
    assert.deepEqual([number, pending], [1, true]);
    const [ca] = (await ask('GET', '/cas')).cas;
    assert.deepEqual(ca.warnings, []);
    const ofKeys = lab.calls.filter((call) => /^(signer|raKeys)\./.test(call));
    assert.deepEqual(ofKeys, [], 'a key');
    assert.equal((await keepCrls(lab.deps, await lab.deps.cas.issuer('default')))[0].number, 2);
    assert.equal((await ask('GET', '/crls/default')).number, 2);
  });
});
