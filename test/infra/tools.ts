// What this suite needs from package registries, each installed once into a cache: the packages of
// infra/cdk, and Python with cfn-lint, python-hcl2 and moto.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetching, hashOf, installFolder, root, tool } from '../support/installed.ts';

export const cdk = join(root, 'infra', 'cdk');
export const terraform = join(root, 'infra', 'terraform');
export const cache = join(root, 'node_modules', '.cache', 'infra');

/** As infra/cdk/package-lock.json has them. @throws {Error} with what is missing */
export const installCdk = (): Promise<void> => installFolder('infra/cdk');

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
  await fetching(join(programs, 'python'), pip, cache, 'cfn-lint, moto and python-hcl2');
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
