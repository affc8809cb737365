// Node's test runner over files of a folder, for suites that need something started around it.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** All test files of some folders, or those that this command names. @throws {Error} when it names none */
export function testFilesIn(...folders: string[]): string[] {
  const named = process.argv.slice(2);
  const files = folders
    .flatMap((folder) => readdirSync(folder).map((name) => ({ folder, name })))
    .filter(({ name }) => name.endsWith('.test.ts'))
    .filter(({ name }) => named.length === 0 || named.some((part) => name.includes(part)))
    .map(({ folder, name }) => join(folder, name));
  // Without a file the runner takes every test that there is.
  if (files.length === 0) throw new Error(`no file here is called ${named.join(' or ')}`);
  return files;
}

/** @returns its exit code */
export function runTests(
  files: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  flags: readonly string[] = [],
): Promise<number> {
  const args = [...flags, '--test', '--test-concurrency=2', ...files];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}
