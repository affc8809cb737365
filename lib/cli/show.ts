// What commands that list or show print: a table or a page for people, one JSON document or CSV (RFC 4180) for
// programs. CSV has a row for each line of a table, with its columns in full; of a page it has sections, fields
// and values.

import { Option } from 'commander';
import { visible } from '../base/text.ts';
import { CliError, type Io, jsonLine } from './io.ts';
import { pageText, type Sheet, type Table, valuesOf } from './text.ts';

const formats = ['table', 'json', 'csv'] as const;
type Format = (typeof formats)[number];

export type ShowOptions = {
  readonly output?: Format;
  readonly json?: true;
  readonly pager?: boolean;
};

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'table, or for programs json or csv').choices(formats);
export const pagerOption = (): Option =>
  new Option('--no-pager', 'print what is longer than the screen without a pager');

/** @param more is said of the file */
export const outOption = (more = ''): Option =>
  new Option('--out <file>', `a file instead of stdout, which "-" is, too${more}`);
/** Undefined: standard output. */
export const outFile = (given: string | undefined): string | undefined =>
  given === '-' ? undefined : given;

/** @throws {CliError} usage */
export function formatOf({ output, json }: ShowOptions): Format {
  if (json && output !== undefined && output !== 'json') {
    throw new CliError('usage', `--json is -o json: give it or -o ${output}, not both`);
  }
  return json ? 'json' : (output ?? 'table');
}

type View = {
  readonly json: object;
  readonly page: () => Sheet;
  /** The lines of CSV, where they are not the whole page. */
  readonly table?: () => Table;
};

export async function show(io: Io, options: ShowOptions, { json, page, table }: View) {
  const format = formatOf(options);
  if (format === 'json') return io.out(jsonLine(json));
  if (format === 'csv') return io.out(table ? csvTable(table()) : csvPage(page()));
  await io.page(pageText(page(), io), options.pager ?? true);
}

export type CsvValue = string | number | readonly string[] | undefined;

/** A cell that a spreadsheet would take for a formula gets an apostrophe in front; control characters become
 * escapes, so that each row is one line. */
function csvCell(value: CsvValue): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  const formula = /^[=+\-@\t\r\n＝＋－＠]/u.test(text);
  return `"${formula ? "'" : ''}${visible(text).replaceAll('"', '""')}"`;
}

export const csvLine = (cells: readonly CsvValue[]): string =>
  `${cells.map(csvCell).join(',')}\r\n`;

/** What a table shows as a dash is not there. */
const csvTable = ({ columns, rows }: Table): string =>
  [columns, ...rows.map((row) => row.map((cell) => (cell === '-' ? '' : cell)))]
    .map(csvLine)
    .join('');

function csvPage(page: Sheet): string {
  const parts = page.flat();
  const [only, ...others] = parts;
  if (only && 'columns' in only && others.length === 0) return csvTable(only);
  const rows = parts.flatMap((part): string[][] => {
    if ('lines' in part) return [];
    const { heading = '' } = part;
    if ('fields' in part) {
      return part.fields.flatMap(([name, value]) =>
        valuesOf(value).map((text) => [heading, name, text]),
      );
    }
    const [first = '', ...others] = part.columns;
    return part.rows.flatMap(([key = '', ...cells]) =>
      cells.map((text, at) => [`${heading || first} ${key}`, others[at] ?? '', text]),
    );
  });
  return csvTable({ columns: ['SECTION', 'FIELD', 'VALUE'], rows });
}
