// The index of searches as maintenance writes it: what gets into it and when, whatever is late, wrong or dies.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ulid } from '../../../lib/base/ulid.ts';
import { jobsOf } from '../../../lib/ca/jobs.ts';
import {
  INDEX_LATE_MS,
  INDEX_PAGE,
  INDEX_SETTLED_MS,
  indexFresh,
  indexLate,
} from '../../../lib/ca/query/keep-index.ts';
import { listTransactions } from '../../../lib/ca/query/transactions.ts';
import { wantedIn } from '../../../lib/ca/query/words.ts';
import { makeEvent } from '../../../lib/events/event.ts';
import type { Action } from '../../../lib/ports/store.ts';
import { transactionRecord } from '../../adapters/store.contract.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment, random } from '../../support/messages.ts';
import { type World, world } from '../../support/world.ts';

const MINUTE = 60_000;

/** Subjects that a search finds, over all pages. */
async function found({ lab }: World, search: string): Promise<string[]> {
  const words = wantedIn(search, true);
  const page = await listTransactions(lab.deps, { words, limit: 100 });
  assert.equal(page.next, undefined);
  return page.transactions.map(({ subject }) => subject).sort();
}

/** A Transaction and the event that begins it, as if both had been written by a clock that says `at`. */
async function begun({ lab }: World, at: number, subject: string): Promise<string> {
  const id = ulid(at, random(10));
  const fields = { type: 'certificate.intended', actor: { kind: 'system' } } as const;
  const { id: event, body } = makeEvent(at, random(34), { ...fields, transaction: id });
  const record = transactionRecord(id, { subject, createdAt: at });
  await lab.deps.store.write([
    { do: 'put', kind: 'transaction', key: id, rev: 0, record },
    { do: 'put', kind: 'event', key: event, rev: 0, record: { body, transaction: id } },
  ] satisfies Action[]);
  return id;
}

