// Time for the budgets of AWS adapters: budgets that never run out, and budgets that run out at once.

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
