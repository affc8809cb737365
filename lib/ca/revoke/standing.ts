// What a request to revoke is to a certificate that may be revoked already.

import type { RegisterReason, RevocationReason } from '../../base/words.ts';

/** How much a final reason says; of two, the higher one stands. */
const ranks: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  ...{ affiliationChanged: 1, superseded: 1, cessationOfOperation: 1, privilegeWithdrawn: 1 },
  ...{ aACompromise: 2, cACompromise: 2, keyCompromise: 3 },
};

/** What a request is to a certificate that has this entry, or none. */
type Standing = 'new' | 'unchanged' | 'raised' | 'excluded';

/**
 * A revocation is final: its reason is raised and never lowered, its date stays (RFC 5280 §5.3.1). What is so
 * already is no mistake.
 * @param before `undefined` and `removeFromCRL`: it is good
 */
export function standing(before: RegisterReason | undefined, asked: RegisterReason): Standing {
  if (before === undefined || before === 'removeFromCRL') {
    return asked === 'removeFromCRL' ? 'unchanged' : 'new';
  }
  if (before === 'certificateHold') return asked === before ? 'unchanged' : 'new';
  if (asked === 'certificateHold' || asked === 'removeFromCRL') return 'excluded';
  return ranks[asked] > ranks[before] ? 'raised' : 'unchanged';
}
