// What this suite needs from package registries, each installed once into a cache: the packages of
// infra/cdk, and Python with cfn-lint, python-hcl2, moto and the AWS CLI.

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
  await fetching(
    join(programs, 'python'),
    pip,
    cache,
    'cfn-lint, moto, python-hcl2 and the AWS CLI',
  );
  await writeFile(`${done}.new`, '');
  await rename(`${done}.new`, done);
  return programs;
}
