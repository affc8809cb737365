// Who is told that a request waits for an approver: the webhooks that its endpoint names. Each is told at least once,
// while the request waits: that it was told is written after it has answered, so one that a process ends in between is
// told again.

import { errorText } from '../../base/errors.ts';
import { OUTSIDE_MS } from '../../base/mdm-limits.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';

/** Of one run of the job. */
export type Telling = {
  /** Milliseconds since 1970: later nobody is asked any more. */
  readonly until: number;
  /** Those that did not answer: they are not asked again in this run. */
  readonly silent: Set<string>;
};

type TellingDeps = Pick<Deps, 'config' | 'store' | 'validators' | 'clock' | 'log'>;

/** @returns whether somebody has been told, and it is on record */
export async function tellWaiting(
  deps: TellingDeps,
  key: string,
  telling: Telling,
): Promise<boolean> {
  // Those before it may have taken a while.
  const view = new View(deps.store);
  await view.load([{ kind: 'transaction', key }]);
  const transaction = view.get('transaction', key);
  if (transaction?.state !== 'pending') return false;
  const { untold = [], ...rest } = transaction;
  const left: string[] = [];
  for (const id of untold) {
    if (!(await tell(deps, id, transaction, telling))) left.push(id);
  }
  if (left.length === untold.length) return false;
  const draft = new Draft(view);
  draft.put('transaction', key, left.length === 0 ? rest : { ...rest, untold: left });
  return (await deps.store.write(draft.actions)) === 'done';
}

/** @returns whether there is nothing left to tell it */
async function tell(
  { config, validators, clock, log }: TellingDeps,
  hook: string,
  { id, endpoint, subject, names, expiresAt }: Transaction<'pending'>,
  { until, silent }: Telling,
): Promise<boolean> {
  // The configuration has changed since.
  if (!config.endpoints.get(endpoint)?.approvalNotice.includes(hook)) return true;
  const now = clock.now();
  if (silent.has(hook) || now >= until) return false;
  try {
    const { decisionUrl } = config;
    const notice = { id, endpoint, subject, names, expiresAt, decisionUrl };
    const waiting = validators.get(hook)?.waiting;
    if (!waiting) throw new Error('it is not there');
    await waiting({ ...notice, until: Math.min(until, now + OUTSIDE_MS) });
    return true;
  } catch (error) {
    silent.add(hook);
    const detail = `"${hook}" was not told of a request that waits: ${errorText(error)}`;
    log({ event: 'waiting.untold', severity: 'warning', endpoint, transaction: id, detail });
    return false;
  }
}
