// The CSR of a Transaction as it came: with its challengePassword, without which its signature does not verify. It is
// told only once that is no secret any more.

import { type Bytes, hex } from '../../base/bytes.ts';
import type { Withheld } from '../../base/words.ts';
import { hash } from '../../crypto/native.ts';
import type { Challenge } from '../../ports/records/records.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { isLocked } from '../../ports/store.ts';
import { readCertificationRequest, unredact } from '../../x509/csr.ts';
import { unsealChallenge } from '../approve/sealed.ts';
import { bindingHolds, challengeKeys } from '../challenge/challenges.ts';
import type { Deps } from '../deps.ts';
import { csrOf } from '../enrol/lookup.ts';
import { View } from '../record/unit-of-work.ts';

type Reading = Pick<Deps, 'store' | 'macKeys' | 'clock'>;

/** @returns DER; or why it is not told; undefined where there is no such Transaction */
export async function originalRequest(
  { store, macKeys, clock }: Reading,
  id: string,
): Promise<Bytes | Withheld | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'transaction', key: id }]);
  const transaction = view.get('transaction', id);
  if (!transaction) return undefined;
  if (!wasIssued(transaction)) return 'notIssued';
  const redacted = await csrOf(view, transaction);
  if (redacted.length === 0) return 'notKept';
  // One without a challenge is kept as it came.
  if (isOf(transaction, redacted)) return redacted;
  const { sealedChallenge, endpoint } = transaction;
  if (sealedChallenge === undefined) return 'secret';
  const sealed = await macKeys.live('evidence');
  const der = unredact(redacted, await unsealChallenge(sealed, transaction, sealedChallenge));
  // A later message with the same content may have another signature.
  if (!isOf(transaction, der)) return 'notKept';
  const live = await macKeys.live('challenge');
  const { challengePassword = '' } = readCertificationRequest(der);
  const keys = challengeKeys(live, endpoint, challengePassword);
  await view.load(keys.map((key) => ({ kind: 'challenge', key })));
  for (const key of keys) {
    // One that another hand has changed could be put back.
    const isThere = view.rev('challenge', key) !== 0;
    const challenge = view.get('challenge', key);
    const holds = challenge && bindingHolds(live, key, challenge);
    if (isThere && !(holds && (await isOver(view, challenge, clock.now())))) return 'live';
  }
  return der;
}

const isOf = ({ csrHash }: Transaction, der: Bytes): boolean =>
  hex(hash('SHA-256', der)) === csrHash;

/** Its certificate was released, whatever became of it since. */
const wasIssued = ({ timeline }: Transaction): boolean =>
  timeline.some(({ state }) => state === 'issued');

/** No request can use it any more, and none gives its use back. */
async function isOver(view: View, challenge: Challenge, now: number): Promise<boolean> {
  const { revokedAt, usesLeft, expiresAt, open } = challenge;
  if (revokedAt !== undefined || isLocked(challenge) || expiresAt <= now) return true;
  if (usesLeft > 0) return false;
  const holders = Object.keys(open);
  await view.load(holders.map((key) => ({ kind: 'transaction', key })));
  return holders.every((key) => {
    const state = view.get('transaction', key)?.state;
    return state !== undefined && state !== 'intended' && state !== 'voided';
  });
}
