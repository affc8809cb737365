// What this suite needs from package registries, each installed once into a cache: the packages of
// infra/cdk, and Python with cfn-lint, python-hcl2, moto and the AWS CLI.

import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleFunction, functionNames } from '../../build/bundle.ts';
import { makeCdkPackage } from '../../build/cdk-package.ts';
import { zip } from '../../build/zip.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { fetching, hashOf, installFolder, root, tool } from '../support/installed.ts';
import { type ContextName, contexts } from './contexts.ts';

export const cdk = join(root, 'infra', 'cdk');
export const terraform = join(root, 'infra', 'terraform');
export const cache = join(root, 'node_modules', '.cache', 'infra');

/** As infra/cdk/package-lock.json has them. @throws {Error} with what is missing */
export const installCdk = (): Promise<void> => installFolder('infra/cdk');

/**
 * @param name of a list in this folder: checkov, which wants others of the same packages, has one of its own
 * @returns the folder with the programs @throws {Error} with what is missing
 */
export async function installPython(name = 'requirements.txt'): Promise<string> {
  const requirements = join(import.meta.dirname, name);
  const folder = join(cache, `python-${await hashOf(requirements)}`);
  const programs = join(folder, 'bin');
  const done = join(folder, 'installed');
  if (existsSync(done)) return programs;
  await rm(folder, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await tool('python3', ['-m', 'venv', folder], cache, 'Python 3 with its module venv');
  const pip = ['-m', 'pip', 'install', '--quiet', '-r', requirements];
  await fetching(join(programs, 'python'), pip, cache, `what test/infra/${name} has`);
  await writeFile(`${done}.new`, '');
  await rename(`${done}.new`, done);
  return programs;
}

/** The functions as `npm run release` makes them, by the names of their zips. */
async function zipped(): Promise<ReadonlyMap<string, Uint8Array>> {
  const zips = new Map<string, Uint8Array>();
  for (const name of functionNames) {
    zips.set(`scepter-${name}-${packageJson.version}.zip`, zip(await bundleFunction(name)));
  }
  return zips;
}

/** @returns the folder with their zips, and with the npm package of the CDK's construct if it is asked for */
export async function makePackages({ withCdk = false } = {}): Promise<string> {
  const folder = join(cache, 'packages');
  const cdkPackage = join(cache, 'cdk-package');
  for (const each of [folder, cdkPackage]) await rm(each, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const zips = await zipped();
  for (const [file, octets] of zips) await writeFile(join(folder, file), octets);
  if (withCdk) {
    await makeCdkPackage(zips, cdkPackage);
    await tool('npm', ['pack', '--silent', '--pack-destination', folder], cdkPackage, 'npm');
  }
  return folder;
}

export const templates = join(cache, 'templates');

/** By the apps of the quick start, each into a folder of `templates`. @throws {Error} where one refuses */
export async function synthesise(names: readonly ContextName[], packages: string): Promise<void> {
  // What it imports is not there before it is installed.
  const { makeTemplate } = await import(join(cdk, 'test', 'synthesise.ts'));
  for (const name of names) {
    const { entry, context } = contexts[name];
    const ofApp = entry === 'app' && !('packageBucket' in context) ? { packages } : {};
    makeTemplate(entry, { ...context, ...ofApp }, join(templates, name));
  }
}
