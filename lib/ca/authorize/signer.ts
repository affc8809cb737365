// Judges the signer of a request, which may differ from the device it is for: an agent or a proxy may sign.

import type { Bytes } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { sameKey } from '../../x509/csr.ts';
import { nameOf, sameAttributes } from '../../x509/names/name.ts';
import { keyName } from '../../x509/public-key.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import type { NotRenewable } from './renew.ts';

/**
 * Whether this signer may ask for this enrolment at all. A request that others have signed anew is the same
 * request, so its author loses nothing. But where the signer must be the same, a certificate of this CA may
 * sign only for the same key or the same subject.
 */
export function requireSigner(
  { endpoint, csr, signer: { certificate, key } }: EnrolmentRequest,
  renews: NotRenewable | undefined,
): void {
  if (sameKey(csr.publicKey, key)) return;
  const { signer, staticChallenge } = endpoint.enrol;
  if (signer === 'same' && renews && !isOfSubject(csr.subject, certificate.subject)) {
    throw new Refusal(renews.reason, renews.evidence);
  }
  // Whoever may sign anew what it recorded could guess at the secret that many devices know.
  if (staticChallenge && key.kind.type !== 'RSA') {
    throw new Refusal('signerCannotDecrypt', { key: keyName(key.kind) });
  }
}

function isOfSubject(requested: Bytes, held: Bytes): boolean {
  try {
    return sameAttributes(nameOf(requested), nameOf(held));
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}
