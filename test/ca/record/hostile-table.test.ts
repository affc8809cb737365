// Whoever can write the table fills lists with what he made up, and writes records that no release of ours
// writes: no list and no job stops at it, nothing is an endless error, and no view shows it as true.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { Outage } from '../../../lib/base/errors.ts';
import { LEASE_MS, SWEEP_AFTER_MS, SWEEP_BATCH, SWEEP_PAGES } from '../../../lib/base/limits.ts';
import { ulid } from '../../../lib/base/ulid.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { guarded } from '../../../lib/ca/record/guarded-store.ts';
import { doIfDue } from '../../../lib/ca/record/lease.ts';
import { Draft, View } from '../../../lib/ca/record/unit-of-work.ts';
import { keepCrls, publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { rebuildRegisters } from '../../../lib/ca/revoke/rebuild-register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { revokeSigned } from '../../../lib/ca/revoke/revoke-signed.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import {
  type Action,
  type AlteredRow,
  type Key,
  type Row,
  SPOILT_REV,
  type Store,
} from '../../../lib/ports/store.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { describeCrl } from '../../../lib/x509/describe/describe.ts';
import { transactionRecord } from '../../adapters/store.contract.ts';
import { daily } from '../../support/altered.ts';
import { deviceKey, memoryMacKeys } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';
import { got, held, type World, world } from '../../support/world.ts';

const forgedId = (i: number): string => ulid(i, new Uint8Array(10));

/** Rows as whoever has no MAC key would write them. */
type Forged = Key & { readonly rev?: number; readonly record: object };
async function forge(store: MemoryStore, rows: readonly Forged[]) {
  const actions = rows.map((row) => ({ rev: 0, ...row, do: 'put' }) as unknown as Action);
  assert.equal(await store.write(actions), 'done');
}

async function open() {
  const store = new MemoryStore();
  const lab = await makeLab({
    store,
    config: { endpoints: { default: { ca: 'default', approval: 'always' } } },
  });
  const api = async (path: string, method = 'GET') => {
    const headers = { authorization: `Bearer ${lab.adminToken}` };
    const response = await lab.fetch(`/api/v1${path}`, { method, headers });
    const text = await response.text();
    assert.equal(response.status, 200, `${path}: ${text}`);
    return JSON.parse(text);
  };
  return { store, lab, api };
}

/** A request that waits for its approval. */
async function waiting(lab: Lab, name: string): Promise<void> {
  const key = await deviceKey(`hostile table ${name}`);
  const sent = await enrolment(lab, { key, challenge: await lab.challenge(), subject: 'CN=w' });
  assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'PENDING');
}

const logged = (lab: Lab, name: string): number =>
  lab.log.filter(({ event }) => event === name).length;

const pendingForgeries = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    kind: 'transaction' as const,
    key: forgedId(i),
    record: { ...transactionRecord(forgedId(i)), state: 'pending', expiresAt: 1 + i },
  }));

describe('Transactions that somebody made up, in the list of what is due', () => {
  test('do not keep the sweeper from those that are', async () => {
    const { store, lab } = await open();
    await waiting(lab, 'few');
    await forge(store, pendingForgeries(250));
    lab.clock.at += 400 * 86_400_000;
    assert.equal((await sweep(lab.deps)).expired, 1);
    assert.equal(logged(lab, 'record.altered'), 250);
  });

  test('a run does a bounded part of made-up Transactions, however many there are, and the next goes on', async () => {
    const { store, lab } = await open();
    await waiting(lab, 'many');
    await forge(store, pendingForgeries(SWEEP_BATCH * SWEEP_PAGES + 1));
    lab.clock.at += 400 * 86_400_000;
    assert.equal((await sweep(lab.deps)).expired, 0);
    assert.equal(logged(lab, 'record.altered'), SWEEP_BATCH * SWEEP_PAGES);
    assert.equal((await sweep(lab.deps)).expired, 1);
    await waiting(lab, 'again');
    lab.clock.at += 400 * 86_400_000;
    assert.equal((await sweep(lab.deps)).expired, 0, 'it began anew');
    assert.equal((await sweep(lab.deps)).expired, 1);
  });
});

test('a run takes a batch of the Transactions that are due, and the next takes more', async () => {
  const { lab } = await open();
  const due = pendingForgeries(2 * SWEEP_BATCH).map(
    (row) => ({ ...row, do: 'put', rev: 0 }) as unknown as Action,
  );
  // Under good MACs.
  assert.equal(await lab.deps.store.write(due), 'done');
  const runs: number[] = [];
  for (let run = 0; run < 3; run++) runs.push((await sweep(lab.deps)).expired);
  assert.deepEqual(runs, [SWEEP_BATCH, SWEEP_BATCH, 0]);
});

