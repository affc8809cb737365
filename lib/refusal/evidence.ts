// What a refusal rests on, in names and numbers, as the log and the record of it hold it: harmless to show
// and bounded, because much of it is what a stranger sent.

import { MAX_EVIDENCE_CHARACTERS } from '../base/limits.ts';
import { visible } from '../base/text.ts';

/** What a log line and a stored refusal may say: names and numbers, never a challenge or key octets.
 * Where a rule of the configuration refused, `rule` is its path, `value` what it was asked about and
 * `allowed` what it allows. */
export type Evidence = Readonly<Record<string, string | number>>;

/** What people are told an entry is, where its name alone does not say it; the same with every reason. */
export const evidenceLabels: Readonly<Record<string, string>> = {
  octets: 'octets of the challengePassword',
  value: 'asked for',
  allowed: 'allowed',
  challengeId: 'challenge',
  asEnrolment: 'as an enrolment it would be refused with',
  renews: 'certificate that signed',
  notAfter: 'which ends',
  opens: 'which may be renewed from',
  revokedAt: 'revoked at',
  removedAt: 'removed at',
  removedBy: 'removed by',
  revocationReason: 'revoked for',
  successor: 'its renewal',
  ownedBy: 'the key is of certificate',
  spkiHash: 'SHA-256 of the key',
  keyOf: 'whose key',
  expiresAt: 'expired at',
};

/** What was sent is repeated in it, and may be anything. */
export const bounded = (evidence: Evidence): Evidence =>
  Object.fromEntries(
    Object.entries(evidence).map(([name, value]) => {
      if (typeof value === 'number') return [name, value];
      return [name, shortened(value)];
    }),
  );

/** What a device chose, for the record: harmless to show, and no longer than anybody reads. */
export function shortened(value: string): string {
  const text = visible(value.toWellFormed());
  if (text.length <= MAX_EVIDENCE_CHARACTERS) return text;
  return `${text.slice(0, MAX_EVIDENCE_CHARACTERS).toWellFormed()}…`;
}
