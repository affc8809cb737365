// How commands show things to people: tables, pages of named fields, times. Every cell may be an
// attacker's text and is made harmless here; nothing else in the room prints it.

import { visible } from '../base/text.ts';
import type { ChallengeState, ShownState, TransactionState } from '../base/words.ts';

/** What a colour says; a terminal has few of them, and whoever sees none misses nothing. */
export type Tone = 'good' | 'bad' | 'warning' | 'over';
type Cell = { readonly text: string; readonly tone: Tone | undefined };

/** Where text goes: how wide a line is, where that is known, and how it is coloured. */
type Paper = {
  readonly columns: number | undefined;
  readonly style: (tone: Tone, text: string) => string;
};
const plain: Paper = { columns: undefined, style: (_, text) => text };

/** A name and its values: several are printed below each other; without any the field is left out. */
export type Field = readonly [
  name: string,
  value: string | number | readonly string[] | undefined,
  tone?: Tone,
];

export type Table = {
  readonly heading?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Lines of a page: its columns have names for programs only, and are as long as they are. */
  readonly nameless?: true;
  /** All columns but the first have numbers, which end below each other. */
  readonly numbers?: true;
  readonly indent?: number;
};
export type FieldList = { readonly heading?: string; readonly fields: readonly Field[] };
/** Sentences between tables; programs do not get them. */
type Lines = { readonly lines: readonly string[] };
type Part = Table | FieldList | Lines;
/** Parts that belong together; an empty line separates them from the next. */
export type Sheet = readonly (readonly Part[])[];

const stateTones: Readonly<Record<TransactionState | ShownState | ChallengeState, Tone>> = {
  issued: 'good',
  open: 'good',
  pending: 'warning',
  approved: 'warning',
  intended: 'warning',
  signed: 'warning',
  held: 'warning',
  revoked: 'bad',
  denied: 'bad',
  refused: 'bad',
  locked: 'bad',
  invalid: 'bad',
  expired: 'over',
  spent: 'over',
  voided: 'over',
};
const markTones: Readonly<Record<string, Tone>> = { '✓': 'good', '✗': 'bad', '!': 'warning' };

/** @param name of the column or the field */
function toneOf(name: string, text: string): Tone | undefined {
  const [word = ''] = text.split(/[\s:]/, 1);
  const kind = name.toLowerCase();
  if (kind === 'warning') return 'warning';
  const tones: Readonly<Record<string, Tone>> = kind === 'state' ? stateTones : markTones;
  return Object.hasOwn(tones, word) ? tones[word] : undefined;
}

/** The columns of a terminal that a text takes: none for a combining mark, two for East Asian wide characters. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text)
    width += /\p{M}/u.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Columns as wide as what stands in them, two spaces apart; the last one as it comes. */
function lined(rows: readonly (readonly Cell[])[], { style }: Paper): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach(({ text }, at) => {
      widths[at] = Math.max(widths[at] ?? 0, widthOf(text));
    });
  }
  const line = (row: readonly Cell[]) => {
    const end = row.findLastIndex(({ text }) => text.trim() !== '') + 1;
    return row
      .slice(0, end)
      .map(({ text, tone }, at) => {
        const shown = at === end - 1 ? text.trimEnd() : text;
        const space = at === end - 1 ? 0 : (widths[at] ?? 0) - widthOf(text);
        return `${tone ? style(tone, shown) : shown}${' '.repeat(space)}`;
      })
      .join('  ');
  };
  return rows.map((row) => `${line(row)}\n`).join('');
}

export const valuesOf = (value: Field[1]): string[] => [value ?? []].flat().map(String);

/** A page of fields below a heading. */
export const section = (heading: string, fields: readonly Field[]): string =>
  pageText([[{ heading, fields }]]);

/** The last column of a table, where nobody knows how long a line may be. */
const MAX_SHOWN = 80;

export const pageText = (page: Sheet, paper: Paper = plain): string =>
  page.map((parts) => parts.map((part) => partText(part, paper)).join('')).join('\n');

