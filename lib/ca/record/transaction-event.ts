// The events that are about a Transaction have the same fields, whatever has happened to it.

import type { EventFields } from '../../events/event.ts';
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
  };
}
