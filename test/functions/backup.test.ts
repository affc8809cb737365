// `scepter backup` and `scepter restore`: what a backup holds while devices enrol, what a restore refuses, and
// what does not go back with it.

import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { backupsOf } from '../../functions/backup/backups.ts';
import { staging } from '../../functions/backup/folder.ts';
import { readEnv } from '../../functions/env.ts';
import { openDatabaseFile } from '../../functions/node/database.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { entryOf, readBackup, writeBackup } from '../../lib/adapters/backup-file.ts';
import { type Bytes, concat, equal, hex } from '../../lib/base/bytes.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { View } from '../../lib/ca/record/unit-of-work.ts';
import { publishCrl } from '../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import type { RestoreOptions } from '../../lib/cli/backups.ts';
import { CliError } from '../../lib/cli/io.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Records } from '../../lib/ports/records/records.ts';
import { generateKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { readCrlHead } from '../../lib/x509/crl-head.ts';
import { crlEntries, describeCrlEntry } from '../../lib/x509/describe/describe.ts';
import { dumpSqlite } from '../history/stores.ts';
import { checkCa } from '../support/check-ca.ts';
import { eventIn } from '../support/event-in.ts';
import { enrolment, type Sent } from '../support/messages.ts';
import { run, temporary } from '../support/process.ts';

const document = {
  publicUrl: 'http://backup.test',
  cas: { default: { subject: 'CN=Backup CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
};
const config = checkConfig(document);
const actor = { kind: 'admin', id: 'tester' } as const;

const envOf = (dataDir: string) =>
  readEnv({ SCEPTER_DATA_DIR: dataDir, SCEPTER_CONFIG: JSON.stringify(document) });

async function openServer(dataDir: string) {
  const { deps, close } = await openEmbedded(envOf(dataDir), config, () => {});
  const app = makeApp(deps);
  const endpoint = config.endpoints.get('default');
  assert.ok(endpoint);
  const announced = readCaCertificates((await deps.cas.of('default')).bag);
  return {
    deps,
    close,
    fetch: app.fetch,
    /** A device's first request, with a challenge of its own. */
    async device(subject: string): Promise<Sent> {
      const wanted = { binding: { names: [] }, uses: 1, ttlMs: endpoint.challengeTtlMs };
      const { challenge } = await createChallenge(deps, endpoint, wanted, { actor });
      const key = await generateKey({ type: 'EC', curve: 'P-256' });
      return enrolment({ announced, clock: Date }, { challenge, key, subject });
    },
    async send({ message, read }: Sent) {
      const url = 'http://backup.test/scep?operation=PKIOperation';
      const response = await app.fetch(new Request(url, { method: 'POST', body: message }));
      return read(new Uint8Array(await response.arrayBuffer()));
    },
    async enrolled(sent: Sent): Promise<Bytes> {
      const result = await this.send(sent);
      assert.ok(result.pkiStatus === 'SUCCESS', JSON.stringify(result));
      assert.ok(result.certificates[0]);
      return result.certificates[0];
    },
    async publish(): Promise<Bytes> {
      return (await publishCrl(deps, await deps.cas.issuer('default'), { actor })).der;
    },
    async crl(): Promise<Bytes> {
      const crl = await deps.crls.newest('default');
      assert.ok(crl);
      return crl.der;
    },
    revoke: (serial: string, reason: 'keyCompromise' | 'certificateHold' | 'superseded') =>
      revoke(deps, { ca: 'default', serial, reason, actor }),
  };
}
type Opened = Awaited<ReturnType<typeof openServer>>;

const serialOf = (der: Bytes): string => hex(readCertificate(der).serial);
const numberOf = (crl: Bytes): number => readCrlHead(crl)?.number ?? Number.NaN;
const serialsIn = (crl: Bytes): string[] =>
  crlEntries(crl).map((one) => describeCrlEntry(one).serial);

test('what a restore does waits for the logs that begin with it', async () => {
  const { root, dataDir, crl, back, restore } = await small('backup-waits');
  const server = await openServer(dataDir);
  const { sequencing } = server.deps;
  assert.ok(sequencing);
  await sequenceAll({ ...server.deps, logs: sequencing });
  const path = join(root, 'two.backup');
  await backupsOf(envOf(dataDir)).make(path, asking(server));
  server.close();
  await restore(path, crlOf(crl));
  const rows = dumpSqlite(join(back, 'scepter.db'));
  const waiting = rows.flatMap(({ kind, record }) =>
    kind === 'unlogged' ? (record as Records['unlogged']).events : [],
  );
  const recovered = rows.flatMap(({ kind, key, record }) =>
    kind === 'event' && eventIn(record).type === 'log.recovered' ? [key] : [],
  );
  assert.ok(recovered.length > 0, 'each log that had begun has a next one');
  assert.ok(recovered.every((id) => waiting.includes(id)));
});

const nobody = (): never => assert.fail('no server runs');
const asking = ({ deps }: Opened) => ({
  passphrase: undefined,
  askServer: () => deps.snapshots?.snapshot() ?? nobody(),
  sleep: async () => nobody(),
});
const given = (more: Partial<RestoreOptions> = {}): RestoreOptions => ({
  ...{ passphrase: undefined, crls: [], withoutCrl: false },
  ...more,
});
const crlOf = (der: Bytes) => given({ crls: [{ name: 'newest.crl', der }] });

/** A backup of a server with one device, made while nothing runs. */
async function small(name: string, passphrase?: string) {
  const root = temporary(name);
  const dataDir = join(root, 'data');
  const server = await openServer(dataDir);
  const certificate = await server.enrolled(await server.device('CN=first'));
  const crl = await server.crl();
  server.close();
  const path = join(root, 'one.backup');
  const options = { passphrase, askServer: async () => nobody(), sleep: async () => nobody() };
  const made = await backupsOf(envOf(dataDir)).make(path, options);
  const back = join(root, 'back');
  return {
    root,
    dataDir,
    path,
    made,
    certificate,
    crl,
    back,
    restore: backupsOf(envOf(back)).restore,
  };
}

test('a backup taken while devices enrol holds every certificate that was given out before, and restores', async () => {
  const root = temporary('backup-load');
  const dataDir = join(root, 'data');
  const server = await openServer(dataDir);
  const devices: Sent[] = [];
  for (let i = 0; i < 60; i++) devices.push(await server.device(`CN=load-${i}`));
  const waiting = [...devices];
  const delivered = new Map<Sent, Bytes>();
  const enrol = async (until: number): Promise<void> => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      delivered.set(one, await server.enrolled(one));
      if (delivered.size >= until) return;
    }
  };
  await enrol(10);
  const before = new Map(delivered);
  const load = Promise.all([enrol(60), enrol(60), enrol(60), enrol(60)]);
  const made = await backupsOf(envOf(dataDir)).make(root, asking(server));
  const during = delivered.size;
  await load;
  assert.ok(during > before.size || delivered.size > during, 'devices enrolled meanwhile');
  assert.deepEqual(made.altered, []);
  assert.equal(statSync(made.path).mode & 0o777, 0o600);
  assert.equal(
    readdirSync(dataDir).some((name) => name.includes('snapshot')),
    false,
    'the copy of the database is deleted',
  );
  const crl = await server.publish();
  server.close();

  const back = join(root, 'back');
  const restored = await backupsOf(envOf(back)).restore(made.path, crlOf(crl));
  assert.equal(restored.records, made.records);
  const again = await openServer(back);
  for (const [sent, der] of before) {
    assert.ok(equal(await again.enrolled(sent), der), 'the certificate that the device had');
  }
  again.close();
  checkCa(dumpSqlite(join(back, 'scepter.db')), [...before.values()], 60_000);
});

test('the command prints where a backup is and how it is to be kept, and with --json what is in it', async () => {
  const root = temporary('backup-told');
  const dataDir = join(root, 'data');
  (await openServer(dataDir)).close();
  const env = { SCEPTER_DATA_DIR: dataDir, SCEPTER_CONFIG: JSON.stringify(document) };
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  const { code, out, err } = await run('bin/scepter.js', ['backup', first], { env });
  assert.deepEqual([code, out], [0, `${first}\n`], err);
  assert.match(err, /private keys of the CA, NOT sealed/);
  const told = await run('bin/scepter.js', ['backup', second, '--json'], { env });
  assert.deepEqual([told.code, told.err], [0, '']);
  const { path, size, altered, sealed } = JSON.parse(told.out);
  assert.deepEqual([path, size, altered, sealed], [second, statSync(second).size, [], false]);
});

test('what was revoked since the backup stays revoked, and the number of the CRL only rises', async () => {
  const root = temporary('backup-crl');
  const dataDir = join(root, 'data');
  const server = await openServer(dataDir);
  const sent = [];
  for (const name of ['stolen', 'held', 'freed', 'kept']) {
    sent.push(await server.device(`CN=${name}`));
  }
  const [stolen = '', held = '', freed = '', kept = ''] = (
    await Promise.all(sent.map((one) => server.enrolled(one)))
  ).map(serialOf);
  await server.revoke(freed, 'certificateHold');
  const early = await server.publish();
  const path = join(root, 'one.backup');
  await backupsOf(envOf(dataDir)).make(path, asking(server));
  const late = await server.device('CN=late');
  const lost = serialOf(await server.enrolled(late));
  await server.revoke(stolen, 'keyCompromise');
  await server.revoke(held, 'certificateHold');
  await server.revoke(lost, 'superseded');
  await revoke(server.deps, { ca: 'default', serial: freed, reason: 'removeFromCRL', actor });
  const newest = await server.publish();
  server.close();

  const back = join(root, 'back');
  const { restore } = backupsOf(envOf(back));
  await assert.rejects(
    restore(path, given()),
    /newest CRL that it had published: give it with --crl/,
  );
  const stranger = await small('backup-stranger');
  await assert.rejects(restore(path, crlOf(stranger.crl)), /is not signed by a CA of this backup/);
  const first = early.slice();
  assert.ok(numberOf(first) < numberOf(newest));

  const { cas, challenges } = await restore(path, crlOf(newest));
  assert.deepEqual(cas[0]?.held, [freed], 'a hold that has ended is said');
  assert.deepEqual(new Set(cas[0]?.revoked), new Set([stolen, held, lost]));
  assert.equal(challenges, 0);
  const again = await openServer(back);
  const crl = await again.crl();
  assert.ok(numberOf(crl) > numberOf(newest), 'above every number that was published');
  assert.deepEqual(new Set(serialsIn(crl)), new Set([stolen, held, freed, lost]));
  const times = (octets: Bytes) =>
    crlEntries(octets)
      .map(describeCrlEntry)
      .filter(({ serial }) => serial === stolen);
  assert.deepEqual(times(crl), times(newest), 'with the time and the reason that were published');
  const view = new View(again.deps.store);
  const keys = [stolen, held, kept].map((one) => `default/${one}`);
  await view.load(keys.map((key) => ({ kind: 'certificate', key })));
  assert.deepEqual(
    keys.map((key) => view.get('certificate', key)?.state),
    ['revoked', 'held', 'issued'],
  );
  const { keyHash = '' } = view.get('certificate', keys[0] ?? '') ?? {};
  await view.load([{ kind: 'blockedKey', key: keyHash }]);
  assert.ok(view.get('blockedKey', keyHash), 'a compromised key is blocked again');
  again.close();
});

test('a CRL that is older than the backup is refused; without one the number still rises', async () => {
  const root = temporary('backup-older');
  const dataDir = join(root, 'data');
  const server = await openServer(dataDir);
  const old = await server.crl();
  await server.publish();
  const path = join(root, 'one.backup');
  await backupsOf(envOf(dataDir)).make(path, asking(server));
  // What is published after the backup, and lost with the machine.
  let published = await server.publish();
  for (let more = 0; more < 5; more++) published = await server.publish();
  server.close();
  const back = join(root, 'back');
  const { restore } = backupsOf(envOf(back));
  await assert.rejects(restore(path, crlOf(old)), /is older than the backup/);
  await restore(path, given({ withoutCrl: true }));
  const again = await openServer(back);
  assert.ok(numberOf(await again.crl()) > numberOf(published));
  again.close();
});

test('a copy that outlasts the request is waited for as long as it grows, and no longer', async () => {
  const dataDir = join(temporary('slow-copy'), 'data');
  const server = await openServer(dataDir);
  const [half, copy] = ['scepter.db.snapshot.new', 'scepter.db.snapshot'].map((name) =>
    join(dataDir, name),
  ) as [string, string];
  // Of a backup that was killed before it took its copy.
  await server.deps.snapshots?.snapshot();
  const certificate = await server.enrolled(await server.device('CN=late'));
  let looks = 0;
  const make = (sleep: (ms: number) => Promise<void>) => {
    looks = 0;
    const askServer = () => Promise.reject(new CliError('remote', 'the server did not answer'));
    const path = join(dataDir, '..', `${crypto.randomUUID()}.backup`);
    return backupsOf(envOf(dataDir)).make(path, { passphrase: undefined, askServer, sleep });
  };
  await assert.rejects(make(nobody), /^CliError: the server did not answer$/, 'none is being made');

  writeFileSync(half, '');
  const stands = make(async () => void looks++);
  await assert.rejects(stands, /snapshot\.new, has not grown for 60 s: its disk is full, or /);
  assert.equal(looks, 60);

  const { path } = await make(async () => {
    if (looks++ < 200) return appendFileSync(half, 'page');
    rmSync(half);
    await server.deps.snapshots?.snapshot();
  });
  assert.equal(looks, 201);
  assert.ok(!existsSync(copy));
  server.close();
  const back = join(dataDir, '..', 'back');
  await backupsOf(envOf(back)).restore(path, given({ withoutCrl: true }));
  const restored = await openServer(back);
  const view = new View(restored.deps.store);
  const key = { kind: 'certificate', key: `default/${serialOf(certificate)}` } as const;
  await view.load([key]);
  assert.ok(view.unaltered('certificate', key.key), 'the new copy is taken, not the one before');
  restored.close();
});

test('a challenge that was open is revoked: it may have been used since', async () => {
  const root = temporary('backup-challenge');
  const dataDir = join(root, 'data');
  const server = await openServer(dataDir);
  const sent = await server.device('CN=twice');
  const path = join(root, 'one.backup');
  await backupsOf(envOf(dataDir)).make(path, asking(server));
  await server.enrolled(sent);
  const crl = await server.publish();
  server.close();
  const back = join(root, 'back');
  const { challenges } = await backupsOf(envOf(back)).restore(path, crlOf(crl));
  assert.equal(challenges, 1);
  const again = await openServer(back);
  assert.equal((await again.send(sent)).pkiStatus, 'FAILURE');
  again.close();
});

test('a folder that holds something is left as it is', async () => {
  const { dataDir, path, crl } = await small('backup-full');
  const before = readdirSync(dataDir).sort();
  await assert.rejects(
    backupsOf(envOf(dataDir)).restore(path, crlOf(crl)),
    /a backup is restored into an empty folder/,
  );
  assert.deepEqual(readdirSync(dataDir).sort(), before);
});

test('a backup over a file that is there already is refused', async () => {
  const { dataDir, path } = await small('backup-over');
  const before = readFileSync(path);
  const options = {
    passphrase: undefined,
    askServer: async () => nobody(),
    sleep: async () => nobody(),
  };
  await assert.rejects(backupsOf(envOf(dataDir)).make(path, options), /is there already/);
  assert.ok(readFileSync(path).equals(before));
});

test('a sealed backup opens with its passphrase, and with no other', async () => {
  const passphrase = 'correct horse battery';
  const { path, made, crl, back, restore } = await small('backup-sealed', passphrase);
  assert.equal(made.sealed, true);
  const octets = readFileSync(path);
  assert.ok(!octets.includes('manifest.json') && !octets.includes('Backup CA'));
  await assert.rejects(restore(path, crlOf(crl)), /is sealed: give its passphrase/);
  const other = { ...crlOf(crl), passphrase: 'correct horse batterz' };
  await assert.rejects(restore(path, other), /its passphrase is another|the passphrase is another/);
  assert.deepEqual(readdirSync(back), ['restoring'], 'nothing of it counts');
  await restore(path, { ...crlOf(crl), passphrase });
  assert.deepEqual(readdirSync(back).sort(), ['keys', 'scepter.db', 'token']);
});

for (const passphrase of [undefined, 'correct horse battery']) {
  const kind = passphrase === undefined ? 'open' : 'sealed';
  test(`a changed octet, a missing end and octets too many are found: ${kind} backup`, async () => {
    const { root, path, crl, restore } = await small(`backup-damaged-${kind}`, passphrase);
    const octets = readFileSync(path);
    const bad = join(root, 'bad.backup');
    const refused = async (content: Uint8Array, what: string): Promise<void> => {
      writeFileSync(bad, content);
      await assert.rejects(restore(bad, { ...crlOf(crl), passphrase }), Error, what);
    };
    const { files } = JSON.parse(
      passphrase ? '{"files":[]}' : (octets.toString('latin1').slice(512).split('\0')[0] ?? ''),
    ) as { files: { size: number }[] };
    // One octet in every file: tar's headers are 512 octets, and files are filled up to that.
    let at = 512 + Math.ceil((octets.indexOf('\n}\n') + 3 - 512) / 512) * 512;
    for (const { size } of files) {
      const changed = Buffer.from(octets);
      const place = at + 512 + Math.floor(size / 2);
      changed[place] = (changed[place] ?? 0) ^ 1;
      await refused(changed, `octet ${place}`);
      at += 512 + Math.ceil(size / 512) * 512;
    }
    for (const place of passphrase ? [30, 5000, octets.length - 1] : []) {
      const changed = Buffer.from(octets);
      changed[place] = (changed[place] ?? 0) ^ 1;
      await refused(changed, `octet ${place}`);
    }
    const ends = [0, 20, 52, octets.length - 1];
    for (const end of passphrase ? ends : [...ends, 600, 5000, octets.length - 1024]) {
      await refused(octets.subarray(0, end), `${end} octets`);
    }
    await refused(concat([octets, new Uint8Array(1)]), 'one more');
    await restore(path, { ...crlOf(crl), passphrase });
  });
}

test('an archive whose names leave the folder is refused before anything is written', async () => {
  const { root, path, crl, back, restore } = await small('backup-names');
  const octets = readFileSync(path).toString('latin1').replace('"token"', '"../to"');
  const bad = join(root, 'bad.backup');
  writeFileSync(bad, Buffer.from(octets, 'latin1'));
  await assert.rejects(restore(bad, crlOf(crl)), /does not hold the files of a data folder/);
  assert.deepEqual(readdirSync(back), ['restoring']);
});

/** An archive with this manifest alone. */
function archived(manifest: string | Uint8Array, name = 'manifest.json'): Uint8Array {
  const text = Buffer.from(manifest);
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
  block.write('ustar', 257);
  return concat([block, text, new Uint8Array((512 - (text.length % 512)) % 512)]);
}

test('an archive whose first file is another, or larger than any manifest, is no backup', async () => {
  const { root, path, crl, restore } = await small('backup-first');
  const octets = readFileSync(path).toString('latin1');
  const manifest = octets.slice(512).split('\0')[0] ?? '';
  for (const first of [archived(manifest, 'other.json'), archived(manifest.padEnd(1 << 23))]) {
    const bad = join(root, 'bad.backup');
    writeFileSync(bad, first);
    await assert.rejects(restore(bad, crlOf(crl)), /bad\.backup is no backup of this service$/);
  }
});

test('an archive with another manifest is none, and said to be none', async () => {
  const { root, path, crl, restore } = await small('backup-manifest');
  const octets = readFileSync(path).toString('latin1');
  const good = JSON.parse(octets.slice(512).split('\0')[0] ?? '');
  const changed = (more: object): string => JSON.stringify({ ...good, ...more });
  for (const manifest of [
    'null',
    '7',
    '[]',
    '"text"',
    '{',
    Uint8Array.of(0xff, 0xfe),
    changed({ form: null }),
    changed({ form: { form: 1 } }),
    changed({ files: [null] }),
    changed({ files: {} }),
    changed({ files: [{ name: ['scepter.db'] }] }),
    changed({ records: '7' }),
    changed({ madeAt: 'yesterday\nby somebody' }),
    changed({ madeAt: null }),
  ]) {
    const bad = join(root, 'bad.backup');
    writeFileSync(bad, archived(manifest));
    await assert.rejects(restore(bad, crlOf(crl)), (error) => {
      assert.ok(error instanceof CliError, String(error));
      assert.equal(error.exit, 'verification');
      return /is no backup|another release|does not hold the files/.test(error.message);
    });
  }
});

/** Who has copied the database, as the backup says itself. */
const copiers = (dataDir: string): unknown[] =>
  dumpSqlite(join(dataDir, 'scepter.db'))
    .filter(({ kind }) => kind === 'event')
    .map(({ record }) => eventIn(record))
    .filter(({ note }) => note === 'copied the database for a backup')
    .map(({ actor: who }) => who);

test('a backup is on record, in itself too: by whom', async () => {
  const one = await small('backup-told');
  const operator = { kind: 'admin', id: 'operator', auth: 'credentials' };
  assert.deepEqual(copiers(one.dataDir), [operator]);
  const server = await openServer(one.dataDir);
  const token = readFileSync(join(one.dataDir, 'token'), 'utf8').trim();
  const path = join(one.root, 'two.backup');
  const askServer = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = new Request('http://backup.test/api/v1/snapshots', { method: 'POST', headers });
    return ((await (await server.fetch(asked)).json()) as { file: string }).file;
  };
  await backupsOf(envOf(one.dataDir)).make(path, { ...asking(server), askServer });
  server.close();
  await one.restore(path, crlOf(one.crl));
  assert.deepEqual(copiers(one.back), [
    operator,
    { kind: 'admin', id: 'token-file', auth: 'token' },
  ]);
});

