// Which part of the service needs which MAC keys: a function that may open no others still does its
// work, and what it would need others for it cannot do.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock, systemRandom } from '../../../lib/adapters/system.ts';
import { base64 } from '../../../lib/base/bytes.ts';
import { Outage } from '../../../lib/base/errors.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { type MacPurpose, macPurposes } from '../../../lib/base/words.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import {
  backUpMacKeys,
  initMacKeys,
  readMacKeys,
  readMacKeysBackup,
  restoreMacKeys,
} from '../../../lib/ca/authority/mac-keys.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { guarded } from '../../../lib/ca/record/guarded-store.ts';
import type { MacKey, MacKeys } from '../../../lib/ports/mac-keys.ts';

import { buildRequest } from '../../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { ok } from '../../support/api.ts';
import { eventIn } from '../../support/event-in.ts';
import { deviceKey, memoryMacKeys } from '../../support/keys.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';
import { got, keys, type World, world } from '../../support/world.ts';

/** What all functions may open. */
const records = ['record', 'registry'] as const;

/** The keys of a function that is allowed these. */
const only = (...purposes: MacPurpose[]): MacKeys => ({
  live: async (purpose) => {
    if (!purposes.includes(purpose)) throw new Error(`not allowed: the ${purpose} key`);
    return memoryMacKeys.live(purpose);
  },
});

describe('each function and the MAC keys it may open', () => {
  const waiting = { endpoint: { approval: 'always' } } as const;
  const first = (w: World): string => w.transactions()[0]?.id ?? '';

  test('handing out challenges: the one for challenges, beside those of records, and it can approve nothing', async () => {
    const w = await world(waiting);
    const hook = await w.instance({ ...waiting, macKeys: only('challenge', ...records) });
    const sent = await enrolment(w.lab, { challenge: await hook.challenge() });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    await assert.rejects(
      decide(hook.deps, first(w), 'approved', { by: 'hook' }),
      /not allowed: the approval key/,
    );
  });

  test('deciding: the one for approvals, beside those of records, and it can make up no request', async () => {
    const w = await world(waiting);
    const admin = await w.instance({ ...waiting, macKeys: only('approval', ...records) });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    await w.send(sent);
    // A record that says more than was proven, approved by whoever may.
    await w.bend('transaction', () => ({ names: ['dns:other.example'] }));
    assert.equal(await decide(admin.deps, first(w), 'approved', { by: 'admin' }), 'done');
    await assert.rejects(w.send(sent), /HTTP 503/);
    await w.bend('transaction', () => ({ names: [] }));
    got(await w.send(sent));
    await assert.rejects(admin.challenge(), /not allowed: the challenge key/);
  });

  test('sweeping: those of records', async () => {
    const w = await world();
    const [key] = await keys('swept');
    assert.ok(key);
    await w.stuck(await enrolment(w.lab, { challenge: await w.lab.challenge(), key }));
    const maintenance = await w.instance({ macKeys: only(...records) });
    maintenance.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    assert.equal((await sweep(maintenance.deps)).voided, 1);
  });

  test('SCEP without approvals in play: those for challenges and their seal, beside those of records', async () => {
    const w = await world();
    const scep = await w.instance({ macKeys: only('challenge', 'evidence', ...records) });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    got(await w.send(sent, '/scep', scep));
  });
});

describe('simulating a request where requests are decided', () => {
  for (const approval of ['always', 'firstEnrolment', 'newSubject', 'never'] as const) {
    test(`a simulation with approval "${approval}" is answered without the key of what waits`, async () => {
      const w = await world({ endpoint: { approval } });
      const admin = await w.instance({
        endpoint: { approval },
        macKeys: only('challenge', 'approval', ...records),
      });
      const key = await deviceKey('simulate at the admin function');
      const csr = await buildRequest(
        key,
        { subject: parseName('CN=device-1'), names: [] },
        undefined,
      );
      const body = { csr: base64(csr), challenge: {} };
      const answered = await ok(admin, 'POST', '/simulate', { body });
      assert.equal(answered.decision, approval === 'never' ? 'grant' : 'pend');
      assert.deepEqual(w.transactions(), []);
    });
  }
});

