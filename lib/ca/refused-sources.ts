// Counts the messages of one source at one endpoint that were refused: guesses of a challenge, and changed copies
// of a recorded message, tens of thousands of which would decrypt it. An honest client causes some dozen. What is
// granted, or waits, is not counted. Each instance counts in bounded memory for as long as it runs; nothing is
// written.

import { HELD_SOURCE_S, MAX_REFUSED_SOURCES, REFUSED_MESSAGES_MS } from '../base/limits.ts';

/** Whoever shares an address counts as one. */
export type Source = {
  readonly address: string;
  /** Messages of it that may be refused in ten minutes. */
  readonly refusals: number;
};

type Count = {
  refused: number;
  /** When the first of them was counted, in milliseconds since 1970. */
  since: number;
  /** When it began to be held back; undefined while it is not. */
  heldAt: number | undefined;
};

/** Within so many milliseconds after `at`; a clock that was set back ends it. */
const within = (ms: number, at: number, now: number): boolean => now >= at && now - at < ms;

export class RefusedSources {
  /** The oldest first. */
  readonly #counts = new Map<string, Count>();

  /** Whether a source is held back. Judged before its message is looked at. */
  holds(endpoint: string, { address }: Source, now: number): boolean {
    const heldAt = this.#counts.get(nameOf(endpoint, address))?.heldAt;
    return heldAt !== undefined && within(HELD_SOURCE_S * 1000, heldAt, now);
  }

  /** @returns whether the source is held back from now on, and was not before */
  count(endpoint: string, source: Source, now: number): boolean {
    const name = nameOf(endpoint, source.address);
    const found = this.#counts.get(name);
    const count =
      found && within(REFUSED_MESSAGES_MS, found.since, now)
        ? found
        : { refused: 0, since: now, heldAt: undefined };
    count.refused++;
    const [oldest] = this.#counts.keys();
    if (!found && oldest !== undefined && this.#counts.size >= MAX_REFUSED_SOURCES) {
      this.#counts.delete(oldest);
    }
    // A source that is counted again becomes the youngest.
    if (count !== found) this.#counts.delete(name);
    this.#counts.set(name, count);
    if (count.refused <= source.refusals) return false;
    const before = this.holds(endpoint, source, now);
    if (!before) count.heldAt = now;
    return !before;
  }

  get size(): number {
    return this.#counts.size;
  }
}

const nameOf = (endpoint: string, address: string): string => `${endpoint} ${address}`;
