// The words of a decision: what it rests on, or why it is none.

import type { Evidence, Reason } from '../errors.ts';
import type { CertificateRecord, Transaction } from '../ports/records.ts';
import type { CertifiedNames } from './policy.ts';

/** On what a grant rests, and what its intent does beside reserving a serial number. */
export type Grounds = {
  readonly names: CertifiedNames;
  /** For the record and people: `challenge <id>`, `static challenge of endpoint <id>`,
   * `renewal of <serial>`, `approved by <name>`. */
  readonly by: readonly string[];
  /** Key of the challenge whose use is taken; finished holders that are no longer listed. */
  readonly challenge?: { readonly key: string; readonly clear: readonly string[] };
  /** The certificate that is renewed; released successors of it that nobody has used. */
  readonly renews?: CertificateRecord;
  readonly supersedes?: readonly CertificateRecord[];
  /** Lapsed attempts of others that end in the same write. */
  readonly ends: readonly Transaction[];
  /** The outcome repeats for the certificate's life; otherwise for the endpoint's window. */
  readonly repeatsForLife: boolean;
  /** It rests on a secret that many devices know. */
  readonly isStatic?: boolean;
  /** Validators that have to be told before anything is released. */
  readonly gates: readonly string[];
};

export type Denied = {
  readonly kind: 'deny';
  readonly reason: Reason;
  readonly evidence: Evidence;
  /** It counts against the challenge that came along, for this reason: ten lock it. */
  readonly counts?: Reason;
};

/** What would refuse has been voided since it was read: recall again. */
export type Again = { readonly kind: 'again' };

/** What a secret of the device, or its certificate, allows; the validators outside are still asked. */
export type Basis =
  | { readonly kind: 'basis'; readonly grounds: Omit<Grounds, 'gates'> }
  | Denied
  | Again;

export const deny = (reason: Reason, evidence: Evidence = {}): Denied => ({
  kind: 'deny',
  reason,
  evidence,
});