test('a restore that was interrupted is no data folder, and is done again', async () => {
  const { path, crl, back, restore } = await small('backup-interrupted');
  await mkdir(staging(back), { recursive: true });
  writeFileSync(join(staging(back), 'scepter.db'), 'half');
  await assert.rejects(openDatabaseFile(back), /holds a restore that was interrupted/);
  await restore(path, crlOf(crl));
  assert.deepEqual(readdirSync(back).sort(), ['keys', 'scepter.db', 'token']);
});

test('a restore that was interrupted after it counted is finished by whoever opens the folder', async () => {
  const { path, crl, back, certificate, restore } = await small('backup-moved');
  await restore(path, crlOf(crl));
  for (const moved of [['keys'], ['keys', 'token'], ['keys', 'token', 'scepter.db'], []]) {
    const restored = join(back, 'restored');
    await mkdir(restored);
    for (const name of ['keys', 'token', 'scepter.db']) {
      if (!moved.includes(name)) renameSync(join(back, name), join(restored, name));
    }
    const server = await openServer(back);
    const view = new View(server.deps.store);
    const key = `default/${serialOf(certificate)}`;
    await view.load([{ kind: 'certificate', key }]);
    assert.equal(view.get('certificate', key)?.state, 'issued', `moved: ${moved}`);
    server.close();
    assert.deepEqual(readdirSync(back).sort(), ['keys', 'scepter.db', 'token']);
  }
});

