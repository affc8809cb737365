// What a command is to be done to, from a file: one a line, or CSV (RFC 4180) with a header. Whatever is wrong with it is
// said with line and column, all of it at once and before anything is done.

import { fromUtf8 } from '../../base/bytes.ts';
import { CliError, type Io } from '../io.ts';
import { fileOctets } from '../look/inspect.ts';
import { counted } from '../text.ts';

export type FileRow = {
  /** Of the file, from 1. */
  readonly line: number;
  /** By the name of the column, in lower case; empty cells are left out. */
  readonly cells: Readonly<Record<string, readonly string[]>>;
};

export type Fault = { readonly line: number; readonly column?: string; readonly said: string };

/** @throws {CliError} usage, after a line for each fault */
export function refuseFile(io: Io, path: string, faults: readonly Fault[]): never {
  const file = nameOf(path);
  for (const { line, column, said } of [...faults].sort((a, b) => a.line - b.line)) {
    io.note(`${file}, line ${line}${column === undefined ? '' : `, column ${column}`}: ${said}`);
  }
  throw new CliError('usage', `${file} has ${counted(faults.length, 'fault')}: nothing was done`);
}

const nameOf = (file: string): string => (file === '-' ? 'standard input' : file);

/**
 * Rows of which each has a value for the column; a file without a header has nothing but these values.
 * @throws {CliError}
 */
export async function namedRows(io: Io, file: string, column: string): Promise<readonly FileRow[]> {
  const records = parseCsv(io, file, await rowsText(io, file));
  const [first] = records;
  if (!first) throw new CliError('usage', `${nameOf(file)} is empty`);
  const headed = first.cells.some((cell) => cell.trim().toLowerCase() === column);
  if (headed) {
    const rows = withHeader(io, file, records, undefined);
    const faults = rows
      .filter(({ cells }) => cells[column]?.length !== 1)
      .map(({ line }) => ({ line, column, said: 'has to have one value' }));
    return faults.length > 0 ? refuseFile(io, file, faults) : rows;
  }
  const faults = records
    .filter(({ cells }) => cells.length > 1)
    .map(({ line }) => ({
      line,
      said: `has several columns: name them in the first line, one of them ${column}`,
    }));
  if (faults.length > 0) return refuseFile(io, file, faults);
  return records.map(({ line, cells: [value = ''] }) => ({
    line,
    cells: { [column]: [value.trim()] },
  }));
}

/**
 * Rows with a header of these columns, each of them optional; one may stand several times.
 * @throws {CliError}
 */
export async function tableRows(
  io: Io,
  file: string,
  columns: readonly string[],
): Promise<readonly FileRow[]> {
  return rowsIn(io, file, await rowsText(io, file), columns);
}

/** The same of a text that has been read. @throws {CliError} */
export function rowsIn(
  io: Io,
  file: string,
  text: string,
  columns: readonly string[],
): readonly FileRow[] {
  const records = parseCsv(io, file, text);
  if (records.length === 0) throw new CliError('usage', `${nameOf(file)} is empty`);
  return withHeader(io, file, records, columns);
}

/** @throws {CliError} */
export async function rowsText(io: Io, file: string): Promise<string> {
  try {
    return fromUtf8(await fileOctets(io, file)).replace(/^\ufeff/, '');
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new CliError('usage', `${nameOf(file)} is not a text in UTF-8`);
  }
}

type CsvRecord = { readonly line: number; readonly cells: readonly string[] };

function withHeader(
  io: Io,
  file: string,
  [header, ...records]: readonly CsvRecord[],
  known: readonly string[] | undefined,
): readonly FileRow[] {
  const names = (header?.cells ?? []).map((cell) => cell.trim().toLowerCase());
  const line = header?.line ?? 1;
  const unknown = known ? names.filter((name) => !known.includes(name)) : [];
  const faults: Fault[] = [
    ...unknown.map((name) => ({ line, column: name, said: `is none of ${known?.join(', ')}` })),
    ...records
      .filter(({ cells }) => cells.length !== names.length)
      .map((one) => ({
        line: one.line,
        said: `has ${counted(one.cells.length, 'column')}, and the first line has ${names.length}`,
      })),
  ];
  if (faults.length > 0) return refuseFile(io, file, faults);
  return records.map(({ line: at, cells }) => {
    // A file names its columns as it likes, also as what every object has.
    const values: Record<string, string[]> = Object.create(null);
    for (const [i, name] of names.entries()) {
      const value = (cells[i] ?? '').trim();
      if (value === '') continue;
      values[name] = [...(values[name] ?? []), value];
    }
    return { line: at, cells: values };
  });
}

/** Records of RFC 4180, also with LF or CR alone; lines with nothing in them are none. @throws {CliError} */
function parseCsv(io: Io, file: string, text: string): readonly CsvRecord[] {
  const other = otherSeparator(text);
  if (other) {
    const said = `its columns stand apart by ${other}: write it with commas (RFC 4180)`;
    return refuseFile(io, file, [{ line: 1, said }]);
  }
  const records: CsvRecord[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const from = line;
    const cells: string[] = [];
    for (let ended = false; !ended; ) {
      const quoted = /"([^"]*(?:""[^"]*)*)"(,|\r\n?|\n|$)/y;
      const plain = /([^",\r\n]*)(,|\r\n?|\n|$)/y;
      const pattern = text[at] === '"' ? quoted : plain;
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (!found) {
        const column = String(cells.length + 1);
        return refuseFile(io, file, [{ line, column, said: quoteFault(text, at) }]);
      }
      const [all, cell = '', end = ''] = found;
      cells.push(pattern === quoted ? cell.replaceAll('""', '"') : cell);
      line += all.split(/\r\n?|\n/).length - 1;
      at = pattern.lastIndex;
      ended = end !== ',';
    }
    if (cells.some((cell) => cell.trim() !== '')) records.push({ line: from, cells });
  }
  return records;
}

/** What spreadsheets of many countries, and those that save "Text", put in the place of commas. */
function otherSeparator(text: string): string | undefined {
  const [first = ''] = text.split(/[\r\n]/, 1);
  if (first.includes(',')) return undefined;
  if (first.includes(';')) return 'semicolons';
  return first.includes('\t') ? 'tabs' : undefined;
}

/** What keeps a cell from being read. */
function quoteFault(text: string, at: number): string {
  if (text[at] !== '"') return 'has a quote in its middle';
  const closed = /"[^"]*(?:""[^"]*)*"/y;
  closed.lastIndex = at;
  return closed.test(text) ? 'goes on after its closing quote' : 'has a quote without its end';
}
