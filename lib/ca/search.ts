// What people look for records by: how a subject or the name of a device begins, in any case; a serial
// number, of whichever CA.

import { searchText } from '../ports/places.ts';
import type { CertificateRecord } from '../ports/records.ts';
import { certificateKey } from './keys.ts';
import type { View } from './view.ts';

export type Search = {
  readonly subject?: string | undefined;
  readonly device?: string | undefined;
  /** Hexadecimal; of any attempt. */
  readonly serial?: string | undefined;
};

export const begins = (text: string, wanted: string | undefined): boolean =>
  wanted === undefined || searchText(text).startsWith(searchText(wanted));

/** Sort values that begin with a text. They are ASCII: none of them comes after the last of it. */
export function beginningWith(text: string) {
  const from = searchText(text);
  return { from, until: `${from}\x7f` } as const;
}

/** Where in which list something begins that is found by its subject or by its device. */
export function searched({ subject, device }: Search) {
  const text = subject ?? device;
  if (text === undefined) return undefined;
  const list = subject === undefined ? 'devices' : 'subjects';
  return { list, ...beginningWith(text) } as const;
}

/** Those that any of these CAs has made under any of these serial numbers. */
export async function certificatesOf(
  view: View,
  cas: Iterable<string>,
  serials: readonly string[],
): Promise<CertificateRecord[]> {
  const keys = [...cas].flatMap((ca) => serials.map((serial) => certificateKey(ca, serial)));
  await view.load(keys.map((key) => ({ kind: 'certificate', key })));
  return keys.flatMap((key) => view.get('certificate', key) ?? []);
}
