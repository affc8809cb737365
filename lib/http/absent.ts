// What is asked for by name and is not there, or is there and says nothing that counts.

import { HttpFailure } from '../base/errors.ts';
import { View } from '../ca/record/unit-of-work.ts';
import type { Key, Store } from '../ports/store.ts';

/**
 * @param remedy what can be done about a record that another hand has changed
 * @throws {HttpFailure} 409 for such a record, which is not shown as if it was true; 404 where there is none
 */
export async function absent(
  { store }: { readonly store: Store },
  record: Key,
  remedy: string,
): Promise<never> {
  const view = new View(store);
  await view.load([record]);
  const [altered] = view.altered;
  if (altered === undefined) throw new HttpFailure(404, `no such ${record.kind}`);
  throw new HttpFailure(
    409,
    `the record ${altered} was changed by another hand, and nothing that it says counts: ${remedy}`,
  );
}

/** Of a page of a list: the records that are not in it, because another hand has changed them. */
export const toldOf = (altered: readonly string[] = []) =>
  altered.length > 0 ? { altered: [...new Set(altered)] } : {};
