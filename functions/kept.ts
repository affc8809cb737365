// Keeps a value between the requests of a Lambda process or a Workers isolate: it is made once and shared.
// A start that fails is not kept: its request is answered 503, and the next one starts again.

import { errorText } from '../lib/base/errors.ts';
import { SingleFlight } from '../lib/base/single-flight.ts';
import type { Log } from '../lib/ports/log.ts';

/** Single flight; a failure is logged, thrown to all that wait for it, and forgotten. */
export function kept<T, Given extends readonly unknown[] = []>(
  open: (...given: Given) => Promise<T>,
  log: Log,
): (...given: Given) => Promise<T> {
  const instance = new SingleFlight<T>();
  const opened = async (...given: Given): Promise<T> => {
    try {
      return await open(...given);
    } catch (error) {
      const detail = errorText(error);
      log({ event: 'start.failed', severity: 'error', detail });
      throw error;
    }
  };
  return (...given) => instance.get('instance', () => opened(...given));
}
