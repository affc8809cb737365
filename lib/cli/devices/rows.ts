// The rows of a device list in a file: CSV with a header, or JSON, as "devices list --json" prints it, too.

import type { Api } from '../../api/api.ts';
import type { SentTo } from '../../api/route.ts';
import { keysOf } from '../../ca/devices/standing.ts';
import { CliError, type Io } from '../io.ts';
import { type Fault, type FileRow, refuseFile, rowsIn, rowsText } from '../many/rows.ts';
import { namesIn } from '../request/challenge-many.ts';

export const deviceColumns = [
  ...(['serial', 'udid', 'mac', 'name', 'subject', 'subject-pattern'] as const),
  ...(['san', 'san-pattern', 'owner'] as const),
] as const;
type Column = (typeof deviceColumns)[number];
/** Those that may stand several times. */
const several: readonly Column[] = ['name', 'subject-pattern', 'san', 'san-pattern'];
/** By the API's name, where that is another. */
const columnOf: Readonly<Record<string, Column>> = {
  ...{ subjectPattern: 'subject-pattern', sanPattern: 'san-pattern' },
};
export const columnFor = (field: string): string => columnOf[field] ?? field;

type Row = SentTo<Api['POST /devices']>['body']['rows'][number];
export type DeviceRow = { readonly line: number; readonly row: Row };

/** @throws {CliError} after a line for each fault */
export async function deviceRows(io: Io, file: string): Promise<readonly DeviceRow[]> {
  const text = await rowsText(io, file);
  const rows = /^\s*[[{]/.test(text) ? fromJson(io, file, text) : fromCsv(io, file, text);
  if (rows.length === 0) throw new CliError('usage', `${file} has no rows`);
  const lines = new Map<string, number>();
  const faults: Fault[] = [];
  for (const { line, row } of rows) {
    for (const key of keysIn(row)) {
      const before = lines.get(key);
      if (before === undefined) lines.set(key, line);
      else faults.push({ line, said: `has an identifier of line ${before}, too` });
    }
  }
  return faults.length > 0 ? refuseFile(io, file, faults) : rows;
}

/** As they are compared; whatever else the file has is for the server to refuse. */
export function keysIn({ serial, udid, mac, name }: Row): string[] {
  const texts = [serial, udid, mac, name].flat().filter((one) => typeof one === 'string');
  return keysOf('', { names: texts });
}

function fromCsv(io: Io, file: string, text: string): DeviceRow[] {
  const rows = rowsIn(io, file, text, deviceColumns);
  const twice: Fault[] = rows.flatMap(({ line, cells }) =>
    deviceColumns
      .filter((column) => !several.includes(column) && (cells[column]?.length ?? 0) > 1)
      .map((column) => ({ line, column, said: 'stands more than once' })),
  );
  const wrong: Fault[] = rows.flatMap(({ line, cells }) =>
    (cells['subject-pattern'] ?? [])
      .filter((cell) => !/^[^=]+=./s.test(cell))
      .map((cell) => ({ line, column: 'subject-pattern', said: `"${cell}" is not TYPE=PATTERN` })),
  );
  if (twice.length + wrong.length > 0) refuseFile(io, file, [...twice, ...wrong]);
  return rows.map((row) => ({ line: row.line, row: rowOf(row) }));
}

function rowOf({ cells }: FileRow): Row {
  const one = (column: Column) => cells[column]?.[0];
  const [serial, udid, mac] = [one('serial'), one('udid'), one('mac')];
  const [subject, owner] = [one('subject'), one('owner')];
  const patterns: Record<string, string[]> = Object.create(null);
  for (const cell of cells['subject-pattern'] ?? []) {
    const at = cell.indexOf('=');
    const type = cell.slice(0, at).trim();
    patterns[type] = [...(patterns[type] ?? []), cell.slice(at + 1)];
  }
  return {
    ...(serial === undefined ? {} : { serial }),
    ...(udid === undefined ? {} : { udid }),
    ...(mac === undefined ? {} : { mac }),
    ...(cells.name ? { name: cells.name } : {}),
    ...(subject === undefined ? {} : { subject }),
    ...(cells['subject-pattern'] ? { subjectPattern: patterns } : {}),
    ...(cells.san ? { san: cells.san.flatMap(namesIn) } : {}),
    ...(cells['san-pattern'] ? { sanPattern: cells['san-pattern'].flatMap(namesIn) } : {}),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** Fields of an answer that are none of a row. */
const answered = ['list', 'id', 'state', 'importedAt', 'importedBy', 'removedAt', 'removedBy'];

function fromJson(io: Io, file: string, text: string): DeviceRow[] {
  const whole = parsed(file, text);
  const rows: unknown = Array.isArray(whole) ? whole : Object(whole).devices;
  if (!Array.isArray(rows)) {
    const said = 'must be an array of devices, or an object with the array "devices"';
    return refuseFile(io, file, [{ line: 1, said }]);
  }
  const lines = linesOf(text, Array.isArray(whole) ? 1 : 2);
  return rows.map((one: unknown, at) => {
    const line = lines[at] ?? 1;
    if (typeof one !== 'object' || one === null || Array.isArray(one)) {
      return refuseFile(io, file, [{ line, said: 'must be an object' }]);
    }
    const kept = Object.entries(one).filter(([field]) => !answered.includes(field));
    return { line, row: Object.fromEntries(kept) as Row };
  });
}

/** @throws {CliError} usage */
function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CliError('usage', `${file} is not JSON: ${error.message}: nothing was done`);
  }
}

/** The lines on which objects at this depth begin. */
function linesOf(text: string, depth: number): number[] {
  const lines: number[] = [];
  let [line, open] = [1, 0];
  for (const [found] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}\n]/gs)) {
    if (found === '\n') line++;
    else if (found === '{' || found === '[') {
      if (open === depth && found === '{') lines.push(line);
      open++;
    } else if (found === '}' || found === ']') open--;
  }
  return lines;
}
