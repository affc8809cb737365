// What a lineage allows (shared design 4.10, issuance: Renewal): so many renewals in a window, so many
// good certificates at once, so many superseded ones. Certificates that are made anew each time have
// no count of their own, so the counts travel from one to the next (`Lineage` in `records.ts`). Pure.
//
// A stored time in the future was written by a clock that was ahead, or is read by one that is behind: it
// counts as if it were now, so that it allows nothing more.

import {
  MAX_GOOD_OF_LINEAGE,
  MAX_RECENT_RENEWALS,
  MAX_SUCCESSORS,
  MAX_SUPERSEDED_OF_LINEAGE,
  RENEWAL_WINDOW_FRACTION,
  RENEWAL_WINDOW_MS,
} from '../../base/limits.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { Lineage } from '../../ports/records/lineage.ts';

type Member = Lineage['good'][number];

/** Milliseconds in which the renewals of a lineage are counted, by the certificate that signs. */
export const windowOf = (notBefore: number, notAfter: number): number =>
  Math.min(RENEWAL_WINDOW_MS, (notAfter - notBefore) * RENEWAL_WINDOW_FRACTION);

/** Renewals that count at `now`. @param recent times @param windowMs `windowOf` */
export const countedRenewals = (recent: readonly number[], windowMs: number, now: number): number =>
  recent.filter((at) => at > now - windowMs).length;

/** Whether a renewal may have to supersede one of them, so that their records have to be read. */
export const isFull = (others: readonly Member[]): boolean =>
  others.length + 2 > MAX_GOOD_OF_LINEAGE;

/** The unexpired good ones beside the certificate that signs, as its record has them, oldest first. */
export const othersGood = (
  { serial: signer, lineage }: CertificateRecord,
  now: number,
): readonly Member[] =>
  lineage.good.filter(({ serial, notAfter }) => serial !== signer && notAfter > now);

/** How many of those that stay have to be superseded, the oldest first, beside the signer and the new one. */
export const excessOf = (stay: readonly Member[]): number =>
  Math.max(0, stay.length + 2 - MAX_GOOD_OF_LINEAGE);

type Change = {
  /** The lineage's recent renewals without an attempt that ends. */
  readonly recent: readonly number[];
  /** Good ones that stay beside the signer. */
  readonly stay: readonly Member[];
  /** notAfter of those that issuance revokes, or has revoked since the signer's copy was made. */
  readonly revoked: readonly number[];
};

/**
 * The lineage with one renewal more; the new certificate is added to the good ones by `joined`.
 * @returns undefined where too many would be superseded
 */
export function renewedLineage(
  { serial, notAfter, lineage }: CertificateRecord,
  { recent, stay, revoked }: Change,
  now: number,
): Lineage | undefined {
  const superseded = [...lineage.superseded, ...revoked].filter((end) => end > now);
  if (superseded.length > MAX_SUPERSEDED_OF_LINEAGE) return undefined;
  // The latest count longest, also where a clock went back between them.
  const latest = [...recent, now].sort((a, b) => a - b).slice(-MAX_RECENT_RENEWALS);
  const good = [...stay, { serial, notAfter }];
  return { root: lineage.root, recent: latest, good, superseded };
}

/** With the new certificate among the good ones. */
export const joined = (lineage: Lineage, { serial, notAfter }: Member): Lineage => ({
  ...lineage,
  good: [...lineage.good, { serial, notAfter }],
});

/** Without an attempt that ended, whose place goes back. @param recent as they were before it */
export const withoutAttempt = (
  lineage: Lineage,
  serial: string,
  recent: readonly number[],
): Lineage => ({
  ...lineage,
  recent,
  good: lineage.good.filter((member) => member.serial !== serial),
});

/** The renewals that stay listed. Those before the last can renew nothing and be good no more. */
export const withSuccessor = (
  { successors }: CertificateRecord,
  serial: string,
  at: number,
): CertificateRecord['successors'] => ({
  ...Object.fromEntries(Object.entries(successors).slice(1 - MAX_SUCCESSORS)),
  [serial]: { at },
});
