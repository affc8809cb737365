// Copies of the tree, one a worker: a mutant never touches the tree that it was drawn from.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Mutant } from './list.ts';
import { type Run, runTest } from './run-test.ts';
import type { Place, Sources } from './sources.ts';

export class Copy {
  readonly folder: string;
  readonly #temporary: string;
  readonly #sources: Sources;

  constructor(root: string, folder: string, temporary: string, sources: Sources) {
    this.folder = folder;
    this.#temporary = temporary;
    this.#sources = sources;
    const listed = [
      'ls-files',
      '-z',
      '--cached',
      '--others',
      '--exclude-standard',
      '--deduplicate',
    ];
    const paths = execFileSync('git', listed, { cwd: root, encoding: 'utf8' }).split('\0');
    for (const path of paths) {
      // A file that was moved away is still listed.
      if (path === '' || path === 'node_modules' || !existsSync(join(root, path))) continue;
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      // Links stay links, those to folders too.
      cpSync(join(root, path), join(folder, path), { recursive: true, verbatimSymlinks: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  }

  /** Runs a test file of this copy. What it leaves in the temporary folder is removed. */
  async run(
    file: string,
    title: string | null,
    limitMs: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Run> {
    mkdirSync(this.#temporary, { recursive: true });
    try {
      const all = { ...env, TMPDIR: this.#temporary };
      return await runTest({ cwd: this.folder, file, title, limitMs, env: all });
    } finally {
      rmSync(this.#temporary, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** Does something while the code is changed. */
  async with<T>({ after }: Mutant, { path, from, to }: Place, work: () => Promise<T>): Promise<T> {
    const source = this.#sources.textOf(path);
    writeFileSync(join(this.folder, path), source.slice(0, from) + after + source.slice(to));
    try {
      return await work();
    } finally {
      writeFileSync(join(this.folder, path), source);
    }
  }
}

/** Gives each item to the next worker that is free. The copies are gone at the end. */
export async function withCopies<T>(
  root: string,
  sources: Sources,
  workers: number,
  items: readonly T[],
  work: (copy: Copy, item: T) => Promise<void>,
): Promise<void> {
  // Sockets of tests have paths below it, which may not be long.
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  const clear = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', clear);
  try {
    const waiting = [...items];
    const worker = async (number: number): Promise<void> => {
      const at = join(folder, String(number));
      const copy = new Copy(root, at, join(folder, `t${number}`), sources);
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
        await work(copy, item);
      }
    };
    const count = Math.min(workers, items.length);
    await Promise.all(Array.from({ length: count }, (_, number) => worker(number)));
  } finally {
    clear();
    process.off('exit', clear);
  }
}
