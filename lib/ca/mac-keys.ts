// MAC keys in records, for adapters that seal them: made once by an operator's command, read by the
// adapter when it needs them. Sealed, so the record may be read by whoever can read the store.

import { base64, fromBase64 } from '../bytes.ts';
import { type MacPurpose, macPurposes, type SealedMacKey } from '../ports/mac-keys.ts';
import type { Store } from '../ports/store.ts';
import type { Deps } from './deps.ts';
import { Draft, View } from './view.ts';

/** The keys on record for this purpose, the one that makes new MACs first; none before they are made. */
export async function readMacKeys(store: Store, purpose: MacPurpose): Promise<SealedMacKey[]> {
  const view = new View(store);
  await view.load([{ kind: 'macKeys', key: purpose }]);
  const keys = view.get('macKeys', purpose)?.keys ?? [];
  return keys.map(({ id, sealedKey }) => ({ id, sealed: fromBase64(sealedKey) }));
}

/**
 * Makes the keys of those purposes that have none.
 * @returns the purposes that got one
 */
export async function initMacKeys(
  { store, clock, random }: Pick<Deps, 'store' | 'clock' | 'random'>,
  make: (purpose: MacPurpose) => Promise<SealedMacKey>,
): Promise<readonly MacPurpose[]> {
  const made: MacPurpose[] = [];
  for (const purpose of macPurposes) {
    const view = new View(store);
    await view.load([{ kind: 'macKeys', key: purpose }]);
    if (view.get('macKeys', purpose)) continue;
    const { id, sealed } = await make(purpose);
    const draft = new Draft(view);
    draft.create('macKeys', purpose, { keys: [{ id, sealedKey: base64(sealed) }] });
    draft.event(clock.now(), random, {
      type: 'admin.acted',
      actor: { kind: 'system' },
      key: id,
      note: `made the MAC key for ${purpose}`,
    });
    // A conflict: somebody else has just made it, and that one counts.
    if ((await store.write(draft.actions)) === 'done') made.push(purpose);
  }
  return made;
}
