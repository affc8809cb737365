import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromUtf8, utf8 } from '../../../lib/base/bytes.ts';
import { prove } from '../../../lib/ca/log/prove.ts';
import { beginLogsAnew, recoverLog } from '../../../lib/ca/log/recover.ts';
import { sequenceAll } from '../../../lib/ca/log/sequence.ts';
import { endedLogs, logStates } from '../../../lib/ca/log/states.ts';
import { readVerifierKey } from '../../../lib/events/note.ts';
import { checkProof } from '../../../lib/events/proof.ts';
import { makeLab } from '../../support/lab.ts';
import { memoryLogs, publishedOf, waitingIn } from '../../support/log.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const actor = { kind: 'admin', id: 'operator' } as const;

async function open(store = new MemoryStore(), kept = memoryLogs(store)) {
  const logs = { ...kept.logs, waiting: waitingIn(store) };
  const lab = await makeLab({ store, logs, caKey: 'ec:P-256' });
  const deps = { ...lab.deps, logs };
  const copy = async () => {
    const rows = store.dump();
    const older = new MemoryStore();
    for (const { kind, key, record } of rows) {
      await older.write([{ do: 'put', kind, key, rev: 0, record } as never]);
    }
    return older;
  };
  const published = (name = 'default') => {
    const [origin = ''] = fromUtf8(
      kept.files.files.get(`${name}/checkpoint`) ?? new Uint8Array(0),
    ).split('\n');
    assert.ok(origin === `scep.test/log/${name}` || origin.startsWith(`scep.test/log/${name}-`));
    return publishedOf(kept, origin, name);
  };
  return { lab, store, kept, deps, copy, published };
}

const typesOf = (entries: readonly string[]): string[] =>
  entries.map((one) => JSON.parse(one).type);

test('what happens to a CA is in its log, and what is of no CA in that of the system', async () => {
  const w = await open();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  const types = typesOf((await w.published()).entries);
  for (const type of ['ca.key.created', 'ca.created', 'crl.published'])
    assert.ok(types.includes(type));
  const states = await logStates(w.deps);
  assert.ok(
    states.every(({ verifierKey }) =>
      readVerifierKey(verifierKey).name.startsWith('scep.test/log/'),
    ),
  );
  const events = w.store.dump().filter(({ kind }) => kind === 'event').length;
  assert.equal(
    states.reduce((sum, { checkpoint }) => sum + checkpoint.size, 0),
    events,
  );
});

test('each event has a proof that holds with the public key alone', async () => {
  const w = await open();
  for (let i = 0; i < 300; i++) {
    w.lab.clock.at += 1000;
    await w.lab.challenge();
    if (i % 40 === 0) await sequenceAll(w.deps);
  }
  const [{ key: late = '' } = {}] = w.store
    .dump()
    .filter(({ kind }) => kind === 'event')
    .slice(-1);
  assert.equal(await prove(w.deps, late), 'waits');
  await sequenceAll(w.deps);
  const ids = w.store.dump().flatMap(({ kind, key }) => (kind === 'event' ? [key] : []));
  for (const id of ids.filter((_, i) => i % 17 === 0 || i > ids.length - 3)) {
    const proven = await prove(w.deps, id);
    assert.ok(typeof proven === 'object', id);
    const verifier = readVerifierKey(proven.verifierKey);
    assert.equal(JSON.parse(proven.event).id, id);
    await checkProof(proven.proof, utf8(proven.event), verifier);
  }
  assert.equal(await prove(w.deps, '01ARZ3NDEKTSV4RRFFQ69G5FAV'), undefined);
});

test('an event of a log that has ended is proven by that log', async () => {
  const w = await open();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  const [id = ''] = w.store.dump().flatMap(({ kind, key }) => (kind === 'event' ? [key] : []));
  for (const next of ['.2', '.3']) {
    await beginLogsAnew(w.deps, actor);
    w.lab.clock.at += 60 * 60 * 1000;
    await sequenceAll(w.deps);
    assert.ok((await logStates(w.deps)).every(({ log }) => log.endsWith(next)));
    const proven = await prove(w.deps, id);
    assert.ok(typeof proven === 'object', `${id} after ${next}`);
    const verifier = readVerifierKey(proven.verifierKey);
    assert.doesNotMatch(verifier.name, /\.[23]$/);
    await checkProof(proven.proof, utf8(proven.event), verifier);
  }
  await w.lab.challenge();
  const late = w.store.dump().findLast(({ kind }) => kind === 'event')?.key ?? '';
  assert.equal(await prove(w.deps, late), 'waits');
});

test('a table that went back goes on from what is published, and what it lost is named', async () => {
  const w = await open();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  await w.lab.challenge();
  const older = await w.copy();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  const there = (await w.published('system')).entries;
  const known = new Set(older.dump().map(({ key }) => key));
  const back = await open(older, w.kept);
  await assert.rejects(sequenceAll(back.deps), /"scepter log recover"/);
  const recovered = await recoverLog(back.deps, 'system', actor);
  assert.equal(recovered?.name, 'system');
  const lost = there.map((one) => JSON.parse(one).id).filter((id) => !known.has(id));
  assert.ok(lost.length > 0);
  assert.deepEqual(recovered?.lost, lost);
  await sequenceAll(back.deps);
  const { entries } = await back.published('system');
  assert.deepEqual(entries.slice(0, there.length), there);
  assert.equal(typesOf(entries).at(-1), 'log.recovered');
  assert.equal(new Set(entries).size, entries.length, 'none stands in it twice');
});

