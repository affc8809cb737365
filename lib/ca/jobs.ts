// The periodic jobs: void abandoned attempts, expire requests that were not approved, tell webhooks of those that wait,
// revoke what renewals supersede, ask release gates again that did not answer, revoke what validators outside order, put
// events under checkpoints of their logs, write the index of searches, publish CRLs, warn of CA certificates that end
// soon, lint samples of what profiles certify, delete expired records where the store does not do so itself. The sweeper
// never signs. Lists may lag, so each record is read before it is acted on, and each write is conditional: two sweepers
// at once do no harm.

import { errorText, Outage } from '../base/errors.ts';
import {
  DAILY_MS,
  EXPIRE_BATCH,
  JOB_LIMIT_MS,
  MINUTELY_MS,
  SWEEP_AFTER_MS,
  SWEEP_BATCH,
  SWEEP_PAGES,
} from '../base/limits.ts';
import { LOG_EVERY_MS } from '../base/log-limits.ts';
import { OUTSIDE_MS } from '../base/mdm-limits.ts';
import type { Actor } from '../events/event.ts';
import type { Expiring } from '../ports/records/expiry.ts';
import { dueBefore } from '../ports/records/places.ts';
import type { Row } from '../ports/store.ts';
import { close } from './approve/pending.ts';
import { release } from './approve/release.ts';
import { type Telling, tellWaiting } from './approve/tell-waiting.ts';
import { WaitsForRoot } from './authority/ca-certificates.ts';
import { caStatus } from './authority/status.ts';
import type { Deps, PublishDeps } from './deps.ts';
import { loadTransaction } from './enrol/lookup.ts';
import { endLapsed } from './enrol/rollback.ts';
import { tellConfiguration } from './log/configuration.ts';
import { sequenceAll } from './log/sequence.ts';
import { lateLogs } from './log/status.ts';
import { carryOutRevocations } from './outside/revocations.ts';
import { uncertifiable } from './policy/certifiable.ts';
import { INDEX_LATE_MS, indexFresh, indexLate } from './query/keep-index.ts';
import { openStates } from './query/transactions.ts';
import { type Job, type Measures, overdueMs } from './record/lease.ts';
import { View } from './record/unit-of-work.ts';
import { keepCrls } from './revoke/publish-crl.ts';
import { supersedeDue } from './supersede.ts';

type Swept = {
  readonly voided: number;
  readonly expired: number;
  readonly told: number;
  readonly released: number;
  readonly superseded: number;
};

const namedIn = ({ config }: Pick<Deps, 'config'>): readonly string[] => [...config.cas.keys()];

const minutely = { everyMs: MINUTELY_MS, limitMs: JOB_LIMIT_MS };
/** Milliseconds after which upkeep is said not to run: a new schedule of Cloudflare's takes as long to be known everywhere. */
const UPKEEP_LATE_MS = 15 * 60 * 1000;
/** Milliseconds that an instance remembers whether upkeep runs: anybody may ask, and a look costs a read. */
export const UPKEEP_MEMORY_MS = 5000;
/** Milliseconds of a run in which webhooks are told: what a hook that is silent leaves to the rest of its run. */
const TELLING_MS = 20_000;
const sweeping = { name: 'sweep', ...minutely };

/** @returns what to say where no process has run the jobs for a while, as when nothing calls a Worker's schedule; or
 * where events do not get into their logs */
export async function upkeepTrouble(deps: Deps): Promise<Outage | undefined> {
  const overdue = await overdueMs(deps, sweeping);
  if (overdue === undefined) return new Outage('upkeep has never run: nothing calls its schedule');
  const minutes = Math.floor(overdue / 60_000);
  if (overdue >= UPKEEP_LATE_MS) {
    return new Outage(
      `upkeep has not run for ${minutes} minutes: nothing calls its schedule, or it fails to start`,
    );
  }
  // In a table that takes eight queries a log, and anybody may ask: there, alarms tell of it.
  if (!deps.sequencing || !deps.snapshots) return undefined;
  try {
    await deps.sequencing.key();
  } catch (error) {
    if (error instanceof Outage) return error;
    throw error;
  }
  const [late] = await lateLogs(deps);
  return late === undefined
    ? undefined
    : new Outage(`events wait for the log "${late}": "scepter status" says more`);
}

