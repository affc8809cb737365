// Subjects that an endpoint has issued a certificate for, where its approval rule asks (newSubject).
// The record is made in the write that issues the certificate, so that no attempt, no request that
// waits and nothing unapproved makes a subject known. It holds under a MAC: whoever can write records
// cannot spare a request its approver. Under a key that is gone it counts as absent, and an approver
// is asked once more; every later certificate for the same names renews it.

import type { Bytes } from '../bytes.ts';
import type { Config } from '../config.ts';
import type { MacKey, MacKeys } from '../ports/mac-keys.ts';
import type { Transaction } from '../ports/records.ts';
import { holds, tagged } from './approval.ts';
import { mac } from './challenges.ts';
import { subjectKey } from './keys.ts';
import type { Draft, View } from './view.ts';

const macOf = (macKey: MacKey, key: string, serial: string): string =>
  tagged(macKey, mac(macKey, 'subject', { key, serial }));

/** @param key `subjectKey` */
export async function isKnownSubject(macKeys: MacKeys, view: View, key: string): Promise<boolean> {
  await view.load([{ kind: 'subject', key }]);
  const record = view.get('subject', key);
  if (!record) return false;
  const { serial } = record;
  return holds(await macKeys.live('pending'), record.mac, (macKey) => macOf(macKey, key, serial));
}

/** Into the write that issues the certificate of this Transaction. @param subject Name, DER */
export async function noteSubject(
  { config, macKeys }: { readonly config: Config; readonly macKeys: MacKeys },
  view: View,
  draft: Draft,
  { ca, endpoint, names, serial = '' }: Transaction,
  subject: Bytes,
): Promise<void> {
  if (config.endpoints.get(endpoint)?.approval !== 'newSubject') return;
  const key = subjectKey(ca, endpoint, subject, names);
  await view.load([{ kind: 'subject', key }]);
  const [macKey] = await macKeys.live('pending');
  const record = view.get('subject', key);
  if (record && holds([macKey], record.mac, () => macOf(macKey, key, record.serial))) return;
  draft.put('subject', key, { serial, mac: macOf(macKey, key, serial) });
}
