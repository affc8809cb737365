// Jobs that one instance at a time runs, when they are due. The record of a job says until when no instance
// begins it. If an instance dies, the others wait as long as a run may take. Leases only save work: a second
// run at the same time, or a run too early, does no harm.

import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from './unit-of-work.ts';

/** The results of a run, as numbers for the log and its alarms. */
export type Measures = Readonly<Record<string, number>>;

export type Job = {
  readonly name: string;
  /** Milliseconds from the beginning of a run to the next. */
  readonly everyMs: number;
  /** Milliseconds that a run may take. */
  readonly limitMs: number;
  /** One call of upkeep begins it when the others have ended: no device waits for it, and a Worker has six connections. */
  readonly last?: true;
  readonly run: () => Promise<Measures>;
};

/** A lease that ends later than any can came from a wrong clock: it says nothing. */
const isBelieved = (until: number, now: number, { everyMs, limitMs }: JobTimes): boolean =>
  until <= now + Math.max(everyMs, limitMs) + CLOCK_SKEW_MS;
type JobTimes = Pick<Job, 'everyMs' | 'limitMs'>;

/** @returns milliseconds since when the job is due and nobody has run it; undefined if nobody ever has */
export async function overdueMs(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  job: Omit<Job, 'run'>,
): Promise<number | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'lease', key: job.name }]);
  const until = view.get('lease', job.name)?.until;
  const now = clock.now();
  return until !== undefined && isBelieved(until, now, job) ? Math.max(0, now - until) : undefined;
}

/**
 * Runs the job if it is due and no other instance runs it. A job that fails is due again at once.
 * @returns undefined if the job was not run
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
  if (began < until && isBelieved(until, began, { everyMs, limitMs })) return undefined;
  const taken = new Draft(view);
  taken.put('lease', name, { until: began + limitMs });
  if ((await store.write(taken.actions)) === 'conflict') return undefined;
  const end = async (next: number): Promise<void> => {
    const draft = new Draft(taken.applied());
    draft.put('lease', name, { until: next });
    // A conflict: the run took so long that another instance has begun.
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
