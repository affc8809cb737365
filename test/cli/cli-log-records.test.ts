// scepter log verify --records: what is on record is compared with what the log has, event by event.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '../../lib/base/bytes.ts';
import type { RotationStep } from '../../lib/base/words.ts';
import { rotateRa } from '../../lib/ca/authority/rotation.ts';
import { revokeChallenge } from '../../lib/ca/challenge/challenge-list.ts';
import { forgetTransaction } from '../../lib/ca/log/forget.ts';
import { Published } from '../../lib/ca/log/published.ts';
import { recoverLog } from '../../lib/ca/log/recover.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { logStates } from '../../lib/ca/log/states.ts';
import { Draft, View } from '../../lib/ca/record/unit-of-work.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { checkpointText, signedNote } from '../../lib/events/note.ts';
import { emptyEdge, grown, leafHash, rootOf } from '../../lib/events/tree.ts';
import type { Challenge, EventRecord, Kind } from '../../lib/ports/records/records.ts';
import type { AuthorityRecord } from '../../lib/ports/records/registry.ts';
import type { Action, Row, Store } from '../../lib/ports/store.ts';
import { openTerminal } from '../support/cli.ts';
import { eventIn } from '../support/event-in.ts';
import { deviceKey } from '../support/keys.ts';
import { MemoryLogFiles, memoryLogsOf, publishedOf } from '../support/log.ts';
import { got, type World, world } from '../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'scepter-records-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A CA with an enrolment, a refusal and a revocation, its log in files, and a terminal. */
async function service() {
  const kept = memoryLogsOf((): Store => w.store);
  const w: World = await world({ logs: kept.logs });
  const deps = { ...w.lab.deps, logs: kept.logs, sequencing: kept.logs };
  const terminal = await openTerminal(w.lab);
  after(() => terminal.close());
  const key = await deviceKey('records');
  const der = got(await w.ask({ challenge: await w.lab.challenge(), key, subject: 'CN=jane' }));
  await w.ask({ challenge: 'wrong', key: await deviceKey('records 2') });
  const where = mkdtempSync(join(folder, 'log-'));
  const write = () => {
    for (const [name, octets] of kept.files.files) {
      mkdirSync(dirname(join(where, name)), { recursive: true });
      writeFileSync(join(where, name), octets);
    }
  };
  const publish = async () => {
    await sequenceAll(deps);
    write();
  };
  await publish();
  const verify = async (log = 'default', more: readonly string[] = ['--records']) => {
    const states = await logStates(deps);
    const verifierKey = states.find((one) => one.log === log)?.verifierKey ?? '';
    return terminal.run(['log', 'verify', join(where, log), '--key', verifierKey, ...more]);
  };
  const rows = (kind: Kind) => w.store.dump().filter((row) => row.kind === kind);
  const events = () => rows('event').map(({ record }) => eventIn(record));
  const remove = async (kind: Kind, keyOf: string) => {
    const rev = rows(kind).find(({ key: one }) => one === keyOf)?.rev ?? 0;
    await w.store.write([{ do: 'delete', kind, key: keyOf, rev }]);
  };
  /** As another hand does it. */
  const putBack = async ({ kind, key: keyOf, record }: Row) => {
    await remove(kind, keyOf);
    await w.store.write([{ do: 'put', kind, key: keyOf, rev: 0, record } as Action]);
  };
  return { w, deps, kept, der, write, publish, verify, rows, events, remove, putBack };
}

async function wrong(change: (s: Awaited<ReturnType<typeof service>>) => Promise<void>) {
  const s = await service();
  await change(s);
  const { code, err } = await s.verify();
  assert.equal(code, 6, err);
  return err;
}

test('what is on record is what the log has, also what happened since and waits', async () => {
  const s = await service();
  for (const log of ['default', 'system']) {
    const { code, err, out } = await s.verify(log);
    assert.equal(code, 0, err);
    assert.match(out, /holds/);
    assert.match(out, /what is on record is what the log has/);
  }
  got(await s.w.ask({ challenge: await s.w.lab.challenge(), key: await deviceKey('records 3') }));
  const { code, err, out } = await s.verify();
  assert.equal(code, 0, err);
  assert.match(out, /2 events not in this log yet/);
});

test('an event that is no longer on record is named', async () => {
  const err = await wrong(async (s) => {
    const event = s.events().find(({ type }) => type === 'certificate.issued');
    await s.remove('event', event?.id);
  });
  assert.match(err, /is in the log, and what it tells of is no longer on record/);
});

test('a certificate that is no longer on record is named', async () => {
  let key = '';
  const err = await wrong(async (s) => {
    key = s.rows('certificate')[0]?.key ?? '';
    await s.remove('certificate', key);
  });
  assert.ok(err.includes(key.split('/')[1] ?? '?'), err);
});

