// What is deployed: the same octets whenever and wherever it is built, no larger than promised, and
// whole for whoever unpacks it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { buildAll, writeFiles } from '../../build/build.ts';
import { bundleCli, bundleFunction, functionNames } from '../../build/bundle.ts';
import { loadTime, SCEP_START_OCTETS, weigh } from '../../build/measure.ts';
import { zip } from '../../build/zip.ts';
import { unpacked } from '../support/lambda-deployment.ts';
import { freePort } from '../support/process.ts';
import { answered } from '../support/server-process.ts';

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

test('the same zips from another folder, another time zone, another user and another time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-elsewhere-'));
  try {
    for (const name of ['build', 'functions', 'lib', 'package.json', 'tsconfig.json']) {
      await cp(join(root, name), join(folder, name), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const script = `
      const { bundleFunction, functionNames } = await import('./build/bundle.ts');
      const { zip } = await import('./build/zip.ts');
      const { createHash } = await import('node:crypto');
      for (const name of functionNames) {
        const octets = zip(await bundleFunction(name));
        console.log(createHash('sha256').update(octets).digest('hex'));
      }`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
      env: { PATH: process.env.PATH, TZ: 'Pacific/Chatham', LC_ALL: 'C', HOME: folder },
    });
    const here: string[] = [];
    for (const name of functionNames) here.push(sha256(zip(await bundleFunction(name))));
    assert.equal(new Set(here).size, functionNames.length);
    assert.deepEqual(stdout.trim().split('\n'), here);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a zip has modules and their maps, of 1980, readable, and nothing of this machine', async () => {
  for (const name of functionNames) {
    const files = await bundleFunction(name);
    const packed = zip(files);
    const listed = unzipSync(packed);
    assert.deepEqual(
      Object.keys(listed),
      files.map((file) => file.name),
    );
    for (const [path, octets] of Object.entries(listed)) {
      assert.match(path, /^[\w-]+\.mjs(?:\.map)?$/);
      assert.ok(!Buffer.from(octets).includes(root), path);
      if (path.endsWith('.mjs')) assert.ok(`${path}.map` in listed, path);
    }
    // DOS date and time of the first entry: 1980-01-01, 00:00.
    assert.equal(Buffer.from(packed).readUInt32LE(10), 0x00210000);
    const { version, sources } = JSON.parse(Buffer.from(listed['index.mjs.map'] ?? []).toString());
    assert.equal(version, 3);
    assert.ok(sources.some((source: string) => source.endsWith(`functions/${name}.ts`)));
  }
});

test('the SCEP function loads no more at its start than promised, and pkijs only when asked for', async (t) => {
  const { all, start } = weigh(await bundleFunction('scep-lambda'));
  t.diagnostic(`${start.gzipped} octets gzipped, of ${SCEP_START_OCTETS}; in all ${all.gzipped}`);
  assert.ok(start.gzipped <= SCEP_START_OCTETS, `${start.gzipped}`);
  for (const { name, octets } of await bundleFunction('scep-lambda')) {
    // What the JSON Schema says of a field.
    assert.ok(!Buffer.from(octets).includes('certificate authorities by name'), name);
  }
  assert.ok(start.gzipped + 50_000 < all.gzipped, 'pkijs is loaded at the start');
});

test('the module loads by itself, and what reads a configuration in S3 is not loaded with it', async (t) => {
  const folder = await unpacked('scep-lambda');
  const { median, fastest } = await loadTime(folder);
  t.diagnostic(`loaded in ${median.toFixed(0)} ms (median; fastest ${fastest.toFixed(0)})`);
  const module = await readFile(join(folder, 'index.mjs'), 'utf8');
  assert.ok(!module.includes('of the bucket "'));
  assert.match(module, /import\("\.\/s3-\w+\.mjs"\)/);
});

test('a build replaces the one before it, and leaves the release where it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-dist-'));
  try {
    for (const [name, file] of [
      ['release', 'SHA256SUMS'],
      ['cli', 'of-before.mjs'],
    ] as const) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, file), '');
    }
    await buildAll(folder);
    assert.deepEqual(await readdir(join(folder, 'release')), ['SHA256SUMS']);
    const built = await readdir(join(folder, 'cli'));
    assert.ok(built.includes('index.mjs') && !built.includes('of-before.mjs'), built.join(' '));
    assert.deepEqual((await readdir(folder)).sort(), ['cli', 'release', ...functionNames].sort());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the command line runs from a package that was installed, where Node strips no types', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-installed-'));
  try {
    const modules = join(folder, 'node_modules');
    const installed = join(modules, 'scepter');
    await writeFiles(join(installed, 'dist', 'cli'), await bundleCli());
    for (const name of ['bin', 'package.json']) {
      await cp(join(root, name), join(installed, name), { recursive: true });
    }
    for (const name of await readdir(join(root, 'node_modules'))) {
      await symlink(join(root, 'node_modules', name), join(modules, name));
    }
    const bin = join(installed, 'bin', 'scepter.js');
    const { stdout } = await run(process.execPath, [bin, '--version']);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    const example = join(root, 'examples', 'minimal.json');
    const { stdout: said } = await run(process.execPath, [bin, 'config', 'validate', example]);
    assert.match(said, /is valid: 1 CA, 1 endpoint/);
    // What is loaded only by who asks for it is there, too.
    const asked = run(process.execPath, [bin, 'ca', 'show', '--url', 'lambda:admin'], {
      env: { PATH: process.env.PATH, HOME: folder, SCEPTER_TOKEN: 'x'.repeat(43) },
    });
    await assert.rejects(asked, { code: 2, stderr: /^scepter: lambda:admin: no AWS region: / });
    await served(bin, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** `scepter serve` of an installed package: it becomes ready, enrols nobody else, and ends when it is told to. */
async function served(bin: string, folder: string): Promise<void> {
  const port = await freePort();
  const child = spawn(process.execPath, [bin, 'serve'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    const printed = text(child.stdout);
    await answered(async () => {
      const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
      assert.equal(status, 200);
    });
    const made = await run(process.execPath, [bin, 'challenge', 'create'], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, PORT: String(port) },
    });
    assert.match(made.stdout, /^[0-9a-z]{26}\n$/);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    const [, command = ''] = /\n {2}(scepter enrol .*)\n/.exec(await printed) ?? [];
    assert.match(command, /^scepter enrol --url http/);
    assert.doesNotMatch(await printed, /export PATH/);
  } finally {
    child.kill('SIGKILL');
  }
}
