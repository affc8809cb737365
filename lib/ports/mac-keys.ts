// MAC keys: what challenges are stored under, and what holds bindings, waiting requests and approvals
// fast against whoever can write records.
//
// Whoever can check a MAC can make it. So there is a key for each pair of who makes and who checks,
// and a function gets those of its pairs:
//
//   challenge   made by who hands out challenges, checked by SCEP: their MACs and their bindings
//   pending     made and checked by SCEP: what was proven and now waits, the password kept with it, and
//               the subjects that it has issued certificates for
//   approval    made by who decides, checked by SCEP
//
// Who hands out challenges cannot approve, who decides cannot make up a request that nobody proved or
// read its password, and maintenance can do neither. SCEP could make an approval and gains nothing by
// it: it may use the CA's key.

import type { Bytes } from '../bytes.ts';

export const macPurposes = ['challenge', 'pending', 'approval'] as const;
export type MacPurpose = (typeof macPurposes)[number];

export type MacKey = {
  /** Short and public; stands beside every MAC made with the key. */
  readonly id: string;
  /** 32 octets. */
  readonly key: Bytes;
};

export interface MacKeys {
  /**
   * The live keys for this purpose, the one that makes new MACs first, at most two: during a rotation
   * the previous one is still looked up. Cached by the adapter; cheap to call on every request.
   */
  live(purpose: MacPurpose): Promise<readonly [MacKey, ...MacKey[]]>;
}

/** Where MAC keys are not the adapter's own, they are kept in records, sealed by it. */
export type SealedMacKey = { readonly id: string; readonly sealed: Bytes };
