// test/mutants/mutants.json: the mutants, and the test that kills each.

import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A test file by its name without folders, or with that of its suite: `dynamodb/faults.test.ts`. No title: only
 * the file as a whole is known to fail; those of suites always run as a whole.
 */
export type Killer = { readonly file: string; readonly test: string | null };

export type Mutant = {
  /** Where it was when it was drawn. */
  readonly room: string;
  readonly kind: string;
  /** Code that is in lib and functions once, on one line and without comments. */
  readonly before: string;
  readonly after: string;
  /** Undefined: nobody has looked for one. Null: it survives. */
  killedBy?: Killer | null;
  /** Why no test can notice it: written by whoever has read the code. */
  equivalent?: string;
};

export type List = { readonly seed: number; readonly mutants: Mutant[] };

const path = join(import.meta.dirname, 'mutants.json');

/** @throws {Error} where none has been drawn */
export const readList = (): List => JSON.parse(readFileSync(path, 'utf8'));

/** Whoever stops the tool finds the old list or the new one. */
export function writeList(list: List): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(list, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}

export const idOf = ({ before, after }: Mutant): string =>
  createHash('sha256').update(`${before}\0${after}`).digest('hex').slice(0, 8);

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** What it changes, without what is the same before and after. */
export function changeOf({ before, after }: Mutant): string {
  let head = 0;
  while (head < before.length && before[head] === after[head]) head++;
  let tail = 0;
  const rest = Math.min(before.length, after.length) - head;
  while (tail < rest && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const around = (text: string): string =>
    short(text.slice(Math.max(0, head - 12), text.length - Math.max(0, tail - 12)));
  return `${around(before)} -> ${around(after)}`;
}
