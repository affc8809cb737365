// /healthz/upkeep: whether the periodic jobs run, for whoever watches from outside and has no token.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doAll } from '../../functions/upkeep.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { makeLab } from '../support/lab.ts';

const minutes = (count: number): number => count * 60_000;

test('upkeep that never ran, and one that stopped, is a 503 with a sentence in the log', async () => {
  const lab = await makeLab();
  const status = async () => {
    lab.clock.at += 5000;
    return (await lab.fetch('/healthz/upkeep')).status;
  };
  const said = () => String(lab.log.findLast(({ event }) => event === 'http.outage')?.detail);
  assert.equal(await status(), 503);
  assert.equal(said(), 'upkeep has never run: nothing calls its schedule');
  await doAll(lab.deps);
  assert.equal(await status(), 200);
  lab.clock.at += minutes(15);
  assert.equal(await status(), 200);
  lab.clock.at += minutes(2);
  assert.equal(await status(), 503);
  assert.match(said(), /^upkeep has not run for 16 minutes: nothing calls its schedule, or /);
  await doAll(lab.deps);
  assert.equal(await status(), 200);
});

test('a flood of strangers costs one read in five seconds', async () => {
  const lab = await makeLab();
  await doAll(lab.deps);
  const reads = () => lab.calls.filter((call) => call === 'store.read').length;
  const before = reads();
  const ask = () => lab.fetch('/healthz/upkeep');
  await Promise.all(Array.from({ length: 20 }, ask));
  lab.clock.at += 4999;
  await ask();
  assert.equal(reads() - before, 1);
  lab.clock.at += 1;
  await ask();
  assert.equal(reads() - before, 2);
});

test('a run by a clock that was ahead does not hide that upkeep has stopped', async () => {
  const { deps, fetch } = await makeLab();
  const view = new View(deps.store);
  await view.load([{ kind: 'lease', key: 'sweep' }]);
  const draft = new Draft(view);
  draft.put('lease', 'sweep', { until: deps.clock.now() + minutes(24 * 60) });
  assert.notEqual(await deps.store.write(draft.actions), 'conflict');
  assert.equal((await fetch('/healthz/upkeep')).status, 503);
});
