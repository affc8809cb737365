// What a function weighs, and how long its module takes to load: held to what the design promises.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { BuiltFile } from './bundle.ts';

const run = promisify(execFile);

/** Octets, gzipped, of the modules that the SCEP function loads when it starts, without source maps. */
export const SCEP_START_OCTETS = 200 * 1000;

/** Octets of modules, as they are and each by gzip -9 for itself: of all, and of those loaded at the start. */
export function weigh(files: readonly BuiltFile[]) {
  const modules = files.filter(({ name }) => name.endsWith('.mjs'));
  return { all: sizeOf(modules), start: sizeOf(loadedAtStart(modules)) };
}

function sizeOf(modules: readonly BuiltFile[]) {
  const sum = (of: (octets: Uint8Array) => number): number =>
    modules.reduce((total, { octets }) => total + of(octets), 0);
  const gzipped = (octets: Uint8Array): number => gzipSync(octets, { level: 9 }).length;
  return { octets: sum(({ length }) => length), gzipped: sum(gzipped) };
}

/** `index.mjs` and what it imports, and so on; what is asked for by `import()` comes later, if ever. */
function loadedAtStart(modules: readonly BuiltFile[]): readonly BuiltFile[] {
  const loaded = new Set<BuiltFile>();
  const load = (name: string | undefined): void => {
    const module = modules.find((each) => each.name === name);
    if (!module || loaded.has(module)) return;
    loaded.add(module);
    const code = new TextDecoder().decode(module.octets);
    for (const [, next] of code.matchAll(/\b(?:from|import) ?"\.\/([\w-]+\.mjs)"/g)) load(next);
  };
  load('index.mjs');
  return [...loaded];
}

const LOADS = 7;

/**
 * Milliseconds from `import` to the module's end in a fresh process. On a busy machine the fastest is
 * the one to go by.
 * @param folder with the function's `index.mjs`
 */
export async function loadTime(folder: string): Promise<{ median: number; fastest: number }> {
  const url = JSON.stringify(`file://${join(folder, 'index.mjs')}`);
  const script = `const from = performance.now();
    await import(${url});
    process.stderr.write(String(performance.now() - from));
    process.exit();`;
  const times: number[] = [];
  for (let load = 0; load < LOADS; load++) {
    const { stderr } = await run(process.execPath, ['--input-type=module', '-e', script], {
      env: {},
    });
    times.push(Number(stderr));
  }
  times.sort((a, b) => a - b);
  return { median: times[(LOADS - 1) / 2] ?? Number.NaN, fastest: times[0] ?? Number.NaN };
}
