// The searches of people: the beginning of a subject or of a device's name, in any case; a serial number,
// of any CA; words, by the index of them (`words.ts`, `find.ts`).

import type { CertificateRecord } from '../../ports/records/certificate.ts';
import { searchText } from '../../ports/records/places.ts';
import { certificateKey } from '../record/keys.ts';
import type { View } from '../record/unit-of-work.ts';
import type { Sought } from './words.ts';

export type Search = {
  readonly subject?: string | undefined;
  readonly device?: string | undefined;
  /** Hexadecimal; of any attempt. */
  readonly serial?: string | undefined;
  /** Words of the names or the subject, in any order. */
  readonly words?: readonly Sought[] | undefined;
};

export const begins = (text: string, wanted: string | undefined): boolean =>
  wanted === undefined || searchText(text).startsWith(searchText(wanted));

/** Sort values that begin with a text. They are ASCII: none of them comes after the last of it. */
function beginningWith(text: string) {
  const from = searchText(text);
  return { from, until: `${from}\x7f` } as const;
}

/** The list and place where the records with this beginning of a subject or device start. */
export function searched({ subject, device }: Search) {
  const text = subject ?? device;
  if (text === undefined) return undefined;
  const list = subject === undefined ? 'devices' : 'subjects';
  return { list, ...beginningWith(text) } as const;
}

/** The certificates that any of these CAs has issued under any of these serial numbers. */
export async function certificatesOf(
  view: View,
  cas: Iterable<string>,
  serials: readonly string[],
): Promise<CertificateRecord[]> {
  const keys = [...cas].flatMap((ca) => serials.map((serial) => certificateKey(ca, serial)));
  await view.load(keys.map((key) => ({ kind: 'certificate', key })));
  return keys.flatMap((key) => view.get('certificate', key) ?? []);
}