describe('a challenge that somebody made up', () => {
  test('a made-up challenge is shown as invalid, and hides the true one of its id from nobody', async () => {
    const { store, lab, api } = await open();
    const secret = await lab.challenge();
    const [row] = store.dump().filter(({ kind }) => kind === 'challenge') as Row<'challenge'>[];
    const { key, record } = row ?? assert.fail();
    // One page of its like, and others of its id before it and after it.
    const like = (i: number) => `${record.id.slice(0, -1)}!${i}`;
    await forge(store, [
      ...[...Array(150).keys()].map((i) => ({
        ...{ kind: 'challenge' as const, key: `like ${i}`, record: { ...record, id: like(i) } },
      })),
      ...[`0${key}`, `z${key}`].map((to) => ({ kind: 'challenge' as const, key: to, record })),
    ]);
    const { challenges } = await api('/challenges?limit=100');
    const valid = challenges.filter(({ state }: { state: string }) => state !== 'invalid');
    assert.equal(challenges.length, 100);
    assert.deepEqual(
      valid.map(({ id }: { id: string }) => id),
      [record.id],
    );
    assert.equal((await api('/challenges?limit=100&state=open')).challenges.length, 1);
    assert.ok(logged(lab, 'challenge.tampered') > 0);
    assert.equal((await api(`/challenges/${record.id}`)).state, 'open');
    assert.equal((await api(`/challenges/${record.id}`, 'DELETE')).state, 'revoked');
    const device = await deviceKey('hostile table revoked');
    const sent = await enrolment(lab, { key: device, challenge: secret, subject: 'CN=r' });
    assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'FAILURE');
    const stored = (await lab.unguarded.read([{ kind: 'challenge', key }]))[0]?.record;
    assert.ok(stored && !('state' in stored), 'what is stored has no state');
  });

  const spoilt: Record<string, object> = {
    'a time that is none': { createdAt: 'x' },
    'an end of no date': { revokedAt: 1e20 },
    'failures that are no number': { failures: Number.NaN },
    'holders that are no text': { open: { a: 1 } },
    'names that are no text': { binding: { names: [1] } },
    'a MAC that is none': { bindingMac: 'zz' },
    'a maker that is no text': { madeBy: { by: 1 } },
    'half a character': { binding: { subject: 'CN=\ud800', names: [] } },
  };
  for (const [what, changed] of Object.entries(spoilt)) {
    test(`one with ${what} is refused as unknown, and its list is shown`, async () => {
      const { store, lab, api } = await open();
      const secret = await lab.challenge();
      const [row] = store.dump().filter(({ kind }) => kind === 'challenge');
      const { key, rev, record } = row ?? assert.fail();
      const bent = { kind: 'challenge' as const, key, rev, record: { ...record, ...changed } };
      await forge(store, [bent]);
      const { challenges } = await api('/challenges');
      assert.ok(challenges.every((one: { state: string }) => one.state === 'invalid'));
      assert.ok(logged(lab, 'record.altered') + logged(lab, 'challenge.tampered') > 0);
      const device = await deviceKey('hostile table spoilt');
      const sent = await enrolment(lab, { key: device, challenge: secret, subject: 'CN=s' });
      assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'FAILURE');
    });
  }
});

test('an event that is none, or stands under the key or the Transaction of another, is named and not listed', async () => {
  const { store, lab, api } = await open();
  await lab.challenge();
  const before = await api('/events');
  const [row] = store.dump().filter(({ kind }) => kind === 'event') as Row<'event'>[];
  const { record } = row ?? assert.fail();
  const id = (i: number) => forgedId(lab.clock.at - i);
  const bodies = ['', 'no JSON', '[]', 'null', '{"a":1e400}', record.body, `${record.body}\n`];
  const events = bodies.map((body, i) => ({
    kind: 'event' as const,
    key: id(i),
    record: { body },
  }));
  await forge(store, events);
  const moved = { ...record, transaction: id(99) };
  await store.write([
    { do: 'put', kind: 'event', key: row?.key ?? '', rev: row?.rev ?? 0, record: moved },
  ]);
  const { events: shown, altered } = await api('/events');
  assert.deepEqual(
    shown,
    before.events.filter((one: { id: string }) => one.id !== row?.key),
  );
  const names = [...events.map(({ key }) => key), row?.key].map((key) => `event ${key}`);
  assert.deepEqual([...altered].sort(), names.sort());
  await api('/events?type=challenge.created');
  assert.ok(logged(lab, 'record.altered') >= bodies.length);
});

