// Renewal (shared design 4.10, RFC 8894 §2.5): a request signed with a certificate of this CA. The signer
// must be good by a consistent read, at this endpoint, in its window; names stay the same. It cannot renew
// once a successor is in use, or once a person has revoked or suspended a successor, because that was aimed
// at the device. Successors whose reply was lost are replaced, within the limits of the lineage.

import { extensionOids } from '../../asn1/oids.ts';
import { type Bytes, equal, fromBase64 } from '../../base/bytes.ts';
import { Malformed, Outage } from '../../base/errors.ts';
import { MAX_RECENT_RENEWALS } from '../../base/limits.ts';
import { iso } from '../../base/text.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { Lineage } from '../../ports/records/lineage.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import type { Reason } from '../../refusal/reasons.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import type { ProvenRequest } from '../../x509/csr.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import { nameOf, printName, sameAttributes } from '../../x509/names/name.ts';
import { loadTransaction } from '../enrol/lookup.ts';
import { lapsed, loadForEnd } from '../enrol/rollback.ts';
import { askedNames } from '../policy/policy.ts';
import { certificateKey } from '../record/keys.ts';
import type { View } from '../record/unit-of-work.ts';
import {
  countedRenewals,
  excessOf,
  isFull,
  othersGood,
  renewedLineage,
  windowOf,
} from './lineage.ts';

export type Renewal =
  | {
      readonly kind: 'renewable';
      readonly renews: CertificateRecord;
      /** `TYPE:VALUE`, those of the old certificate. */
      readonly names: readonly string[];
      /** They are revoked in the same write: a successor that was released and never used, and the oldest of the
       * lineage where too many would be good, or all beside the one that signs (`Renewals.supersede`). */
      readonly supersedes: readonly CertificateRecord<'issued' | 'held'>[];
      /** As this renewal leaves it; the new certificate is still to join the good ones. */
      readonly lineage: Lineage;
      /** Lapsed attempts to renew it, which end in the same write. */
      readonly ends: readonly Transaction<'intended'>[];
    }
  | { readonly kind: 'not'; readonly reason: Reason; readonly evidence: Evidence }
  /** A record that would refuse it has been voided since it was read: the caller looks it up again. */
  | { readonly kind: 'again' };

export type NotRenewable = Extract<Renewal, { kind: 'not' }>;

const not = (reason: Reason, evidence: Evidence = {}): Renewal => ({
  kind: 'not',
  reason,
  evidence,
});

type RenewalRequest = {
  readonly endpoint: Endpoint;
  readonly csr: ProvenRequest;
  /** The certificate that signed, DER, and its key. */
  readonly der: Bytes;
  readonly spki: Bytes;
  /** The record of that certificate. */
  readonly record: CertificateRecord | undefined;
  /** The Transaction of this very request, if there is one. */
  readonly own: Transaction | undefined;
};

/**
 * @throws {Outage} while another renewal of the certificate is being worked on
 */