/** The CAs that have a CRL. While the store cannot be asked, the jobs of those that are named say so. */
export const casOfJobs = (deps: PublishDeps): Promise<readonly string[]> =>
  deps.cas.served().catch(() => namedIn(deps));

/** Puts events under checkpoints, where this process does so. */
export function logJobs(deps: Deps): Job[] {
  const { sequencing: logs } = deps;
  if (!logs) return [];
  const run = () => sequenceAll({ ...deps, logs });
  return [{ name: 'logs', everyMs: LOG_EVERY_MS, limitMs: JOB_LIMIT_MS, run }];
}

/**
 * All jobs of a service, separate for each CA, so that a CA with a problem does not delay the others.
 * @param served by `casOfJobs`; default: those of the configuration
 */
export function jobsOf(deps: PublishDeps, served: readonly string[] = namedIn(deps)): Job[] {
  const daily = { everyMs: DAILY_MS, limitMs: JOB_LIMIT_MS };
  return [
    {
      ...sweeping,
      last: true,
      run: async () => {
        const swept = await sweep(deps);
        await tellConfiguration(deps);
        return swept;
      },
    },
    ...logJobs(deps),
    { name: 'search', last: true, ...minutely, run: () => indexFresh(deps) },
    {
      ...minutely,
      name: 'search late',
      last: true,
      everyMs: INDEX_LATE_MS,
      run: () => indexLate(deps),
    },
    ...(deps.expiring
      ? [{ name: 'expire', ...minutely, run: () => expire(deps, deps.expiring) }]
      : []),
    ...[...deps.validators].flatMap(([id, { revocations }]): Job[] =>
      revocations
        ? [
            {
              ...{ ...minutely, name: `revocations ${id}`, last: true },
              run: () => carryOutRevocations(deps, id, revocations),
            },
          ]
        : [],
    ),
    ...served.flatMap((id): Job[] => [
      { name: `crl ${id}`, ...minutely, run: () => onceMade(crlJob(deps, id)) },
      { name: `expiry ${id}`, ...daily, run: () => expiryJob(deps, id) },
      ...(deps.config.cas.has(id)
        ? [{ name: `lint ${id}`, ...daily, run: () => onceMade(lintJob(deps, id)) }]
        : []),
    ]),
  ];
}

/** A root may take days to sign: until then there is nothing to do, and nothing to wake anybody for. The status
 * of the CA says what it waits for. */
async function onceMade(job: Promise<Measures>): Promise<Measures> {
  try {
    return await job;
  } catch (error) {
    if (error instanceof WaitsForRoot) return {};
    throw error;
  }
}

/** Every reader checks a record's expiry itself; this only frees space. */
async function expire({ clock }: Deps, expiring: Expiring | undefined): Promise<Measures> {
  return { deleted: (await expiring?.expire(clock.now(), EXPIRE_BATCH)) ?? 0 };
}

const hoursLeft = (until: number, now: number): number => Math.floor((until - now) / 3_600_000);

async function crlJob(deps: PublishDeps, id: string): Promise<Measures> {
  // A long-running server may have begun before the CA was retired.
  if (!(await deps.cas.served()).includes(id)) return {};
  const issuer = await deps.cas.issuer(id);
  const [crls] = await Promise.all([
    keepCrls(deps, issuer),
    deps.issuerFiles?.keep(id, issuer.certificate.der),
  ]);
  const first = Math.min(...crls.map(({ nextUpdate }) => nextUpdate));
  return { crlNumber: crls[0].number, crlHoursLeft: hoursLeft(first, deps.clock.now()) };
}

/** A line of the log for each thing to worry about, and how long the certificates still live. */
async function expiryJob(deps: Deps, id: string): Promise<Measures> {
  const { chain, generations, warnings } = await caStatus(deps, id);
  for (const detail of warnings) {
    deps.log({ event: 'ca.warning', severity: 'warning', ca: id, detail });
  }
  const now = deps.clock.now();
  const current = generations.find(({ state }) => state === 'current')?.certificate;
  return {
    ...(chain[0] ? { caHoursLeft: hoursLeft(chain[0].notAfter, now) } : {}),
    ...(current ? { raHoursLeft: hoursLeft(current.notAfter, now) } : {}),
  };
}

