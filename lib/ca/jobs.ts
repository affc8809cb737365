// What has to be done when nobody asks: attempts that nobody repeated are voided, requests that
// nobody approved expire, release gates that did not answer are asked again; CRLs are published;
// certificates of CAs that come to their end are warned of. The sweeper never signs. Lists may lag, so
// every record is read before it is acted on, and every act is conditional: two sweepers at once do no
// harm.

import { DAILY_MS, JOB_LIMIT_MS, MINUTELY_MS, SWEEP_AFTER_MS, SWEEP_BATCH } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import { dueBefore } from '../ports/places.ts';
import { loadForEnd, voidTransaction } from './attempt.ts';
import { keepCrl } from './crl.ts';
import type { Deps } from './deps.ts';
import type { Job, Measures } from './lease.ts';
import { close } from './pending.ts';
import { loadTransaction } from './recall.ts';
import { release } from './release.ts';
import { caStatus } from './status.ts';
import { openStates } from './transactions.ts';
import { Draft, View } from './view.ts';

export type Swept = {
  readonly voided: number;
  readonly expired: number;
  readonly released: number;
};

/** All jobs of a service, each CA's for itself: one in trouble keeps no other waiting. */
export function jobsOf(deps: Deps): Job[] {
  const minutely = { everyMs: MINUTELY_MS, limitMs: JOB_LIMIT_MS };
  const daily = { everyMs: DAILY_MS, limitMs: JOB_LIMIT_MS };
  return [
    { name: 'sweep', ...minutely, run: () => sweep(deps) },
    ...[...deps.config.cas.keys()].flatMap((id): Job[] => [
      { name: `crl ${id}`, ...minutely, run: () => crlJob(deps, id) },
      { name: `expiry ${id}`, ...daily, run: () => expiryJob(deps, id) },
    ]),
  ];
}

const hoursLeft = (until: number, now: number): number => Math.floor((until - now) / 3_600_000);

async function crlJob(deps: Deps, id: string): Promise<Measures> {
  const { number, nextUpdate } = await keepCrl(deps, await deps.cas.issuer(id));
  return { crlNumber: number, crlHoursLeft: hoursLeft(nextUpdate, deps.clock.now()) };
}

/** A line of the log for each thing to worry about, and how long the certificates still live. */
async function expiryJob(deps: Deps, id: string): Promise<Measures> {
  // Whether the keys can be used is seen where they are.
  const { chain, generations, warnings } = await caStatus({ ...deps, keyless: true }, id);
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

const sweeper: Actor = { kind: 'system', id: 'sweeper' };

/** One run over everything that is due; what is left when a batch is full waits for the next. */
export async function sweep(deps: Deps): Promise<Swept> {
  const swept = { voided: 0, expired: 0, released: 0 };
  const now = deps.clock.now();
  for (const state of openStates) {
    const due = state === 'intended' ? now - SWEEP_AFTER_MS : now;
    const until = dueBefore(due + 1);
    const page = await deps.store.list({ list: 'open', group: state, until, limit: SWEEP_BATCH });
    for (const id of page.keys) {
      try {
        const done = await sweepOne(deps, id, now);
        if (done) swept[done]++;
      } catch (error) {
        // One that cannot be swept now does not keep the others waiting.
        const detail = error instanceof Error ? error.message : String(error);
        deps.log({ event: 'sweep.failed', severity: 'warning', transaction: id, detail });
      }
    }
  }
  return swept;
}

async function sweepOne(deps: Deps, id: string, now: number): Promise<keyof Swept | undefined> {
  const view = new View(deps.store);
  const { transaction, certificate } = await loadTransaction(view, id);
  if (!transaction) return undefined;
  const { state, leaseUntil = 0, expiresAt = 0 } = transaction;
  if (state === 'intended' && leaseUntil + SWEEP_AFTER_MS <= now) {
    await loadForEnd(view, transaction);
    const draft = new Draft(view);
    voidTransaction(draft, transaction, now, deps.random, sweeper);
    return (await deps.store.write(draft.actions)) === 'done' ? 'voided' : undefined;
  }
  if ((state === 'pending' || state === 'approved') && expiresAt <= now) {
    const closed = await close(
      deps,
      view,
      transaction,
      'expired',
      { reason: 'requestExpired' },
      now,
    );
    return closed === 'done' ? 'expired' : undefined;
  }
  if (state === 'signed' && certificate && leaseUntil <= now) {
    const verdict = await release(deps, transaction, certificate, sweeper);
    return verdict === 'lost' ? undefined : 'released';
  }
  return undefined;
}
