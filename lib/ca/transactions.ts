// Transactions as people look at them: lists, newest first, and one with its timeline.

import { MAX_PAGE, MAX_PAGE_READS } from '../limits.ts';
import type { Transaction, TransactionState } from '../ports/records.ts';
import type { Deps } from './deps.ts';
import { View } from './view.ts';

/** States in which something is still to be done; the store lists these by when it is due. */
export const openStates = ['pending', 'approved', 'intended', 'signed'] as const;

export type TransactionQuery = {
  readonly endpoint: string;
  readonly state?: TransactionState;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string;
};

export type TransactionPage = {
  readonly transactions: readonly Transaction[];
  /** Where to go on. Where few of many are asked for, a page may be short and still not the last. */
  readonly next?: string;
};

export async function listTransactions(
  { store }: Deps,
  { endpoint, state, limit, cursor }: TransactionQuery,
): Promise<TransactionPage> {
  const open = openStates.find((candidate) => candidate === state);
  const query = open
    ? ({ list: 'open', group: open } as const)
    : ({ list: 'transactions', group: endpoint, reverse: true } as const);
  const found: Transaction[] = [];
  let from = cursor;
  for (let reads = 0; reads < MAX_PAGE_READS && found.length < limit; reads++) {
    const page = await store.list({
      ...query,
      limit: Math.min(limit, MAX_PAGE) - found.length,
      ...(from === undefined ? {} : { from }),
    });
    const view = new View(store);
    await view.load(page.keys.map((key) => ({ kind: 'transaction', key })));
    const listed = page.keys.flatMap((key) => view.get('transaction', key) ?? []);
    // The list lags behind, and one of the open is of all endpoints: what a record says counts.
    const matches = listed.filter(
      (transaction) =>
        transaction.endpoint === endpoint && (state === undefined || transaction.state === state),
    );
    found.push(...matches);
    from = page.next;
    if (from === undefined) break;
  }
  return { transactions: found, ...(from === undefined ? {} : { next: from }) };
}

export async function findTransaction(
  { store }: Deps,
  id: string,
): Promise<Transaction | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'transaction', key: id }]);
  return view.get('transaction', id);
}
