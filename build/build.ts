// `npm run build`: what is deployed and what is packed, in dist/.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BuiltFile, bundleCli, bundleFunction, functionNames } from './bundle.ts';
import { weigh } from './measure.ts';

const dist = join(import.meta.dirname, '..', 'dist');

export async function writeFiles(folder: string, files: readonly BuiltFile[]): Promise<void> {
  for (const { name, octets } of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, octets);
  }
}

/**
 * Replaces what an earlier build has left in the folder, and leaves there what is not its own, such as a release.
 * @returns the files of each function, by its name
 */
export async function buildAll(folder = dist): Promise<ReadonlyMap<string, readonly BuiltFile[]>> {
  const replaced = [...functionNames, 'cli'].map((name) => join(folder, name));
  await Promise.all(replaced.map((path) => rm(path, { recursive: true, force: true })));
  const functions = new Map<string, readonly BuiltFile[]>();
  for (const name of functionNames) {
    const files = await bundleFunction(name);
    functions.set(name, files);
    await writeFiles(join(folder, name), files);
  }
  await writeFiles(join(folder, 'cli'), await bundleCli());
  return functions;
}

export const kilobytes = (octets: number): string => `${(octets / 1000).toFixed(1)} kB`;

if (import.meta.main) {
  for (const [name, files] of await buildAll()) {
    const { all, start } = weigh(files);
    const gzipped = `gzipped ${kilobytes(all.gzipped)}, at the start ${kilobytes(start.gzipped)}`;
    console.log(`dist/${name}: ${kilobytes(all.octets)}, ${gzipped}`);
  }
}
