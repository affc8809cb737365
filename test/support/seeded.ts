// Chance that can be had again: numbers and octets from a seed, and turns that tasks take in an
// order drawn from them. With the same seed the same tasks meet the same way, although the
// cryptography between two turns runs on other threads: nobody is given a turn before everybody
// else has stopped at the next point where turns are given, so one task runs at a time.

import { type Bytes, concat, utf8 } from '../../lib/base/bytes.ts';
import { hash } from '../../lib/crypto/native.ts';

/** SHA-256 over seed and counter. Not for secrets. */
export class Chance {
  readonly seed: string;
  #counter = 0;
  #pool: Bytes = new Uint8Array(0);

  constructor(seed: string) {
    this.seed = seed;
  }

  /** A sequence of its own, so that draws for one purpose do not shift those for another. */
  fork(name: string): Chance {
    return new Chance(`${this.seed}/${name}`);
  }

  readonly octets = (count: number): Bytes => {
    while (this.#pool.length < count) {
      const next = hash('SHA-256', utf8(`${this.seed} ${this.#counter++}`));
      this.#pool = concat([this.#pool, next]);
    }
    const drawn = this.#pool.slice(0, count);
    this.#pool = this.#pool.slice(count);
    return drawn;
  };

  /** From 0 up to, and without, `end`. */
  below(end: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.octets(4);
    return Math.floor(((((a * 256 + b) * 256 + c) * 256 + d) / 2 ** 32) * end);
  }

  happens(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** A key of the table, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let at = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    const found = entries.find(([, weight]) => {
      at -= weight;
      return at < 0;
    });
    if (!found) throw new RangeError('a table of weights is empty');
    return found[0];
  }
}

/** Who goes on next. An owner is whoever dies as a whole: the process that tasks run in. */
export interface Turns {
  /** Runs a task; it gets its first turn before it begins. */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Gives the turn away and comes back with another. @param owner default: that of this turn */
  take(owner?: object | 'nobody'): Promise<void>;
  /** The owner's tasks have been told that it died; what it has under way goes on without them. */
  orphan(owner: object): void;
  /** Never returns: what an orphan calls when its own work is done. */
  end(): Promise<never>;
}

type Owner = object | 'nobody';
type Waiting = { readonly owner: Owner; go(): void };

/** One at a time, in the order of the seed. */
export class SeededTurns implements Turns {
  readonly #chance: Chance;
  readonly #waiting: Waiting[] = [];
  #tasks = 0;
  #owner: Owner = 'nobody';

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    this.#tasks++;
    try {
      await this.#wait('nobody');
      return await task();
    } finally {
      this.#leave();
    }
  }

  take(owner: Owner = this.#owner): Promise<void> {
    return this.#wait(owner);
  }

  orphan(owner: object): void {
    this.#tasks += this.#waiting.filter((waiting) => waiting.owner === owner).length;
  }

  end(): Promise<never> {
    this.#leave();
    return new Promise(() => {});
  }

  #leave(): void {
    this.#tasks--;
    this.#next();
  }

  #wait(owner: Owner): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ owner, go: resolve });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#waiting.length < this.#tasks) return;
    const [next] = this.#waiting.splice(this.#chance.below(this.#waiting.length), 1);
    if (!next) return;
    this.#owner = next.owner;
    next.go();
  }
}

/** All at once, as the machine has it: for stores whose own concurrency is what is tested. */
export class FreeTurns implements Turns {
  readonly #chance: Chance;
  constructor(chance: Chance) {
    this.#chance = chance;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return task();
  }

  async take(): Promise<void> {
    for (let turns = this.#chance.below(4); turns >= 0; turns--) await new Promise(setImmediate);
  }

  orphan(): void {}

  end(): Promise<never> {
    return new Promise(() => {});
  }
}
