// Which CAs there are: those that the configuration names, and all that were ever made here. A CA that is taken
// out of the configuration is still a CA: its CRL goes on until an operator retires it, its certificates are
// found, and its keys are no device's. The list is a record of its own, because a store lists no records
// that stand in no list, and most processes may read only by key.

import type { Config } from '../../config/config.ts';
import type { Key, Store } from '../../ports/store.ts';
import { type Draft, View } from '../record/unit-of-work.ts';

type Ports = { readonly config: Pick<Config, 'cas'>; readonly store: Pick<Store, 'read'> };

/** Where the list stands. */
const list = { kind: 'authorities', key: 'all' } as const;

const keyOf = (id: string): Key<'authority'> => ({ kind: 'authority', key: id });

/**
 * Reads the list and the records of all CAs. A list that does not hold counts as empty: no CA of the
 * configuration is lost by that, and `status` says it.
 * @returns their ids, those of the configuration first, in its order
 */
export async function loadCas({ config: { cas } }: Ports, view: View): Promise<readonly string[]> {
  const named = [...cas.keys()];
  await view.load([list, ...named.map(keyOf)]);
  const all = [...new Set([...named, ...listedIn(view)])];
  await view.load(all.map(keyOf));
  return all;
}

const listedIn = (view: View): readonly string[] => view.unaltered(list.kind, list.key)?.cas ?? [];

/** Puts a CA into the list, if it is not there. The list has been read by `loadCas`. */
export function enterCa(draft: Draft, id: string): void {
  const cas = listedIn(draft.view);
  if (!cas.includes(id)) draft.put(list.kind, list.key, { cas: [...cas, id] });
}

export const isListed = (view: View, id: string): boolean => listedIn(view).includes(id);

/** All CAs there are or were, for whoever looks for what they have issued. */
export async function everyCa({ config: { cas }, store }: Ports): Promise<readonly string[]> {
  const view = new View(store);
  await view.load([list]);
  return [...new Set([...cas.keys(), ...listedIn(view)])];
}

/** Those whose CRLs are published and served: of the configuration, or made here and not retired. */
export async function servedCas(ports: Ports): Promise<readonly string[]> {
  const view = new View(ports.store);
  return (await loadCas(ports, view)).filter(
    (id) => ports.config.cas.has(id) || !isRetired(view, id),
  );
}

/** Those made here that the configuration does not name and that are not retired. */
export const unnamedIn = (
  { cas }: Pick<Config, 'cas'>,
  view: View,
  ids: readonly string[],
): readonly string[] => ids.filter((id) => !cas.has(id) && !isRetired(view, id));

const isRetired = (view: View, id: string): boolean =>
  view.unaltered('authority', id)?.retiredAt !== undefined;
