// scepter txn approve, deny: one request, or many from a file.

import { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import type { TransactionState } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { type FileRow, namedRows } from '../many/rows.ts';
import { dryRunOption, fromOption, manyHelp, type Result, runMany } from '../many/run.ts';
import { waitsForAnother } from './persons.ts';
import { transactionId } from './which.ts';

type Verdict = 'approve' | 'deny';

type Options = {
  readonly reason?: string;
  readonly from?: string;
  readonly dryRun?: true;
  readonly json?: true;
};

export function decideCommand(io: Io, verdict: Verdict): Command {
  const approves = verdict === 'approve';
  return new Command(verdict)
    .argument('[id]', 'of a pending transaction, or the beginning of one')
    .description(
      approves
        ? 'allow a pending request; its device gets the certificate when it next asks, once as many persons have allowed it as its endpoint asks for'
        : 'refuse a pending request; its device is told when it next asks',
    )
    .option('--reason <text>', 'why; kept in the event, not told to the device')
    .addOption(fromOption('ids'))
    .addOption(dryRunOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${manyHelp}The columns of such a file are id and reason; "txn list -o csv" prints one.

Examples:
  scepter txn ${verdict} 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter txn ${verdict} 01K4QD6W6ZJ5S5M0V1X7TB2C3D --reason "${approves ? 'ticket 4711' : 'device was stolen'}" --json
  scepter txn ${verdict} --from ids.txt --dry-run`,
    )
    .action((id: string | undefined, options: Options) => decide(io, verdict, id, options));
}

async function decide(io: Io, verdict: Verdict, given: string | undefined, options: Options) {
  const { reason, from, dryRun, json } = options;
  if ((given === undefined) === (from === undefined)) {
    throw new CliError(
      'usage',
      'name either the id of a transaction or, with --from, a file of many',
    );
  }
  if (from !== undefined) {
    const rows = await namedRows(io, from, 'id');
    // What is said of a row is in its row.
    const quiet = { ...io, note: () => {} };
    const act = (row: FileRow) => decideOne(quiet, verdict, row, options);
    return runMany(io, { rows, column: 'id', act, dryRun: dryRun === true, json: json === true });
  }
  if (dryRun) throw new CliError('usage', '--dry-run needs --from');
  const id = await transactionId(io, given ?? '');
  const done = await callApi(io, `POST /transactions/{id}/${verdict}`, {
    params: { id },
    body: { reason },
  });
  io.out(json ? jsonLine(done) : visible(`${done.id} ${standingOf(done)}`).concat('\n'));
}

const standingOf = (one: AnswerTo<'POST /transactions/{id}/approve'>): string =>
  waitsForAnother(one)
    ? `${one.state}, another person has to approve it, too: ${one.subject}`
    : `${one.state}: ${one.subject}`;

/** Where a request stands that has been decided so. */
const decided: Readonly<Record<Verdict, readonly TransactionState[]>> = {
  approve: ['approved', 'intended', 'signed', 'issued'],
  deny: ['denied'],
};

async function decideOne(
  io: Io,
  verdict: Verdict,
  { cells }: FileRow,
  { reason: common, dryRun }: Options,
): Promise<Result> {
  const params = { id: await transactionId(io, cells.id?.[0] ?? '') };
  const [reason = common] = cells.reason ?? [];
  const stands = async (): Promise<Result | undefined> => {
    const story = await callApi(io, 'GET /transactions/{id}', { params });
    const { state, subject } = story;
    if (state === 'pending' || waitsForAnother(story)) return undefined;
    if (!decided[verdict].includes(state)) {
      throw new CliError('failure', `the transaction is ${state}, not pending`);
    }
    return { result: 'unchanged', detail: `is ${state} already: ${subject}` };
  };
  if (dryRun) return (await stands()) ?? { result: 'done', detail: 'would be done' };
  try {
    const done = await callApi(io, `POST /transactions/{id}/${verdict}`, {
      params,
      body: { reason },
    });
    return { result: 'done', detail: standingOf(done) };
  } catch (error) {
    if (!(error instanceof CliError && error.exit === 'failure')) throw error;
    const said = await stands();
    if (!said) throw error;
    return said;
  }
}
