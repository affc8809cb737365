// Which test files run which code, by V8's coverage: each test file is run once, and what it ran is kept
// in node_modules/.cache/mutants until a source or a test changes.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unitTests } from '../support/unit-tests.ts';
import { type Copy, withCopies } from './copies.ts';
import type { Mutant } from './list.ts';
import { type Place, roomOf, type Sources, stateOf } from './sources.ts';

/** Offsets, one after the other: from, to, from, to. */
type Spans = number[];

type Covered = {
  readonly ms: number;
  readonly passed: boolean;
  /** By path below the repository. */
  readonly ran: Readonly<Record<string, Spans>>;
};

type Cache = { readonly state: string; readonly tests: Record<string, Covered> };

type Range = { readonly startOffset: number; readonly endOffset: number; readonly count: number };

type Report = {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
};

const limitMs = 600_000;

/** Ranges are inside each other: what counts at an offset is the smallest one there. */
function spansOf(ranges: readonly Range[]): Spans {
  const sorted = ranges.toSorted(
    (one, other) => one.startOffset - other.startOffset || other.endOffset - one.endOffset,
  );
  const spans: Spans = [];
  const open: Range[] = [];
  let at = 0;
  const upTo = (offset: number): void => {
    if ((open.at(-1)?.count ?? 0) > 0 && offset > at) {
      if (spans.at(-1) === at) spans[spans.length - 1] = offset;
      else spans.push(at, offset);
    }
    at = Math.max(at, offset);
  };
  const closeUntil = (offset: number): void => {
    for (let last = open.at(-1); last && last.endOffset <= offset; last = open.at(-1)) {
      upTo(last.endOffset);
      open.pop();
    }
  };
  for (const range of sorted) {
    closeUntil(range.startOffset);
    upTo(range.startOffset);
    open.push(range);
  }
  closeUntil(Number.POSITIVE_INFINITY);
  return spans;
}

const isIn = (spans: Spans, offset: number): boolean =>
  spans.some(
    (from, index) => index % 2 === 0 && from <= offset && offset < (spans[index + 1] ?? 0),
  );

/** What the processes of a run wrote: each piece of code that any of them ran. */
function readReports(folder: string, copy: Copy): Record<string, Spans> {
  const base = `${pathToFileURL(copy.folder).href}/`;
  const ran: Record<string, Spans> = {};
  for (const name of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report;
    for (const { url, functions } of result) {
      const path = url.startsWith(base) ? url.slice(base.length) : '';
      if (!/^(lib|functions)\//.test(path)) continue;
      const spans = spansOf(functions.flatMap(({ ranges }) => ranges));
      ran[path] = [...(ran[path] ?? []), ...spans];
    }
  }
  return ran;
}

async function measure(copy: Copy, file: string): Promise<Covered> {
  const reports = join(copy.folder, 'coverage');
  mkdirSync(reports, { recursive: true });
  try {
    const { outcome, ms } = await copy.run(file, null, limitMs, { NODE_V8_COVERAGE: reports });
    return { ms: Math.round(ms), passed: outcome === 'passed', ran: readReports(reports, copy) };
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

function readCache(path: string, state: string): Cache {
  try {
    const cache = JSON.parse(readFileSync(path, 'utf8')) as Cache;
    if (cache.state === state) return cache;
  } catch {
    // There is none.
  }
  return { state, tests: {} };
}

export type Candidate = { readonly file: string; readonly ms: number };

/** What a test is about can be seen from its room, its name, what it imports and which constants it names. */
const nearness = 0.25;

const wordsOf = (path: string): string[] => {
  const name = path.replace(/^.*\//, '').replace(/(\.test)?\.ts$/, '');
  return name.split('-').filter((word) => word.length > 3);
};

export class Coverage {
  readonly #tests: readonly (readonly [file: string, covered: Covered, text: string])[];

  constructor(root: string, tests: Readonly<Record<string, Covered>>) {
    this.#tests = Object.entries(tests)
      .filter(([file, { passed }]) => passed && existsSync(join(root, file)))
      .map(([file, covered]) => [file, covered, readFileSync(join(root, file), 'utf8')]);
  }

  /** The tests that run a place: those that are fast first, and those that are about it before them. */
  testsOf(
    { path, from }: Place,
    { before }: Mutant,
    among: (file: string) => boolean,
  ): Candidate[] {
    const constants = before.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [];
    const weight = (file: string, text: string): number => {
      const near = [
        file.startsWith(`test/${roomOf(path)}/`),
        text.includes(path),
        wordsOf(path).some((word) => wordsOf(file).includes(word)),
      ];
      // Few name a constant, and most of those say what it has to be.
      const names = constants.some((name) => text.includes(name)) ? 0.01 : 1;
      return names * nearness ** near.filter(Boolean).length;
    };
    return this.#tests
      .filter(([file, { ran }]) => among(file) && isIn(ran[path] ?? [], from))
      .map(([file, { ms }, text]) => ({ file, ms, order: ms * weight(file, text) }))
      .sort((one, other) => one.order - other.order)
      .map(({ file, ms }) => ({ file, ms }));
  }
}

/** Runs the tests that have not been run yet. @param among which ones may be asked for */
export async function coverage(
  root: string,
  sources: Sources,
  workers: number,
  among: (file: string) => boolean,
  say: (line: string) => void,
): Promise<Coverage> {
  const folder = join(root, 'node_modules', '.cache', 'mutants');
  const path = join(folder, 'coverage.json');
  mkdirSync(folder, { recursive: true });
  const cache = readCache(path, stateOf(root));
  const missing = unitTests().filter((file) => among(file) && !cache.tests[file]);
  let done = 0;
  await withCopies(root, sources, workers, missing, async (copy, file) => {
    const covered = await measure(copy, file);
    cache.tests[file] = covered;
    done++;
    const verdict = covered.passed ? '' : ': FAILS without a mutant, and is left out';
    say(`coverage ${done}/${missing.length} ${file} ${(covered.ms / 1000).toFixed(1)} s${verdict}`);
    writeFileSync(`${path}.new`, JSON.stringify(cache));
    renameSync(`${path}.new`, path);
  });
  return new Coverage(root, cache.tests);
}