test('an event of which a word was changed is named and not listed', async () => {
  const { store, lab, api } = await open();
  await lab.challenge();
  const [row] = store.dump().filter(({ kind }) => kind === 'event') as Row<'event'>[];
  const { key, rev, record } = row ?? assert.fail();
  const body = record.body.replace('"system"', '"device"').replace('"admin"', '"device"');
  assert.notEqual(body, record.body);
  await store.write([{ do: 'put', kind: 'event', key, rev, record: { ...record, body } }]);
  const { events, altered } = await api('/events');
  assert.ok(!events.some((one: { id: string }) => one.id === key));
  assert.deepEqual(altered, [`event ${key}`]);
});

/** A guarded store in which this row stands, whatever is asked for. */
function over(row: Row | AlteredRow) {
  const log: string[] = [];
  const written: Action[] = [];
  const store: Store = {
    read: async () => [row],
    write: async (actions) => {
      written.push(...actions);
      return 'done';
    },
    list: async () => ({ keys: [row.key] }),
  };
  return { store: guarded(store, memoryMacKeys, ({ event }) => log.push(event)), log, written };
}

test('what no MAC can be made over is a record of another hand, and no error', async () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  for (const said of [
    Number.POSITIVE_INFINITY,
    '\ud800',
    deep,
    JSON.parse('{"__proto__":{"a":1}}'),
  ]) {
    const record = { until: said, mac: `${(await memoryMacKeys.live('record'))[0].id}.00` };
    const { store, log } = over({ kind: 'lease', key: 'k', rev: 7, record } as unknown as Row);
    const [read] = await store.read([{ kind: 'lease', key: 'k' }]);
    assert.equal(read?.record, undefined);
    assert.equal(read?.rev, 7);
    assert.deepEqual(log, ['record.altered']);
  }
});

describe('a record that calls itself a later release’s', () => {
  const later = (kind: Key['kind'], key = 'k') =>
    over({ kind, key, rev: 1, record: undefined, said: '{}', later: true });

  test("a record that calls itself a later release's is an outage that names the command for it", async () => {
    const view = new View(later('certificate', 'default/aa').store);
    await view.load([{ kind: 'certificate', key: 'default/aa' }]);
    assert.throws(
      () => view.get('certificate', 'default/aa'),
      (error) => {
        assert.ok(error instanceof Outage);
        assert.match(error.message, /a later release wrote it/);
        assert.match(
          error.message,
          /aws dynamodb delete-item --table-name TABLE --key '\{"pk":\{"S":"certificate#default\/aa"\}\}'/,
        );
        return true;
      },
    );
  });

  test("a record that calls itself a later release's stops no job by standing in the place of its lease", async () => {
    const { store, written } = later('lease', daily.name);
    const { lab } = await open();
    assert.deepEqual(await doIfDue({ ...lab.deps, store }, daily), {});
    assert.equal(written.length, 2);
  });
});

test('the block of a key that was altered is an outage that names both ends of it', async () => {
  const { store } = over({ kind: 'blockedKey', key: 'ab', rev: 1, record: {} } as unknown as Row);
  const view = new View(store);
  await view.load([{ kind: 'blockedKey', key: 'ab' }]);
  assert.throws(
    () => view.get('blockedKey', 'ab'),
    /cert list --key ab.*delete-item.*blockedKey#ab/,
  );
});

test('a record without a good count is written over, and counts from 1 then', async () => {
  const record = { until: 1 };
  const { store } = over({ kind: 'lease', key: 'k', rev: SPOILT_REV, record } as unknown as Row);
  const view = new View(store);
  await view.load([{ kind: 'lease', key: 'k' }]);
  const draft = new Draft(view);
  draft.put('lease', 'k', record);
  assert.equal(draft.actions[0]?.do === 'put' && draft.actions[0].rev, SPOILT_REV);
  assert.equal(draft.applied().rev('lease', 'k'), 1);
  const gone = new Draft(view);
  gone.remove('lease', 'k');
  assert.equal(gone.actions.length, 1);
});

