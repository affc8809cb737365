// Time that does not depend on how fast the machine is: for the budgets of AWS adapters, which never run
// out or run out at once, and for those who wait for each other.

import type { Timer } from '../../lib/adapters/aws.ts';

/** Budgets that never run out: a busy machine fails no test. */
export const patient: Timer = {
  now: () => 0,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Budgets that run out at once: waiting takes no time, and is as long as was asked for. */
export const impatient = (): Timer => {
  let at = 0;
  return {
    now: () => at,
    sleep: async (ms) => {
      at += ms;
    },
  };
};

/** Time that passes only while all who are left sleep, however slow the store is. */
export function idleTime(parties: number) {
  let awake = parties;
  let sleepers: (() => void)[] = [];
  const leave = (): void => {
    awake--;
    if (awake > 0) return;
    awake = sleepers.length;
    const waking = sleepers;
    sleepers = [];
    for (const wake of waking) wake();
  };
  const sleep = (): Promise<void> =>
    new Promise((resolve) => {
      sleepers.push(resolve);
      leave();
    });
  return { sleep, leave };
}
