// Counts the messages of one source at one endpoint that could not be opened: to decrypt a recorded message
// by sending changed ones takes tens of thousands of answers, while an honest client causes some dozen.
// Each instance counts in bounded memory for as long as it runs; nothing is written.

import {
  MAX_REJECTED_ENVELOPES,
  MAX_REJECTED_SOURCES,
  REJECTED_ENVELOPES_MS,
  REJECTED_RETRY_S,
} from '../base/limits.ts';

type Count = {
  rejected: number;
  /** When the first of them was counted, in milliseconds since 1970. */
  since: number;
  /** When it began to be held back; undefined while it is not. */
  heldAt: number | undefined;
};

/** Within so many milliseconds after `at`; a clock that was set back ends it. */
const within = (ms: number, at: number, now: number): boolean => now >= at && now - at < ms;

export class Rejections {
  /** The oldest first. */
  readonly #counts = new Map<string, Count>();

  /** Whether a source is held back. Judged before its message is looked at. */
  holds(endpoint: string, source: string, now: number): boolean {
    const heldAt = this.#counts.get(nameOf(endpoint, source))?.heldAt;
    return heldAt !== undefined && within(REJECTED_RETRY_S * 1000, heldAt, now);
  }

  /** @returns whether the source is held back from now on, and was not before */
  count(endpoint: string, source: string, now: number): boolean {
    const name = nameOf(endpoint, source);
    const found = this.#counts.get(name);
    const count =
      found && within(REJECTED_ENVELOPES_MS, found.since, now)
        ? found
        : { rejected: 0, since: now, heldAt: undefined };
    count.rejected++;
    const [oldest] = this.#counts.keys();
    if (!found && oldest !== undefined && this.#counts.size >= MAX_REJECTED_SOURCES) {
      this.#counts.delete(oldest);
    }
    // A source that is counted again becomes the youngest.
    if (count !== found) this.#counts.delete(name);
    this.#counts.set(name, count);
    if (count.rejected <= MAX_REJECTED_ENVELOPES) return false;
    const before = this.holds(endpoint, source, now);
    if (!before) count.heldAt = now;
    return !before;
  }

  get sources(): number {
    return this.#counts.size;
  }
}

const nameOf = (endpoint: string, source: string): string => `${endpoint} ${source}`;
