// The files that `npm test` runs: those of the rooms. The other folders are suites, which need something
// started around their files.

import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { root } from './installed.ts';

/** Paths below the repository, sorted. */
export function unitTests(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const patterns = [...String(scripts.test).matchAll(/"(test\/[^"]+)"/g)].map(
    ([, one]) => one ?? '',
  );
  return globSync(patterns, { cwd: root })
    .map((path) => path.split(sep).join('/'))
    .sort();
}

/** `test/ca/enrol/ca-lapse.test.ts` is called `ca-lapse`. */
export const nameOf = (path: string): string => path.replace(/^.*\/|\.test\.ts$/g, '');