export async function renewal(
  { endpoint, csr, der, spki, record, own }: RenewalRequest,
  view: View,
  now: number,
): Promise<Renewal> {
  if (!record?.der || record.endpoint !== endpoint.id) {
    return not('renewalUnknown', record && { renews: record.serial, endpoint: record.endpoint });
  }
  const renewed = { renews: record.serial };
  if (!equal(fromBase64(record.der), der)) return not('renewalUnknown', renewed);
  if (record.state !== 'issued')
    return not('renewalRevoked', { ...renewed, ...revocationOf(record) });
  // The signed certificate decides when it ends, not its record.
  const certificate = readCertificate(der);
  const { notBefore, notAfter } = certificate;
  if (notAfter <= now) return not('renewalExpired', { ...renewed, notAfter: iso(notAfter) });
  const { window } = endpoint.renew;
  if (window !== undefined) {
    const windowMs = 'ms' in window ? window.ms : window.fraction * (notAfter - notBefore);
    const opens = iso(notAfter - windowMs);
    if (now < notAfter - windowMs) {
      return not('renewalTooEarly', { ...renewed, opens, notAfter: iso(notAfter) });
    }
  }
  const names = namesOf(certificate);
  if (!asksForTheSame(csr, certificate.subject, names)) {
    const has = [printName(certificate.subject), ...names].join(', ');
    return not('renewalOtherNames', { ...renewed, allowed: has });
  }
  if (equal(csr.publicKey.spki, spki) && !endpoint.profile.sameKey) {
    const rule = `profiles.${endpoint.profile.id}.sameKey`;
    return not('renewalSameKey', { ...renewed, rule });
  }

  const { endedBy } = record.lineage;
  if (endedBy !== undefined) return not('renewalEnded', { ...renewed, ended: endedBy });
  const serials = Object.keys(record.successors);
  const others = othersGood(record, now);
  // What it was renewed from is superseded: it has signed something itself.
  const replaces = endpoint.renew.supersede !== undefined;
  const isRead = replaces || isFull(others);
  const toRead = [...serials, ...(isRead ? others.map(({ serial }) => serial) : [])];
  const found = (serial: string) => view.get('certificate', certificateKey(record.ca, serial));
  await view.load(
    toRead.map((serial) => ({ kind: 'certificate', key: certificateKey(record.ca, serial) })),
  );
  const supersedes: CertificateRecord<'issued' | 'held'>[] = [];
  const ends: Transaction<'intended'>[] = [];
  for (const serial of serials) {
    const successor = found(serial);
    // The service never removes a certificate's record: it was removed by others, maybe to hide a revocation.
    if (!successor) return not('renewalEnded', { ...renewed, ended: serial });
    if (endsLineage(successor)) {
      return not('renewalEnded', { ...renewed, ended: serial, ...revocationOf(successor) });
    }
    if (successor.confirmed) return not('renewalDone', { ...renewed, successor: serial });
    // The hold targets the device: renewing around it would leave two valid certificates once it is lifted.
    if (successor.state === 'held') {
      return not('renewalHeld', { ...renewed, successor: serial });
    }
    if (successor.state === 'issued') supersedes.push(successor);
    if (successor.state === 'signed') throw new Outage('a renewal waits for its release');
    if (successor.state !== 'intended' || own?.serial === serial) continue;
    const { transaction } = await loadTransaction(view, successor.transaction);
    if (transaction?.serial !== serial) continue;
    if (!lapsed(transaction, now)) throw new Outage('another renewal is being worked on');
    await loadForEnd(view, transaction);
    ends.push(transaction);
  }
  // One attempt at a time, so that what it leaves behind is what was before it.
  const ending = own?.state === 'intended' ? own : ends[0];
  const recent = withoutWaiting(ending?.undo.recent ?? record.lineage.recent, own);
  const renewals = countedRenewals(recent, windowOf(notBefore, notAfter), now);
  if (renewals >= MAX_RECENT_RENEWALS) {
    return serials.some((serial) => found(serial)?.state === 'voided')
      ? { kind: 'again' }
      : not('renewalTooOften', { ...renewed, root: record.lineage.root, renewals });
  }
  const leaving = new Set([ending, ...supersedes, ...ends].map((one) => one?.serial));
  const stay = others.filter(
    ({ serial }) => !leaving.has(serial) && (!toRead.includes(serial) || mayBeGood(found(serial))),
  );
  const isReplaced = ({ serial }: { readonly serial: string }): boolean =>
    replaces && found(serial)?.state === 'issued';
  const left = stay.filter((one) => !isReplaced(one));
  const ended = [...stay.filter(isReplaced), ...left.splice(0, excessOf(left))];
  supersedes.push(...ended.map(({ serial }) => found(serial)).filter(mayBeGood));
  // Its release gate refused it: it was never handed out, but it is in the CRL.
  const unseen = serials.flatMap((serial) => {
    const one = found(serial);
    return one?.unseen && others.some((other) => other.serial === serial) ? [one] : [];
  });
  const revoked = [...supersedes, ...unseen].map((one) => one.notAfter);
  const lineage = renewedLineage(record, { recent, stay: left, revoked }, now);
  if (!lineage) return not('renewalSpent', { ...renewed, root: record.lineage.root });
  return { kind: 'renewable', renews: record, names, supersedes, ends, lineage };
}

/** A request that waited for its approver was counted then, and is not counted again. */
function withoutWaiting(recent: readonly number[], own: Transaction | undefined) {
  const since = own?.approval && own.timeline.find(({ state }) => state === 'pending')?.at;
  const at = since === undefined ? -1 : recent.indexOf(since);
  return at < 0 ? recent : recent.toSpliced(at, 1);
}

/** Revoked by a person: not by the renewal that took its place, and not by its release gate, unseen. */
const endsLineage = ({ state, supersededBy, unseen }: CertificateRecord): boolean =>
  state === 'revoked' && supersededBy === undefined && !unseen;

/** A held certificate may be released, so it counts as a good one. */
const mayBeGood = (
  record: CertificateRecord | undefined,
): record is CertificateRecord<'issued' | 'held'> =>
  record?.state === 'issued' || record?.state === 'held';

function revocationOf({ state, revocationReason, revokedAt }: CertificateRecord): Evidence {
  return {
    state,
    ...(revocationReason === undefined ? {} : { revocationReason }),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
  };
}

/** `TYPE:VALUE` of a certificate of this CA; a SID in both of its places counts once. */
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