describe('the index of searches', () => {
  test('whatever a Transaction begins with, it is found by its words within two minutes, in its latest state', async () => {
    const w = await world({ endpoint: { approval: 'firstEnrolment' } });
    const ask = async (subject: string, path: string, challenge: string) => {
      const key = await deviceKey(`index ${subject}`);
      await w.send(await enrolment(w.lab, { challenge, key, subject }), path);
    };
    await ask('CN=issued-1,O=Test', '/scep/other', await w.lab.challenge({ endpoint: 'other' }));
    await ask('CN=waits-1,O=Test', '/scep', await w.lab.challenge());
    await ask('CN=refused-1,O=Test', '/scep', 'no challenge of ours');
    const all = ['CN=issued-1,O=Test', 'CN=refused-1,O=Test', 'CN=waits-1,O=Test'];
    assert.deepEqual(await found(w, 'test'), [], 'no enrolment writes the index');
    const runs = async (): Promise<void> => {
      for (const { name, run } of jobsOf(w.lab.deps)) if (name.startsWith('search')) await run();
    };
    await runs();
    w.lab.clock.at += MINUTE;
    await runs();
    assert.deepEqual(await found(w, 'test'), all);
    assert.deepEqual(await found(w, 'O=Test,CN=waits'), ['CN=waits-1,O=Test']);
    const page = await listTransactions(w.lab.deps, {
      ...{ words: wantedIn('test', true), state: 'refused', limit: 10 },
    });
    assert.deepEqual(
      page.transactions.map(({ subject }) => subject),
      ['CN=refused-1,O=Test'],
    );
    // Refused ones are kept for some time, and so is what leads to them.
    w.lab.clock.at += 31 * 24 * 60 * MINUTE;
    assert.deepEqual(await found(w, 'refused'), []);
  });

  test('a run that dies before its cursor has moved loses nothing; one that is repeated changes nothing', async () => {
    const w = await world();
    const { deps } = w.lab;
    await begun(w, w.lab.clock.at, 'CN=one');
    w.lab.clock.at += MINUTE;
    const dying = { ...deps.index, add: () => Promise.reject(new Error('died')) };
    const index = Object.assign(Object.create(deps.index), dying);
    await assert.rejects(indexFresh({ ...deps, index }), /died/);
    const unwritten = { ...deps.store, write: () => Promise.reject(new Error('died')) };
    await assert.rejects(indexFresh({ ...deps, store: unwritten }), /died/);
    assert.deepEqual(await indexFresh(deps), { indexed: 1 });
    assert.deepEqual(await found(w, 'one'), ['CN=one']);
    assert.deepEqual(await indexFresh(deps), { indexed: 0 });
  });

  test('two runs at once: what one leaves to the other is not lost', async () => {
    const w = await world();
    for (let n = 0; n < 5; n++) await begun(w, w.lab.clock.at + n, `CN=device ${n}`);
    w.lab.clock.at += MINUTE;
    await Promise.all([indexFresh(w.lab.deps), indexFresh(w.lab.deps)]);
    assert.equal((await found(w, 'device')).length, 5);
    assert.deepEqual(await indexFresh(w.lab.deps), { indexed: 0 });
  });

  test('more than one step takes is taken in several', async () => {
    const w = await world();
    for (let n = 0; n <= INDEX_PAGE; n++) await begun(w, w.lab.clock.at + n, `CN=${n}`);
    w.lab.clock.at += MINUTE;
    assert.deepEqual(await indexFresh(w.lab.deps), { indexed: INDEX_PAGE + 1 });
    assert.deepEqual(await found(w, String(INDEX_PAGE)), [`CN=${INDEX_PAGE}`]);
  });

  test('an event that is not settled yet waits for the next run', async () => {
    const w = await world();
    await begun(w, w.lab.clock.at, 'CN=just now');
    w.lab.clock.at += INDEX_SETTLED_MS - 1;
    assert.deepEqual(await indexFresh(w.lab.deps), { indexed: 0 });
    w.lab.clock.at += 2;
    assert.deepEqual(await indexFresh(w.lab.deps), { indexed: 1 });
  });

  test('an event from a clock that is behind is found once others differ from it by no more', async () => {
    const w = await world();
    const { deps, clock } = w.lab;
    await begun(w, clock.at, 'CN=first');
    clock.at += MINUTE;
    assert.deepEqual(await indexFresh(deps), { indexed: 1 });
    await begun(w, clock.at - 5 * MINUTE, 'CN=late');
    clock.at += MINUTE;
    assert.deepEqual(await indexFresh(deps), { indexed: 0 });
    clock.at += INDEX_LATE_MS;
    assert.deepEqual(await indexLate(deps), { indexed: 1 });
    assert.deepEqual(await found(w, 'late'), ['CN=late']);
    assert.deepEqual(await indexLate(deps), { indexed: 0 });
    // Before anything is indexed, nothing is late.
    assert.deepEqual(await indexLate((await world()).lab.deps), { indexed: 0 });
  });

  test('after a clock was ahead, what comes is found all the same', async () => {
    const w = await world();
    const { deps, clock } = w.lab;
    const day = 24 * 60 * MINUTE;
    await begun(w, clock.at + day, 'CN=ahead');
    clock.at += day + MINUTE;
    assert.deepEqual(await indexFresh(deps), { indexed: 1 });
    clock.at -= day;
    await begun(w, clock.at, 'CN=right');
    clock.at += MINUTE;
    await indexFresh(deps);
    assert.deepEqual(await found(w, 'right'), ['CN=right']);
  });

  test('a cursor that another hand has changed is not believed: the index is written anew', async () => {
    const w = await world();
    const { deps, clock } = w.lab;
    await begun(w, clock.at, 'CN=one');
    clock.at += MINUTE;
    assert.deepEqual(await indexFresh(deps), { indexed: 1 });
    await begun(w, clock.at, 'CN=two');
    await w.forge('indexed', () => ({ upTo: '01ZZZZZZZZ' }));
    clock.at += MINUTE;
    assert.deepEqual(await indexFresh(deps), { indexed: 2 });
    assert.deepEqual(await found(w, 'two'), ['CN=two']);
    assert.deepEqual(await indexFresh(deps), { indexed: 0 });
  });

  test('what a writer of the table made up leads to no Transaction', async () => {
    const w = await world();
    const at = w.lab.clock.at;
    await begun(w, at, 'CN=real');
    await w.forge('transaction', () => ({ subject: 'CN=forged' }));
    const { id, body } = makeEvent(at, random(34), {
      ...{ type: 'request.pending', actor: { kind: 'system' }, transaction: 'nowhere' },
    });
    const record = { body, transaction: 'nowhere' };
    await w.lab.deps.store.write([{ do: 'put', kind: 'event', key: id, rev: 0, record }]);
    await w.lab.deps.index.add([{ id: 'nowhere', starts: ['forged'] }]);
    w.lab.clock.at += MINUTE;
    await indexFresh(w.lab.deps);
    assert.deepEqual(await found(w, 'forged'), []);
  });
});
