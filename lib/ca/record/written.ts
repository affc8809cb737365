// Tries whether the store takes writes, for `status` and for probes: seldom, because anybody may ask, and a try
// costs a write.

import { WRITE_FAILED_MS, WRITE_TRIED_MS } from '../../base/limits.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Writing } from '../../ports/writing.ts';

/** What a try said. Undefined: the store takes writes. */
type Trouble = Error | undefined;

/** The tries of one instance. */
export class TriedWrites {
  readonly #ports: { readonly writing: Writing; readonly clock: Clock };
  readonly #tries = new SingleFlight<Trouble>();
  #last: Trouble;

  constructor(writing: Writing, clock: Clock) {
    this.#ports = { writing, clock };
  }

  /** Why the store takes no writes; undefined if it does. At most WRITE_TRIED_MS old, a trouble
   * WRITE_FAILED_MS. */
  trouble(): Promise<Trouble> {
    const { writing, clock } = this.#ports;
    const maxMs = this.#last ? WRITE_FAILED_MS : WRITE_TRIED_MS;
    const attempt = async (): Promise<Trouble> => {
      this.#last = await writing.tryWrite().then(
        () => undefined,
        (error) => (error instanceof Error ? error : new Error(String(error))),
      );
      return this.#last;
    };
    return this.#tries.get('write', attempt, { now: clock.now(), maxMs });
  }

  /** The same store. What it was said to take it is tried with again once one of its writes has failed. */
  watching(store: Store): Store {
    return {
      read: (keys) => store.read(keys),
      list: (query) => store.list(query),
      write: (actions) =>
        store.write(actions).catch((error) => {
          if (!this.#last) this.#tries.clear();
          throw error;
        }),
    };
  }
}
