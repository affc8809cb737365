// Which tests files define in Node: each is loaded as it is, with `node-test.ts` in the place of
// node:test, and its tests are listed, not run, since `npm test` runs them. A process of its own, for
// what files begin when they are loaded.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { root } from '../support/installed.ts';
import { load, type Registered } from './node-test.ts';

export type Titles = Readonly<Record<string, readonly Registered[]>>;

/** @param files paths below the repository */
export async function titlesInNode(files: readonly string[]): Promise<Titles> {
  const child = spawn(process.execPath, ['--expose-gc', import.meta.filename, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`the test files could not be loaded in Node: ${said}`);
  return JSON.parse(said.trim().split('\n').at(-1) ?? '') as Titles;
}

if (import.meta.main) {
  const instead = pathToFileURL(join(import.meta.dirname, 'node-test.ts')).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'node:test' ? { url: instead, shortCircuit: true } : next(specifier, context),
  });
  const titles: Record<string, readonly Registered[]> = {};
  for (const file of process.argv.slice(2)) {
    titles[file] = await load(() => import(pathToFileURL(join(root, file)).href));
  }
  process.stdout.write(`\n${JSON.stringify(titles)}\n`, () => process.exit(0));
}
