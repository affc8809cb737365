// `scepter crl partition`: a new generation of partitions, for certificates that are issued from now on. Those before
// keep the CRLs that they name.

import { Outage } from '../../base/errors.ts';
import type { Authority } from '../../config/config.ts';
import type { Actor } from '../../events/event.ts';
import type { CrlPartitions } from '../../ports/records/registry.ts';
import { changedMeanwhile } from '../authority/init-ca.ts';
import type { LifecycleDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';

/**
 * As many partitions as the configuration has, at its filesUrl. Nothing changes where both are so already.
 * @returns those of new certificates
 * @throws {Outage} if the CA cannot have them
 */
export async function raisePartitions(
  { config, store, clock, random }: LifecycleDeps,
  { id, crlPartitions: count }: Pick<Authority, 'id' | 'crlPartitions'>,
  actor: Actor,
  remembered?: Remembered<CrlPartitions>,
): Promise<CrlPartitions> {
  const now = clock.now();
  const view = new View(store);
  await loadNew(view, [{ kind: 'authority', key: id }], remembered, now);
  const record = view.get('authority', id);
  if (!record) throw new Outage(`the CA "${id}" has not been made yet: it is made with partitions`);
  const { partitions = [] } = record;
  const last = partitions.at(-1);
  if (!last) {
    throw new Outage(
      `the CA "${id}" was made without partitions: whoever has its one CRL takes what that does not list for good; make a new CA with "crlPartitions"`,
    );
  }
  if (count === undefined || count < last.count) {
    throw new Outage(
      `cas.${id}.crlPartitions: must be ${last.count} or more, as many as the CA has`,
    );
  }
  const { filesUrl: base } = config;
  if (count === last.count && base === last.base) return last;
  const next = { generation: last.generation + 1, count, base };
  const draft = new Draft(view);
  draft.put('authority', id, { ...record, partitions: [...partitions, next] });
  const note = `spreads new certificates over ${count} CRLs at ${base}, generation ${next.generation}`;
  draft.event(now, random, { type: 'admin.acted', actor, ca: id, note });
  remembered?.once.remember(draft, now, remembered.answer(next));
  if ((await store.write(draft.actions)) === 'conflict') throw changedMeanwhile(id);
  return next;
}
