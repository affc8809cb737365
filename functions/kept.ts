// What a process of Lambda, or an isolate of Workers, keeps between its requests: made once, shared by
// all. A start that fails is not kept: the request that met it is answered 503, and the next one starts
// again.

import type { Log } from '../lib/ports/log.ts';
import { SingleFlight } from '../lib/single-flight.ts';

/** Single flight; a failure is logged, thrown to who waits for it, and forgotten. */
export function kept<T, Given extends readonly unknown[] = []>(
  open: (...given: Given) => Promise<T>,
  log: Log,
): (...given: Given) => Promise<T> {
  const instance = new SingleFlight<T>();
  const opened = async (...given: Given): Promise<T> => {
    try {
      return await open(...given);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      log({ event: 'start.failed', severity: 'error', detail });
      throw error;
    }
  };
  return (...given) => instance.get('instance', () => opened(...given));
}
