// Pages of the store's lists for people: one list, or several of the same kind merged, with unwanted
// records left out. A page costs a bounded number of reads; where few of many records match it may be
// short, or empty, and still not be the last. A record that another hand has changed is left out, and told of.

import { MAX_KEYS_READ, MAX_PAGE, MAX_PAGE_READS } from '../../base/limits.ts';
import { type List, type Place, placesOf } from '../../ports/records/places.ts';
import type { Kind, Records } from '../../ports/records/records.ts';
import type { Page, Store } from '../../ports/store.ts';
import { View } from '../record/unit-of-work.ts';

/** Sort values after the one and before the other only, in the direction of the range. */
type Bounds = { readonly from?: string; readonly until?: string };

/** The range to read: the same list of one or more groups, in the order of its sort values. */
type Places<K extends Kind> = Bounds & {
  readonly kind: K;
  readonly list: List;
  readonly groups: readonly string[];
  /** Instead of those of the whole range, for the groups that are in it. */
  readonly within?: ReadonlyMap<string, Bounds>;
  readonly reverse?: boolean;
  /** Only records with such keys are read: where few of many are wanted, their keys tell. */
  readonly isWanted?: (key: string) => boolean;
};

export type Range<K extends Kind> = Places<K> & {
  /** Of those, the records that are wanted; all if absent. */
  readonly keep?: (record: Records[K]) => boolean;
};

/** A range whose records are shown as something else. */
export type Selection<K extends Kind, Shown> = Places<K> & {
  /** Undefined: the record is left out. */
  readonly select: (record: Records[K], key: string) => Shown | undefined;
  /** Records may be left out, so that a page of them is read for a few. */
  readonly filters: boolean;
};

export type Turn = {
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string;
};

/** Names of records (`kind key`) that another hand has changed: what stands in them is not told. */
export type Altered = { readonly altered?: readonly string[] };

type Browsed<Shown> = Altered & {
  readonly records: readonly Shown[];
  /** Where to go on; absent at the end. */
  readonly next?: string;
};

export const browse = <K extends Kind>(
  deps: { readonly store: Store },
  { keep, ...places }: Range<K>,
  turn: Turn,
): Promise<Browsed<Records[K]>> => {
  const select = (record: Records[K]) => (!keep || keep(record) ? record : undefined);
  return browseAs(deps, { ...places, select, filters: keep !== undefined }, turn);
};

export async function browseAs<K extends Kind, Shown>(
  { store }: { readonly store: Store },
  selection: Selection<K, Shown>,
  { limit, cursor }: Turn,
): Promise<Browsed<Shown>> {
  const { kind, list, groups, within, reverse = false, from, until, select, filters } = selection;
  const { isWanted } = selection;
  const beyond = (a: string, b: string): boolean => (reverse ? a < b : a > b);
  const found: Shown[] = [];
  const altered = new Set<string>();
  const told = () => (altered.size > 0 ? { altered: [...altered] } : {});
  const size = isWanted ? MAX_KEYS_READ : filters ? MAX_PAGE : Math.min(limit, MAX_PAGE);
  let at = cursor ?? from;
  // Lists of many groups cost more, and are read less often for a page.
  for (let reads = 0; reads === 0 || reads * groups.length < MAX_PAGE_READS; reads++) {
    const after = at;
    const pages: Page[] = [];
    // One after the other: a list of a table asks as many of its shards at once as it may.
    for (const group of groups) {
      const own: Bounds = within?.get(group) ?? { ...(until === undefined ? {} : { until }) };
      const start =
        own.from === undefined || (after !== undefined && beyond(after, own.from))
          ? after
          : own.from;
      const bounds = { ...own, ...(start === undefined ? {} : { from: start }) };
      const page = await store.list({ list, reverse, limit: size, group, ...bounds });
      pages.push(isWanted ? { ...page, keys: page.keys.filter(isWanted) } : page);
    }
    const view = new View(store);
    const keys = pages.flatMap((page) => page.keys);
    await view.load(keys.map((key) => ({ kind, key })));
    for (const name of view.altered) altered.add(name);
    const horizon = nearest(pages, beyond);
    const rows = pages
      .flatMap(({ keys }, i) => placed(view, kind, keys, { list, group: groups[i] ?? '' }))
      .filter(({ sort }) => after === undefined || beyond(sort, after))
      .filter(({ sort }) => horizon === undefined || !beyond(sort, horizon))
      .sort((a, b) => (beyond(a.sort, b.sort) ? 1 : -1));
    for (const { key, record, sort } of rows) {
      if (found.length === limit) {
        return { records: found, ...(at === undefined ? {} : { next: at }), ...told() };
      }
      const shown = select(record, key);
      if (shown !== undefined) found.push(shown);
      at = sort;
    }
    if (horizon === undefined) return { records: found, ...told() };
    at = horizon;
    if (found.length === limit) break;
  }
  return { records: found, ...(at === undefined ? {} : { next: at }), ...told() };
}

/** The place up to which every group has been read: beyond it, another group may have earlier records. */
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

/** The list lags behind the records, and may be another hand's: where a record stands is what it says. */
function placed<K extends Kind>(
  view: View,
  kind: K,
  keys: readonly string[],
  { list, group }: Pick<Place, 'list' | 'group'>,
): { readonly key: string; readonly record: Records[K]; readonly sort: string }[] {
  return [...new Set(keys)].flatMap((key) => {
    const record = view.unaltered(kind, key);
    if (!record) return [];
    const place = placesOf(kind, key, record).find(
      (one) => one.list === list && one.group === group,
    );
    return place ? [{ key, record, sort: place.sort }] : [];
  });
}
