// Vectors from `test/vectors/`, and the few things that every test of hostile octets needs: what a
// refusal looks like, how many runs a property gets, and a message with one octet changed.

import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { Malformed } from '../../lib/base/errors.ts';

const folder = new URL('../vectors/', import.meta.url);

export const vector = (path: string): Bytes => concat([readFileSync(new URL(path, folder))]);
export const vectorText = (path: string): string => readFileSync(new URL(path, folder), 'utf8');

/**
 * Paths of the files in and below a folder of the vectors, relative to it, sorted. An entry's name is
 * all of its path in workerd.
 */
export const vectorFiles = (path: string): string[] =>
  readdirSync(new URL(path, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(
      (entry) => `${entry.parentPath}/${basename(entry.name)}`.split(`/${path}/`)[1] ?? entry.name,
    )
    .sort();

export type WycheproofTest = {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'acceptable' | 'invalid';
};

/** The groups of one Wycheproof file, with all their tests. */
export function wycheproof<Group, Test>(
  name: string,
): (Group & { readonly tests: readonly (Test & WycheproofTest)[] })[] {
  return JSON.parse(vectorText(`wycheproof/${name}_test.json`)).testGroups;
}

/** Counts what ran, by class, so that a test can assert that nothing was left out. */
export function tally(): { count(name: string): void; readonly of: Record<string, number> } {
  const of: Record<string, number> = {};
  return {
    of,
    count(name) {
      of[name] = (of[name] ?? 0) + 1;
    },
  };
}

/** For `assert.throws`: a refusal by one of our parsers, with this sentence. */
export const malformed = (sentence: RegExp): object => ({ name: 'Malformed', message: sentence });

/** What `run` gives, or undefined when it refuses; any other error is let through. */
export function unlessMalformed<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** fast-check: few runs on every change, a hundred times as many with SLOW=1. */
export const runs = (few: number): { numRuns: number } => ({
  numRuns: process.env.SLOW === '1' ? few * 100 : few,
});

/** A copy with the octet at `at` XORed with `mask`. */
export function flipped(bytes: Bytes, at: number, mask: number): Bytes {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

/** Where `part`, which must be in `whole` exactly once, starts. */
export function offsetOf(whole: Uint8Array, part: Uint8Array): number {
  const at = Buffer.from(whole).indexOf(part);
  if (at < 0 || Buffer.from(whole).indexOf(part, at + 1) >= 0) {
    throw new Error('the part is not in the whole exactly once');
  }
  return at;
}
