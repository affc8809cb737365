// The keys under which challenges are stored (as MACs) and bindings are held fast.

import type { Bytes } from '../bytes.ts';

export type MacKey = {
  /** Short and public; stands beside every MAC made with the key. */
  readonly id: string;
  /** 32 octets. */
  readonly key: Bytes;
};

export interface MacKeys {
  /**
   * The live keys, the one that makes new MACs first, at most two: during a rotation the previous
   * one is still looked up. Cached by the adapter; cheap to call on every request.
   */
  live(): Promise<readonly [MacKey, ...MacKey[]]>;
}
