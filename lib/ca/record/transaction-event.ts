// What events say of a record: those that are about a Transaction have the same fields, whatever has happened to it.

import { iso } from '../../base/text.ts';
import { isOutside } from '../../config/endpoint/enrolment.ts';
import type { Actor, EventFields } from '../../events/event.ts';
import { expiryOf } from '../../ports/records/expiry.ts';
import type { Kind, Records } from '../../ports/records/records.ts';
import { BY_CERTIFICATE, type Transaction } from '../../ports/records/transaction.ts';

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

/**
 * What validators outside said for people: the one that refused, or those that allowed and gave a reason. The record has
 * it too, and is gone before the log.
 */
export function saidOutside({
  state,
  verdicts = [],
}: Pick<Transaction, 'state' | 'verdicts'>): Pick<EventFields, 'note'> {
  const said = verdicts
    .filter(({ validator }) => isOutside(validator) && validator !== BY_CERTIFICATE)
    .filter(({ allows, says }) => (state === 'refused' ? !allows : says !== undefined))
    .map(({ validator, allows, says }) => {
      const word = `${validator} ${allows ? 'allows' : 'refuses'}`;
      return says === undefined ? word : `${word}: ${says}`;
    });
  return said.length > 0 ? { note: said.join('; ') } : {};
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