test('a CA that lacks a key, or has that of another, is not backed up as if it were whole', async () => {
  const { root, dataDir } = await small('backup-keys');
  const keys = join(dataDir, 'keys');
  const options = {
    passphrase: undefined,
    askServer: async () => nobody(),
    sleep: async () => nobody(),
  };
  const path = join(root, 'lacking.backup');
  const again = () => backupsOf(envOf(dataDir)).make(path, options);
  const [ca = ''] = readdirSync(keys).filter((name) => /^ca-.*\.spki$/.test(name));
  const privateKey = join(keys, ca.replace(/spki$/, 'p8'));
  renameSync(join(keys, ca), join(root, 'away'));
  await assert.rejects(again(), /ENOENT.*spki/);
  renameSync(join(root, 'away'), join(keys, ca));
  const { dataDir: elsewhere } = await small('backup-other-keys');
  const [other = ''] = readdirSync(join(elsewhere, 'keys')).filter((name) =>
    /^ca-.*p8$/.test(name),
  );
  writeFileSync(privateKey, readFileSync(join(elsewhere, 'keys', other)));
  await assert.rejects(again(), /does not fit its public key/);
  assert.deepEqual(readdirSync(root).sort(), ['data', 'one.backup']);
});

test('a backup with the private key of another CA is refused, and nothing is restored', async () => {
  const { root, path, crl, back, restore } = await small('backup-swapped');
  const { dataDir: elsewhere } = await small('backup-swapped-for');
  const opened = join(root, 'opened');
  await mkdir(join(opened, 'keys'), { recursive: true });
  const manifest = await readBackup(path, undefined, opened);
  const pathOf = (name: string): string => join(opened, name);
  const keyIn = (folder: string): string => {
    const [name = assert.fail()] = readdirSync(join(folder, 'keys')).filter((one) =>
      /^ca-.*p8$/.test(one),
    );
    return join(folder, 'keys', name);
  };
  writeFileSync(keyIn(opened), readFileSync(keyIn(elsewhere)));
  const files = await Promise.all(manifest.files.map(({ name }) => entryOf(name, pathOf(name))));
  const bad = join(root, 'bad.backup');
  const passphrase = undefined;
  await writeBackup(bad, { manifest: { ...manifest, files }, pathOf, passphrase });
  await assert.rejects(restore(bad, crlOf(crl)), /ca-.*\.p8 does not fit its public key$/);
  assert.deepEqual(readdirSync(back), ['restoring']);
});

