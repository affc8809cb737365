// MAC keys. Challenges are stored as MACs; bindings, waiting requests and approvals carry a MAC, so that
// write access to the records is not enough to change them.
//
// Whoever can check a MAC can also make it. So each pair of maker and checker has a key of its own, and a
// function gets only the keys of its pairs:
//
//   challenge   made by the function that hands out challenges, checked by SCEP: MACs of challenges and
//               their bindings
//   pending     made and checked by SCEP: requests that wait for an approver, the password kept with
//               them, and the subjects that have certificates
//   approval    made by the function that takes decisions, checked by SCEP; votes, checked by the same function
//   evidence    made by SCEP, opened by the function that answers auditors: the challenges in requests that
//               became certificates; it makes no MAC, but the key of a seal
//   record      made and checked by the functions that serve and maintain, and by an operator who repairs
//               a register: certificates, key owners, transactions, registers of revocations
//   registry    made by the operator, checked by all: tokens, and which key and chain a CA has
//
// So the maker of challenges cannot approve; the maker of approvals can neither invent a proven request
// nor read its password; and maintenance can do none of this. SCEP could make an approval, and gains
// nothing by it: it may use the CA's key.

import type { Bytes } from '../base/bytes.ts';
import type { MacPurpose } from '../base/words.ts';

export type MacKey = {
  /** Short and public; stands beside every MAC made with the key. */
  readonly id: string;
  /** 32 octets. */
  readonly key: Bytes;
};

export interface MacKeys {
  /**
   * The live keys for this purpose; the first one makes new MACs. At most two for challenges: during a
   * rotation the previous one is still looked up. For `record` and `registry` every key there ever was,
   * because a record is checked for as long as it is kept. The adapter caches them: it is cheap to call
   * this on every request.
   */
  live(purpose: MacPurpose): Promise<readonly [MacKey, ...MacKey[]]>;
}

/** A MAC key as a record keeps it, sealed by an adapter that has no store of its own for them. */
export type SealedMacKey = { readonly id: string; readonly sealed: Bytes };
