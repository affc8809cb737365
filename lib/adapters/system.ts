// The machine's clock, generator and standard output.

import type { Bytes, Random } from '../base/bytes.ts';
import { visible } from '../base/text.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

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
    // Names may be an attacker's text: no character in a line may reverse or end it on a screen.
    write(visible(line));
  };
}