test('a request whose record is gone before its time is named', async () => {
  const err = await wrong(async (s) => {
    for (const { key } of s.rows('transaction')) await s.remove('transaction', key);
  });
  assert.match(err, /no longer on record/);
});

test('events and certificates that the log does not know are named', async () => {
  const err = await wrong(async (s) => {
    got(await s.w.ask({ challenge: await s.w.lab.challenge(), key: await deviceKey('records 4') }));
    for (const { key } of s.rows('unlogged')) await s.remove('unlogged', key);
    // An hour later the checkpoint is a new one, and knows nothing of them.
    s.w.lab.clock.at += 3_600_000;
    await s.publish();
  });
  assert.match(err, /event \S+ \(certificate\.\w+\) is on record, and not in the log/);
  assert.match(err, /certificate [0-9a-f]+ is on record, and no event of the log knows it/);
});

test('names that are gone are named unless they were forgotten', async () => {
  const s = await service();
  const [id = ''] = s.rows('transaction').map(({ key }) => key);
  await forgetTransaction(s.deps, id, { kind: 'admin', id: 'alice' });
  const before = await s.verify();
  assert.equal(before.code, 6, 'the event that tells of it is not in the log yet');
  assert.match(before.err, /has lost whom it names, and no event log\.forgotten tells of it/);
  await s.publish();
  const { code, err } = await s.verify();
  assert.equal(code, 0, err);
});

test('other names than the log has the hash of are named', async () => {
  const err = await wrong(async (s) => {
    for (const { key, rev, record: found } of s.rows('event')) {
      const { body, personal = '', transaction = '' } = found as EventRecord;
      if (transaction === '') continue;
      // By whoever has the MAC keys, too.
      const others = personal.replace('"salt":"', '"salt":"0');
      const record = { body, personal: others, transaction };
      await s.w.lab.deps.store.write([{ do: 'put', kind: 'event', key, rev, record }]);
    }
  });
  assert.match(err, /names others on record than the log has the hash of/);
});

const alice = { kind: 'admin', id: 'alice' } as const;

test('a revoked challenge that is good again on record is named', async () => {
  const s = await service();
  await s.w.lab.challenge();
  const row = s.rows('challenge').find(({ record }) => (record as Challenge).usesLeft > 0);
  assert.ok(row);
  const { id } = row.record as Challenge;
  await revokeChallenge(s.deps, id, undefined, alice);
  await s.publish();
  assert.equal((await s.verify('system')).code, 0);
  await s.putBack(row);
  const { code, err } = await s.verify('system');
  assert.equal(code, 6);
  assert.match(err, new RegExp(`challenge ${id} is open on record, and revoked by the log`));
});

test('an RA certificate that the log does not know, one that is gone and one in another state are named', async () => {
  const s = await service();
  const step = (name: RotationStep) =>
    rotateRa(s.deps, 'default', { step: name, force: true, actor: alice });
  const [before] = s.rows('authority');
  await step('prepare');
  await s.publish();
  assert.equal((await s.verify()).code, 0);
  const [prepared] = s.rows('authority');
  await step('activate');
  await s.publish();
  assert.equal((await s.verify()).code, 0);
  assert.ok(before && prepared);
  await s.putBack(prepared);
  assert.match(
    (await s.verify()).err,
    /RA generation 1 of default is current on record, and by the log: previous/,
  );
  await s.putBack(before);
  assert.match(
    (await s.verify()).err,
    /RA generation 2 of default is current by the log, and not on record/,
  );
  const record = structuredClone(before.record) as AuthorityRecord;
  const generations = [
    ...record.generations,
    ...record.generations.map((one) => ({ ...one, id: 3 })),
  ];
  await s.remove('authority', before.key);
  const forged = { ...record, generations };
  // By whoever has the MAC keys, too.
  const { mac: _mac, ...fresh } = forged as typeof forged & { readonly mac: string };
  await s.deps.store.write([
    { do: 'put', kind: 'authority', key: before.key, rev: 0, record: fresh },
  ]);
  assert.match(
    (await s.verify()).err,
    /RA generation 3 of default is on record, and no event of the log knows its certificate/,
  );
});

