// The types of a decision: its grounds, or the reason of a denial.

import type { Profile } from '../../config/profile.ts';
import type { CertificateRecord, Narrowing } from '../../ports/records/certificate.ts';
import type { Lineage } from '../../ports/records/lineage.ts';
import type { Author, Transaction, Verdict } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import { type Reason, reasons } from '../../refusal/reasons.ts';
import type { Used } from '../challenge/use.ts';
import type { CertifiedNames } from '../policy/policy.ts';

/** On what a grant rests, and what its intent does beside reserving a serial number. */
export type Grounds = {
  readonly names: CertifiedNames;
  /** That of the endpoint, as the challenge has narrowed it. */
  readonly profile: Profile;
  readonly narrowing?: Narrowing | undefined;
  readonly device?: string | undefined;
  /** For the record and people: `challenge <id>`, `static challenge of endpoint <id>`,
   * `renewal of <serial>`, `approval`; no person. */
  readonly by: readonly string[];
  /** As the validators said it. */
  readonly verdicts?: readonly Verdict[];
  /** Whoever made the challenge. */
  readonly challengeBy?: Author;
  /** Key of the challenge whose use is taken; finished holders that are no longer listed. */
  readonly challenge?: Used & { readonly clear: readonly string[] };
  /** The certificate that is renewed, those that are superseded, and the lineage as that leaves it. */
  readonly renews?: CertificateRecord;
  readonly supersedes?: readonly CertificateRecord<'issued' | 'held'>[];
  readonly lineage?: Lineage;
  /** Lapsed attempts of others that end in the same write. */
  readonly ends: readonly Transaction<'intended'>[];
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
  /** For a request that is not a renewal: why it is not an enrolment either. */
  readonly asEnrolment?: Reason;
  readonly verdicts?: readonly Verdict[];
};

/** A record that would refuse the request has been voided since it was read. The caller must neither refuse
 * nor issue, but look the request up again and decide anew. */
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

/** The same with what its first validator says of it. */
export const withVerdict = (validator: string, basis: Basis): Basis => {
  switch (basis.kind) {
    case 'again':
      return basis;
    case 'deny': {
      const { code, text } = reasons[basis.reason];
      return { ...basis, verdicts: [{ validator, allows: false, says: `${code}: ${text}` }] };
    }
    case 'basis': {
      const says = basis.grounds.by.join(', ');
      const verdicts = [{ validator, allows: true, says }];
      return { kind: 'basis', grounds: { ...basis.grounds, verdicts } };
    }
  }
};

/** How a validator outside stands among what allowed a request. */
export const byValidator = (id: string): string => `validator ${id}`;
export const isValidators = (by: string): boolean => by.startsWith('validator ');

/** What the Transaction and the certificate have of them on record, for the renewals to come. */
export const keptOf = ({
  narrowing,
  device,
}: Grounds): Pick<CertificateRecord, 'narrowing' | 'device'> => ({
  ...(narrowing ? { narrowing } : {}),
  ...(device === undefined ? {} : { device }),
});

/** What the Transaction says of who allowed it. */
export const asAllowed = ({
  by,
  verdicts,
  challengeBy,
}: Grounds): Pick<Transaction, 'authorizedBy' | 'verdicts' | 'challengeBy'> => ({
  authorizedBy: by,
  ...(verdicts ? { verdicts } : {}),
  ...(challengeBy ? { challengeBy } : {}),
});
