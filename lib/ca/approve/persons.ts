// Who is who among those that act by tokens: what two persons have to do is not done by one with two tokens.

import type { Author } from '../../ports/records/transaction.ts';

/** The person whom the token names. */
const personOf = ({ by, person = by }: Pick<Author, 'by' | 'person'>): string => person;

/** Whom the ingress has authenticated beside the token: `iam ARN`, `jwt ISSUER SUBJECT`. */
const identityOf = ({ auth = '' }: Author): string | undefined => /, (.+)$/.exec(auth)?.[1];

/** One whose tokens name the same person, in any case, or whom the ingress has authenticated as the same. */
export function isSamePerson(one: Author, other: Author): boolean {
  const identity = identityOf(one);
  return (
    personOf(one).toLowerCase() === personOf(other).toLowerCase() ||
    (identity !== undefined && identity === identityOf(other))
  );
}