function partText(part: Part, paper: Paper): string {
  if ('lines' in part) return part.lines.map((line) => `${visible(line)}\n`).join('');
  const { heading } = part;
  const head = heading === undefined ? '' : `${visible(heading)}\n`;
  return head + ('fields' in part ? fieldsText(part, paper) : tableText(part, paper));
}

function fieldsText({ heading, fields }: FieldList, paper: Paper): string {
  const indent = heading === undefined ? [] : [{ text: '', tone: undefined }];
  const rows = fields.flatMap(([name, value, tone]) =>
    valuesOf(value).map((text, at) => [
      ...indent,
      { text: at === 0 ? visible(name) : '', tone: undefined },
      { text: visible(text), tone: tone ?? toneOf(name, text) },
    ]),
  );
  return lined(rows, paper);
}

/** What it shows of longer values fits into the width; programs get them in full. */
function tableText(table: Table, paper: Paper): string {
  const { heading, columns, nameless, indent = heading === undefined ? 0 : 2 } = table;
  const shown = [...(nameless ? [] : [columns]), ...table.rows].map((row) => row.map(visible));
  const fitting = nameless ? shown : fitted(shown, paper.columns && paper.columns - indent);
  const rows = table.numbers ? endingAlike(fitting) : fitting;
  const cells = rows.map((row, at) =>
    row.map((text, column) => ({
      text,
      tone: !nameless && at === 0 ? undefined : toneOf(columns[column] ?? '', text),
    })),
  );
  return lined(cells, paper).replace(/^(?=.)/gm, ' '.repeat(indent));
}

function endingAlike(rows: readonly (readonly string[])[]): string[][] {
  const widths = widthsOf(rows);
  return rows.map((row) =>
    row.map((text, at) => (at === 0 ? text : text.padStart(widths[at] ?? 0))),
  );
}

const GAP = 2;

/** Times that have no room become days; then the widest columns become narrower. */
function fitted(rows: readonly (readonly string[])[], columns: number | undefined): string[][] {
  if (columns === undefined) return rows.map((row) => row.with(-1, shortLine(row.at(-1) ?? '')));
  const room = columns - GAP * ((rows[0]?.length ?? 1) - 1);
  if (sum(widthsOf(rows)) <= room) return rows.map((row) => [...row]);
  const days = rows.map((row) =>
    row.map((text) => text.replace(/^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d+)?Z/, '$1')),
  );
  const widths = widthsOf(days);
  let most = Math.max(...widths);
  while (most > LEAST_SHOWN && sum(widths.map((width) => Math.min(width, most))) > room) most--;
  return days.map((row) => row.map((text) => cut(text, most)));
}

/** A column that is cut shows so much; below that, lines are broken by the terminal. */
const LEAST_SHOWN = 8;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
  (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => widthOf(row[at] ?? ''))));

const shortLine = (text: string): string =>
  text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;

/** `1 event`, `2 events`. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `2026-01-31T09:00:00Z` of a time with milliseconds. */
export const seconds = (iso: string): string => iso.replace(/\.\d{3}Z$/, 'Z');

/** `1h5m`, `20s`, of milliseconds; the two largest units that are not zero. */
export function spoken(ms: number): string {
  const all = Math.floor(ms / 1000);
  const units: [number, string][] = [
    [Math.floor(all / 86_400), 'd'],
    [Math.floor(all / 3600) % 24, 'h'],
    [Math.floor(all / 60) % 60, 'm'],
    [all % 60, 's'],
  ];
  const parts = units.filter(([count]) => count > 0).slice(0, 2);
  return parts.map(([count, unit]) => `${count}${unit}`).join('') || '0s';
}

/** `in 3d4h`, `3d4h ago`. @param now milliseconds since 1970 */
export function fromNow(iso: string, now: number): string {
  const ms = Date.parse(iso) - now;
  return ms >= 0 ? `in ${spoken(ms)}` : `${spoken(-ms)} ago`;
}
