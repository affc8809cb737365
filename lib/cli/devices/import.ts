// scepter devices import: a file into a device list. All rows are checked before the first is written; what is in the list
// already is left, so that the same command goes on where it was cut off.

import type { AnswerTo } from '../../api/api.ts';
import { MAX_IMPORTED } from '../../base/limits.ts';
import { deviceKey } from '../../ports/records/places.ts';
import { askApi, callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { type Fault, refuseFile } from '../many/rows.ts';
import { AT_ONCE, inLanes } from '../many/run.ts';
import { everyPage, requireUnaltered } from '../pages.ts';
import { csvLine } from '../show.ts';
import { counted } from '../text.ts';
import { columnFor, type DeviceRow, deviceRows, keysIn } from './rows.ts';

type Asked = {
  readonly list: string;
  readonly restore: boolean;
  readonly removeMissing: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
};

const results = ['added', 'changed', 'removed', 'unchanged'] as const;
type Result = (typeof results)[number];
/** Without a line: in the list, and not in the file. */
type Told = { readonly line?: number; readonly device: string; readonly result: Result };

/** What a body holds beside its rows is less than the rest of its 64 KiB. */
const MAX_PAGE_CHARACTERS = 48_000;

export async function importDevices(io: Io, file: string, asked: Asked): Promise<void> {
  const rows = await deviceRows(io, file);
  const found = await diff(io, file, rows, asked);
  const missing = asked.removeMissing ? await missingIn(io, rows, asked) : [];
  const told: readonly Told[] = [
    ...rows.map(({ line, row }, at) => ({
      line,
      device: idOf(row),
      result: found[at] ?? ('unchanged' as const),
    })),
    ...missing.map((device) => ({ device, result: 'removed' as const })),
  ];
  tell(io, told, asked);
  if (asked.dryRun) return io.note('nothing was done: without --dry-run it is');
  const due = rows.filter((_, at) => found[at] === 'added' || found[at] === 'changed');
  await write(io, due, missing, asked);
}

const idOf = ({ serial, udid, mac, name }: DeviceRow['row']): string =>
  serial ?? udid ?? mac ?? name?.[0] ?? '';

/** What would become of each row. @throws {CliError} after a line for each fault */
async function diff(io: Io, file: string, rows: readonly DeviceRow[], asked: Asked) {
  const found: Result[] = [];
  const faults: Fault[] = [];
  const { list, restore } = asked;
  for (const page of pagesOf(rows)) {
    io.progress?.(`checked ${found.length} of ${rows.length}`);
    const body = { list, restore, dryRun: true, rows: page.map(({ row }) => row) };
    try {
      const said = await askApi(io, 'POST /devices', { body });
      found.push(...(said as AnswerTo<'POST /devices'>).results);
    } catch (error) {
      faults.push(...faultsIn(io, error, page));
      for (const _ of page) found.push('unchanged');
    }
  }
  io.progress?.('');
  return faults.length > 0 ? refuseFile(io, file, faults) : found;
}

/** What the server says against rows, with line and column; anything else ends the command. */
function faultsIn({ url }: Io, error: unknown, page: readonly DeviceRow[]): Fault[] {
  if (!(error instanceof CliError) || error.exit !== 'usage') throw error;
  const { message } = error;
  const text = message.startsWith(`${url}: `) ? message.slice(url.length + 2) : message;
  return text.split(/; (?=rows\.\d+)/).map((one) => {
    const [, at, field, said = ''] = /^rows\.(\d+)(?:\.(\w+))?(?:\.\w+)*: (.*)$/s.exec(one) ?? [];
    const row = at === undefined ? undefined : page[Number(at)];
    if (!row) throw error;
    return { line: row.line, ...(field === undefined ? {} : { column: columnFor(field) }), said };
  });
}

function* pagesOf(rows: readonly DeviceRow[]): Generator<readonly DeviceRow[], void> {
  let page: DeviceRow[] = [];
  let size = 0;
  for (const one of rows) {
    const octets = new TextEncoder().encode(JSON.stringify(one.row)).length;
    if (page.length === MAX_IMPORTED || (page.length > 0 && size + octets > MAX_PAGE_CHARACTERS)) {
      yield page;
      [page, size] = [[], 0];
    }
    page.push(one);
    size += octets + 1;
  }
  if (page.length > 0) yield page;
}

/** Devices of the list that no row of the file names. */
async function missingIn(io: Io, rows: readonly DeviceRow[], { list }: Asked): Promise<string[]> {
  const named = new Set(rows.flatMap(({ row }) => keysIn(row)));
  const altered = new Set<string>();
  const missing: string[] = [];
  const wanted = { name: 'GET /devices', query: { list }, noun: 'devices' } as const;
  for await (const page of everyPage(io, wanted, altered)) {
    for (const { id, state } of page) {
      if (state !== 'removed' && !named.has(deviceKey('', id))) missing.push(id);
    }
  }
  requireUnaltered(io, [...altered]);
  return missing;
}

function tell(io: Io, told: readonly Told[], { list, dryRun, json }: Asked): void {
  const counts = results.map((result) => told.filter((one) => one.result === result).length);
  if (json) {
    const numbers = Object.fromEntries(results.map((result, at) => [result, counts[at]]));
    io.out(jsonLine({ list, dryRun, ...numbers, rows: told }));
  } else {
    io.out(csvLine(['line', 'device', 'result', 'detail']));
    for (const { line, device, result } of told) {
      if (result === 'unchanged') continue;
      const why = line === undefined ? 'not in the file' : 'it was removed before, and stays so';
      io.out(csvLine([line, device, result, result === 'removed' ? why : '']));
    }
  }
  const said = results.map((result, at) => `${counts[at]} ${result}`).join(', ');
  io.note(`list ${list}, ${counted(told.length, 'device')}: ${said}`);
}

async function write(
  io: Io,
  due: readonly DeviceRow[],
  missing: readonly string[],
  { list, restore }: Asked,
): Promise<void> {
  const stopped = io.stopped();
  let done = 0;
  const all = due.length + missing.length;
  const progress = (count: number): void => {
    done += count;
    io.progress?.(`written ${done} of ${all}`);
  };
  try {
    for (const page of pagesOf(due)) {
      if (stopped.aborted) break;
      const rows = page.map(({ row }) => row);
      await callApi(io, 'POST /devices', { body: { list, restore, rows } });
      progress(page.length);
    }
    await inLanes(missing, AT_ONCE, async (id) => {
      if (stopped.aborted) return;
      const query = { list, reason: 'not in the imported file' };
      await callApi(io, 'DELETE /devices/{id}', { params: { id }, query });
      progress(1);
    });
  } finally {
    io.progress?.('');
    if (done < all) io.note(`${done} of ${all} written; the same command goes on with the rest`);
  }
  if (done < all) throw new CliError('failure', 'interrupted');
}
