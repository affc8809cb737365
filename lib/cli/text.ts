// How commands show things to people: tables, pages of named fields, times. Every cell may be an
// attacker's text and is made harmless here; nothing else in the room prints it.

import { visible } from '../base/text.ts';

/** Columns as wide as what stands in them, two spaces apart; the last one as it comes. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of cells) {
    row.slice(0, -1).forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return cells.map((row) => `${line(row)}\n`).join('');
}

/** A name and its values: several are printed below each other; without any the field is left out. */
export type Field = readonly [string, string | number | readonly string[] | undefined];

/** Fields as rows for `aligned`. */
export const rowsOf = (fields: readonly Field[]): string[][] =>
  fields.flatMap(([name, value]) =>
    [value ?? []].flat().map((text, at) => [at === 0 ? name : '', String(text)]),
  );

/** A page of fields below a heading. */
export const section = (heading: string, fields: readonly Field[]): string =>
  `${visible(heading)}\n${aligned(rowsOf(fields).map((row) => ['', ...row]))}`;

const MAX_SHOWN = 80;

/** For the last column of a table. */
export const shortLine = (text: string): string => {
  const shown = visible(text);
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown;
};

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
