// The row of a device list under an identifier, as it stands: a row that was changed by another hand, or an older one that
// was put back, is none. Whoever can write the table can put both back, the row and its version (shared design 4.17).

import type { DeviceIdentifiers, DeviceRecord } from '../../ports/records/device.ts';
import { deviceKey } from '../../ports/records/places.ts';
import type { Key } from '../../ports/store.ts';
import type { View } from '../record/unit-of-work.ts';

/** What has to be read of a row. */
export const rowKeys = (key: string): Key[] => [
  { kind: 'device', key },
  { kind: 'deviceVersion', key },
];

export function rowAt(view: View, key: string): DeviceRecord | undefined {
  const record = view.get('device', key);
  return record && record.version === view.get('deviceVersion', key)?.version ? record : undefined;
}

/** Its device no longer has this identifier. */
export const isDropped = ({ removed }: DeviceRecord): boolean => removed?.identifier === true;

/** Characters of a key: the table's takes 2,048 octets. */
const MAX_KEY = 1500;
export const isDeviceKey = (key: string): boolean => key.length <= MAX_KEY;

/** Something stands there that allows nothing. */
export const isInvalid = (view: View, key: string): boolean =>
  rowAt(view, key) === undefined && view.rev('device', key) !== 0;

/** All of them, the first is the id of its row. */
export const identifiersOf = ({ serial, udid, mac, names = [] }: DeviceIdentifiers): string[] =>
  [serial, udid, mac, ...names].filter((one) => one !== undefined);

/** The keys of a row, the first is that of its id. */
export const keysOf = (list: string, identifiers: DeviceIdentifiers): string[] => [
  ...new Set(identifiersOf(identifiers).map((one) => deviceKey(list, one))),
];