describe('a true row of before that is put back', () => {
  /** A certificate that its device has, and the rows of its attempt as they were in each step. */
  const delivered = async () => {
    const w = await world();
    const device = await deviceKey('hostile table rolled back');
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { key: device, challenge, subject: 'CN=rolled back' });
    await w.stuck(sent);
    const before = w.store.dump();
    w.lab.clock.at += LEASE_MS;
    // What was begun is ended and begun anew: its serial number is another one.
    const certificate = readCertificate(got(await w.send(sent)));
    const serial = hex(certificate.serial);
    return { w, before, certificate, serial };
  };
  const putBack = async (store: MemoryStore, row: Row | undefined) => {
    const { kind, key, record } = row ?? assert.fail('there is such a row');
    const [now] = await store.read([{ kind, key }]);
    const rev = now?.rev ?? 0;
    assert.equal(await store.write([{ do: 'put', kind, key, rev, record } as Action]), 'done');
  };
  const listedIn = async ({ lab }: World): Promise<string[]> => {
    const [crl] = await keepCrls(lab.deps, await lab.deps.cas.issuer('default'));
    return describeCrl(crl.der).revoked.map(({ serial }) => serial);
  };
  const admin = { kind: 'admin', id: 'somebody' } as const;

  test('a certificate is not voided by a Transaction that is put back, and can be revoked', async () => {
    const { w, before, serial } = await delivered();
    await putBack(
      w.store,
      before.find(({ kind }) => kind === 'transaction'),
    );
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin }),
      'done',
    );
    assert.deepEqual(await listedIn(w), [serial]);
  });

  test('a certificate is not voided by a Transaction that is put back and swept, and can be revoked', async () => {
    const { w, serial } = await delivered();
    // Its own attempt, as it was intended.
    const intended = { state: 'intended', leaseUntil: w.lab.clock.at } as const;
    await w.bend('transaction', () => intended);
    w.lab.clock.at += 2 * SWEEP_AFTER_MS;
    await sweep(w.lab.deps);
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'superseded', actor: admin }),
      'done',
    );
    assert.deepEqual(await listedIn(w), [serial]);
  });

  for (const state of ['intended', 'signed', 'voided'] as const) {
    test(`a certificate whose record says ${state} again can be revoked by whoever has the certificate itself`, async () => {
      const { w, certificate, serial } = await delivered();
      const row = w.store.dump().find(({ key }) => key === `default/${serial}`) ?? assert.fail();
      const view = new View(w.lab.deps.store);
      await view.load([row]);
      const record = view.get('certificate', row.key) ?? assert.fail();
      const back = { ...record, state } as CertificateRecord;
      const put = {
        do: 'put',
        kind: 'certificate',
        key: row.key,
        rev: row.rev,
        record: back,
      } as const;
      assert.equal(await w.lab.deps.store.write([put]), 'done');
      const wanted = { ca: 'default', certificate, reason: 'superseded', actor: admin } as const;
      const said = await revokeSigned(w.lab.deps, wanted);
      assert.equal(typeof said === 'object' && said.serial, serial);
      assert.deepEqual(await listedIn(w), [serial]);
      assert.deepEqual(await revokeSigned(w.lab.deps, wanted), {
        ...Object(said),
        unchanged: true,
      });
      w.lab.clock.at += 2 * SWEEP_AFTER_MS;
      await sweep(w.lab.deps);
      assert.deepEqual(await revokeSigned(w.lab.deps, wanted), {
        ...Object(said),
        unchanged: true,
      });
    });
  }
});

describe('a register of revocations that is put back', () => {
  const actor = { kind: 'admin', id: 'somebody' } as const;
  const crlOf = async ({ lab }: World): Promise<string[]> => {
    const { der } = await publishCrl(lab.deps, await lab.deps.cas.issuer('default'), { actor });
    return describeCrl(der).revoked.map(({ serial, reason }) => `${serial} ${reason}`);
  };

  for (const first of ['nothing', 'certificateHold'] as const) {
    test(`no CRL forgets what was in one after the register is put back to ${first}, however often it has changed since`, async () => {
      const w = await world();
      const names = ['a', 'b', 'c', 'd'];
      const devices = await Promise.all(names.map((name) => deviceKey(`hostile table ${name}`)));
      const serials: string[] = [];
      for (const device of devices) {
        const { certificate } = await held(w, device, `CN=${serials.length}`);
        serials.push(hex(certificate.serial));
      }
      const [gone = '', ...others] = serials;
      const end = (serial: string, reason: 'superseded' | 'certificateHold') =>
        revoke(w.lab.deps, { ca: 'default', serial, reason, actor });
      if (first !== 'nothing') assert.equal(await end(gone, first), 'done');
      const key = { kind: 'register', key: `default/${gone.at(-1)}` } as const;
      const [before] = await w.store.read([key]);
      assert.equal(await end(gone, 'superseded'), 'done');
      assert.deepEqual(await crlOf(w), [`${gone} superseded`]);
      const [now] = await w.store.read([key]);
      const back = { ...key, rev: now?.rev ?? 0 };
      const action = before
        ? { ...back, do: 'put', record: before.record }
        : { ...back, do: 'delete' };
      assert.equal(await w.store.write([action as Action]), 'done');
      for (const serial of others) assert.equal(await end(serial, 'superseded'), 'done');
      await assert.rejects(
        crlOf(w),
        /was removed by another hand: run "scepter crl rebuild default"/,
      );
      const issuer = await w.lab.deps.cas.issuer('default');
      assert.ok((await rebuildRegisters(w.lab.deps, issuer, actor)).includes(gone.at(-1) ?? ''));
      assert.deepEqual((await crlOf(w)).sort(), serials.map((one) => `${one} superseded`).sort());
    });
  }
});
