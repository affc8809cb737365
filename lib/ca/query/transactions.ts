// Transactions as people look for them: by endpoint and state, by what they are about, and one with
// its certificate and everything that happened to it.

import type { Bytes } from '../../base/bytes.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import type { TransactionState } from '../../base/words.ts';
import { eventText } from '../../events/event.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import { isGone } from '../../ports/records/expiry.ts';
import { deviceOf } from '../../ports/records/places.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { everyCa } from '../authority/known.ts';
import type { Deps } from '../deps.ts';
import { csrOf, loadTransaction } from '../enrol/lookup.ts';
import { View } from '../record/unit-of-work.ts';
import { type Altered, browse, type Range, type Turn } from './browse.ts';
import { findByWords } from './find.ts';
import { begins, certificatesOf, type Search, searched } from './search.ts';
import { hasAll } from './words.ts';

/** States in which something is still to be done; the store lists these by when it is due. */
export const openStates = ['pending', 'approved', 'intended', 'signed'] as const;

type TransactionQuery = Turn &
  Search & {
    /** Only those of this endpoint; otherwise of every one that is configured. */
    readonly endpoint?: string | undefined;
    /** How the id begins; not all of it. */
    readonly idPrefix?: string | undefined;
    readonly state?: TransactionState | undefined;
  };

type TransactionPage = Altered & {
  readonly transactions: readonly Transaction[];
  /** Where to go on. Where few of many are asked for, a page may be short and still not the last. */
  readonly next?: string;
};

/** Newest first; open ones by when something is due; found ones in the order of what they are found by. */
export async function listTransactions(
  deps: Pick<Deps, 'store' | 'index' | 'config' | 'clock'>,
  { limit, cursor, ...query }: TransactionQuery,
): Promise<TransactionPage> {
  const now = deps.clock.now();
  if (query.serial !== undefined) {
    const { altered, transactions } = await transactionsOf(deps, query.serial);
    const { words = [] } = query;
    const found = transactions.filter((one) => matches(one, query) && hasAll(one, words));
    return { transactions: found, altered };
  }
  const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
  if (query.words !== undefined) {
    const keep = (one: Transaction) => matches(one, query) && !isGone('transaction', one, now);
    const { records, ...rest } = await findByWords(deps, query.words, turn, keep);
    return { transactions: records, ...rest };
  }
  const { records, ...rest } = await browse(deps, await rangeOf(deps, query), turn);
  return { transactions: records.filter((one) => !isGone('transaction', one, now)), ...rest };
}

type Filters = Omit<TransactionQuery, keyof Turn>;

const matches = (one: Transaction, { endpoint, state, subject, device, idPrefix = '' }: Filters) =>
  one.id.startsWith(idPrefix) &&
  (endpoint === undefined || one.endpoint === endpoint) &&
  (state === undefined || one.state === state) &&
  begins(one.subject, subject) &&
  begins(deviceOf(one), device);

async function rangeOf(
  { config, store }: Pick<Deps, 'config' | 'store'>,
  query: Filters,
): Promise<Range<'transaction'>> {
  const { endpoint, state } = query;
  const kind = 'transaction';
  const keep = (one: Transaction): boolean => matches(one, query);
  const found = searched(query);
  if (found) return { kind, ...found, groups: await casOf({ config, store }, endpoint), keep };
  const groups = endpoint === undefined ? [...config.endpoints.keys()] : [endpoint];
  const all = { kind, list: 'transactions', groups, reverse: true } as const;
  if (query.idPrefix !== undefined) {
    return { ...all, from: `${query.idPrefix}~`, until: query.idPrefix, keep };
  }
  const open = openStates.find((candidate) => candidate === state);
  if (open) return { kind, list: 'open', groups: [open], keep };
  return state === undefined ? all : { ...all, keep };
}

/** The CA of the endpoint, or all. */
const casOf = async (
  deps: Pick<Deps, 'config' | 'store'>,
  endpoint: string | undefined,
): Promise<readonly string[]> => {
  const ca = endpoint === undefined ? undefined : deps.config.endpoints.get(endpoint)?.ca;
  return ca === undefined ? everyCa(deps) : [ca];
};

/** Of every CA that has a certificate with this serial number. */
async function transactionsOf(
  deps: Pick<Deps, 'store' | 'config'>,
  serial: string,
): Promise<Required<Altered> & Pick<TransactionPage, 'transactions'>> {
  const view = new View(deps.store);
  const certificates = await certificatesOf(view, await everyCa(deps), [serial]);
  const ids = certificates.map(({ transaction }) => transaction);
  await view.load(ids.map((key) => ({ kind: 'transaction', key })));
  const transactions = ids.flatMap((id) => view.get('transaction', id) ?? []);
  return { transactions, altered: view.altered };
}

export async function findTransaction(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  id: string,
): Promise<Transaction | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'transaction', key: id }]);
  const found = view.get('transaction', id);
  return found && !isGone('transaction', found, clock.now()) ? found : undefined;
}

type TransactionStory = Altered & {
  readonly transaction: Transaction;
  readonly csr: Bytes;
  /** Of its latest attempt. */
  readonly certificate: CertificateRecord | undefined;
  /** Its events, oldest first: JSON texts (`eventText`). */
  readonly events: readonly string[];
  /** It has more events than these. */
  readonly more: boolean;
};

export async function storyOf(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  id: string,
): Promise<TransactionStory | undefined> {
  const view = new View(store);
  const { transaction, certificate } = await loadTransaction(view, id);
  if (!transaction || isGone('transaction', transaction, clock.now())) return undefined;
  const range = { kind: 'event', list: 'timeline', groups: [id] } as const;
  const { records, next, altered = [] } = await browse({ store }, range, { limit: MAX_PAGE });
  const csr = await csrOf(view, transaction);
  return {
    transaction,
    csr,
    altered: [...view.altered, ...altered],
    certificate,
    events: records.map(eventText),
    more: next !== undefined,
  };
}
