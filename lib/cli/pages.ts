// Lists of the admin API: page by page, or to their end.

import { InvalidArgumentError, Option } from 'commander';
import type { AnswerTo, Api, RouteName } from '../api/api.ts';
import type { SentTo } from '../api/route.ts';
import { MAX_PAGE } from '../base/limits.ts';
import { askApi, type Parts } from './api.ts';
import { CliError, type Io } from './io.ts';
import { formatOf, outputOption, pagerOption, type ShowOptions, show } from './show.ts';

export type PageOptions = ShowOptions & {
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: true;
};

export const pageOptions = (): Option[] => [
  new Option('--limit <n>', `how many to show, up to ${MAX_PAGE}`)
    .argParser(limitOf)
    .default(20, '20'),
  new Option('--cursor <cursor>', 'go on where another list ended'),
  new Option('--all', 'to the end of the list').conflicts('limit'),
  outputOption(),
  new Option('--json', 'print one JSON object'),
  pagerOption(),
];

export const searchHelp =
  'words, each of which begins a word of any subjectAltName or of the subject, in any order (docs/search.md)';

export function limitOf(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_PAGE) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_PAGE}.`);
  }
  return limit;
}

type Where<Test, Of> = { [Key in keyof Of]-?: Of[Key] extends Test ? Key : never }[keyof Of];

/** The routes whose answer is a page of a list. */
type ListName = Where<{ readonly next: string | null }, { [Name in RouteName]: AnswerTo<Name> }>;
/** What the answer calls the items. */
type NounOf<Name extends ListName> = Where<readonly object[], AnswerTo<Name>>;
type ItemOf<Name extends ListName> = AnswerTo<Name>[NounOf<Name>] extends readonly (infer Item)[]
  ? Item
  : never;

type ListOf<Name extends ListName> = SentTo<Api[Name]> & {
  readonly name: Name;
  readonly noun: NounOf<Name> & string;
};

/** The items of one page, or of all; beside them what else the first page says. */
export async function pagesOf<Name extends ListName>(
  io: Io,
  wanted: ListOf<Name>,
  { limit, cursor: from, all }: PageOptions,
): Promise<{
  readonly items: readonly ItemOf<Name>[];
  readonly next: string | null;
  readonly first: AnswerTo<Name>;
  readonly altered: readonly string[];
}> {
  const { name, noun } = wanted;
  const { params, query } = wanted as Parts;
  const items: ItemOf<Name>[] = [];
  let first: AnswerTo<Name> | undefined;
  let cursor = from;
  let shown = false;
  const altered = new Set<string>();
  for (;;) {
    const asked = { ...query, limit: all ? MAX_PAGE : limit, cursor };
    const page = (await askApi(io, name, { params, query: asked })) as AnswerTo<Name>;
    first ??= page;
    items.push(...(page[noun] as ItemOf<Name>[]));
    const { next, altered: told = [] } = page as typeof page & Told;
    for (const name of told) altered.add(name);
    // A page can be empty although the next one is not.
    if (next === null || (!all && items.length > 0)) {
      if (shown) io.progress?.('');
      return { items, next, first, altered: [...altered] };
    }
    cursor = next;
    shown = true;
    io.progress?.(`${items.length} so far`);
  }
}

/**
 * The items of a whole list, page by page: for those that are too many to have at once.
 * @param altered gets the names of what another hand has changed, and that is left out
 */
export async function* everyPage<Name extends ListName>(
  io: Io,
  { name, noun, ...wanted }: ListOf<Name>,
  altered: Set<string>,
): AsyncGenerator<readonly ItemOf<Name>[], void> {
  const { params, query } = wanted as Parts;
  for (let cursor: string | undefined, more = true; more; ) {
    const asked = { ...query, limit: MAX_PAGE, cursor };
    const page = (await askApi(io, name, { params, query: asked })) as AnswerTo<Name>;
    const { next, altered: told = [] } = page as typeof page & Told;
    for (const one of told) altered.add(one);
    yield page[noun] as ItemOf<Name>[];
    [cursor, more] = [next ?? undefined, next !== null];
  }
}

type Listing<Name extends ListName> = ListOf<Name> & {
  readonly columns: readonly string[];
  readonly row: (item: ItemOf<Name>) => readonly string[];
  /** The sentence for an empty list. */
  readonly none: string;
};

/** A table on stdout, CSV, or one JSON object as the API has it; how to go on, on stderr. */
export async function showList<Name extends ListName>(
  io: Io,
  listing: Listing<Name>,
  options: PageOptions,
): Promise<readonly ItemOf<Name>[]> {
  const { noun, columns, row, none } = listing;
  const { items, next, altered } = await pagesOf<Name>(io, listing, options);
  const table = () => ({ columns, rows: items.map(row) });
  const page = () => (items.length > 0 ? [[table()]] : []);
  await show(io, options, {
    ...{ json: { [noun]: items, next, ...(altered.length > 0 ? { altered } : {}) } },
    ...{ page, table },
  });
  if (items.length === 0 && altered.length === 0) io.note(none);
  noteNext(io, options, next);
  requireUnaltered(io, altered);
  return items;
}

type Told = { readonly altered?: readonly string[] };

/**
 * What has been shown is true, and is not all: whatever another hand has changed is left out.
 * @throws {CliError} failure
 */
export function requireUnaltered(io: Io, altered: readonly string[] = []): void {
  if (altered.length === 0) return;
  noteAltered(io, altered);
  const what = altered.length === 1 ? '1 record was' : `${altered.length} records were`;
  throw new CliError(
    'failure',
    `${what} changed by another hand: SECURITY.md says what that means`,
  );
}

/** How to go on with a list; the JSON has it. */
export function noteNext(io: Io, options: ShowOptions, next: string | null): void {
  if (next === null || formatOf(options) === 'json') return;
  io.note(`there are more: add --all, or --cursor ${next}`);
}

export function noteAltered(io: Io, altered: readonly string[]): void {
  for (const name of altered) {
    io.note(`the record ${name} was changed by another hand: nothing that it says is shown`);
  }
}
