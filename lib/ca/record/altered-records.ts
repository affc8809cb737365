// Looks through a whole store for records that this service did not write, as a backup and its restore do:
// a record is as good as its MAC, and one that was changed by another hand is not believed anywhere.

import type { Key, Store } from '../../ports/store.ts';

export type LookedThrough = {
  readonly records: number;
  /** `kind key` of those without a good MAC. */
  readonly altered: readonly string[];
};

/**
 * @param store the guarded one
 * @param everyKey the keys of all records, in pages
 */
export async function lookThrough(
  store: Pick<Store, 'read'>,
  everyKey: AsyncIterable<readonly Key[]>,
): Promise<LookedThrough> {
  const altered: string[] = [];
  let records = 0;
  for await (const keys of everyKey) {
    records += keys.length;
    for (const { kind, key, record } of await store.read(keys)) {
      if (record === undefined) altered.push(`${kind} ${key}`);
    }
  }
  return { records, altered };
}
