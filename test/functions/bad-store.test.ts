// Trouble with the embedded database: locked, not writable, full, damaged. A start says why not; a
// server that is up answers 503 and goes on as soon as it can, with nothing lost.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { Outage } from '../../lib/base/errors.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { starts } from '../support/embedded.ts';
import { deviceKey } from '../support/keys.ts';
import { enrolment, type Sent, type Target } from '../support/messages.ts';
import { freshService, run, startServer, temporary } from '../support/process.ts';

const fresh = async () => {
  const { dataDir, env } = await freshService('bad-store');
  return { dataDir, env, database: join(dataDir, 'scepter.db') };
};
type Env = Awaited<ReturnType<typeof fresh>>['env'];

async function refused(env: Env, said: RegExp): Promise<void> {
  const finished = await run('functions/server.ts', [], { env });
  assert.match(finished.err, said);
  assert.doesNotMatch(finished.err, /\n {4}at /, 'a sentence, not a stack');
  assert.equal(finished.code, 1);
  assert.equal(finished.out, '');
}

async function targetOf(url: string): Promise<Target> {
  const response = await fetch(`${url}/scep?operation=GetCACert`);
  const announced = readCaCertificates(new Uint8Array(await response.arrayBuffer()));
  return { announced, clock: { now: () => Date.now() } };
}

async function send(url: string, sent: Sent) {
  const response = await fetch(`${url}/scep?operation=PKIOperation`, {
    method: 'POST',
    body: sent.message,
  });
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.status === 200) return (await sent.read(body)).pkiStatus;
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '30');
  assert.match(Buffer.from(body).toString(), /^service unavailable, try again later \(\w{26}\)\n$/);
  return 503;
}

async function challengeOf(env: Env): Promise<string> {
  const made = await run('bin/scepter.js', ['challenge', 'create'], { env });
  assert.equal(made.code, 0, made.err);
  return made.out.trim();
}

describe('a start that cannot succeed ends with the reason', () => {
  test('a start with a locked database is refused, and succeeds once the lock is gone', async () => {
    const { env, database } = await fresh();
    await starts(env);
    const other = new DatabaseSync(database);
    other.exec('BEGIN EXCLUSIVE');
    await refused(env, /scepter\.db is in use by another process: only one server may use/);
    other.exec('ROLLBACK');
    other.close();
    await starts(env);
  });

  test('a start whose data folder cannot be made is refused', async () => {
    const { env } = await fresh();
    await refused(
      { ...env, SCEPTER_DATA_DIR: '/sys/scepter' },
      /^scepter: \/sys\/scepter .* \(E\w+\): set SCEPTER_DATA_DIR to a folder that this user can write/,
    );
  });

  test('a start with a damaged database, or MAC keys that are damaged or too short, is refused, and succeeds once they are restored', async () => {
    const { env, dataDir, database } = await fresh();
    await starts(env);
    const macKeys = join(dataDir, 'keys', 'mac-keys.json');
    const spoilt = /mac-keys\.json is damaged: restore it from a backup/;
    const cut = (path: string) => {
      const good = readFileSync(path);
      return good.subarray(0, Math.min(4096, good.length / 2));
    };
    for (const [path, bad, said] of [
      [database, cut(database), /scepter\.db is damaged: restore the data folder from a backup/],
      [macKeys, cut(macKeys), spoilt],
      [macKeys, '[{"id":"00000000","key":"00"}]', spoilt],
    ] as const) {
      const good = readFileSync(path);
      writeFileSync(path, bad);
      await refused(env, said);
      writeFileSync(path, good);
    }
    await starts(env);
  });
});

