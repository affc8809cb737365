// The files that `npm test` runs: those of the rooms. The other folders are suites, which need something
// started around their files.

import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { root } from './installed.ts';

const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** Folders of suites, each with an `npm run test:FOLDER`. */
export const suites = (): string[] =>
  Object.keys(scripts).flatMap((name) => /^test:(.*)$/.exec(name)?.[1] ?? []);

/** Paths below the repository, sorted. */
export function unitTests(): string[] {
  const patterns = [...String(scripts.test).matchAll(/"(test\/[^"]+)"/g)].map(
    ([, one]) => one ?? '',
  );
  return globSync(patterns, { cwd: root })
    .map((path) => path.split(sep).join('/'))
    .sort();
}

/** `test/ca/enrol/ca-lapse.test.ts` is called `ca-lapse`. */
export const nameOf = (path: string): string => path.replace(/^.*\/|\.test\.ts$/g, '');
