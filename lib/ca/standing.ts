// How a Transaction stands, for the same request again and for a poll: its outcome if that still
// counts, and on the way whatever moves it along (an approval that is redeemed, a gate that is asked).

import { type Bytes, fromBase64 } from '../bytes.ts';
import type { Endpoint } from '../config.ts';
import type { Evidence, Reason } from '../errors.ts';
import { CLOCK_SKEW_MS } from '../limits.ts';
import type { CertificateRecord, Transaction } from '../ports/records.ts';
import { lapsed } from './attempt.ts';
import type { Ca } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import type { Made } from './issue.ts';
import { certificateKey } from './keys.ts';
import { close } from './pending.ts';
import { redeem } from './redeem.ts';
import { release } from './release.ts';
import type { View } from './view.ts';

export type Standing =
  | { readonly kind: 'issued'; readonly certificate: Bytes; readonly evidence: Evidence }
  | { readonly kind: 'pending' }
  | { readonly kind: 'refused'; readonly reason: Reason; readonly evidence?: Evidence }
  /** Somebody is working on it; its own attempt that nobody works on any more. */
  | { readonly kind: 'busy' | 'lapsed' }
  /** Nothing stands (any more): the request is judged anew. */
  | { readonly kind: 'new' }
  /** Something changed while it was being moved along: read again. */
  | { readonly kind: 'again' };

/** @throws {Outage} when a gate could not say, or the stored approval does not hold */
export async function standing(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  transaction: Transaction | undefined,
  certificate: CertificateRecord | undefined,
  view: View,
): Promise<Standing> {
  const now = deps.clock.now();
  if (!transaction) return { kind: 'new' };
  const { state, repeatUntil, reason } = transaction;
  switch (state) {
    case 'pending':
      if ((transaction.expiresAt ?? 0) > now) return { kind: 'pending' };
      return (await close(
        deps,
        view,
        transaction,
        'expired',
        { reason: 'requestExpired' },
        now,
      )) === 'done'
        ? { kind: 'refused', reason: 'requestExpired' }
        : { kind: 'again' };
    case 'denied':
    case 'expired':
      // A window that is longer than any began when the clock was wrong.
      return now < repeatUntil && repeatUntil <= now + endpoint.repeatMs + CLOCK_SKEW_MS
        ? { kind: 'refused', reason: (reason as Reason | undefined) ?? 'requestDenied' }
        : { kind: 'new' };
    case 'approved':
      return redeemed(deps, endpoint, ca, transaction, view, now);
    case 'intended':
      if (!lapsed(transaction, now)) return { kind: 'busy' };
      return transaction.approval
        ? redeemed(deps, endpoint, ca, transaction, view, now)
        : { kind: 'lapsed' };
    case 'signed':
      return certificate ? released(deps, transaction, certificate) : { kind: 'new' };
    case 'refused':
      return { kind: 'new' };
    case 'issued':
      if (certificate?.state !== 'issued' || !certificate.der || now >= repeatUntil) {
        return { kind: 'new' };
      }
      return {
        kind: 'issued',
        certificate: fromBase64(certificate.der),
        evidence: { transaction: transaction.id, serial: certificate.serial, repeated: 1 },
      };
    case 'revoked':
    case 'voided':
      return { kind: 'new' };
  }
}

async function redeemed(
  deps: Deps,
  endpoint: Endpoint,
  ca: Ca,
  transaction: Transaction,
  view: View,
  now: number,
): Promise<Standing> {
  const made = await redeem(deps, endpoint, ca, transaction, view, now);
  if (made === 'again') return { kind: 'again' };
  if ('refused' in made) {
    return { kind: 'refused', reason: made.refused, evidence: made.evidence };
  }
  return finished(deps, made);
}

/** What was just made: released at once, or through its gates. */
export async function finished(deps: Deps, { transaction, der, view }: Made): Promise<Standing> {
  const key = certificateKey(transaction.ca, transaction.serial ?? '');
  const certificate = view.get('certificate', key);
  if (transaction.state === 'signed' && certificate) {
    return released(deps, transaction, certificate);
  }
  const evidence = { transaction: transaction.id, serial: transaction.serial ?? '' };
  return { kind: 'issued', certificate: der, evidence };
}

async function released(
  deps: Deps,
  transaction: Transaction,
  certificate: CertificateRecord,
): Promise<Standing> {
  const actor = { kind: 'device', id: transaction.signer } as const;
  const verdict = await release(deps, transaction, certificate, actor);
  if (verdict === 'lost') return { kind: 'again' };
  if (verdict === 'revoked') return { kind: 'refused', reason: 'releaseRefused' };
  return {
    kind: 'issued',
    certificate: fromBase64(certificate.der ?? ''),
    evidence: { transaction: transaction.id, serial: certificate.serial },
  };
}
