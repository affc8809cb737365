// Time, which the core may not take for itself; nor may it take randomness (`Random` in `base/bytes.ts`).

export interface Clock {
  /** Milliseconds since 1970, UTC. A step that decides by the time reads it once, at its beginning. The
   * clock may be set in either direction between two readings, so their difference may be wrong. */
  now(): number;

  /** Resolves after about that many milliseconds. */
  sleep(ms: number): Promise<void>;
}
