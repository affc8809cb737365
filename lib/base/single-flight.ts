// Makes a value once for all callers, at the same time or later. A failure is forgotten, so that the next
// caller tries again.
//
// On Cloudflare Workers all work that a request has begun ends with that request: other requests that wait
// for it get an error, and nothing after it runs, such as forgetting the failure. So a failure that is
// still remembered was abandoned, and a caller that waited for it makes the value itself.

/** Milliseconds of some clock: what is older than that is made anew. */
type Age = { readonly now: number; readonly maxMs: number };

type Flight<T> = { readonly at: number; readonly made: Promise<T> };

const forever: Age = { now: 0, maxMs: Number.POSITIVE_INFINITY };

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  async get(name: string, make: () => Promise<T>, age: Age = forever): Promise<T> {
    const known = this.#flights.get(name);
    // A clock that was set back says nothing about age.
    const young = known && age.now >= known.at && age.now - known.at < age.maxMs;
    if (!young) return this.#begin(name, make, age.now);
    try {
      return await known.made;
    } catch (error) {
      const next = this.#flights.get(name);
      if (next === undefined) throw error;
      return next === known ? this.#begin(name, make, age.now) : next.made;
    }
  }

  /** Sets a newer value. One that is being made meanwhile is only for callers that asked before. */
  set(name: string, value: T, at: number): void {
    this.#flights.set(name, { at, made: Promise.resolve(value) });
  }

  /** What is being made meanwhile is only for callers that asked before. */
  clear(): void {
    this.#flights.clear();
  }

  #begin(name: string, make: () => Promise<T>, at: number): Promise<T> {
    const flight = { at, made: make() };
    this.#flights.set(name, flight);
    flight.made.catch(() => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name);
    });
    return flight.made;
  }
}
