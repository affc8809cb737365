// Folders with packages of their own, such as infra/cdk: installed once as their lock file has them.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const root = join(import.meta.dirname, '..', '..');

const run = promisify(execFile);

/** @throws {Error} with what is missing, and the last that the tool said */
export async function tool(
  command: string,
  args: readonly string[],
  cwd: string,
  needed: string,
): Promise<void> {
  try {
    await run(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`${needed}: ${(stderr || message).trim().split('\n').at(-1)}`);
  }
}

export const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
    .slice(0, 16);

/** @param folder below the repository @throws {Error} with what is missing */
export async function installFolder(folder: string): Promise<void> {
  const at = join(root, folder);
  const wanted = await hashOf(join(at, 'package-lock.json'));
  const stamp = join(at, 'node_modules', '.of-lock');
  const found = await readFile(stamp, 'utf8').catch(() => '');
  if (found === wanted) return;
  await tool('npm', ['ci', '--silent'], at, `the packages of ${folder}`);
  await writeFile(stamp, wanted);
}