test('a CRL that is older on record than in the log, or is not there, is named', async () => {
  for (const [partition, number, said] of [
    [undefined, 7, /CRL 1 of default is on record, and the last in the log is 7/],
    [undefined, 1, /CRL 1 of default is on record as another one than the log has/],
    ['1-0', 7, /CRL 7 of default\/1-0 is in the log, and none is on record/],
  ] as const) {
    const err = await wrong(async ({ deps, publish }) => {
      const draft = new Draft(new View(deps.store));
      const about = {
        ca: 'default',
        number,
        crlHash: '00'.repeat(32),
        ...(partition ? { partition } : {}),
      };
      draft.event(deps.clock.now(), deps.random, { ...about, type: 'crl.published', actor: alice });
      await deps.store.write(draft.actions);
      await publish();
    });
    assert.match(err, said);
  }
});

test('an event that was signed into the log twice is named with both places, without records, too', async () => {
  const s = await service();
  const { logs, files } = s.kept;
  const { entries, origin, time } = await publishedOf(s.kept, 'scep.test/log/default', 'default');
  const twice = [...entries, ...entries.slice(1, 2)].map(utf8);
  const changed = new MemoryLogFiles();
  await new Published(changed, 'default').add(0, twice);
  const tree = grown(
    emptyEdge,
    twice.map((entry) => leafHash(entry)),
  );
  const text = checkpointText({ origin, size: tree.size, root: rootOf(tree), time });
  const verifier = { name: origin, key: await logs.key() };
  const note = signedNote(text, verifier, await logs.sign(utf8(text)));
  files.files.clear();
  for (const [name, octets] of changed.files) files.files.set(name, octets);
  files.files.set('default/checkpoint', utf8(note));
  s.write();
  for (const more of [[], ['--records']]) {
    const { code, err } = await s.verify('default', more);
    assert.equal(code, 6);
    assert.match(
      err,
      new RegExp(`event \\S+ stands in the log twice: entries 1 and ${entries.length}`),
    );
  }
});

test('a revocation that was taken back on record is named, and a log that has stopped', async () => {
  const s = await service();
  const [row] = s.rows('certificate');
  assert.ok(row);
  const [, serial = ''] = row.key.split('/');
  const change = { ca: 'default', serial, actor: { kind: 'admin', id: 'alice' } } as const;
  assert.equal(await revoke(s.w.lab.deps, { ...change, reason: 'certificateHold' }), 'done');
  await s.publish();
  assert.equal((await s.verify()).code, 0);
  const rev = s.rows('certificate').find(({ key }) => key === row.key)?.rev ?? 0;
  const { kind, key, record } = row;
  await s.w.store.write([{ do: 'put', kind, key, rev, record } as never]);
  const { code, err } = await s.verify();
  assert.equal(code, 6);
  assert.match(err, /is issued on record, and by the log: held, certificateHold/);
  s.w.lab.clock.at += 2 * 3_600_000;
  const stopped = await s.verify();
  assert.equal(stopped.code, 6);
  assert.match(
    stopped.err,
    /the newest checkpoint was signed at .*nothing puts events into it any more/,
  );
});

const operator = { kind: 'admin', id: 'operator' } as const;

test('once a log was recovered, what its records had lost is not named, and everything else is', async () => {
  const s = await service();
  const before = new Set(s.w.store.dump().map(({ kind, key }) => `${kind} ${key}`));
  got(await s.w.ask({ challenge: await s.w.lab.challenge(), key: await deviceKey('records 5') }));
  await s.publish();
  for (const kind of ['event', 'transaction', 'certificate'] as const) {
    for (const { key } of s.rows(kind))
      if (!before.has(`${kind} ${key}`)) await s.remove(kind, key);
  }
  assert.equal((await s.verify()).code, 6);
  const { lost } = (await recoverLog(s.deps, 'default', operator)) ?? assert.fail('no log');
  await s.publish();
  const { code, err, out } = await s.verify();
  assert.equal(code, 0, err);
  const said = `what is on record is what the log has, but for ${lost.length} events lost before the log was recovered`;
  assert.ok(lost.length > 1 && out.includes(said), out);
  const [one] = s.events().filter(({ ca, type }) => ca === 'default' && type !== 'log.recovered');
  await s.remove('event', one?.id ?? '');
  const named = (await s.verify()).err;
  for (const id of [...lost, one?.id ?? '']) assert.ok(named.includes(id), named);
});

test('a log that goes on from one whose files were lost need not have what was in that one', async () => {
  const s = await service();
  s.kept.files.files.clear();
  for (const log of ['system', 'default']) await recoverLog(s.deps, log, operator);
  s.w.lab.clock.at += 1000;
  got(await s.w.ask({ challenge: await s.w.lab.challenge(), key: await deviceKey('records 6') }));
  await s.publish();
  const { code, err } = await s.verify('default.2');
  assert.equal(code, 0, err);
  const event = s.events().findLast(({ type }) => type === 'certificate.issued');
  await s.remove('event', event?.id);
  assert.ok((await s.verify('default.2')).err.includes(event?.id));
});
