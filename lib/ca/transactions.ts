// Transactions as people look at them: lists, newest first, and one with its timeline.

import { MAX_PAGE } from '../limits.ts';
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
  const page = await store.list({
    ...query,
    limit: Math.min(limit, MAX_PAGE),
    ...(cursor === undefined ? {} : { from: cursor }),
  });
  const view = new View(store);
  await view.load(page.keys.map((key) => ({ kind: 'transaction', key })));
  const transactions = page.keys.flatMap((key) => view.get('transaction', key) ?? []);
  return {
    // The list lags behind: what a record says is what counts.
    transactions: transactions.filter(
      (transaction) =>
        transaction.endpoint === endpoint && (state === undefined || transaction.state === state),
    ),
    ...(page.next === undefined ? {} : { next: page.next }),
  };
}

export async function findTransaction(
  { store }: Deps,
  id: string,
): Promise<Transaction | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'transaction', key: id }]);
  return view.get('transaction', id);
}
