// Runs the periodic jobs (lib/ca/jobs.ts): a long-running server does so every minute, the maintenance
// function when it is called. A job that fails is logged and tried again at its next time; it neither delays
// the others nor ends the process.

import { errorText } from '../lib/base/errors.ts';
import { MINUTELY_MS } from '../lib/base/limits.ts';
import { LOG_AGAIN_MS } from '../lib/base/log-limits.ts';
import { warnOfDisagreements } from '../lib/ca/authority/as-made.ts';
import type { PublishDeps } from '../lib/ca/deps.ts';
import { casOfJobs, jobsOf, logJobs } from '../lib/ca/jobs.ts';
import { doIfDue, type Job, type Measures } from '../lib/ca/record/lease.ts';
import type { Log } from '../lib/ports/log.ts';

const MINUTE_MS = 60_000;

type Task = {
  readonly name: string;
  /** Milliseconds from the end of a run to the next. */
  readonly everyMs: number;
  readonly run: () => Promise<unknown>;
};

/** A server runs all jobs as it starts, for what has become due while none was running. */
export const upkeepOf = (deps: PublishDeps, served?: readonly string[]): Task[] =>
  jobsOf(deps, served).map((job) => {
    let started = false;
    const run = () => {
      const first = !started;
      started = true;
      return within(job, first ? job.run() : doIfDue(deps, job));
    };
    return { name: job.name, everyMs: job.everyMs < MINUTELY_MS ? job.everyMs : MINUTE_MS, run };
  });

/** Whose configuration has been compared with its CAs: a process does so once. */
const told = new WeakSet<PublishDeps>();

/**
 * Does all that is due, and says in the log how each went.
 * @throws {Error} with the names of those that failed, when all have ended
 */
export async function doAll(deps: PublishDeps, jobs?: readonly Job[]): Promise<void> {
  if (!told.has(deps)) {
    told.add(deps);
    await warnOfDisagreements(deps);
  }
  const all = jobs ?? jobsOf(deps, await casOfJobs(deps));
  const failed: string[] = [];
  const doOne = async (job: Job): Promise<void> => {
    try {
      const measures = await within(job, doIfDue(deps, job));
      if (!measures) return;
      deps.log({ event: 'upkeep.done', severity: 'info', task: job.name, ...measures });
    } catch (error) {
      deps.log(failure(job.name, error));
      failed.push(job.name);
    }
  };
  await Promise.all(all.filter(({ last }) => !last).map(doOne));
  for (const job of all) if (job.last) await doOne(job);
  if (failed.length > 0) throw new Error(`upkeep failed: ${failed.join(', ')}`);
}

/**
 * The same for a schedule that comes every minute, by which an event must be under a checkpoint of its log: where this
 * process puts them there, it does so once more in between.
 * @throws {Error} as above, when both runs have ended
 */
export async function doMinutely(deps: PublishDeps): Promise<void> {
  const again = async (): Promise<void> => {
    await deps.clock.sleep(LOG_AGAIN_MS);
    await doAll(deps, logJobs(deps));
  };
  const runs = await Promise.allSettled([doAll(deps), ...(deps.sequencing ? [again()] : [])]);
  for (const run of runs) if (run.status === 'rejected') throw run.reason;
}

/** Waits no longer than a run may take; after that another run may begin. */
function within(
  { limitMs }: Job,
  run: Promise<Measures | undefined>,
): Promise<Measures | undefined> {
  return new Promise((resolve, reject) => {
    const tooLong = () => reject(new Error(`it took longer than ${limitMs / 1000} s`));
    const timer = setTimeout(tooLong, limitMs);
    run.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export const failure = (task: string, error: unknown) => {
  const detail = errorText(error);
  return { event: 'upkeep.failed', severity: 'error', task, detail } as const;
};

/** @returns a function that stops all: no further run begins, and it resolves once the last one has ended */
export function keepUp(tasks: readonly Task[], log: Log): () => Promise<void> {
  const stops = tasks.map((task) => keep(task, log));
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

function keep({ name, everyMs, run }: Task, log: Log): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const once = async (): Promise<void> => {
    try {
      await run();
    } catch (error) {
      log(failure(name, error));
    }
    if (stopped) return;
    timer = setTimeout(() => {
      running = once();
    }, everyMs);
  };
  let running = once();
  return () => {
    stopped = true;
    clearTimeout(timer);
    return running;
  };
}
