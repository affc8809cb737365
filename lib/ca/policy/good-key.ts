// Refuses the keys that a request must not have: weak and blocked ones, and the service's own. They are
// judged before anything is looked up, so that a refusal costs no read and counts against no challenge.
// Keys of certificates revoked for keyCompromise (RFC 5280 §5.3.1) are known only to the store: others have
// them, so they must neither be certified nor sign.

import type { Config } from '../../config/config.ts';
import { type Reason, Refusal } from '../../refusal/reasons.ts';
import { sameKey } from '../../x509/csr.ts';
import { type Weakness, weaknessOf } from '../../x509/key-hygiene.ts';
import { keyName, type PublicKey } from '../../x509/public-key.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import { keyHash } from '../record/keys.ts';
import type { View } from '../record/unit-of-work.ts';

/**
 * Checks the key to be certified, and the signer's if it is another one: a renewal rests on that, and a
 * signature with a key that others may have proves nothing.
 * @throws {Refusal}
 */
export function requireGoodKeys(
  config: Config,
  ca: Ca,
  requested: PublicKey,
  signer: PublicKey,
): void {
  requireGoodKey(config, ca, requested, 'request');
  if (!sameKey(requested, signer)) requireGoodKey(config, ca, signer, 'signer');
}

const reasonOf = {
  smallExponent: 'keyExponentRefused',
  smallFactor: 'keyHasSmallFactor',
  closePrimes: 'keyHasClosePrimes',
  roca: 'keyIsRoca',
  notOnCurve: 'keyNotOnCurve',
} as const satisfies Record<Weakness, Reason>;

/** @param of whose key it is, for the log */
export function requireGoodKey(
  config: Config,
  ca: Ca,
  key: PublicKey,
  of: 'request' | 'signer',
): void {
  const spkiHash = keyHash(key.spki);
  const evidence = { keyOf: of, key: keyName(key.kind), spkiHash };
  if (ca.ownKeys.has(spkiHash)) throw new Refusal('keyIsOurs', evidence);
  if (config.blockedKeys.has(spkiHash)) throw new Refusal('keyBlocked', evidence);
  const weakness = weaknessOf(key);
  if (weakness) throw new Refusal(reasonOf[weakness], evidence);
}

/**
 * @param view has read the record of the key, if there is one
 * @param of whose key it is, for the log
 * @throws {Refusal} keyCompromised @throws {Outage} if the record was altered
 */
export function requireUncompromised(view: View, key: PublicKey, of: 'request' | 'signer'): void {
  const spkiHash = keyHash(key.spki);
  const blocked = view.get('blockedKey', spkiHash);
  if (!blocked) return;
  const { ca, serial, at } = blocked;
  const since = new Date(at).toISOString();
  const evidence = { keyOf: of, key: keyName(key.kind), spkiHash, revokedOf: ca, revoked: serial };
  throw new Refusal('keyCompromised', { ...evidence, since });
}
