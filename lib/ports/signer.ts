// CA keys: made where they stay, used to sign, never read.

import type { KeySpec, SigningAlgorithm } from '../algorithms.ts';
import type { Bytes } from '../bytes.ts';

export interface Signer {
  /**
   * Makes a new key for a CA and returns the reference under which this adapter finds it again. A
   * key that no authority record refers to is garbage, so a crash right after is harmless.
   */
  create(ca: string, spec: KeySpec): Promise<string>;

  /** The key's SubjectPublicKeyInfo, DER. Throws when there is no such key. */
  publicKey(reference: string): Promise<Bytes>;

  /**
   * The signature over `tbs` (ECDSA as DER Ecdsa-Sig-Value). The adapter may send only the digest
   * to where the key is. It retries inside the request's time, then throws: nothing that it throws
   * is the requester's fault. The caller verifies every signature before it uses it.
   */
  sign(reference: string, algorithm: SigningAlgorithm, tbs: Bytes): Promise<Bytes>;

  /**
   * What an operator should know of the key where it is kept (its state, its use, who may use it), as
   * far as this process may look: sentences. Absent where there is nobody to ask.
   */
  readonly warnings?: (reference: string) => Promise<readonly string[]>;
}
