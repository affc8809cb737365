// RA generations on their way (shared design 4.1): prepared, current, previous, retired. Each step is
// an operator's command and one conditional write with its events; no request ever makes one. Instances
// follow within RA_RELOAD_MS, or when a request names a recipient that they do not know; one that does it all
// itself follows at once. The order and the waiting keep every client answered: a key is announced only once
// every instance can use it, and is retired only once clients no longer use it.

import { RA_PREPARED_MS, RA_PREVIOUS_MS } from '../../base/limits.ts';
import type { RaGenerationState, RotationStep } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import type { AuthorityRecord, RaGenerationRecord } from '../../ports/records/registry.ts';
import type { SignRequests } from '../../ports/signer.ts';
import type { LifecycleDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { IssuingCas } from './ca-certificates.ts';
import { changedMeanwhile } from './init-ca.ts';
import { makeGeneration, raEvent } from './own-certificates.ts';

export type RotationDone = {
  readonly kind: 'done';
  readonly step: RotationStep;
  readonly generations: readonly RaGenerationRecord[];
  /** When the next step may be taken, milliseconds since 1970; undefined if no step follows. */
  readonly next: { readonly step: RotationStep; readonly from: number } | undefined;
};
export type Rotated =
  | RotationDone
  | { readonly kind: 'early'; readonly step: RotationStep; readonly from: number }
  /** The CA has no generation in the state that this step needs. */
  | { readonly kind: 'none'; readonly step: RotationStep };

export type RotationOptions = {
  /** Absent: the one that comes next. */
  readonly step?: RotationStep | undefined;
  /** Do not wait. */
  readonly force?: boolean;
  readonly actor: Actor;
  readonly remembered?: Remembered<RotationDone> | undefined;
};

/**
 * Takes one step.
 * @throws {Outage} when the CA does not exist, or another operator changed it at the same time
 */
export async function rotateRa(
  deps: LifecycleDeps,
  ca: string,
  { step: asked, force = false, actor, remembered }: RotationOptions,
): Promise<Rotated> {
  const view = new View(deps.store);
  await loadNew(view, [{ kind: 'authority', key: ca }], remembered, deps.clock.now());
  const issuer = await new IssuingCas(deps).issuer(ca);
  const record = view.get('authority', ca);
  if (!record) throw changedMeanwhile(ca);
  const now = deps.clock.now();
  const step = asked ?? nextStep(record);
  const wait = waitOf(deps, ca);
  const inState = (state: RaGenerationState) =>
    record.generations.filter((generation) => generation.state === state);
  const draft = new Draft(view);
  const write = async (generations: readonly RaGenerationRecord[]): Promise<Rotated> => {
    draft.put('authority', ca, { ...record, generations });
    const after = nextStep({ generations });
    const from = dueAt(generations, after, wait);
    const next = after === 'prepare' ? undefined : { step: after, from };
    const done = { kind: 'done', step, generations, next } as const;
    remembered?.once.remember(draft, now, remembered.answer(done));
    if ((await deps.store.write(draft.actions)) === 'conflict') throw changedMeanwhile(ca);
    return done;
  };
  const tell = (type: 'ca.ra.prepared' | 'ca.ra.current' | 'ca.ra.retired') => {
    return (generation: RaGenerationRecord, requests: SignRequests = {}) =>
      draft.event(now, deps.random, { ...raEvent(type, generation), actor, ca, ...requests });
  };
  const moved = (changes: Partial<Record<RaGenerationState, RaGenerationState>>) =>
    record.generations.map((generation) => {
      const state = changes[generation.state];
      return state ? { ...generation, state, since: now } : generation;
    });

  switch (step) {
    case 'prepare': {
      if (inState('prepared').length > 0) return { kind: 'none', step };
      const id = Math.max(0, ...record.generations.map((generation) => generation.id)) + 1;
      const order = { id, state: 'prepared' } as const;
      const { generation, requests } = await makeGeneration(deps, issuer, order, now);
      tell('ca.ra.prepared')(generation, requests);
      return write([...record.generations, generation]);
    }
    case 'activate': {
      const ready = inState('prepared');
      if (ready.length === 0) return { kind: 'none', step };
      const from = dueAt(record.generations, step, wait);
      if (from > now && !force) return { kind: 'early', step, from };
      for (const generation of ready) tell('ca.ra.current')(generation);
      return write(moved({ prepared: 'current', current: 'previous' }));
    }
    case 'retire': {
      const over = inState('previous');
      if (over.length === 0) return { kind: 'none', step };
      const due = over.filter((one) => force || (one.since ?? 0) + wait.retire <= now);
      if (due.length === 0) {
        return { kind: 'early', step, from: dueAt(record.generations, step, wait) };
      }
      for (const generation of due) tell('ca.ra.retired')(generation);
      // The sealed key is removed, so that whoever obtains this record cannot open earlier messages.
      const retired = ({ sealedKey: _gone, ...one }: RaGenerationRecord): RaGenerationRecord => ({
        ...one,
        state: 'retired',
        since: now,
      });
      return write(record.generations.map((one) => (due.includes(one) ? retired(one) : one)));
    }
  }
}

type Wait = { readonly activate: number; readonly retire: number };

/** Devices that wait for an approver repeat a message that was sealed for an earlier generation. */
function waitOf({ config, alone }: LifecycleDeps, ca: string): Wait {
  const pending = [...config.endpoints.values()]
    .filter((endpoint) => endpoint.ca === ca)
    .map(({ pendingTtlMs }) => pendingTtlMs);
  return { activate: alone ? 0 : RA_PREPARED_MS, retire: Math.max(RA_PREVIOUS_MS, ...pending) };
}

function nextStep({ generations }: Pick<AuthorityRecord, 'generations'>): RotationStep {
  const states = new Set(generations.map(({ state }) => state));
  if (states.has('prepared')) return 'activate';
  return states.has('previous') ? 'retire' : 'prepare';
}

/** When the first generation that the step is for may take it. */
function dueAt(generations: readonly RaGenerationRecord[], step: RotationStep, wait: Wait): number {
  if (step === 'prepare') return 0;
  const state = step === 'activate' ? 'prepared' : 'previous';
  const all = generations.filter((generation) => generation.state === state);
  return Math.min(...all.map(({ since = 0 }) => since)) + wait[step];
}