describe('the adapter', () => {
  const open = () => join(temporary('bad-file'), 'scepter.db');
  const token = (key: string) =>
    ({ do: 'put', kind: 'token', key, rev: 0, record: { name: 'a', roles: ['admin'] } }) as const;

  const refusedBy = (path: string, said: RegExp) =>
    assert.throws(
      () => new SqliteStore(path),
      (error: Error) => {
        assert.match(error.message, said);
        return error.message.startsWith(path);
      },
    );

  test('a file that is read-only, unreachable, not a database or cut off is refused with a sentence', async () => {
    const path = open();
    const first = new SqliteStore(path);
    await first.write([token('a')]);
    first.close();
    const good = readFileSync(path);
    refusedBy(`file:${path}?mode=ro`, /: it is read-only, or the disk is full or fails/);
    refusedBy(join(path, 'below'), /cannot be opened: give the server read and write access/);
    writeFileSync(path, 'something else, and long enough to be looked at'.repeat(99));
    refusedBy(path, /is not a database of this service: restore it, or use another data folder/);
    writeFileSync(path, good.subarray(0, 4096));
    refusedBy(path, /is damaged: restore the data folder/);
    writeFileSync(path, good);
    const again = new SqliteStore(path);
    assert.equal((await again.read([{ kind: 'token', key: 'a' }])).length, 1);
    again.close();
  });

  test('a file whose pages are noise is refused, or an outage as soon as one of them is read', async () => {
    const path = open();
    const first = new SqliteStore(path);
    for (let i = 0; i < 50; i++) await first.write([token(`${i}`)]);
    first.close();
    const raw = new DatabaseSync(path);
    const roots = raw
      .prepare(
        "SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('records', 'places', 'crls') AND rootpage > 0",
      )
      .all()
      .map(({ rootpage }) => Number(rootpage));
    raw.close();
    const good = readFileSync(path);
    writeFileSync(path, Buffer.from(good).fill(0xa5, 4096));
    refusedBy(path, /is damaged: restore the data folder/);
    // What a start does not look at.
    const partly = Buffer.from(good);
    for (const root of roots) partly.fill(0xa5, (root - 1) * 4096, root * 4096);
    writeFileSync(path, partly);
    const store = new SqliteStore(path);
    await assert.rejects(store.read([{ kind: 'token', key: '7' }]), Outage);
    await assert.rejects(store.write([token('new')]), Outage);
    await assert.rejects(store.list({ list: 'transactions', group: 'x', limit: 1 }), Outage);
    await assert.rejects(store.newest('default'), Outage);
    store.close();
  });

  test('a damaged record is not believed, and the next write replaces it', async () => {
    const path = open();
    const first = new SqliteStore(path);
    await first.write([token('good'), token('bad')]);
    first.close();
    const raw = new DatabaseSync(path);
    raw.exec(`UPDATE records SET record = '{"name":' WHERE key = 'bad'`);
    raw.close();
    const store = new SqliteStore(path);
    const [bad, good] = await store.read([
      { kind: 'token', key: 'bad' },
      { kind: 'token', key: 'good' },
    ]);
    assert.deepEqual([bad?.record, bad?.rev], [undefined, 1]);
    assert.notEqual(good?.record, undefined);
    assert.equal(await store.write([{ ...token('bad'), rev: 1 }]), 'done');
    assert.equal(await store.write([token('another')]), 'done');
    store.close();
  });
});

/** Linux only: the size that files of a running process may have, which stands for a full disk. */
const prlimit = (pid: number | undefined, octets: string) =>
  spawnSync('prlimit', ['--pid', String(pid), `--fsize=${octets}`], { encoding: 'utf8' });

