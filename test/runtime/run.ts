// npm run test:runtime: the test files that `npm test` runs in Node, the same and not a copy, run in
// workerd, the runtime of Cloudflare Workers; or those of them that are named. Both must have the same
// tests, and what cannot run in workerd is known with its reason (`exceptions.ts`).

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { installFolder } from '../support/installed.ts';
import { nameOf, unitTests } from '../support/unit-tests.ts';
import { bundleTests } from './bundle.ts';
import { elsewhere, exceptions } from './exceptions.ts';
import type { Message } from './message.ts';
import { titlesInNode } from './titles.ts';
import { judge, type Verdict } from './verdict.ts';
import { prepareWorkerd, type Workerd } from './workerd.ts';

async function ready(): Promise<boolean> {
  try {
    await installFolder('infra/cloudflare');
    // Where it is missing some files define fewer tests in Node.
    if (spawnSync('openssl', ['version']).status !== 0) throw new Error('openssl');
    return true;
  } catch (error) {
    console.log(`NOT RUN: runtime (${error instanceof Error ? error.message : error})`);
    return false;
  }
}

/** @throws {Error} when a list of `exceptions.ts` names a file that is not there */
function filesToRun(named: readonly string[]): string[] {
  const all = unitTests();
  const beginnings = Object.keys(elsewhere);
  const idle = [
    ...beginnings.filter((beginning) => !all.some((path) => nameOf(path).startsWith(beginning))),
    ...exceptions
      .filter(({ file }) => !all.some((path) => nameOf(path) === file))
      .map(({ file }) => file),
  ];
  if (idle.length > 0) throw new Error(`exceptions.ts has files that are not: ${idle.join(', ')}`);
  const files = all
    .filter((path) => !beginnings.some((beginning) => nameOf(path).startsWith(beginning)))
    .filter((path) => named.length === 0 || named.some((part) => nameOf(path).includes(part)));
  if (files.length === 0) throw new Error(`no file here is called ${named.join(' or ')}`);
  return files;
}

async function runAll(files: readonly string[]): Promise<Verdict[]> {
  const [titles, bundle] = await Promise.all([titlesInNode(files), bundleTests(files)]);
  const workerd = await prepareWorkerd(bundle);
  const left = [...files];
  const verdicts: Verdict[] = [];
  const lane = async (): Promise<void> => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const verdict = await runOne(workerd, file, titles[file] ?? []);
      print(nameOf(file), verdict);
      verdicts.push(verdict);
    }
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, lane));
  } finally {
    await workerd.close();
  }
  return verdicts;
}

async function runOne(
  workerd: Workerd,
  file: string,
  inNode: Parameters<typeof judge>[1],
): Promise<Verdict> {
  const messages: Message[] = [];
  const end = await workerd.run(file, (message) => messages.push(message));
  return judge(nameOf(file), inNode, messages, end, exceptions);
}

function print(name: string, { tests, passed, skipped, cannot, wrong }: Verdict): void {
  const notes = [
    ...(skipped > 0 ? [`${skipped} skipped in both`] : []),
    ...Object.entries(cannot).map(([reason, count]) => `${count} cannot (${reason})`),
  ];
  console.log([`${name}: ${tests} tests, ${passed} passed in workerd`, ...notes].join(', '));
  for (const each of wrong) console.log(`  FAILED ${each.replaceAll('\n', '\n    ')}`);
}

if (await ready()) {
  const began = performance.now();
  const verdicts = await runAll(filesToRun(process.argv.slice(2)));
  const sum = (of: (verdict: Verdict) => number): number =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const failed = sum(({ wrong }) => wrong.length);
  for (const [beginning, reason] of Object.entries(elsewhere))
    console.log(`not of a Worker: ${beginning}*.test.ts (${reason})`);
  const cannot = sum((verdict) => Object.values(verdict.cannot).reduce((all, n) => all + n, 0));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const tests = sum((verdict) => verdict.tests);
  console.log(
    `${verdicts.length} files, ${tests} tests in Node, ${cannot} of them not in workerd, ${seconds} s`,
  );
  console.log(`${sum(({ passed }) => passed)} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
} else process.exitCode = 1;
