// What events say of a record: those that are about a Transaction have the same fields, whatever has happened to it.

import { iso } from '../../base/text.ts';
import type { Actor, EventFields } from '../../events/event.ts';
import { expiryOf } from '../../ports/records/expiry.ts';
import type { Kind, Records } from '../../ports/records/records.ts';
import type { Transaction } from '../../ports/records/transaction.ts';

/** What every event about a Transaction says. */
export function eventOf(transaction: Transaction): Omit<EventFields, 'type' | 'actor'> {
  const { id, ca, endpoint, asked, profile, serial, subject, names, csrHash } = transaction;
  return {
    ca,
    endpoint,
    transaction: id,
    transactionID: transaction.transactionIDs[0] ?? '',
    asked,
    profile,
    subject,
    names,
    csrHash,
    authorizedBy: transaction.authorizedBy,
    ...(serial === undefined ? {} : { serial }),
    ...(transaction.device === undefined ? {} : { device: transaction.device }),
  };
}

/** The device whose request it is. */
export const requesterOf = ({ signer, client }: Pick<Transaction, 'signer' | 'client'>): Actor => ({
  kind: 'device',
  id: signer,
  ...client,
});

/** When the record may be deleted, for the event that tells of it first. */
export function expiresOf<K extends Kind>(
  kind: K,
  record: Records[K],
): Pick<EventFields, 'expires'> {
  const at = expiryOf(kind, record);
  return at === undefined ? {} : { expires: iso(at) };
}
