// Keys that a request may not come with: weak ones, blocked ones, and our own. Judged before
// anything is recalled, so that a refusal costs no read and counts against no challenge.

import { hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Config } from '../config.ts';
import { ScepFailure } from '../errors.ts';
import { sameKey } from '../x509/csr.ts';
import { weaknessOf } from '../x509/key-hygiene.ts';
import { keyName, type PublicKey } from '../x509/public-key.ts';
import type { Ca } from './ca-certificates.ts';

/**
 * The key to be certified, and that of the signer where it is another one: a renewal rests on it,
 * and a key that others may have vouches for nobody.
 * @throws {ScepFailure}
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

/** @param of whose key it is, for the log */
export function requireGoodKey(
  config: Config,
  ca: Ca,
  key: PublicKey,
  of: 'request' | 'signer',
): void {
  const spkiHash = hex(hash('SHA-256', key.spki));
  const evidence = { keyOf: of, key: keyName(key.kind), spkiHash };
  if (ca.ownKeys.has(spkiHash)) throw new ScepFailure('keyIsOurs', evidence);
  if (config.blockedKeys.has(spkiHash)) throw new ScepFailure('keyBlocked', evidence);
  const weakness = weaknessOf(key);
  if (weakness) throw new ScepFailure(weakness, evidence);
}
