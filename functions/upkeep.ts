// What a server that stays up does beside answering: tasks that run at the start and then again and
// again. One run of a task ends before its next begins; one that fails is logged and tried again at
// its next time; none of them ends the process.

import { keepCrl } from '../lib/ca/crl.ts';
import type { Deps } from '../lib/ca/deps.ts';
import { sweep } from '../lib/ca/jobs.ts';
import type { Log } from '../lib/ports/log.ts';

const MINUTE_MS = 60_000;

export type Task = {
  readonly name: string;
  /** Milliseconds from the end of a run to the next. */
  readonly everyMs: number;
  readonly run: () => Promise<unknown>;
};

/** Every minute what is due, and the CRL of each CA: one in trouble keeps no other waiting. */
export function upkeepOf(deps: Deps): Task[] {
  const crls = [...deps.config.cas.keys()].map((id) => ({
    name: `crl ${id}`,
    everyMs: MINUTE_MS,
    run: async () => keepCrl(deps, await deps.cas.of(id)),
  }));
  return [{ name: 'sweep', everyMs: MINUTE_MS, run: () => sweep(deps) }, ...crls];
}

/** @returns stops all: no further run begins, and when it resolves none is at work any more */
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
      const detail = error instanceof Error ? error.message : String(error);
      log({ event: 'upkeep.failed', severity: 'error', task: name, detail });
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