test('records that another hand has changed are named by the backup, and are as many after a restore', async () => {
  const one = await small('backup-altered');
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(one.dataDir, 'scepter.db'));
  database.exec(
    `UPDATE records SET record = replace(record, '"issued"', '"held"') WHERE kind = 'certificate'`,
  );
  database.close();
  const path = join(one.root, 'altered.backup');
  const options = {
    passphrase: undefined,
    askServer: async () => nobody(),
    sleep: async () => nobody(),
  };
  const made = await backupsOf(envOf(one.dataDir)).make(path, options);
  assert.deepEqual(made.altered, [`certificate default/${serialOf(one.certificate)}`]);
  const { records } = await one.restore(path, crlOf(one.crl));
  assert.equal(records, made.records);
});

test('a configuration that lacks a CA of the backup is refused', async () => {
  const { path, crl, back } = await small('backup-config');
  const other = {
    ...document,
    cas: { other: document.cas.default },
    endpoints: { default: { ca: 'other' } },
  };
  const env = readEnv({ SCEPTER_DATA_DIR: back, SCEPTER_CONFIG: JSON.stringify(other) });
  await assert.rejects(
    backupsOf(env).restore(path, crlOf(crl)),
    /the backup has the CA "default", and the configuration has not/,
  );
});

test('records in a DynamoDB table are not backed up here', async () => {
  const env = readEnv({ SCEPTER_TABLE: 'records' });
  const options = {
    passphrase: undefined,
    askServer: async () => nobody(),
    sleep: async () => nobody(),
  };
  await assert.rejects(backupsOf(env).make('x', options), /back it up by the means of AWS/);
});
