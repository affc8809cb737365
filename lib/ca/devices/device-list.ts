// Lists, shows and removes devices of a list. What is removed stays on record: it is refused, and the refusal says by
// whom it was removed.

import { Outage } from '../../base/errors.ts';
import { MAX_ISSUE_ROUNDS } from '../../base/limits.ts';
import type { DeviceState } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import type { DeviceRecord } from '../../ports/records/device.ts';
import { deviceKey } from '../../ports/records/places.ts';
import type { Deps } from '../deps.ts';
import { type Altered, browse, type Turn } from '../query/browse.ts';
import { authorOf } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { putRemoved } from './import.ts';
import { isDropped, keysOf, rowAt, rowKeys } from './standing.ts';

export type ListedDevice = DeviceRecord & { readonly state: DeviceState };

/** By their ids, in the order of the alphabet. */
export async function listDevices(
  { store }: Pick<Deps, 'store'>,
  list: string,
  turn: Turn,
): Promise<Altered & { readonly devices: readonly ListedDevice[]; readonly next?: string }> {
  const range = { kind: 'device', list: 'listed', groups: [list] } as const;
  const { records, ...rest } = await browse({ store }, range, turn);
  const view = new View(store);
  await view.load(records.flatMap(({ id }) => rowKeys(deviceKey(list, id))));
  return { devices: records.map((record) => shown(view, record)), ...rest };
}

function shown(view: View, record: DeviceRecord): ListedDevice {
  const now = rowAt(view, deviceKey(record.list, record.id));
  if (!now) return { ...record, state: 'invalid' };
  return { ...now, state: now.removed ? 'removed' : 'listed' };
}

/** @param identifier any of those of the device */
export async function findDevice(
  { store }: Pick<Deps, 'store'>,
  list: string,
  identifier: string,
): Promise<ListedDevice | undefined> {
  const view = new View(store);
  const key = deviceKey(list, identifier);
  await view.load(rowKeys(key));
  const record = view.get('device', key);
  if (!record || isDropped(record)) return undefined;
  if (!rowAt(view, key)) return { ...record, state: 'invalid' };
  return { ...record, state: record.removed ? 'removed' : 'listed' };
}

/**
 * Removes a device: no request that is judged from this write on gets anything for it.
 * @param identifier any of those of the device
 * @returns undefined for an unknown device
 */
export async function removeDevice(
  deps: Pick<Deps, 'store' | 'clock' | 'random'>,
  list: string,
  identifier: string,
  { actor, reason }: { readonly actor: Actor; readonly reason: string | undefined },
): Promise<ListedDevice | undefined> {
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const found = await findDevice(deps, list, identifier);
    if (!found || found.state === 'removed') return found;
    const { state: _state, ...record } = found;
    const keys = keysOf(list, record.identifiers);
    const view = new View(deps.store);
    await view.load(keys.flatMap(rowKeys));
    const now = deps.clock.now();
    const removed = { ...authorOf(actor), at: now };
    const draft = new Draft(view);
    for (const key of keys) {
      // It may be that of another device by now.
      const held = rowAt(view, key);
      if (!held || held.id === record.id) putRemoved(draft, key, record, removed);
    }
    draft.event(now, deps.random, {
      ...{ type: 'devices.removed', actor, list, device: record.id, number: 1 },
      ...(reason === undefined ? {} : { note: reason }),
    });
    if ((await deps.store.write(draft.actions)) === 'done') {
      return { ...record, removed, state: 'removed' };
    }
  }
  throw new Outage('the device kept changing while it was to be removed');
}
