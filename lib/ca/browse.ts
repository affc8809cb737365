// Pages of the store's lists, as people look at them: one list or several of the same kind as one,
// with what is not asked for left out. A page costs a bounded number of reads, whatever is asked
// for; where few of many match it may be short, or empty, and still not be the last.

import { MAX_PAGE, MAX_PAGE_READS } from '../limits.ts';
import { type List, placesOf } from '../ports/places.ts';
import type { Kind, Records } from '../ports/records.ts';
import type { Page, Row, Store } from '../ports/store.ts';
import { View } from './view.ts';

/** Sort values after the one and before the other only, in the direction of the range. */
export type Bounds = { readonly from?: string; readonly until?: string };

/** What is looked through: the same list of one or more groups, in the order of its sort values. */
export type Range<K extends Kind> = Bounds & {
  readonly kind: K;
  readonly list: List;
  readonly groups: readonly string[];
  /** Instead of those of the whole range, for the groups that are in it. */
  readonly within?: ReadonlyMap<string, Bounds>;
  readonly reverse?: boolean;
  /** Of those, the records that are wanted; all if absent. */
  readonly keep?: (record: Records[K]) => boolean;
};

export type Turn = {
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string;
};

export type Browsed<K extends Kind> = {
  readonly records: readonly Records[K][];
  /** Where to go on; absent at the end. */
  readonly next?: string;
};

export async function browse<K extends Kind>(
  { store }: { readonly store: Store },
  { kind, list, groups, within, reverse = false, from, until, keep }: Range<K>,
  { limit, cursor }: Turn,
): Promise<Browsed<K>> {
  const beyond = (a: string, b: string): boolean => (reverse ? a < b : a > b);
  const found: Records[K][] = [];
  const size = keep ? MAX_PAGE : Math.min(limit, MAX_PAGE);
  let at = cursor ?? from;
  for (let reads = 0; reads < MAX_PAGE_READS; reads++) {
    const after = at;
    const pages = await Promise.all(
      groups.map((group) => {
        const own: Bounds = within?.get(group) ?? { ...(until === undefined ? {} : { until }) };
        const start =
          own.from === undefined || (after !== undefined && beyond(after, own.from))
            ? after
            : own.from;
        const bounds = { ...own, ...(start === undefined ? {} : { from: start }) };
        return store.list({ list, reverse, limit: size, group, ...bounds });
      }),
    );
    const view = new View(store);
    await view.load(pages.flatMap(({ keys }) => keys.map((key) => ({ kind, key }))));
    const horizon = nearest(pages, beyond);
    const rows = pages
      .flatMap(({ keys }, i) => placed(view, kind, keys, list, groups[i] ?? ''))
      .filter(({ sort }) => after === undefined || beyond(sort, after))
      .filter(({ sort }) => horizon === undefined || !beyond(sort, horizon))
      .sort((a, b) => (beyond(a.sort, b.sort) ? 1 : -1));
    for (const { row, sort } of rows) {
      if (found.length === limit)
        return { records: found, ...(at === undefined ? {} : { next: at }) };
      if (!keep || keep(row.record)) found.push(row.record);
      at = sort;
    }
    if (horizon === undefined) return { records: found };
    at = horizon;
    if (found.length === limit) break;
  }
  return { records: found, ...(at === undefined ? {} : { next: at }) };
}

/** Up to where every group has been read: beyond it, one may have what comes before another's. */
function nearest(
  pages: readonly Page[],
  beyond: (a: string, b: string) => boolean,
): string | undefined {
  const ends = pages.flatMap(({ next }) => (next === undefined ? [] : [next]));
  return ends.reduce<string | undefined>(
    (least, end) => (least === undefined || beyond(least, end) ? end : least),
    undefined,
  );
}

/** The list lags behind the records: where one stands is what the record says. */
function placed<K extends Kind>(
  view: View,
  kind: K,
  keys: readonly string[],
  list: List,
  group: string,
): { readonly row: Row<K>; readonly sort: string }[] {
  return keys.flatMap((key) => {
    const row = view.row(kind, key);
    if (!row) return [];
    const place = placesOf(kind, key, row.record).find(
      (one) => one.list === list && one.group === group,
    );
    return place ? [{ row, sort: place.sort }] : [];
  });
}
