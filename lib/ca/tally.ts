// What one instance counts in memory, for as long as it runs: how many refusals it may still store,
// and how often a static challenge was used. It is no record: that is what events are for.

import { REFUSALS_BURST, REFUSALS_PER_SECOND } from '../limits.ts';

type Bucket = {
  tokens: number;
  /** When they were counted, in milliseconds since 1970. */
  at: number;
  /** Refusals that were only counted since the last one that was stored. */
  unstored: number;
  saidAt: number;
};

export class Tally {
  readonly #refusals = new Map<string, Bucket>();
  /** By endpoint. */
  readonly staticChallengeUses = new Map<string, number>();

  /**
   * Asks for the place of one refusal in the store. Each endpoint has its own, so that whoever floods
   * one of them hides nothing at another.
   * @returns how many before it were only counted; undefined where this one is only counted too
   */
  takeRefusal(endpoint: string, now: number): number | undefined {
    const bucket = this.#bucketOf(endpoint, now);
    if (bucket.tokens < 1) {
      bucket.unstored++;
      return undefined;
    }
    bucket.tokens--;
    const { unstored } = bucket;
    bucket.unstored = 0;
    return unstored;
  }

  /** One that was to be stored, and was not. @param before what `takeRefusal` gave */
  lostRefusal(endpoint: string, before: number, now: number): void {
    this.#bucketOf(endpoint, now).unstored += before + 1;
  }

  /** @returns how many are only counted so far; undefined where that was said this second */
  sayUnstored(endpoint: string, now: number): number | undefined {
    const bucket = this.#bucketOf(endpoint, now);
    if (Math.abs(now - bucket.saidAt) < 1000) return undefined;
    bucket.saidAt = now;
    return bucket.unstored;
  }

  countStaticChallenge(endpoint: string): void {
    const uses = this.staticChallengeUses.get(endpoint) ?? 0;
    this.staticChallengeUses.set(endpoint, uses + 1);
  }

  #bucketOf(endpoint: string, now: number): Bucket {
    const found = this.#refusals.get(endpoint);
    if (!found) {
      const full = { tokens: REFUSALS_BURST, at: now, unstored: 0, saidAt: 0 };
      this.#refusals.set(endpoint, full);
      return full;
    }
    // A clock that was set back gives nothing, and is believed from then on.
    const passed = Math.max(0, now - found.at) / 1000;
    found.tokens = Math.min(REFUSALS_BURST, found.tokens + passed * REFUSALS_PER_SECOND);
    found.at = now;
    return found;
  }
}
