// Jobs that one instance at a time does, and none before they are due. A record for each says until
// when nobody begins it. Whoever dies at work is waited for as long as a run may take; a second run at
// the same time does no harm, and neither does a job that is done too soon: leases save work, no more.

import { CLOCK_SKEW_MS } from '../limits.ts';
import type { Deps } from './deps.ts';
import { Draft, View } from './view.ts';

/** What a run found, as numbers: for the log, and for alarms on it. */
export type Measures = Readonly<Record<string, number>>;

export type Job = {
  readonly name: string;
  /** Milliseconds from the beginning of a run to the next. */
  readonly everyMs: number;
  /** Milliseconds that a run may take. */
  readonly limitMs: number;
  readonly run: () => Promise<Measures>;
};

/**
 * Does the job if it is due and nobody is at it. One that fails is due again at once.
 * @returns undefined where there was nothing to do
 */
export async function doIfDue(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  { name, everyMs, limitMs, run }: Job,
): Promise<Measures | undefined> {
  const key = { kind: 'lease', key: name } as const;
  const view = new View(store);
  await view.load([key]);
  const began = clock.now();
  const until = view.get('lease', name)?.until ?? 0;
  // One that ends later than any can was given by a clock that was wrong.
  if (began < until && until <= began + Math.max(everyMs, limitMs) + CLOCK_SKEW_MS)
    return undefined;
  const taken = new Draft(view);
  taken.put('lease', name, { until: began + limitMs });
  if ((await store.write(taken.actions)) === 'conflict') return undefined;
  const end = async (next: number): Promise<void> => {
    const draft = new Draft(taken.applied());
    draft.put('lease', name, { until: next });
    // A conflict: it took so long that somebody else has begun.
    await store.write(draft.actions);
  };
  try {
    const measures = await run();
    await end(began + everyMs);
    return measures;
  } catch (error) {
    await end(began).catch(() => undefined);
    throw error;
  }
}
