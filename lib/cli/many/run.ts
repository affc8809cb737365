// Does one thing to many: some at once, with progress, and a row of CSV for each in the order of the file. What is done
// already is no failure, so that the same command goes on where it stopped.

import { Option } from 'commander';
import { errorText } from '../../base/errors.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { csvLine } from '../show.ts';
import { counted } from '../text.ts';
import type { FileRow } from './rows.ts';

export const fromOption = (what: string): Option =>
  new Option('--from <file>', `${what}, one a line or CSV with a header; "-" for standard input`);
export const dryRunOption = (): Option =>
  new Option('--dry-run', 'with --from: say what would be done, and do nothing');

/** For the help of commands with these options. */
export const manyHelp = `
With --from, standard output has a row of CSV for each row of the file, in its order: done, unchanged (it was
so already), failed or not tried, with the reason. The same command again goes on with what is left. Exit
code 1: one failed or was not tried. A busy server is waited for, up to --retry-for.
`;

/** Requests at once: a server that has enough of them says so, and then all wait. */
export const AT_ONCE = 4;

/** Rows between two lines of progress where there is no terminal. */
const PROGRESS_ROWS = 100;

const results = ['done', 'unchanged', 'failed', 'not tried'] as const;
export type Result = {
  readonly result: (typeof results)[number];
  readonly detail: string;
};

type Many = {
  readonly rows: readonly FileRow[];
  /** The column that names what it is done to. */
  readonly column: string;
  /** @throws {CliError} for one that fails */
  readonly act: (row: FileRow) => Promise<Result>;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

/** A server that cannot be reached, or lets nobody in, does so for the next one too. */
const endsAll = (error: unknown): boolean =>
  !(error instanceof CliError) || error.exit === 'remote' || error.exit === 'notAllowed';

/** @throws {CliError} failure, if one has failed or was not tried */
export async function runMany(io: Io, { rows, column, act, dryRun, json }: Many): Promise<void> {
  const stopped = io.stopped();
  const found: Result[] = [];
  let end: unknown;
  let printed = 0;
  const head = ['line', column, 'result', 'detail'];
  const cellsOf = (row: FileRow, { result, detail }: Result) => [
    String(row.line),
    row.cells[column]?.[0] ?? '',
    result,
    detail,
  ];
  if (!json) io.out(csvLine(head));
  await inLanes(rows, AT_ONCE, async (row, at) => {
    if (end !== undefined || stopped.aborted) return;
    found[at] = await act(row).catch((error: unknown) => {
      if (endsAll(error)) end ??= error;
      return { result: 'failed', detail: errorText(error) };
    });
    for (let next = found[printed]; next && !json; next = found[printed]) {
      const its = rows[printed];
      if (its) io.out(csvLine(cellsOf(its, next)));
      printed++;
    }
    const count = found.filter(Boolean).length;
    const line = `${count} of ${rows.length}: ${summaryOf(found)}`;
    if (io.progress) io.progress(line);
    else if (count % PROGRESS_ROWS === 0) io.note(line);
  });
  io.progress?.('');
  const notTried: Result = { result: 'not tried', detail: '' };
  const all = rows.map((row, at) => ({ row, said: found[at] ?? notTried }));
  if (json) {
    const items = all.map(({ row, said: { result, detail } }) => {
      return { line: row.line, [column]: row.cells[column]?.[0] ?? '', result, detail };
    });
    io.out(jsonLine({ dryRun: dryRun === true, rows: items }));
  } else for (const { row, said } of all.slice(printed)) io.out(csvLine(cellsOf(row, said)));
  const wrong = all.filter(({ said }) => said.result === 'failed' || said.result === 'not tried');
  const summary = summaryOf(all.map(({ said }) => said));
  // Nothing of it has been done.
  const told = dryRun ? summary.replace(/(?<=\d )done/, 'would be done') : summary;
  io.note(`${counted(rows.length, 'row')}: ${told}`);
  if (dryRun) io.note('nothing was done: without --dry-run it is');
  if (stopped.aborted) throw new CliError('failure', 'interrupted; the same command does the rest');
  if (end !== undefined && !(end instanceof CliError)) throw end;
  if (wrong.length > 0) {
    throw new CliError(
      end instanceof CliError ? end.exit : 'failure',
      `${wrong.length} of ${rows.length} not done; the same command tries them again, and leaves what is done`,
    );
  }
}

/** `3 done, 1 failed` */
function summaryOf(found: readonly Result[]): string {
  const counts = results.flatMap((result) => {
    const count = found.filter((one) => one?.result === result).length;
    return count === 0 ? [] : [`${count} ${result}`];
  });
  return counts.join(', ') || 'none';
}

/** Works through items, so many at once, each begun in its turn. */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T, at: number) => Promise<void>,
): Promise<void> {
  const left = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of left) await work(item, at);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
