// What is made once for all who want it, at the same time or later. What fails is forgotten, so that
// whoever comes next makes it again.
//
// On Cloudflare Workers all that a request has begun ends with that request: whoever else waits for it
// is told so by an error, and nothing that was to follow happens any more, such as forgetting it. So one
// that fails and is still remembered has been given up, and who waited for it makes it himself.

/** Milliseconds of some clock: what is older than that is made anew. */
export type Age = { readonly now: number; readonly maxMs: number };

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

  #begin(name: string, make: () => Promise<T>, at: number): Promise<T> {
    const flight = { at, made: make() };
    this.#flights.set(name, flight);
    flight.made.catch(() => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name);
    });
    return flight.made;
  }
}
