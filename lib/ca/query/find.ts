// Transactions by their words: one page of the index and one read of what it names, whatever a search asks for. A page
// may be short, or empty, and still not be the last.

import { MAX_PAGE } from '../../base/limits.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Hit, Hits } from '../../ports/search-index.ts';
import type { Deps } from '../deps.ts';
import { View } from '../record/unit-of-work.ts';
import type { Altered, Turn } from './browse.ts';
import { hasAll, type Sought, startsOf, termOf } from './words.ts';

type Found = Altered & { readonly records: readonly Transaction[]; readonly next?: string };

/** @param keep further conditions */
export async function findByWords(
  { store, index }: Pick<Deps, 'store' | 'index'>,
  wanted: readonly Sought[],
  { limit, cursor }: Turn,
  keep: (transaction: Transaction) => boolean,
): Promise<Found> {
  const from = cursor === undefined ? {} : { from: cursor };
  const page = await index.find({ terms: wanted.map(termOf), limit: MAX_PAGE, ...from });
  const view = new View(store);
  await view.load(page.hits.map(({ id }) => ({ kind: 'transaction', key: id })));
  const { altered } = view;
  const records: Transaction[] = [];
  for (const [nth, hit] of page.hits.entries()) {
    if (records.length === limit) return { records, next: page.hits[nth - 1]?.at ?? '', altered };
    const record = view.unaltered('transaction', hit.id);
    if (record && isFirst(record, hit, page) && hasAll(record, wanted) && keep(record)) {
      records.push(record);
    }
  }
  return { records, altered, ...(page.next === undefined ? {} : { next: page.next }) };
}

/** One that is found by several of its starts is shown by the first of them. */
function isFirst(record: Transaction, { start }: Hit, { beginning }: Hits): boolean {
  if (start === undefined || beginning === undefined) return true;
  const starts = startsOf(record).filter((one) => one.startsWith(beginning));
  return !starts.includes(start) || starts.every((one) => one >= start);
}
