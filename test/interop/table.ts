// The verdict: one line for every row as it ends, a table of rows and clients, what is missing.

import { NotRun } from './command.ts';

export type Report = {
  /** `row client`. */
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly outcome: 'pass' | 'fail';
  /** What was seen, or why it failed. */
  readonly note: string;
};

/** Runs one row and prints its line. */
export async function report(
  name: string,
  title: string,
  work: () => Promise<string>,
): Promise<Report> {
  const start = performance.now();
  const { outcome, note } = await work().then(
    (seen) => ({ outcome: 'pass' as const, note: seen }),
    (error: unknown) => {
      if (error instanceof NotRun) console.log(`NOT RUN: ${name} (${error.message})`);
      return {
        outcome: 'fail' as const,
        note: error instanceof Error ? error.message : `${error}`,
      };
    },
  );
  const seconds = (performance.now() - start) / 1000;
  console.log(`${outcome}  ${name.padEnd(18)} ${seconds.toFixed(1).padStart(5)} s  ${title}`);
  console.log(note.replace(/^/gm, '        '));
  return { name, title, seconds, outcome, note };
}

/** Prints the table. @returns whether all that is required has passed and nothing has failed */
export function verdict(reports: readonly Report[], required: readonly string[]): boolean {
  const names = reports.map(({ name }) => name);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  const missing = required.filter((name) => !names.includes(name));
  const failed = reports.filter(({ outcome }) => outcome === 'fail');
  console.log(`\n${grid(reports, missing)}\n`);
  for (const { name, title } of failed) console.log(`failed   ${name}: ${title}`);
  for (const name of missing) console.log(`missing  ${name}: required, but did not report`);
  for (const name of twice) console.log(`twice    ${name}: two rows have this name`);
  const seconds = reports.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(0);
  const passed = reports.length - failed.length;
  console.log(`${passed} of ${names.length + missing.length} rows passed in ${seconds} s`);
  return reports.length > 0 && failed.length + missing.length + twice.length === 0;
}

/** Rows down, clients across; a cell is the time of a pass, or the word that stops the release. */
function grid(reports: readonly Report[], missing: readonly string[]): string {
  const cells = new Map<string, string>(missing.map((name) => [name, 'MISSING']));
  for (const { name, outcome, seconds } of reports) {
    cells.set(name, outcome === 'pass' ? `ok ${seconds.toFixed(1)} s` : 'FAIL');
  }
  const parts = [...cells.keys()].map((name) => name.split(' '));
  const rows = [...new Set(parts.map(([row = '']) => row))];
  const clients = [...new Set(parts.map(([, client = '']) => client))];
  const line = (first: string, rest: readonly string[]): string =>
    [first.padEnd(8), ...rest.map((cell) => cell.padEnd(11))].join(' ').trimEnd();
  return [
    line('row', clients),
    ...rows.map((row) =>
      line(
        row,
        clients.map((client) => cells.get(`${row} ${client}`) ?? '.'),
      ),
    ),
  ].join('\n');
}
