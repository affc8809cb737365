// Time and randomness, the two things the core may not take for itself.

import type { Bytes } from '../bytes.ts';

export interface Clock {
  /** Milliseconds since 1970, UTC. Read once per request; never used to measure durations. */
  now(): number;

  /** Resolves after about that many milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** That many octets from a cryptographically secure generator; every call gives fresh ones. */
export type Random = (octets: number) => Bytes;
