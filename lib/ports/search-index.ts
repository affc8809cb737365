// The index in which people's searches find Transactions by their words. It is written some time after the records
// (`ca/query/keep-index.ts`) and is only a hint: whoever finds a Transaction in it reads the record, and compares.
//
// Of a Transaction it has `starts`: texts that begin with one of its words and go on with what follows it. So a
// search for the beginning of a word, however much comes after it, is one for texts with that beginning.
// All texts are ASCII without `/`, `^` and spaces (`ca/query/words.ts`).

export type Indexed = {
  readonly id: string;
  readonly starts: readonly string[];
  /** When the record may be deleted, if ever: its entries may go with it. */
  readonly expiresAt?: number;
};

/** What a Transaction must have: a start with this beginning; or this in one of its starts. */
export type SearchTerm = { readonly text: string; readonly inside: boolean };

export type SearchQuery = {
  /** At least one; a Transaction must have all. */
  readonly terms: readonly SearchTerm[];
  /** `at` of the hit after which to go on. */
  readonly from?: string;
  readonly limit: number;
};

export type Hit = {
  readonly id: string;
  readonly at: string;
  /** What it was found by, where a Transaction is found once for each of its starts that has the beginning. */
  readonly start?: string;
};

export type Hits = {
  /** In no order that is promised. Some may lack a term: the record decides. */
  readonly hits: readonly Hit[];
  /** The beginning that all `start`s of the hits have. */
  readonly beginning?: string;
  /** Where to go on; absent at the end. */
  readonly next?: string;
};

export interface SearchIndex {
  /** Terms may be `inside`; elsewhere none of them is. */
  readonly findsInside: boolean;

  /** Takes the place of what it has of the same Transactions. Some of it may be done when it throws: call it again. */
  add(all: readonly Indexed[]): Promise<void>;

  /** Those of these Transactions of which it has nothing. */
  missing(ids: readonly string[]): Promise<readonly string[]>;

  find(query: SearchQuery): Promise<Hits>;
}
