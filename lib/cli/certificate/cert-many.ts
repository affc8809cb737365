// scepter cert revoke --from: many certificates, from a file.

import { type RegisterReason, registerReasons } from '../../base/words.ts';
import { standing } from '../../ca/revoke/standing.ts';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { type Fault, type FileRow, namedRows, refuseFile } from '../many/rows.ts';
import { type Result, runMany } from '../many/run.ts';
import { saidOf } from './cert-signed.ts';
import { paramsOf } from './which.ts';

type Asked = {
  readonly ca: string | undefined;
  readonly reason: RegisterReason;
  readonly withRenewals: true | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
};

const isReason = (text: string): text is RegisterReason =>
  registerReasons.some((reason) => reason === text);

/** Columns: serial, and where they are there ca and reason, which go before the options. */
export async function revokeMany(io: Io, file: string, asked: Asked): Promise<void> {
  const rows = await namedRows(io, file, 'serial');
  const faults: Fault[] = rows.flatMap(({ line, cells: { reason } }) =>
    reason === undefined || (reason.length === 1 && reason.every(isReason))
      ? []
      : [{ line, column: 'reason', said: `must be one of ${registerReasons.join(', ')}` }],
  );
  if (faults.length > 0) refuseFile(io, file, faults);
  const { dryRun, json } = asked;
  // What is said of a row is in its row.
  const quiet = { ...io, note: () => {} };
  const act = (row: FileRow) => revokeOne(quiet, row, asked);
  await runMany(io, { rows, column: 'serial', act, dryRun, json });
}

async function revokeOne(io: Io, { cells }: FileRow, asked: Asked): Promise<Result> {
  const [given = ''] = cells.serial ?? [];
  const [reason = asked.reason] = (cells.reason ?? []).filter(isReason);
  const params = await paramsOf(io, given, cells.ca?.[0] ?? asked.ca);
  if (!asked.dryRun) {
    const done = await callApi(io, 'POST /certificates/{ca}/{serial}/revoke', {
      params,
      body: { reason, withRenewals: asked.withRenewals },
    });
    return { result: done.unchanged ? 'unchanged' : 'done', detail: saidOf({ ...done, reason }) };
  }
  const found = await callApi(io, 'GET /certificates/{ca}/{serial}', { params });
  const { state, revocationReason } = found;
  const how = standing(revocationReason, reason);
  const handedOut = state !== 'intended' && state !== 'signed' && state !== 'voided';
  if (!handedOut || how === 'excluded') {
    throw new CliError('failure', `the certificate is ${state}`);
  }
  if (how !== 'unchanged') return { result: 'done', detail: `would be done (${reason})` };
  return { result: 'unchanged', detail: saidOf({ ...found, reason, unchanged: true }) };
}
