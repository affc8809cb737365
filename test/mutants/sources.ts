// The sources that mutants are made of, and where a text is in them.

import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { unitTests } from '../support/unit-tests.ts';
import { type Compact, compact } from './text.ts';

/** Offsets in the text of the file. */
export type Place = { readonly path: string; readonly from: number; readonly to: number };

export const roomOf = (path: string): string => {
  const [top = '', second = ''] = path.split('/');
  return top === 'lib' ? second : top;
};

export const lineOf = (source: string, offset: number): number =>
  source.slice(0, offset).split('\n').length;

const filesOf = (root: string, patterns: readonly string[]): string[] =>
  globSync(patterns, { cwd: root })
    .map((path) => path.split(sep).join('/'))
    .sort();

export class Sources {
  /** By path below the repository. */
  readonly texts = new Map<string, string>();
  readonly #parts: { readonly path: string; readonly start: number; readonly compact: Compact }[] =
    [];
  readonly #all: string;

  constructor(root: string) {
    let all = '';
    for (const path of filesOf(root, ['lib/**/*.ts', 'functions/**/*.ts'])) {
      if (path.endsWith('.d.ts')) continue;
      const text = readFileSync(join(root, path), 'utf8');
      const part = { path, start: all.length, compact: compact(text) };
      this.texts.set(path, text);
      this.#parts.push(part);
      all += `${part.compact.text}\0`;
    }
    this.#all = all;
  }

  /** Where a text is, however it is wrapped and in whatever file. @returns at most two places */
  find(text: string): Place[] {
    const wanted = compact(text).text;
    const found: Place[] = [];
    let at = this.#all.indexOf(wanted);
    while (at >= 0 && found.length < 2) {
      found.push(this.#placeOf(at, wanted.length));
      at = this.#all.indexOf(wanted, at + 1);
    }
    return found;
  }

  textOf(path: string): string {
    const text = this.texts.get(path);
    if (text === undefined) throw new Error(`there is no ${path}`);
    return text;
  }

  #placeOf(at: number, length: number): Place {
    const part = this.#parts.findLast(({ start }) => start <= at);
    const from = part?.compact.at[at - part.start];
    const last = part?.compact.at[at - part.start + length - 1];
    if (!part || from === undefined || last === undefined) throw new Error('no place');
    return { path: part.path, from, to: last + 1 };
  }
}

/** A test file of `npm test` by the name that no other of them has, wherever it is; one of a suite by its folder. */
export class TestFiles {
  readonly #paths: ReadonlyMap<string, string>;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    // Files of other suites may have the same name.
    this.#paths = new Map(unitTests().map((path) => [basename(path), path]));
  }

  /** The file of that name; if it is gone, the only one that has a test of that title. */
  find(name: string, title: string | null): string | undefined {
    if (name.includes('/')) {
      const inSuite = `test/${name}`;
      return existsSync(join(this.#root, inSuite)) ? inSuite : undefined;
    }
    const path = this.#paths.get(name);
    if (path !== undefined || title === null) return path;
    const having = [...this.#paths.values()].filter((one) =>
      readFileSync(join(this.#root, one), 'utf8').includes(title),
    );
    return having.length === 1 ? having[0] : undefined;
  }
}

/** Of all that decides which test runs which code. */
export function stateOf(root: string): string {
  const hash = createHash('sha256');
  const patterns = ['lib/**/*.ts', 'functions/**/*.ts', 'test/**/*.ts'];
  for (const path of filesOf(root, patterns)) {
    if (path.startsWith('test/mutants/')) continue;
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest('hex');
}
