// What this suite needs from package registries, each installed once into a cache: the packages of
// infra/cdk, and Python with cfn-lint, python-hcl2 and moto.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const root = join(import.meta.dirname, '..', '..');
export const cdk = join(root, 'infra', 'cdk');
export const terraform = join(root, 'infra', 'terraform');
export const cache = join(root, 'node_modules', '.cache', 'infra');

const run = promisify(execFile);

/** @throws {Error} with what is missing, and the last that the tool said */
async function tool(command: string, args: string[], cwd: string, needed: string): Promise<void> {
  try {
    await run(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`${needed}: ${(stderr || message).trim().split('\n').at(-1)}`);
  }
}

const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
    .slice(0, 16);

/** As infra/cdk/package-lock.json has them. @throws {Error} with what is missing */
export async function installCdk(): Promise<void> {
  const wanted = await hashOf(join(cdk, 'package-lock.json'));
  const stamp = join(cdk, 'node_modules', '.of-lock');
  const found = await readFile(stamp, 'utf8').catch(() => '');
  if (found === wanted) return;
  await tool('npm', ['ci', '--silent'], cdk, 'the packages of infra/cdk');
  await writeFile(stamp, wanted);
}

/** @returns the folder with the programs @throws {Error} with what is missing */
export async function installPython(): Promise<string> {
  const requirements = join(import.meta.dirname, 'requirements.txt');
  const folder = join(cache, `python-${await hashOf(requirements)}`);
  const programs = join(folder, 'bin');
  const done = join(folder, 'installed');
  if (existsSync(done)) return programs;
  await rm(folder, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await tool('python3', ['-m', 'venv', folder], cache, 'Python 3 with its module venv');
  const pip = ['-m', 'pip', 'install', '--quiet', '-r', requirements];
  await tool(join(programs, 'python'), pip, cache, 'cfn-lint, moto and python-hcl2');
  await writeFile(`${done}.new`, '');
  await rename(`${done}.new`, done);
  return programs;
}

/** Runs a script of a guide to its end, or to the first command that fails. */
export async function shell(script: string, cwd: string, env: NodeJS.ProcessEnv) {
  const { PATH } = process.env;
  const child = spawn('sh', ['-e', '-c', script], { cwd, env: { PATH, HOME: cwd, ...env } });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const [status] = await once(child, 'close');
  return { status, stderr };
}
