// Lists of the admin API: page by page, or to their end.

import { InvalidArgumentError, Option } from 'commander';
import { MAX_PAGE } from '../base/limits.ts';
import { callApi, type Io, jsonLine } from './io.ts';
import { aligned } from './text.ts';

export type PageOptions = {
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: true;
  readonly json?: true;
};

export const pageOptions = (): Option[] => [
  new Option('--limit <n>', `how many to show, up to ${MAX_PAGE}`)
    .argParser(limitOf)
    .default(20, '20'),
  new Option('--cursor <cursor>', 'go on where another list ended'),
  new Option('--all', 'to the end of the list').conflicts('limit'),
  new Option('--json', 'print one JSON object'),
];

export function limitOf(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_PAGE) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_PAGE}.`);
  }
  return limit;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

/** A path with the fields of its query that have a value. */
export function withQuery(path: string, query: Query): string {
  const fields = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return fields.length > 0 ? `${path}?${new URLSearchParams(fields)}` : path;
}

type Wanted = {
  readonly path: string;
  readonly query: Query;
  /** What the answer calls the items. */
  readonly noun: string;
};

/** The items of one page, or of all; beside them what else the first page says. */
export async function pagesOf<T, Head = unknown>(
  io: Io,
  { path, query, noun }: Wanted,
  { limit, cursor: from, all }: PageOptions,
): Promise<{ readonly items: readonly T[]; readonly next: string | null; readonly first: Head }> {
  const items: T[] = [];
  let first: Head | undefined;
  let cursor = from;
  let shown = false;
  for (;;) {
    const asked = { ...query, limit: all ? MAX_PAGE : limit, cursor };
    const page = await callApi<Record<string, unknown>>(io, 'GET', withQuery(path, asked));
    first ??= page as Head;
    items.push(...(page[noun] as T[]));
    const next = (page.next ?? null) as string | null;
    // A page can be empty although the next one is not.
    if (next === null || (!all && items.length > 0)) {
      if (shown) io.progress?.('');
      return { items, next, first };
    }
    cursor = next;
    shown = true;
    io.progress?.(`${items.length} so far`);
  }
}

export type Listing<T> = Wanted & {
  readonly columns: readonly string[];
  readonly row: (item: T) => readonly string[];
  /** The sentence for an empty list. */
  readonly none: string;
};

/** A table on stdout, or one JSON object as the API has it; how to go on, on stderr. */
export async function showList<T>(
  io: Io,
  { columns, row, none, ...wanted }: Listing<T>,
  options: PageOptions,
): Promise<void> {
  const { items, next } = await pagesOf<T>(io, wanted, options);
  if (options.json) io.out(jsonLine({ [wanted.noun]: items, next }));
  else if (items.length > 0) io.out(aligned([columns, ...items.map(row)]));
  if (items.length === 0) io.note(none);
  if (next !== null && !options.json) {
    io.note(`there are more: add --all, or --cursor ${next}`);
  }
}
