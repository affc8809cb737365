// How the logs stand: what an operator has to know before an auditor finds it out.

import { fromUtf8 } from '../../base/bytes.ts';
import { errorText, Outage } from '../../base/errors.ts';
import { CLOCK_SKEW_MS } from '../../base/limits.ts';
import { IDLE_CHECKPOINT_MS, LOG_LATE_MS } from '../../base/log-limits.ts';
import { iso } from '../../base/text.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import type { Records } from '../../ports/records/records.ts';
import type { Deps } from '../deps.ts';
import { View } from '../record/unit-of-work.ts';
import { checkpointPath, everyLog, type LogDeps, notOfHead, opened } from './sequence.ts';

type LogStatus = {
  /** Under which its files are. */
  readonly log: string;
  /** Events in it, and when its newest checkpoint was signed; absent before the first. */
  readonly size?: number;
  readonly time?: number;
  /** Sentences; none if all is well. */
  readonly warnings: readonly string[];
};

type StatusDeps = LogDeps & Pick<Deps, 'clock' | 'log'>;

/** Those that have begun, and those for which something waits. */
export async function logsStatus(deps: StatusDeps): Promise<readonly LogStatus[]> {
  const all = await everyLog(deps);
  const view = new View(deps.store);
  await view.load(all.map((key) => ({ kind: 'logHead', key })));
  const found = await Promise.all(all.map((log) => oneStatus(deps, log, view.get('logHead', log))));
  return found.filter(({ size, warnings }) => size !== undefined || warnings.length > 0);
}

async function oneStatus(
  deps: StatusDeps,
  log: string,
  head: Records['logHead'] | undefined,
): Promise<LogStatus> {
  const { logs, clock } = deps;
  const { name = log, origin = '', checkpoint = '', before = '' } = head ?? {};
  const since = await lateSince(deps, log);
  const late = since === undefined ? [] : [waitsSince(since)];
  try {
    const found = await logs.files.read(checkpointPath(name));
    const published = found === undefined ? '' : fromUtf8(found);
    const key = await logs.key();
    const last = await opened(checkpoint, { name: origin, key });
    if (!last) {
      const warnings = published === '' ? late : [notOfHead(name).message, ...late];
      return { log: name, warnings };
    }
    const { size, time } = last;
    const now = clock.now();
    const isBeingPublished = published === before && now - time <= LOG_LATE_MS * 2;
    const isWhole = published === checkpoint || isBeingPublished;
    const warnings = [...(isWhole ? [] : [notOfHead(name).message]), ...late];
    return { log: name, size, time, warnings: [...warnings, ...timeWarnings(time, now)] };
  } catch (error) {
    const detail = errorText(error);
    deps.log({ event: 'status.logs', severity: 'error', log: name, detail });
    const why = error instanceof Outage ? error.message : 'it cannot be read: the log says why';
    return { log: name, warnings: [why, ...late] };
  }
}

function timeWarnings(time: number, now: number): string[] {
  if (time > now + CLOCK_SKEW_MS) {
    return [`its newest checkpoint is of the future (${iso(time)}): a clock was wrong, or is now`];
  }
  return now - time > IDLE_CHECKPOINT_MS + LOG_LATE_MS * 2
    ? [`its newest checkpoint is of ${iso(time)}, and there is one an hour where upkeep runs`]
    : [];
}

const waitsSince = (at: number): string =>
  `events have waited for it since ${iso(at)}: upkeep.failed and log.refused in the log of whatever puts them there say why`;

/** The event that has waited longest for this log, if one is late: its time in milliseconds since 1970. */
async function lateSince(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  log: string,
): Promise<number | undefined> {
  const { keys } = await store.list({ list: 'unlogged', group: log, limit: 1 });
  const at = timeOfUlid(keys[0]?.slice(log.length + 1) ?? '');
  return clock.now() - at > LOG_LATE_MS * 2 ? at : undefined;
}

/** The names of the logs for which something has waited too long. */
export async function lateLogs(
  deps: Pick<Deps, 'store' | 'clock' | 'config'>,
): Promise<readonly string[]> {
  const all = await everyLog(deps);
  const since = await Promise.all(all.map((log) => lateSince(deps, log)));
  return all.filter((_, at) => since[at] !== undefined);
}
