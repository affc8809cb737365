// The machine's clock, generator and standard output.

import type { Bytes } from '../bytes.ts';
import type { Clock, Random } from '../ports/clock-and-random.ts';
import type { Log } from '../ports/log.ts';

export const systemClock = { now: () => Date.now() } satisfies Clock;

export const systemRandom = ((octets: number): Bytes =>
  crypto.getRandomValues(new Uint8Array(octets))) satisfies Random;

/** JSON Lines. `now` goes first so that lines sort by it. */
export function jsonLog(write: (line: string) => void, clock: Clock): Log {
  return (entry) => write(JSON.stringify({ time: new Date(clock.now()).toISOString(), ...entry }));
}
