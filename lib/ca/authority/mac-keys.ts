// MAC keys in records, for adapters that seal them: made once by an operator's command, read by the adapter
// when it needs them. They are sealed, so read access to the store does not reveal them.

import { base64, fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { type MacPurpose, macPurposes } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import type { SealedMacKey } from '../../ports/mac-keys.ts';
import type { MacKeysRecord } from '../../ports/records/registry.ts';
import type { Store } from '../../ports/store.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';

/** The keys on record for this purpose, the one that makes new MACs first; none before they are made. */
export async function readMacKeys(store: Store, purpose: MacPurpose): Promise<SealedMacKey[]> {
  const view = new View(store);
  await view.load([{ kind: 'macKeys', key: purpose }]);
  const record = view.get('macKeys', purpose);
  if (record === undefined && view.rev('macKeys', purpose) === 0) return [];
  try {
    return sealedKeysIn(record?.keys).map(({ id, sealedKey }) => {
      return { id, sealed: fromBase64(sealedKey) };
    });
  } catch {
    throw new Outage(
      `the MAC keys for "${purpose}" were changed by another hand: run "scepter ca mac-keys --restore FILE"`,
    );
  }
}

type SealedKeys = MacKeysRecord['keys'];

/** @throws {TypeError} unless it is a list of sealed keys */
function sealedKeysIn(said: unknown): SealedKeys {
  const keys = Array.isArray(said) ? said.map((one) => Object(one)) : [];
  const good = keys.every(
    ({ id, sealedKey }) => typeof id === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(sealedKey),
  );
  if (keys.length === 0 || !good) throw new TypeError('no sealed MAC keys');
  return keys.map(({ id, sealedKey }) => ({ id, sealedKey }));
}

/** Sealed MAC keys as a backup has them: they open only with the key that sealed them. */
type MacKeysBackup = Readonly<Partial<Record<MacPurpose, SealedKeys>>>;

/** @throws {TypeError|SyntaxError} for a text that is not such a backup */
export function readMacKeysBackup(text: string): MacKeysBackup {
  const said: Record<string, unknown> = Object(JSON.parse(text));
  const found = macPurposes.flatMap((purpose) =>
    said[purpose] === undefined ? [] : [[purpose, sealedKeysIn(said[purpose])] as const],
  );
  if (found.length === 0) throw new TypeError('it has no keys');
  return Object.fromEntries(found);
}

/** All keys on record. @throws {Outage} if they were altered */
export async function backUpMacKeys(store: Store): Promise<MacKeysBackup> {
  const all = await Promise.all(
    macPurposes.map(async (purpose) => {
      const keys = await readMacKeys(store, purpose);
      return [purpose, keys.map(({ id, sealed }) => ({ id, sealedKey: base64(sealed) }))] as const;
    }),
  );
  return Object.fromEntries(all.filter(([, keys]) => keys.length > 0));
}

/**
 * Replaces the keys on record with those of a backup. What tells of it follows in a write of its own: it is under the
 * MAC of a key that may be among them.
 * @returns the purposes whose keys have changed
 */
export async function restoreMacKeys(
  { store, clock, random, reload }: Ports & { readonly reload: () => void },
  backup: MacKeysBackup,
  actor: Actor,
): Promise<readonly MacPurpose[]> {
  const view = new View(store);
  await view.load(macPurposes.map((purpose) => ({ kind: 'macKeys', key: purpose })));
  const draft = new Draft(view);
  const changed = macPurposes.filter((purpose) => {
    const keys = backup[purpose];
    return keys && JSON.stringify(view.get('macKeys', purpose)?.keys) !== JSON.stringify(keys);
  });
  if (changed.length === 0) return changed;
  for (const purpose of changed) draft.put('macKeys', purpose, { keys: backup[purpose] ?? [] });
  if ((await store.write(draft.actions)) === 'conflict') {
    throw new Outage(
      'somebody else has just changed the MAC keys: look at them, and run this again',
    );
  }
  reload();
  const told = new Draft(new View(store));
  for (const purpose of changed) {
    const note = `restored the MAC keys for ${purpose}`;
    told.event(clock.now(), random, { type: 'admin.acted', actor, note });
  }
  await store.write(told.actions);
  return changed;
}

type Ports = Pick<Deps, 'store' | 'clock' | 'random'>;
type Made = { readonly id: string; readonly purpose: MacPurpose };

/** Events are under a MAC of this one: it is made first, and its own event comes with the next key. */
const first: MacPurpose = 'record';

/**
 * Makes the keys of those purposes that have none.
 * @returns the purposes that got one
 */
export async function initMacKeys(
  { store, clock, random }: Ports,
  make: (purpose: MacPurpose) => Promise<SealedMacKey>,
  actor: Actor,
): Promise<readonly MacPurpose[]> {
  const made: MacPurpose[] = [];
  let untold: readonly Made[] = [];
  const tell = (draft: Draft, all: readonly Made[]): void => {
    for (const { id, purpose } of all) {
      const note = `made the MAC key for ${purpose}`;
      draft.event(clock.now(), random, { type: 'admin.acted', actor, key: id, note });
    }
  };
  for (const purpose of [first, ...macPurposes.filter((one) => one !== first)]) {
    const view = new View(store);
    await view.load([{ kind: 'macKeys', key: purpose }]);
    if (view.get('macKeys', purpose)) continue;
    const { id, sealed } = await make(purpose);
    const draft = new Draft(view);
    draft.create('macKeys', purpose, { keys: [{ id, sealedKey: base64(sealed) }] });
    const all = [...untold, { id, purpose }];
    if (purpose !== first) tell(draft, all);
    // A conflict: another operator has just made it, and that key counts.
    if ((await store.write(draft.actions)) === 'conflict') continue;
    made.push(purpose);
    untold = purpose === first ? all : [];
  }
  const draft = new Draft(new View(store));
  tell(draft, untold);
  if (untold.length > 0) await store.write(draft.actions);
  return macPurposes.filter((purpose) => made.includes(purpose));
}