if (spawnSync('prlimit', ['--version']).status === 0) {
  test('a server on a full disk answers 503 with Retry-After, loses no challenge, and goes on when there is space', async () => {
    const { env } = await fresh();
    const server = await startServer(env);
    try {
      const target = await targetOf(server.url);
      const challenge = await challengeOf(env);
      const sent = await enrolment(target, { challenge });
      const limits = prlimit(server.child.pid, '1:unlimited');
      assert.equal(limits.status, 0, limits.stderr);
      for (let i = 0; i < 3; i++) assert.equal(await send(server.url, sent), 503);
      // It is not ready, and says so; what is refused without a write is refused.
      assert.equal((await fetch(`${server.url}/readyz`)).status, 503);
      const status = await run('bin/scepter.js', ['status'], { env });
      assert.equal(status.code, 1, status.out);
      assert.match(status.out, /^store +TAKES NO WRITES$/m);
      const unknown = await enrolment(target, { challenge: 'nobody made this one' });
      assert.equal(await send(server.url, unknown), 'FAILURE');
      prlimit(server.child.pid, 'unlimited:unlimited');
      assert.equal(await send(server.url, sent), 'SUCCESS');
      const other = await enrolment(target, { challenge, key: await deviceKey('disk full') });
      assert.equal(await send(server.url, other), 'FAILURE', 'one challenge, one certificate');
      assert.doesNotMatch(server.logged(), new RegExp(challenge));
    } finally {
      await server.stop();
    }
    await starts(env);
  });

  test('a start on a full disk is refused with the reason, and succeeds with space', async () => {
    const { env } = await fresh();
    const limited = spawnSync(
      'prlimit',
      ['--fsize=2000:unlimited', process.execPath, 'functions/server.ts'],
      {
        encoding: 'utf8',
        env: { ...process.env, ...env },
        cwd: join(import.meta.dirname, '..', '..'),
      },
    );
    assert.equal(limited.status, 1);
    assert.match(limited.stderr, /^scepter: .*(full|EFBIG|disk)/);
    assert.doesNotMatch(limited.stderr, /\n {4}at /);
    await starts(env);
  });
} else {
  console.log('NOT RUN: full disk (prlimit is not installed)');
  test('prlimit is installed where CI is set', () => assert.ok(!process.env.CI));
}

const disk = temporary('full-disk');
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]).status === 0;
after(() => {
  if (mounted) spawnSync('umount', [disk]);
});
const until = async (holds: () => Promise<boolean>, what: string) => {
  for (let i = 0; !(await holds()); i++) {
    assert.ok(i < 100, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

test('status ends with 1 and the reason on a full disk, /readyz with 503; both are good again once there is space', {
  skip: mounted ? false : 'a disk of its own cannot be mounted here: prlimit stands for it above',
}, async () => {
  const { env: given } = await fresh();
  const env = { ...given, SCEPTER_DATA_DIR: join(disk, 'data') };
  const filler = join(disk, 'filler');
  const server = await startServer(env);
  try {
    const status = () => run('bin/scepter.js', ['status'], { env });
    assert.throws(() => writeFileSync(filler, Buffer.alloc(9_000_000)), /ENOSPC/);
    const challenge = await run('bin/scepter.js', ['challenge', 'create', '--retry-for', '1s'], {
      env,
    });
    assert.equal(challenge.code, 5, challenge.err);
    const full = await status();
    assert.equal(full.code, 1, full.out);
    assert.match(full.out, /^store +TAKES NO WRITES$/m);
    assert.match(
      full.out,
      /^warning +nothing can be written: the database cannot be written: the disk is full/m,
    );
    assert.equal((await fetch(`${server.url}/readyz`)).status, 503);
    assert.match(server.logged(), /"http\.outage".*the disk is full/);
    rmSync(filler);
    const ready = async () => (await fetch(`${server.url}/readyz`)).status === 200;
    await until(ready, 'with space it is ready again');
    const after = await status();
    assert.equal(after.code, 0, after.out + after.err);
    assert.match(after.out, /^store +reachable, takes writes$/m);
  } finally {
    await server.stop();
  }
});

test('a log that cannot be written does not end the service', {
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full here',
}, async () => {
  const { env } = await fresh();
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../functions/server.ts')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', openSync('/dev/full', 'w')],
  });
  const ended = once(child, 'close');
  await once(child.stdout ?? assert.fail('no stdout'), 'data');
  const url = `http://127.0.0.1:${env.PORT}`;
  for (let i = 0; i < 3; i++) {
    const path = '/scep?operation=PKIOperation';
    assert.equal((await fetch(url + path, { method: 'POST', body: 'x' })).status, 400);
  }
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});
