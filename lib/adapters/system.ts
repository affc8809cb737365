// The machine's clock, generator and standard output.

import type { Bytes } from '../bytes.ts';
import type { Clock, Random } from '../ports/clock-and-random.ts';
import type { Log } from '../ports/log.ts';
import { visible } from '../visible.ts';

export const systemClock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
} satisfies Clock;

export const systemRandom = ((octets: number): Bytes =>
  crypto.getRandomValues(new Uint8Array(octets))) satisfies Random;

/** JSON Lines. The time goes first so that lines sort by it. */
export function jsonLog(write: (line: string) => void, clock: Clock): Log {
  return (entry) => {
    const line = JSON.stringify({ time: new Date(clock.now()).toISOString(), ...entry });
    // Names are attackers' text: nothing in a line may turn it around or end it for a reader.
    write(visible(line));
  };
}
