// CA keys: made where they stay, used to sign, never read.

import type { Bytes } from '../base/bytes.ts';
import type { KeySpec, SigningAlgorithm } from '../crypto/algorithms.ts';

/** The requests that a signature took, as events name them; empty where the key is in no key service. */
export type SignRequests = {
  /** Request ids of AWS KMS: of each try that was answered, whatever the answer was. */
  readonly kms?: readonly string[];
  /** Tries whose answer did not come: each may have made a signature that nobody has seen. Absent: none. */
  readonly unanswered?: number;
};

export type Signature = {
  /** ECDSA as DER Ecdsa-Sig-Value. */
  readonly octets: Bytes;
  readonly requests: SignRequests;
};

export interface Signer {
  /**
   * Makes a new key for a CA and returns the reference under which this adapter finds it again. A
   * key that no authority record refers to is garbage, so a crash right after is harmless.
   */
  create(ca: string, spec: KeySpec): Promise<string>;

  /** The key's SubjectPublicKeyInfo, DER. Throws when there is no such key. */
  publicKey(reference: string): Promise<Bytes>;

  /**
   * The signature over `tbs`. The adapter may send only the digest
   * to where the key is. It retries within the time of a request, then throws an `Outage`, which the
   * requester is not to blame for. The caller verifies every signature before it uses it.
   */
  sign(reference: string, algorithm: SigningAlgorithm, tbs: Bytes): Promise<Signature>;

  /**
   * Sentences for an operator about the key in its key service: a bad state, use or policy, as far as this
   * process has the permission to see them. Absent for adapters that have no such service.
   */
  readonly warnings?: (reference: string) => Promise<readonly string[]>;
}
