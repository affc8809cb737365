// Subjects that an endpoint has issued a certificate for, where its approval rule asks (newSubject).
// The record is made in the write that issues the certificate, so that no attempt, no request that
// waits and nothing unapproved makes a subject known. A forged one counts as absent (`guarded-store.ts`), and
// an approver is asked once more.

import type { Bytes } from '../../base/bytes.ts';
import type { Config } from '../../config/config.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { subjectKey } from '../record/keys.ts';
import type { Draft, View } from '../record/unit-of-work.ts';

/** @param key `subjectKey` */
export async function isKnownSubject(view: View, key: string): Promise<boolean> {
  await view.load([{ kind: 'subject', key }]);
  return view.get('subject', key) !== undefined;
}

/** Into the write that issues the certificate of this Transaction. @param subject Name, DER */
export async function noteSubject(
  { config }: { readonly config: Config },
  draft: Draft,
  { ca, endpoint, names, serial }: Transaction<'issued'>,
  subject: Bytes,
): Promise<void> {
  if (config.endpoints.get(endpoint)?.approval !== 'newSubject') return;
  const key = subjectKey(ca, endpoint, subject, names);
  await draft.view.load([{ kind: 'subject', key }]);
  if (!draft.get('subject', key)) draft.put('subject', key, { serial });
}
