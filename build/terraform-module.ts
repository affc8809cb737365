// The Terraform module as others use it: a tree that stands alone, with the policies, the functions' packages, the
// licence and what has changed, in one archive.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltFile } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const module = join(root, 'infra', 'terraform');

/** Of what `terraform init` leaves behind, and what a checkout has for itself. */
const isPart = (path: string): boolean =>
  !/(?:^|\/)\.terraform|\.tfstate|^(?:packages|policies)(?:\/|$)/.test(path);

const files = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

/**
 * @param tree the name of its folder
 * @param zips of the functions, by name
 * @returns its files, in the order of their names
 */
export async function moduleFiles(
  tree: string,
  zips: ReadonlyMap<string, Uint8Array>,
): Promise<readonly BuiltFile[]> {
  const own = (await files(module)).filter(isPart).map((path) => [path, join(module, path)]);
  const policies = (await files(join(root, 'infra', 'policies'))).map((path) => [
    `policies/${path}`,
    join(root, 'infra', 'policies', path),
  ]);
  const about = ['CHANGELOG.md', 'LICENSE'].map((path) => [path, join(root, path)]);
  const read = [...own, ...policies, ...about].map(async ([name = '', path = '']) => ({
    name: `${tree}/${name}`,
    octets: new Uint8Array(await readFile(path)),
  }));
  const packages = [...zips].map(([name, octets]) => ({
    name: `${tree}/packages/${name}`,
    octets,
  }));
  return [...(await Promise.all(read)), ...packages].sort((a, b) => (a.name < b.name ? -1 : 1));
}
