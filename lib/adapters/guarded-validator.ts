// Around a validator outside: no call outlasts its request, and one that fails again and again is left alone for a
// while, so that whoever waits for it is told at once, and other requests keep their connections and their time. Anybody
// can have it asked about a request of his own, so what fails because of the request itself is no failure of it.

import { errorText, Malformed, NoAnswer, Outage } from '../base/errors.ts';
import {
  OUTSIDE_FAILURES,
  OUTSIDE_FAILURES_MS,
  OUTSIDE_REST_MS,
  OUTSIDE_WAITED_MS,
} from '../base/mdm-limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { ValidationRequest, Validator } from '../ports/validator.ts';

/** When a call failed, and how many milliseconds it was waited for. */
type Failure = { readonly at: number; readonly waited: number };

/** The same validator. @param id what the configuration calls it */
export function guardedValidator(
  id: string,
  validator: Validator,
  clock: Pick<Clock, 'now'>,
): Validator {
  /** Since it last answered. */
  let failures: readonly Failure[] = [];
  let restsUntil = Number.NEGATIVE_INFINITY;
  const failed = (waited: number): void => {
    const now = clock.now();
    const recent = failures.filter(({ at }) => at > now - OUTSIDE_FAILURES_MS && at <= now);
    failures = [...recent, { at: now, waited }];
    const all = failures.reduce((sum, one) => sum + one.waited, 0);
    if (failures.length < OUTSIDE_FAILURES && all < OUTSIDE_WAITED_MS) return;
    restsUntil = now + OUTSIDE_REST_MS;
  };
  const within =
    <Q extends Pick<ValidationRequest, 'until'>, A>(ask: (question: Q) => Promise<A>) =>
    async (question: Q): Promise<A> => {
      const now = clock.now();
      // A moment further ahead than a rest lasts was set by a clock that was wrong.
      if (now < restsUntil && restsUntil <= now + OUTSIDE_REST_MS) {
        throw new Outage(`the validator "${id}" has failed again and again, and rests`);
      }
      const left = question.until - now;
      if (left <= 0) throw new Outage(`no time is left to ask the validator "${id}"`);
      try {
        const answer = await inTime(left, () => ask(question));
        failures = [];
        return answer;
      } catch (error) {
        const isOfRequest = error instanceof NoAnswer || error instanceof Malformed;
        if (!isOfRequest) failed(clock.now() - now);
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
