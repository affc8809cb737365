// What a function weighs, and how long its module takes to load: held to what the design promises.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'fflate';
import type { BuiltFile } from './bundle.ts';

const run = promisify(execFile);

/** Octets, gzipped, of all modules of the SCEP function without their source maps. */
export const SCEP_BUDGET_OCTETS = 240 * 1000;

/** Octets of the modules, as they are and gzipped each for itself; those loaded at the start apart. */
export function weigh(files: readonly BuiltFile[]) {
  const modules = files.filter(({ name }) => name.endsWith('.mjs'));
  const sum = (some: readonly BuiltFile[], of: (octets: Uint8Array) => number): number =>
    some.reduce((total, { octets }) => total + of(octets), 0);
  const gzipped = (octets: Uint8Array): number => gzipSync(octets, { level: 9, mtime: 0 }).length;
  return { octets: sum(modules, ({ length }) => length), gzipped: sum(modules, gzipped) };
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
