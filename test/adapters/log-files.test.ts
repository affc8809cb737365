// The files of logs in a folder and in S3: what the port promises, and in S3 while calls fail, answers are lost, and
// another hand is faster.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { logFolder } from '../../lib/adapters/log-folder.ts';
import { fromUtf8, utf8 } from '../../lib/base/bytes.ts';
import { Outage } from '../../lib/base/errors.ts';
import type { LogFiles } from '../../lib/ports/log-files.ts';
import { type S3Fault, startS3Emulator } from '../support/s3-emulator.ts';
import { awaitingSilence, impatient, patient } from '../support/timers.ts';

const s3 = await startS3Emulator();
after(() => s3.stop());
let buckets = 0;
function bucket(timer = patient) {
  const name = `logs-${buckets++}`;
  s3.arm();
  return {
    name,
    files: s3.logFiles(timer, name),
    open: (other = timer) => s3.logFiles(other, name),
  };
}
const folder = mkdtempSync(join(tmpdir(), 'scepter-log-'));
after(() => rmSync(folder, { recursive: true }));

const textOf = async (files: LogFiles, path: string): Promise<string | undefined> => {
  const octets = await files.read(path);
  return octets && fromUtf8(octets);
};

for (const [name, open] of [
  ['a folder', () => logFolder(join(folder, String(buckets++)))],
  ['S3', () => bucket().files],
] as const) {
  test(`${name}: what is written is read, whole, and once more does no harm`, async () => {
    const files = open();
    assert.equal(await files.read('default/tile/0/000.p/1'), undefined);
    const octets = new Uint8Array(300_000).fill(7);
    for (let i = 0; i < 2; i++) await files.write('default/tile/0/000.p/1', octets);
    assert.deepEqual(await files.read('default/tile/0/000.p/1'), octets);
  });

  test(`${name}: a checkpoint takes the place of the one that is expected, and of no other`, async () => {
    const files = open();
    const path = 'default/checkpoint';
    assert.equal(await files.swap(path, utf8('b'), utf8('a')), false);
    assert.equal(await files.swap(path, utf8('a'), undefined), true);
    assert.equal(await files.swap(path, utf8('b'), undefined), false);
    assert.equal(await files.swap(path, utf8('c'), utf8('b')), false);
    assert.equal(await textOf(files, path), 'a');
    assert.equal(await files.swap(path, utf8('b'), utf8('a')), true);
    assert.equal(await textOf(files, path), 'b');
  });

  test(`${name}: a file or a folder is removed, and nothing beside it`, async () => {
    const files = open();
    const paths = ['a/000.p/1', 'a/000.p/12', 'a/000', 'a/000.p2/1', 'b/000.p/1'];
    for (const path of paths) await files.write(path, utf8(path));
    const there = async () => {
      const found = await Promise.all(paths.map((path) => textOf(files, path)));
      return found.filter((one) => one !== undefined);
    };
    await files.remove('a/000.p/');
    assert.deepEqual(await there(), paths.slice(2));
    for (let i = 0; i < 2; i++) await files.remove('a/000');
    assert.deepEqual(await there(), paths.slice(3));
    await files.remove('nowhere/');
  });
}

const passing = ['lost before', 'internal error', 'slow down'] as const;
const more: Readonly<Record<string, readonly S3Fault[]>> = {
  GET: ['truncated'],
  PUT: ['conflicting', 'lost after', 'internal error after'],
  DELETE: ['lost after', 'internal error after'],
};

describe('a call of S3 fails', () => {
  const works: Readonly<Record<string, (files: LogFiles) => Promise<unknown>>> = {
    'GET of a read': async (files) => assert.equal(await textOf(files, 'log/a'), 'a'),
    'PUT of a write': async (files) => {
      await files.write('log/b', utf8('b'));
      assert.equal(await textOf(files, 'log/b'), 'b');
    },
    'PUT of the first checkpoint': async (files) => {
      assert.equal(await files.swap('log/first', utf8('one'), undefined), true);
      assert.equal(await textOf(files, 'log/first'), 'one');
    },
    'GET and PUT of the next checkpoint': async (files) => {
      assert.equal(await files.swap('log/a', utf8('two'), utf8('a')), true);
      assert.equal(await textOf(files, 'log/a'), 'two');
    },
    'DELETE of a file': async (files) => {
      await files.remove('log/a');
      assert.equal(await files.read('log/a'), undefined);
    },
    'GET and DELETE of a folder': async (files) => {
      await files.remove('log/');
      assert.equal(await files.read('log/a'), undefined);
    },
  };
  for (const [title, work] of Object.entries(works)) {
    test(`${title}: once, and it is done as if nothing had been`, async () => {
      for (let at = 0; ; at++) {
        const { files } = bucket();
        await files.write('log/a', utf8('a'));
        s3.arm();
        await work(files);
        const method = s3.calls[at];
        if (method === undefined) return;
        for (const fault of [...passing, ...(more[method] ?? [])]) {
          const again = bucket();
          await again.files.write('log/a', utf8('a'));
          s3.arm((_, n) => (n === at ? fault : undefined));
          await work(again.files);
          assert.ok(s3.calls.length > at, `${method} ${fault}`);
        }
      }
    });
  }

  test('always: an Outage says which, and a checkpoint that was put nonetheless is there', async () => {
    const { files, open, name } = bucket();
    await files.write('log/a', utf8('a'));
    const hurried = open(impatient());
    for (const [work, call] of [
      [() => hurried.read('log/a'), 'GetObject of log/log/a'],
      [() => hurried.write('log/a', utf8('a')), 'PutObject of log/log/a'],
      [() => hurried.remove('log/a'), 'DeleteObject of log/log/a'],
      [() => hurried.remove('log/'), 'ListObjectsV2 of log/log/'],
    ] as const) {
      s3.arm(() => 'slow down');
      await assert.rejects(work(), (error) => {
        assert.ok(error instanceof Outage);
        assert.equal(error.message, `the bucket ${name}: ${call} failed: SlowDown`);
        return true;
      });
    }
    s3.arm(({ method }) => (method === 'PUT' ? 'lost after' : undefined));
    assert.equal(await hurried.swap('log/a', utf8('b'), utf8('a')), true);
    assert.equal(await textOf(files, 'log/a'), 'b');
  });

  test('by silence or a refusal of permission: it is given up', async () => {
    const { open } = bucket();
    s3.arm(() => 'forbidden');
    await assert.rejects(open().read('log/a'), /AccessDenied/);
    const silent = open(awaitingSilence);
    s3.arm((_, at) => (at === 0 ? 'silent' : undefined));
    assert.equal(await silent.read('log/a'), undefined);
  });
});

test('of two who swap one checkpoint at once, one does', async () => {
  const { open } = bucket();
  const [one, two] = [open(), open()] as const;
  await one.swap('log/checkpoint', utf8('a'), undefined);
  for (const next of ['b', 'c', 'd']) {
    const before = utf8((await textOf(one, 'log/checkpoint')) ?? '');
    const won: readonly boolean[] = await Promise.all([
      one.swap('log/checkpoint', utf8(`${next}1`), before),
      two.swap('log/checkpoint', utf8(`${next}2`), before),
    ]);
    assert.equal(won.filter(Boolean).length, 1);
  }
});