/** What only pkijs finds shows before a device meets it. @throws {Outage} with what it found */
async function lintJob({ config, cas }: PublishDeps, id: string): Promise<Measures> {
  const [problem] = await uncertifiable(config, await cas.issuer(id));
  if (problem !== undefined) throw new Outage(problem);
  return {};
}

const supersedes = ({ config }: Pick<Deps, 'config'>): boolean =>
  [...config.endpoints.values()].some(({ renew }) => renew.supersede);

const sweeper: Actor = { kind: 'system', id: 'sweeper' };

/** One run over everything that is due; where it ends before the list does, the next goes on. */
export async function sweep(deps: Deps): Promise<Swept> {
  const swept = { voided: 0, expired: 0, told: 0, released: 0, superseded: 0 };
  const now = deps.clock.now();
  const telling = { until: now + TELLING_MS, silent: new Set<string>() };
  for (const state of [...openStates, ...(supersedes(deps) ? (['issued'] as const) : [])]) {
    for await (const row of dueIn(deps, state, now)) {
      try {
        const done = await sweepOne(deps, row, now, telling);
        if (done) swept[done]++;
      } catch (error) {
        // A Transaction that cannot be swept now does not delay the others.
        const detail = errorText(error);
        deps.log({ event: 'sweep.failed', severity: 'warning', transaction: row.key, detail });
      }
    }
  }
  return swept;
}

/** Some of those in this state that are due. What another hand put into their list costs a share of a read,
 * and keeps none of them waiting for ever: the list is gone through page by page, from run to run. */
async function* dueIn(
  { store, tally: { sweptUpTo } }: Deps,
  state: (typeof openStates)[number] | 'issued',
  now: number,
): AsyncGenerator<Row<'transaction'>, void> {
  const until = dueBefore((state === 'intended' ? now - SWEEP_AFTER_MS : now) + 1);
  let [begun, from] = [0, sweptUpTo.get(state)];
  for (let pages = 0; pages < SWEEP_PAGES && begun < SWEEP_BATCH; pages++) {
    const place = { list: 'open', group: state, until, limit: SWEEP_BATCH } as const;
    const { keys, next } = await store.list({ ...place, ...(from === undefined ? {} : { from }) });
    const view = new View(store);
    await view.load(keys.map((key) => ({ kind: 'transaction', key })));
    const own = keys.flatMap((key) =>
      view.unaltered('transaction', key)?.state === state
        ? (view.row('transaction', key) ?? [])
        : [],
    );
    begun += own.length;
    yield* own;
    from = next;
    if (next === undefined) break;
  }
  if (from === undefined) sweptUpTo.delete(state);
  else sweptUpTo.set(state, from);
}

/** What it touches is read after it, in a view of its own: another that was swept before it may have changed it. */
async function sweepOne(
  deps: Deps,
  row: Row<'transaction'>,
  now: number,
  telling: Telling,
): Promise<keyof Swept | undefined> {
  const view = new View(deps.store).with([row]);
  const { record: transaction } = row;
  const { state } = transaction;
  if (state === 'intended' && transaction.leaseUntil + SWEEP_AFTER_MS <= now) {
    const ended = await endLapsed(deps, view, transaction, { actor: sweeper, now });
    return ended === 'done' ? 'voided' : undefined;
  }
  if ((state === 'pending' || state === 'approved') && transaction.expiresAt <= now) {
    const end = { event: 'expire', reason: 'requestExpired', now } as const;
    const closed = await close(deps, view, transaction, end);
    return closed === 'done' ? 'expired' : undefined;
  }
  if (state === 'pending' && transaction.untold) {
    return (await tellWaiting(deps, transaction.id, telling)) ? 'told' : undefined;
  }
  if (state === 'signed' && transaction.leaseUntil <= now) {
    const { certificate } = await loadTransaction(view, transaction.id);
    if (certificate?.state !== 'signed') return undefined;
    const until = deps.clock.now() + OUTSIDE_MS;
    const verdict = await release(deps, transaction, certificate, { actor: sweeper, until });
    return verdict === 'lost' ? undefined : 'released';
  }
  if (state === 'issued') {
    const by = { actor: sweeper, now };
    return (await supersedeDue(deps, view, transaction, by)) ? 'superseded' : undefined;
  }
  return undefined;
}
