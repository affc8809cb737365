// Around a validator outside: no call outlasts its request, and one that fails again and again is left alone for a
// while, so that whoever waits for it is told at once, and other requests keep their connections and their time.

import { errorText, Outage } from '../base/errors.ts';
import { OUTSIDE_FAILURES, OUTSIDE_FAILURES_MS, OUTSIDE_REST_MS } from '../base/mdm-limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { ValidationRequest, Validator } from '../ports/validator.ts';

/** The same validator. @param id what the configuration calls it */
export function guardedValidator(
  id: string,
  validator: Validator,
  clock: Pick<Clock, 'now'>,
): Validator {
  let failures: number[] = [];
  let restsUntil = Number.NEGATIVE_INFINITY;
  const failed = (): void => {
    const now = clock.now();
    failures = [...failures.filter((at) => at > now - OUTSIDE_FAILURES_MS && at <= now), now];
    if (failures.length < OUTSIDE_FAILURES) return;
    restsUntil = now + OUTSIDE_REST_MS;
    failures = [];
  };
  const within =
    <Q extends Pick<ValidationRequest, 'until'>, A>(ask: (question: Q) => Promise<A>) =>
    async (question: Q): Promise<A> => {
      const now = clock.now();
      // A moment further ahead than a rest lasts was set by a clock that was wrong.
      if (now < restsUntil && restsUntil <= now + OUTSIDE_REST_MS) {
        throw new Outage(`the validator "${id}" has failed ${OUTSIDE_FAILURES} times, and rests`);
      }
      const left = question.until - now;
      if (left <= 0) throw new Outage(`no time is left to ask the validator "${id}"`);
      try {
        return await inTime(left, () => ask(question));
      } catch (error) {
        failed();
        if (error instanceof Outage) throw error;
        throw new Outage(`the validator "${id}": ${errorText(error)}`, { cause: error });
      }
    };
  const { notify, refused, waiting, revocations } = validator;
  return {
    validate: within((request) => validator.validate(request)),
    ...(notify ? { notify: within((notice) => notify.call(validator, notice)) } : {}),
    ...(refused ? { refused: within((notice) => refused.call(validator, notice)) } : {}),
    ...(waiting ? { waiting: within((notice) => waiting.call(validator, notice)) } : {}),
    // For jobs, which have time, and no device that waits.
    ...(revocations ? { revocations } : {}),
  };
}

/** @throws {Outage} when the work takes longer than `ms` milliseconds; it may go on */
function inTime<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const late = new Error('it did not answer in time');
  const timer = AbortSignal.timeout(ms);
  const over = new Promise<never>((_, reject) => {
    timer.addEventListener('abort', () => reject(late), { once: true });
  });
  return Promise.race([work(), over]);
}
