// The second body of events: what the log has no more than the hash of, and what can be forgotten.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { forgetTransaction } from '../../../lib/ca/log/forget.ts';
import { sequenceAll } from '../../../lib/ca/log/sequence.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { EventRecord } from '../../../lib/ports/records/records.ts';
import type { Store } from '../../../lib/ports/store.ts';
import { deviceKey } from '../../support/keys.ts';
import { memoryLogsOf, publishedOf } from '../../support/log.ts';
import { got, type World, world } from '../../support/world.ts';

const actor = { kind: 'admin', id: 'alice-the-auditor', from: '192.0.2.77' } as const;
const subject = 'CN=laptop-of-jane-doe';
const names = ['dns:jane.example.com'];

const eventsOf = (w: World): EventRecord[] =>
  w.store.dump().flatMap(({ kind, record }) => (kind === 'event' ? [record as EventRecord] : []));
const ofTransaction = (w: World, id: string): EventRecord[] =>
  eventsOf(w).filter(({ transaction }) => transaction === id);
const typeOf = ({ body }: EventRecord): string => JSON.parse(body).type;

async function enrolled(options: Parameters<typeof world>[0] = {}) {
  const w = await world(options);
  const challenge = await w.lab.challenge({ subject, names });
  const key = await deviceKey('forgotten');
  const answer = await w.ask({ challenge, subject, key });
  const [{ transaction = '' } = {}] = eventsOf(w).filter((one) => one.transaction !== undefined);
  return { w, answer, transaction };
}

describe('what an event names', () => {
  test('stands in its second body alone, whose hash it has', async () => {
    const { w, answer, transaction } = await enrolled({ endpoint: { approval: 'always' } });
    assert.equal(answer.pkiStatus, 'PENDING');
    const reason = 'because Jane asked me';
    const { kind: _kind, id: by, ...address } = actor;
    await decide(w.lab.deps, transaction, 'denied', { by, ...address, reason });
    const events = ofTransaction(w, transaction);
    assert.deepEqual(events.map(typeOf), ['request.pending', 'request.denied']);
    for (const { body, personal = '' } of eventsOf(w)) {
      for (const name of ['jane', 'alice', '192.0.2.77']) assert.ok(!body.includes(name), body);
      const { personalHash } = JSON.parse(body);
      const expected = createHash('sha256').update(personal).digest('hex');
      assert.equal(personalHash, personal === '' ? undefined : expected);
    }
    const [pending, denied] = events.map(({ personal = '{}' }) => JSON.parse(personal));
    assert.equal(pending.subject, subject);
    assert.deepEqual(pending.names, names);
    assert.deepEqual(denied.actor, { id: actor.id, from: actor.from });
    assert.equal(denied.note, reason);
    assert.notEqual(pending.salt, denied.salt, 'the same names have another hash in each event');
  });
});

test('an approver stands in no body that stays', async () => {
  const { w, transaction } = await enrolled({ endpoint: { approval: 'always' } });
  const { kind: _kind, id: by, ...address } = actor;
  await decide(w.lab.deps, transaction, 'approved', { by, ...address });
  got(await w.poll({ challenge: 'x', subject, key: await deviceKey('forgotten') }));
  const events = ofTransaction(w, transaction);
  assert.equal(events.map(typeOf).at(-1), 'certificate.issued');
  for (const { body } of events) assert.ok(!body.includes(by), body);
});

describe('forgetTransaction', () => {
  test('takes the second bodies of its events, and tells who did', async () => {
    const kept = memoryLogsOf((): Store => w.store);
    const { w, answer, transaction }: Awaited<ReturnType<typeof enrolled>> = await enrolled({
      logs: kept.logs,
    });
    const deps = { ...w.lab.deps, logs: kept.logs, sequencing: kept.logs };
    got(answer);
    const before = ofTransaction(w, transaction);
    assert.equal(await forgetTransaction(deps, transaction, actor), before.length);
    const after = ofTransaction(w, transaction);
    for (const [i, { body }] of before.entries()) {
      assert.deepEqual([after[i]?.body, after[i]?.personal], [body, undefined]);
    }
    const [told] = after.slice(before.length);
    assert.ok(told);
    const { type, number, ca } = JSON.parse(told.body);
    assert.deepEqual(
      { type, number, ca },
      { type: 'log.forgotten', number: before.length, ca: 'default' },
    );
    assert.deepEqual(JSON.parse(told.personal ?? '').actor, { id: actor.id, from: actor.from });
    await sequenceAll(deps);
    const { entries } = await publishedOf(kept, 'scep.test/log/default', 'default');
    for (const { body } of after) assert.ok(entries.includes(body), 'the log is as it was');
  });

  test('forgets nothing twice, and what has happened since when asked again', async () => {
    const { w, answer, transaction } = await enrolled();
    const { deps } = w.lab;
    got(answer);
    await forgetTransaction(deps, transaction, actor);
    const count = eventsOf(w).length;
    assert.equal(await forgetTransaction(deps, transaction, actor), 0);
    assert.equal(eventsOf(w).length, count);
    const serial = JSON.parse(ofTransaction(w, transaction)[0]?.body ?? '').serial;
    await revoke(deps, { ca: 'default', serial, reason: 'superseded', actor });
    assert.equal(await forgetTransaction(deps, transaction, actor), 1);
    assert.deepEqual(
      ofTransaction(w, transaction).flatMap((one) => (one.personal ? [typeOf(one)] : [])),
      ['log.forgotten', 'log.forgotten'],
    );
  });

  test('says so where an event or the request was changed by another hand, and forgets nothing', async () => {
    for (const kind of ['event', 'transaction'] as const) {
      const { w, transaction } = await enrolled();
      const row = w.store
        .dump()
        .find((one) => one.kind === kind && JSON.stringify(one).includes(transaction));
      assert.ok(row);
      const record = { ...row.record, mac: 'test.00' };
      const { key, rev } = row;
      await w.store.write([{ do: 'put', kind, key, rev, record } as never]);
      await assert.rejects(
        forgetTransaction(w.lab.deps, transaction, actor),
        /was changed by another hand/,
      );
      assert.ok(ofTransaction(w, transaction).every(({ personal }) => personal));
    }
  });

  test('leaves one alone that is not over, and knows none that no event tells of', async () => {
    const { w, transaction } = await enrolled({ endpoint: { approval: 'always' } });
    assert.equal(await forgetTransaction(w.lab.deps, transaction, actor), 'open');
    const unknown = '01J3Z0V6Q8M4T2R7X5N9KAYDCE';
    assert.equal(await forgetTransaction(w.lab.deps, unknown, actor), 'missing');
    assert.ok(ofTransaction(w, transaction).every(({ personal }) => personal));
  });
});
