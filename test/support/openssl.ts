// The system's openssl, for the tests that ask a second implementation: run with arguments, files in a
// folder of its own that goes when the tests are done.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Bytes, concat } from '../../lib/base/bytes.ts';

export type Openssl = {
  /** What it writes to stdout. An exit status other than zero is an error with its stderr. */
  run(...args: readonly string[]): Bytes;
  /** Whether it exits with zero, and everything it says. */
  attempt(...args: readonly string[]): { readonly ok: boolean; readonly said: string };
  /** The path of a file with this content. */
  file(name: string, content: Uint8Array | string): string;
  /** The path of a file that openssl is to write, and its content once it has. */
  path(name: string): string;
  read(name: string): Bytes;
};

function installed(): boolean {
  return spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout?.startsWith('OpenSSL 3');
}

/** Defines the tests of `define` where openssl is installed; elsewhere says that they did not run. */
export function withOpenssl(define: (openssl: Openssl) => void): void {
  if (!installed()) {
    console.log('NOT RUN: openssl differential (openssl is not installed)');
    test('openssl is installed where CI is set', () => assert.ok(!process.env.CI));
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'scepter-openssl-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = (name: string) => join(folder, name);
  const spawn = (args: readonly string[]) => spawnSync('openssl', args, { cwd: folder, input: '' });
  define({
    run(...args) {
      const { status, stdout, stderr } = spawn(args);
      assert.equal(status, 0, `openssl ${args.join(' ')}\n${stderr}`);
      return concat([stdout]);
    },
    attempt(...args) {
      const { status, stdout, stderr } = spawn(args);
      return { ok: status === 0, said: `${stdout}${stderr}` };
    },
    file(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
    path,
    read: (name) => concat([readFileSync(path(name))]),
  });
}
