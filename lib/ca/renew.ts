// Renewal (shared design 4.10, RFC 8894 §2.5): a 17 or 19 signed with a certificate of ours. The
// signer must be good by a consistent read, at this endpoint, in its window; names stay the same; one
// successor that is in use ends it, up to three lost ones in seven days do not.

import { type Bytes, equal, fromBase64 } from '../bytes.ts';
import type { Endpoint } from '../config.ts';
import { type Evidence, Malformed, Outage, type Reason } from '../errors.ts';
import { MAX_SUCCESSORS, SUCCESSOR_WINDOW_MS } from '../limits.ts';
import type { CertificateRecord, Transaction } from '../ports/records.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { extensionOids } from '../x509/extensions.ts';
import { printGeneralName } from '../x509/general-name.ts';
import { nameOf, printName, sameAttributes } from '../x509/name.ts';
import { lapsed, loadForEnd } from './attempt.ts';
import { certificateKey } from './keys.ts';
import { askedNames } from './policy.ts';
import { loadTransaction } from './recall.ts';
import type { View } from './view.ts';

export type Renewal =
  | {
      readonly kind: 'renewable';
      readonly renews: CertificateRecord;
      /** `TYPE:VALUE`, those of the old certificate. */
      readonly names: readonly string[];
      /** Successors that were released and never used: they are revoked in the same write. */
      readonly supersedes: readonly CertificateRecord[];
      /** Lapsed attempts to renew it, which end in the same write. */
      readonly ends: readonly Transaction[];
    }
  | { readonly kind: 'not'; readonly reason: Reason; readonly evidence: Evidence }
  /** What would refuse has been voided since it was read: recall again. */
  | { readonly kind: 'again' };

const not = (reason: Reason, evidence: Evidence = {}): Renewal => ({
  kind: 'not',
  reason,
  evidence,
});
const iso = (at: number): string => new Date(at).toISOString();

export type RenewalRequest = {
  readonly endpoint: Endpoint;
  readonly csr: ProvenRequest;
  /** The certificate that signed, DER, and its key. */
  readonly der: Bytes;
  readonly spki: Bytes;
};

/**
 * @param record of the certificate that signed
 * @param own the Transaction of this very request, if there is one
 * @throws {Outage} while another renewal of the certificate is being worked on
 */
export async function renewal(
  { endpoint, csr, der, spki }: RenewalRequest,
  view: View,
  record: CertificateRecord | undefined,
  own: Transaction | undefined,
  now: number,
): Promise<Renewal> {
  if (!record?.der || record.endpoint !== endpoint.id) {
    return not('renewalUnknown', record && { renews: record.serial, endpoint: record.endpoint });
  }
  const renewed = { renews: record.serial };
  if (!equal(fromBase64(record.der), der)) return not('renewalUnknown', renewed);
  if (record.state !== 'issued')
    return not('renewalRevoked', { ...renewed, ...revocationOf(record) });
  const { notAfter } = record;
  if (notAfter <= now) return not('renewalExpired', { ...renewed, notAfter: iso(notAfter) });
  const { windowMs } = endpoint.renew;
  if (windowMs !== undefined && now < notAfter - windowMs) {
    const opens = iso(notAfter - windowMs);
    return not('renewalTooEarly', { ...renewed, opens, notAfter: iso(notAfter) });
  }
  const certificate = readCertificate(der);
  const names = namesOf(certificate);
  if (!asksForTheSame(csr, certificate.subject, names)) {
    const has = [printName(certificate.subject), ...names].join(', ');
    return not('renewalOtherNames', { ...renewed, allowed: has });
  }
  if (equal(csr.publicKey.spki, spki) && !endpoint.profile.sameKey) {
    const rule = `profiles.${endpoint.profile.id}.sameKey`;
    return not('renewalSameKey', { ...renewed, rule });
  }

  const serials = Object.keys(record.successors);
  await view.load(
    serials.map((serial) => ({ kind: 'certificate', key: certificateKey(record.ca, serial) })),
  );
  const supersedes: CertificateRecord[] = [];
  const ends: Transaction[] = [];
  for (const serial of serials) {
    const successor = view.get('certificate', certificateKey(record.ca, serial));
    if (successor?.confirmed) return not('renewalDone', { ...renewed, successor: serial });
    // Who suspended it meant its device; released again, it would be one of two.
    if (successor?.state === 'held') {
      return not('renewalHeld', { ...renewed, successor: serial });
    }
    if (successor?.state === 'issued') supersedes.push(successor);
    if (successor?.state === 'signed') throw new Outage('a renewal waits for its release');
    if (successor?.state !== 'intended' || own?.serial === serial) continue;
    const { transaction } = await loadTransaction(view, successor.transaction);
    if (transaction?.serial !== serial) continue;
    if (!lapsed(transaction, now)) throw new Outage('another renewal is being worked on');
    await loadForEnd(view, transaction);
    ends.push(transaction);
  }
  const ending = new Set([own?.serial, ...ends.map(({ serial }) => serial)]);
  const recent = Object.entries(record.successors).filter(
    ([serial, { at }]) => Math.abs(now - at) < SUCCESSOR_WINDOW_MS && !ending.has(serial),
  );
  if (recent.length >= MAX_SUCCESSORS) {
    const voided = recent.some(
      ([serial]) => view.get('certificate', certificateKey(record.ca, serial))?.state === 'voided',
    );
    return voided
      ? { kind: 'again' }
      : not('renewalTooOften', { ...renewed, renewals: recent.length });
  }
  return { kind: 'renewable', renews: record, names, supersedes, ends };
}

function revocationOf({ state, revocationReason, revokedAt }: CertificateRecord): Evidence {
  return {
    state,
    ...(revocationReason === undefined ? {} : { revocationReason }),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
  };
}

/** `TYPE:VALUE` of a certificate of ours; a SID that stands in both of its places counts once. */
export function namesOf({ extensions }: Certificate): string[] {
  const names = askedNames({
    subjectAltName: extensions.get(extensionOids.subjectAltName)?.value,
    securityIdentifier: extensions.get(extensionOids.securityIdentifier)?.value,
  });
  return [...new Set(names.map(printGeneralName))];
}

/** The same subject, and no name that the old certificate does not have; it may leave some out. */
function asksForTheSame(csr: ProvenRequest, subject: Bytes, names: readonly string[]): boolean {
  try {
    return (
      sameAttributes(nameOf(csr.subject), nameOf(subject)) &&
      askedNames(csr).every((name) => names.includes(printGeneralName(name)))
    );
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}

/** The successors that stay listed: those that still count, and the new one. */
export function withSuccessor(
  { successors }: CertificateRecord,
  serial: string,
  now: number,
): CertificateRecord['successors'] {
  const recent = Object.entries(successors).filter(([, { at }]) => at > now - SUCCESSOR_WINDOW_MS);
  return { ...Object.fromEntries(recent), [serial]: { at: now } };
}
