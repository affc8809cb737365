// What one file's tests in workerd come to, beside what the file defines in Node and what is known not
// to run: which passed, which were right to fail, and everything that is wrong, in words.

import type { Exception } from './exceptions.ts';
import type { Message } from './message.ts';
import type { Registered } from './node-test.ts';

export type Verdict = {
  readonly tests: number;
  readonly passed: number;
  readonly skipped: number;
  /** Tests that cannot run there, by reason. */
  readonly cannot: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
};

/** @param end how workerd ended, if not by itself */
export function judge(
  file: string,
  inNode: readonly Registered[],
  messages: readonly Message[],
  end: string | undefined,
  exceptions: readonly Exception[],
): Verdict {
  const known = exceptions.filter((exception) => exception.file === file);
  const whole = known.find(({ title }) => title === undefined);
  const results = messages.filter((message) => message.kind === 'result');
  const faults = messages.filter((message) => message.kind === 'fault');
  const wrong: string[] = end === undefined ? [] : [end];
  if (!whole) {
    wrong.push(...faults.map(({ error }) => `outside its tests: ${error}`));
    wrong.push(...differences(inNode, messages));
  }
  const cannot: Record<string, number> = {};
  if (whole && results.length === 0) cannot[whole.reason] = inNode.length;
  let passed = 0;
  let skipped = 0;
  for (const { title, error, skipped: left } of results) {
    const exception = known.find((candidate) => isOf(candidate, title));
    if (left) skipped++;
    else if (error === undefined && exception) {
      wrong.push(`${title}\nis to be taken from exceptions.ts: it passes`);
    } else if (error === undefined) passed++;
    else if (exception) cannot[exception.reason] = (cannot[exception.reason] ?? 0) + 1;
    else wrong.push(`${title}\n${error}`);
  }
  wrong.push(
    ...known
      .filter((exception) => !inNode.some(({ title }) => isOf(exception, title)))
      .map(({ title }) => `${title}\nis in exceptions.ts, and no test is called that`),
  );
  return { tests: inNode.length, passed, skipped, cannot, wrong };
}

const isOf = ({ title }: Exception, of: string): boolean =>
  title === undefined || of === title || of.startsWith(`${title} > `);

/** Between the tests that Node has, those that workerd has, and those that ran there. */
function differences(inNode: readonly Registered[], messages: readonly Message[]): string[] {
  const print = ({ title, skipped }: Registered): string =>
    skipped ? `${title} (skipped)` : title;
  const node = inNode.map(print);
  const workerd = messages.flatMap((message) =>
    message.kind === 'registered' ? message.tests.map(print) : [],
  );
  const ran = messages.flatMap((message) => (message.kind === 'result' ? [print(message)] : []));
  const wrong = [
    ...without(node, workerd).map((title) => `${title}\nis a test in Node and none in workerd`),
    ...without(workerd, node).map((title) => `${title}\nis a test in workerd and none in Node`),
    ...without(workerd, ran).map((title) => `${title}\nhas not run in workerd`),
    ...(messages.some(({ kind }) => kind === 'end') ? [] : ['the run did not come to its end']),
  ];
  // Titles need not be unique; how often each is there must be the same.
  if (wrong.length === 0 && node.length !== ran.length)
    wrong.push(`${node.length} tests in Node, ${ran.length} ran in workerd`);
  return wrong;
}

const without = (titles: readonly string[], others: readonly string[]): string[] => {
  const known = new Set(others);
  return titles.filter((title) => !known.has(title));
};
