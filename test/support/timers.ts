// Time that does not depend on how fast the machine is: for the budgets of AWS adapters, which never run
// out or run out at once, and for those who wait for each other.

import { systemTimer, type Timer } from '../../lib/adapters/aws/aws.ts';

/** Budgets that never run out, and a minute for each call: a busy machine fails no test. */
export const patient: Timer = {
  ...systemTimer,
  now: () => 0,
  limit: (ms) => systemTimer.limit(60 * ms),
};

/** The same, for services that are silent: a call is given up as soon as the product gives it up. */
export const awaitingSilence: Timer = { ...patient, limit: systemTimer.limit };

/** Budgets that run out at once: waiting takes no time, and is as long as was asked for. */
export const impatient = (): Timer => {
  let at = 0;
  return {
    ...patient,
    now: () => at,
    sleep: async (ms) => {
      at += ms;
    },
  };
};

/** Time that passes only while all that are left sleep, however slow the store is. */
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
