// What one instance counts in memory, for as long as it runs: how many refusals it may still store, of
// those that it has taken from the budget of all instances; how often a static challenge was used; whose
// messages are refused. It is lost with the instance; events keep what must last.

import { REFUSAL_PLACES_MS } from '../base/limits.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { RefusedSources } from './refused-sources.ts';

/** Turns of a CA that an instance has leased, and not used yet. */
export type LeasedTurns = {
  /** Milliseconds since 1970, ascending. */
  ahead: number[];
  /** How many it leases at once, and when it last did. */
  batch: number;
  leasedAt: number;
};

/** The places that an instance got from the budget, and how long it does not ask again. */
export type Leased = { readonly places: number; readonly pauseMs: number };

type Count = {
  /** Taken from the budget and not used yet. */
  places: number;
  /** Milliseconds after the last look at the budget in which it is not asked again. */
  pauseMs: number;
  /** Refusals that were only counted since the last one that was stored. */
  unstored: number;
  saidAt: number;
};

export class Tally {
  readonly #refusals = new Map<string, Count>();
  readonly #leases = new SingleFlight<void>();
  /** By endpoint. */
  readonly staticChallengeUses = new Map<string, number>();
  readonly refusedSources = new RefusedSources();
  /** By CA: turns to issue that this instance has taken for itself. */
  readonly turns = new Map<string, LeasedTurns>();
  /** Digest of the configuration that an event has told of: a look at the record costs a read. */
  toldConfiguration: string | undefined;
  /** By account of a page or hook: challenges that this instance may still make of those it has taken from the hour of
   * the account, and until when it does not ask for more: milliseconds since 1970. */
  readonly challengePlaces = new Map<string, { left: number; emptyUntil: number }>();
  readonly #lines = new Map<string, { since: number; count: number }>();
  /** Where the sweeper goes on, in the list of Transactions of each state; absent: at its beginning. */
  readonly sweptUpTo = new Map<string, string>();

  /**
   * Asks for the place of one refusal in the store. Each endpoint has its own places, so that a flood at one
   * does not displace refusals of another.
   * @param lease asks the budget; it never throws
   * @returns how many before it were only counted; undefined if this one is only counted too
   */
  async takeRefusal(
    endpoint: string,
    now: number,
    lease: () => Promise<Leased>,
  ): Promise<number | undefined> {
    const count = this.#countOf(endpoint);
    if (count.places < 1) {
      const fill = async (): Promise<void> => {
        const { places, pauseMs } = await lease();
        count.places += places;
        count.pauseMs = pauseMs;
      };
      await this.#leases.get(endpoint, fill, { now, maxMs: count.pauseMs });
    }
    if (count.places < 1) {
      count.unstored++;
      return undefined;
    }
    count.places--;
    const { unstored } = count;
    count.unstored = 0;
    return unstored;
  }

  /** Call it if the refusal was not stored after all. @param before the result of `takeRefusal` */
  lostRefusal(endpoint: string, before: number): void {
    this.#countOf(endpoint).unstored += before + 1;
  }

  /** @returns how many are only counted so far; undefined where that was said this second */
  sayUnstored(endpoint: string, now: number): number | undefined {
    const count = this.#countOf(endpoint);
    if (Math.abs(now - count.saidAt) < 1000) return undefined;
    count.saidAt = now;
    return count.unstored;
  }

  /**
   * For a line of the log that anybody could cause as often as he likes.
   * @returns how often it was due since the last one that was written, this one included; undefined: not now
   */
  lineDue(name: string, now: number, everyMs: number): number | undefined {
    const { since, count } = this.#lines.get(name) ?? { since: 0, count: 0 };
    const due = Math.abs(now - since) >= everyMs;
    this.#lines.set(name, due ? { since: now, count: 0 } : { since, count: count + 1 });
    return due ? count + 1 : undefined;
  }

  countStaticChallenge(endpoint: string): void {
    const uses = this.staticChallengeUses.get(endpoint) ?? 0;
    this.staticChallengeUses.set(endpoint, uses + 1);
  }

  #countOf(endpoint: string): Count {
    const count = this.#refusals.get(endpoint) ?? {
      ...{ places: 0, pauseMs: REFUSAL_PLACES_MS, unstored: 0, saidAt: 0 },
    };
    this.#refusals.set(endpoint, count);
    return count;
  }
}
