// Runs one test file in a process group of its own, until its first test fails.

import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { suites } from '../support/unit-tests.ts';

export type Run = {
  /** Stopped: it took longer than it may. */
  readonly outcome: 'passed' | 'failed' | 'stopped';
  /** Tests that passed; where one is asked for by its title, those of that title. */
  readonly passed: number;
  /** The first test that failed, after those it is in; none where the file did not come to its tests. */
  readonly failed: readonly string[];
  readonly ms: number;
};

type Asked = {
  readonly cwd: string;
  readonly file: string;
  /** Only the test of this title. */
  readonly title: string | null;
  readonly limitMs: number;
  readonly env: Readonly<Record<string, string>>;
};

const running = new Set<ChildProcess>();

/** With what it has started. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of running) kill(child);
    process.exit(130);
  });
}

const escaped = (title: string): string => title.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** Lines of TAP: a test that begins, and one that has ended. */
const begun = /^( *)# Subtest: (.*)$/;
const ended = /^( *)(not )?ok \d+ - (.*?)( # (?:SKIP|TODO).*)?$/;

const unescaped = (name: string): string => name.replace(/\\([\\#])/g, '$1');

/** The suite that has to be started around a file, by its `npm run test:SUITE`; undefined for one of `npm test`. */
export function suiteOf(file: string): string | undefined {
  const [, folder = ''] = /^test\/([^/]+)\//.exec(file) ?? [];
  return suites().includes(folder) ? folder : undefined;
}

/** Program and arguments. A mutant may fill memory for ever. */
function commandOf({ file, title }: Asked): readonly [string, readonly string[]] {
  const suite = suiteOf(file);
  if (suite !== undefined) {
    return ['npm', ['run', `test:${suite}`, '--', basename(file, '.test.ts')]];
  }
  const only = title === null ? [] : [`--test-name-pattern=/^${escaped(title)}$/`];
  const flags = ['--expose-gc', '--max-old-space-size=2048', '--test-reporter=tap'];
  return [process.execPath, [...flags, ...only, file]];
}

export function runTest(asked: Asked): Promise<Run> {
  const { cwd, title, limitMs, env } = asked;
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const began = performance.now();
  const [program, args] = commandOf(asked);
  const child = spawn(program, args, {
    cwd,
    env: { ...inherited, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  running.add(child);
  let passed = 0;
  let failed: string[] = [];
  let isLate = false;
  let isMissing = false;
  const open: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    // What a suite says whose peer cannot be had here, and how its reporter counts.
    isMissing ||= line.startsWith('NOT RUN: ');
    passed += Number(/^\u2139 pass (\d+)$/.exec(line)?.[1] ?? 0);
    const [, indent, name = ''] = begun.exec(line) ?? [];
    if (indent !== undefined) open.splice(indent.length / 4, open.length, unescaped(name));
    const [, depth, not, ending = '', skipped] = ended.exec(line) ?? [];
    if (depth === undefined || skipped !== undefined || failed.length > 0) return;
    const own = unescaped(ending);
    if (not !== undefined) {
      failed = [...open.slice(0, depth.length / 4), own];
      kill(child);
    } else if (title === null || own === title) passed++;
  });
  const timer = setTimeout(() => {
    isLate = true;
    kill(child);
  }, limitMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      running.delete(child);
      kill(child);
      if (isMissing) return reject(new Error(`${asked.file} cannot be run on this machine`));
      const end = code === 0 ? 'passed' : 'failed';
      const outcome = isLate && failed.length === 0 ? 'stopped' : end;
      resolve({ outcome, passed, failed, ms: performance.now() - began });
    });
  });
}