test('a table without any head goes on from what is published, too', async () => {
  const w = await open();
  await sequenceAll(w.deps);
  const { entries: before } = await w.published();
  const row = w.store.dump().find(({ kind, key }) => kind === 'logHead' && key === 'default');
  await w.store.write([{ do: 'delete', kind: 'logHead', key: 'default', rev: row?.rev ?? 0 }]);
  await w.lab.challenge();
  await assert.rejects(sequenceAll(w.deps), /recover/);
  assert.deepEqual(await recoverLog(w.deps, 'default', actor), {
    name: 'default',
    size: before.length,
    lost: [],
  });
  await sequenceAll(w.deps);
  const { entries } = await w.published();
  assert.deepEqual(entries.slice(0, before.length), before);
  assert.equal(await recoverLog(w.deps, 'nowhere', actor), undefined);
});

test('a log whose files are lost has ended: the next one begins under an origin of its own', async () => {
  const w = await open();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  w.kept.files.files.clear();
  await w.lab.challenge();
  await assert.rejects(sequenceAll(w.deps), /recover/);
  const recovered = await recoverLog(w.deps, 'default', actor);
  const ended =
    'the files of "default" are lost: what was in it (4 events) cannot be proven until they are back';
  assert.deepEqual(recovered, { name: 'default.2', size: 0, lost: [], ended });
  await recoverLog(w.deps, 'system', actor);
  await sequenceAll(w.deps);
  const { entries } = await w.published('default.2');
  assert.ok(typesOf(entries).includes('log.recovered'));
  const events = w.store.dump().filter(({ kind }) => kind === 'event');
  assert.match(
    JSON.stringify(events),
    /was in it \(4 events\) cannot be proven until they are back/,
  );
  assert.deepEqual(
    (await logStates(w.deps)).map(({ log }) => log),
    ['system.2', 'default.2'],
  );
});

test('after a backup was restored every log is the next one, and those before stay as they were', async () => {
  const w = await open();
  await sequenceAll(w.deps);
  const before = await w.published();
  for (const next of ['default.2', 'default.3']) {
    await beginLogsAnew(w.deps, actor);
    await sequenceAll(w.deps);
    assert.deepEqual(typesOf((await w.published(next)).entries), ['log.recovered']);
  }
  assert.deepEqual(await w.published(), before);
});

test('one backup that is restored twice begins two logs: no two histories have one origin', async () => {
  const origins = new Set<string>();
  for (let i = 0; i < 2; i++) {
    const w = await open();
    await sequenceAll(w.deps);
    await beginLogsAnew(w.deps, actor);
    await sequenceAll(w.deps);
    const { origin } = await w.published('default.2');
    origins.add(origin);
    assert.match(origin, /\/log\/default\.2-[0-9a-f]{8}$/);
  }
  assert.equal(origins.size, 2);
});

test('published files that do not hold are not taken for the log', async () => {
  const w = await open();
  await sequenceAll(w.deps);
  const { files } = w.kept.files;
  const path = [...files.keys()].find((one) => one.startsWith('default/tile/entries')) ?? '';
  const octets = files.get(path) ?? utf8('');
  files.set(
    path,
    Uint8Array.from(octets, (octet, i) => (i === 9 ? octet ^ 1 : octet)),
  );
  await assert.rejects(recoverLog(w.deps, 'default', actor), /does not hold: entry \d+/);
  files.set(path, octets);
  const stranger = { ...w.deps, logs: memoryLogs(w.store, w.kept.files).logs };
  await assert.rejects(recoverLog(stranger, 'default', actor), /does not hold/);
});

test('a log whose key is lost ends, and is still proven with its own key; the next one begins under another', async () => {
  const w = await open();
  await w.lab.challenge();
  await sequenceAll(w.deps);
  const before = await logStates(w.deps);
  const [id = ''] = w.store.dump().flatMap(({ kind, key }) => (kind === 'event' ? [key] : []));
  const same = recoverLog(w.deps, 'default', actor, { newKey: true });
  await assert.rejects(
    same,
    /is signed with the key of the logs as it is now: .* without --new-key/,
  );
  await w.lab.challenge();

  const other = await open(w.store, memoryLogs(w.store, w.kept.files));
  await assert.rejects(sequenceAll(other.deps), /"scepter log recover default --new-key" ends/);
  await assert.rejects(recoverLog(other.deps, 'default', actor), /does not hold/);
  let made = 0;
  const makeLogKey = async () => void made++;
  const logs = ['system', 'default'];
  for (const log of logs) {
    const recovered = await recoverLog(other.deps, log, actor, { newKey: true, makeLogKey });
    assert.equal(recovered?.name, `${log}.2`);
    assert.match(recovered?.ended ?? '', /was signed with another key than [0-9a-f]{8}, which/);
  }
  assert.equal(made, 2);
  await sequenceAll(other.deps);
  for (const log of logs) {
    const { entries } = await other.published(`${log}.2`);
    assert.equal(typesOf(entries).filter((type) => type === 'log.recovered').length, 1);
    const ended = (await w.published(log)).entries;
    assert.equal(entries.filter((one) => ended.includes(one)).length, 0, 'none is in both');
  }
  assert.deepEqual(
    (await endedLogs(other.deps)).map(({ log, verifierKey }) => ({ log, verifierKey })),
    before.map(({ log, verifierKey }) => ({ log, verifierKey })),
  );
  const proven = await prove(other.deps, id);
  assert.ok(typeof proven === 'object');
  assert.ok(before.some(({ verifierKey }) => verifierKey === proven.verifierKey));
  await checkProof(proven.proof, utf8(proven.event), readVerifierKey(proven.verifierKey));
  assert.equal(await recoverLog(other.deps, 'nowhere', actor, { newKey: true }), undefined);
});