describe('MAC keys in records', () => {
  const deps = () => ({ store: new MemoryStore(), clock: systemClock, random: systemRandom });
  const actor = { kind: 'admin', id: 'whoever runs it' } as const;
  const make = async (purpose: MacPurpose) => ({ id: `of ${purpose}`, sealed: systemRandom(40) });
  const reload = () => {};

  test('MAC keys are made once, and those that are there are not replaced', async () => {
    const { store, ...rest } = deps();
    assert.deepEqual(await readMacKeys(store, 'pending'), []);
    assert.deepEqual(await initMacKeys({ store, ...rest }, make, actor), macPurposes);
    const made = store.dump().filter(({ kind }) => kind === 'event');
    assert.deepEqual(
      made.map(({ record }) => eventIn(record).actor),
      macPurposes.map(() => actor),
    );
    const before = await readMacKeys(store, 'pending');
    assert.equal(before[0]?.id, 'of pending');
    assert.deepEqual(await initMacKeys({ store, ...rest }, make, actor), []);
    assert.deepEqual(await readMacKeys(store, 'pending'), before);
  });

  test('a backup has the keys of those purposes that have any, is read as it was written, and puts back what was changed', async () => {
    const { store, ...rest } = deps();
    await initMacKeys({ store, ...rest }, make, actor);
    const rowOf = (purpose: MacPurpose) =>
      store.dump().find(({ kind, key }) => kind === 'macKeys' && key === purpose) ??
      assert.fail(purpose);
    const lost = {
      do: 'delete',
      kind: 'macKeys',
      key: 'pending',
      rev: rowOf('pending').rev,
    } as const;
    assert.equal(await store.write([lost]), 'done');
    const backup = readMacKeysBackup(JSON.stringify(await backUpMacKeys(store)));
    assert.deepEqual(
      Object.keys(backup).sort(),
      macPurposes.filter((purpose) => purpose !== 'pending').sort(),
    );
    assert.deepEqual(backup, await backUpMacKeys(store));
    const before = await readMacKeys(store, 'challenge');
    const { rev } = rowOf('challenge');
    const spoilt = {
      do: 'put',
      kind: 'macKeys',
      key: 'challenge',
      rev,
      record: { keys: [] },
    } as const;
    assert.equal(await store.write([spoilt]), 'done');
    await assert.rejects(backUpMacKeys(store), /"challenge" were changed by another hand/);
    assert.deepEqual(await restoreMacKeys({ store, ...rest, reload }, backup, actor), [
      'challenge',
    ]);
    assert.deepEqual(await readMacKeys(store, 'challenge'), before);
  });

  test('what tells of them is under a MAC of the keys that were made, or put back', async () => {
    const table = new MemoryStore();
    const altered: unknown[] = [];
    let known: ReadonlyMap<MacPurpose, readonly [MacKey]> = new Map();
    const macKeys: MacKeys = {
      live: async (purpose) => {
        const [one] = await readMacKeys(table, purpose);
        if (!one) throw new Outage(`no MAC key for ${purpose}`);
        const live =
          known.get(purpose) ?? ([{ id: one.id, key: one.sealed.slice(0, 32) }] as const);
        known = new Map([...known, [purpose, live]]);
        return live;
      },
    };
    const store = guarded(table, macKeys, (entry) => altered.push(entry));
    const all = { ...deps(), store, reload: () => (known = new Map()) };
    await initMacKeys(all, async (purpose) => ({ id: purpose, sealed: systemRandom(40) }), actor);
    const backup = readMacKeysBackup(JSON.stringify(await backUpMacKeys(store)));
    const row = table.dump().find(({ kind, key }) => kind === 'macKeys' && key === 'record');
    const spoilt = { kind: 'macKeys', key: 'record', record: { keys: [] } } as const;
    await table.write([{ do: 'put', rev: row?.rev ?? 0, ...spoilt }]);
    all.reload();
    assert.deepEqual(await restoreMacKeys(all, backup, actor), ['record']);
    const events = table.dump().filter(({ kind }) => kind === 'event');
    assert.equal(events.length, macPurposes.length + 1);
    const rows = await store.read(events);
    assert.ok(rows.every(({ record }) => record !== undefined));
    assert.deepEqual(altered, []);
  });

  test('made by two at once are those of one', async () => {
    const all = deps();
    const [one, other] = await Promise.all([
      initMacKeys(all, make, actor),
      initMacKeys(all, make, actor),
    ]);
    assert.deepEqual([...one, ...other].sort(), [...macPurposes].sort());
  });
});
