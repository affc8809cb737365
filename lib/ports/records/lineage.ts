// A lineage: a certificate that was enrolled and all that lead back to it by renewals (shared design
// 4.10). What is known of it travels in the certificates' records: each renewal copies it from the
// certificate that signed into the new one. At any moment one or two certificates of a lineage can
// renew, the newest and, until that is used, the one before; the copies of both are up to date.

export type Lineage = {
  /** Serial of the certificate that was enrolled. */
  readonly root: string;
  /** When the last renewals were begun, voided ones removed; at most `MAX_RECENT_RENEWALS`. */
  readonly recent: readonly number[];
  /** Those that were good, held or being made when this copy was made, oldest first, this one among them;
   * at most `MAX_GOOD_OF_LINEAGE`. */
  readonly good: readonly { readonly serial: string; readonly notAfter: number }[];
  /** notAfter of each that issuance has revoked; at most `MAX_SUPERSEDED_OF_LINEAGE`. */
  readonly superseded: readonly number[];
  /** Serial of the certificate that this one renews, while a person has revoked or suspended that. This one
   * had not been seen in use by then, and cannot renew. */
  readonly endedBy?: string;
};

/** The lineage of an enrolled certificate. */
export const newLineage = ({ serial, notAfter }: Lineage['good'][number]): Lineage => ({
  root: serial,
  recent: [],
  good: [{ serial, notAfter }],
  superseded: [],
});
