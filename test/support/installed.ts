// Folders with packages of their own, such as infra/cdk: installed once as their lock file has them.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** The same for what asks a package registry, which may be away for a moment. */
export async function fetching(...asked: Parameters<typeof tool>): Promise<void> {
  for (const pauseMs of [2_000, 10_000]) {
    try {
      return await tool(...asked);
    } catch {
      await sleep(pauseMs);
    }
  }
  return tool(...asked);
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
  const isDone = async () => (await readFile(stamp, 'utf8').catch(() => '')) === wanted;
  if (await isDone()) return;
  const release = await acquire(folder.replaceAll('/', '-'));
  try {
    if (await isDone()) return;
    await fetching('npm', ['ci', '--silent'], at, `the packages of ${folder}`);
    await writeFile(stamp, wanted);
  } finally {
    await release();
  }
}

/** Suites run beside each other, and two of `npm ci` in one folder take each other's files away. */
async function acquire(name: string): Promise<() => Promise<void>> {
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const lock = join(cache, `installing-${name}`);
  const take = () =>
    writeFile(lock, String(process.pid), { flag: 'wx' }).then(
      () => true,
      () => false,
    );
  while (!(await take())) {
    const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
    // Of a process that was killed.
    if (!isRunning(owner)) await rm(lock, { force: true });
    await sleep(200);
  }
  return () => rm(lock, { force: true });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
