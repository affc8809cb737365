// docs/production.md, doctor.md, renew.md, search.md, bulk.md and log.md: their shell blocks run as they stand, beside a server
// that serves and after it was stopped.
// Those for a machine with systemd run in test/infra/release.test.ts.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { freePort, run, startServer, temporary } from '../support/process.ts';

const root = join(import.meta.dirname, '..', '..');
const pages = ['production.md', 'doctor.md', 'renew.md', 'search.md', 'bulk.md', 'log.md'];
const guides = pages.map((name) => readFileSync(join(root, 'docs', name), 'utf8'));
const blocks = [...guides.join('\n').matchAll(/^```sh tested=(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, when = '', script = '']) => ({ when, script }),
);
const during = (when: string) => blocks.filter((block) => block.when === when);

const folder = temporary('production-guide');
const port = String(await freePort());
const env = {
  SCEPTER_DATA_DIR: join(folder, 'data'),
  SCEPTER_URL: `http://127.0.0.1:${port}`,
  PORT: port,
};

/** `scepter` on the PATH, as an installed package has it. */
const bin = join(folder, 'bin');
mkdirSync(bin);
const scepter = `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin', 'scepter.js')}" "$@"\n`;
writeFileSync(join(bin, 'scepter'), scepter, { mode: 0o755 });

async function runBlock(script: string): Promise<void> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { ...process.env, ...env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  assert.equal(code, 0, `${script}\n${out}\n${err}`);
}

const missing = ['bash', 'curl', 'openssl'].filter((tool) => spawnSync(tool, ['--version']).error);

test('the shell blocks of the guides run as they stand, and the restored server goes on', {
  skip: missing.length > 0 && `not installed here: ${missing.join(', ')}`,
}, async () => {
  assert.ok(during('running').length >= 2 && during('stopped').length >= 1);
  const known = ['running', 'stopped', 'install', 'systemd', 'renewal'].flatMap(during);
  assert.equal(known.length, blocks.length);
  const server = await startServer(env);
  const crlNumber = async (): Promise<number> => {
    const { out, err } = await run('bin/scepter.js', ['crl', 'show', '--json'], { env });
    assert.equal(err, '');
    return JSON.parse(out).number;
  };
  let before: number;
  try {
    for (const { script } of during('running')) await runBlock(script);
    before = await crlNumber();
  } finally {
    await server.stop();
  }
  for (const { script } of during('stopped')) await runBlock(script);
  const restored = await startServer(env);
  try {
    assert.ok((await crlNumber()) > before);
  } finally {
    await restored.stop();
  }
});
