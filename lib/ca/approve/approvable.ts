// Whether an approved request can still be issued, by the present configuration. It is asked when an approver
// decides, so that no request is approved that would be refused, and again when the device fetches its
// certificate.

import type { Bytes } from '../../base/bytes.ts';
import { Malformed, Outage } from '../../base/errors.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { type ProvenRequest, readCertificationRequest } from '../../x509/csr.ts';
import { parseGeneralName } from '../../x509/names/general-name.ts';
import { narrowed } from '../policy/bound.ts';
import { requireProfile } from '../policy/policy.ts';

/**
 * @param endpoint of the Transaction, if it is still configured
 * @returns the request, which was proven when it came
 * @throws {Refusal} requestDenied, where the endpoint has another CA or profile by now; what
 *   `requireProfile` throws @throws {Outage} for a record that cannot be read
 */
export function requireApprovable(
  endpoint: Endpoint | undefined,
  transaction: Transaction,
  stored: Bytes,
): ProvenRequest {
  const { ca, profile, names, narrowing } = transaction;
  if (endpoint?.ca !== ca || endpoint.profile.id !== profile) {
    const now = endpoint?.profile.id ?? 'none';
    throw new Refusal('requestDenied', { profile: now, approvedFor: profile });
  }
  try {
    const csr = readCertificationRequest(stored);
    const { subject, publicKey } = csr;
    if (!publicKey) throw new Malformed('a key that is none');
    const certified = { subject, names: names.map(parseGeneralName) };
    requireProfile(narrowed(endpoint.profile, narrowing), publicKey.kind, certified);
    return { ...csr, publicKey };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Outage(`the request of ${transaction.id} cannot be read`);
  }
}
