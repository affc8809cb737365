// Transactions: how a proven request becomes one certificate (shared design, "Issuance, exactly
// once"). Every method is one call to the store and all or nothing; what it wrote is durable and
// visible to every later consistent read when it returns.
//
// An adapter that does not know whether a write took effect finds out by reading, and answers
// `done` if it did: the caller never sees the ambiguity. Trouble of the store is thrown; it is
// never turned into an answer about the request.

import type { Bytes } from '../bytes.ts';
import type { CertificateRecord } from './certificates.ts';
import type { Challenge } from './challenges.ts';

export type TransactionState = 'intended' | 'issued' | 'voided';

export type Transaction = {
  /** A ULID. The record is updated from state to state, never overwritten by another. */
  readonly id: string;
  readonly endpoint: string;
  readonly ca: string;
  readonly state: TransactionState;
  readonly messageType: 'PKCSReq' | 'RenewalReq';
  /** `key:` and the SHA-256 of the signer's SubjectPublicKeyInfo. */
  readonly signer: string;
  /** SHA-256 over endpoint, signer and CertificationRequestInfo: what makes requests the same. */
  readonly requestHash: string;
  /** As sent, one character per octet. */
  readonly transactionID: string;
  /** The CSR without its challengePassword, and the SHA-256 of the CSR as it came. */
  readonly csr: Bytes;
  readonly csrHash: string;
  /** Of the certificate that this attempt is about, and until when the attempt holds it. */
  readonly serial: string;
  readonly leaseUntil: number;
  /** Key of the challenge whose use it took. */
  readonly challenge: string;
  readonly createdAt: number;
};

/** What decides about a request, by key. */
export type Lookup = {
  readonly requestHash: string;
  /** Keys of the challenge under each live MAC key; at most one of them exists. */
  readonly challenges: readonly string[];
};

export type Recalled = {
  /** The newest Transaction of this very request, and the certificate it is about. */
  readonly transaction: Transaction | undefined;
  readonly certificate: CertificateRecord | undefined;
  readonly challenge: Challenge | undefined;
};

export type Intent = {
  /** Milliseconds since 1970: taken when the call is built. */
  readonly now: number;
  /** In state `intended`. */
  readonly transaction: Transaction;
  /** In state `intended`, with the serial of the Transaction. */
  readonly certificate: CertificateRecord;
  /** The id of the Transaction that recall saw under this request hash. */
  readonly supersedes: string | undefined;
};

export interface Transactions {
  /**
   * One consistent read of everything the lookup names. It is not a snapshot: items may be of
   * different moments, so a refusal may rest on it, an issue may not.
   */
  recall(lookup: Lookup): Promise<Recalled>;

  /**
   * Writes Transaction and Certificate and takes one use of the challenge, if and only if
   * - no Transaction or Certificate with these keys exists (else `serialTaken` for the latter),
   * - the request hash still belongs to the Transaction in `supersedes`, or to none,
   * - the challenge, where there is one, has a use left, has not expired at `now` and is not locked.
   * `conflict` says that something changed since recall: recall and authorize again.
   */
  intend(intent: Intent): Promise<'done' | 'conflict' | 'serialTaken'>;

  /**
   * Gives the certificate its DER and makes both `issued`, if and only if both are still `intended`
   * with this serial. `lost`: another attempt replaced this one, whose signature must be discarded.
   */
  commit(transaction: string, serial: string, der: Bytes): Promise<'done' | 'lost'>;
}
