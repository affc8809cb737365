// Which configuration is in force, as an event: once when its first server begins, and at each change. What was decided
// under it names its digest.

import type { Deps } from '../deps.ts';
import { Draft, View } from '../record/unit-of-work.ts';

const current = { kind: 'configuration', key: 'current' } as const;

export async function tellConfiguration({
  config: { digest },
  store,
  clock,
  random,
  tally,
}: Pick<Deps, 'config' | 'store' | 'clock' | 'random' | 'tally'>): Promise<void> {
  if (tally.toldConfiguration === digest) return;
  const view = new View(store);
  await view.load([current]);
  const before = view.unaltered(current.kind, current.key)?.digest;
  if (before === digest) {
    tally.toldConfiguration = digest;
    return;
  }
  const draft = new Draft(view);
  draft.put(current.kind, current.key, { digest });
  draft.event(clock.now(), random, {
    type: 'config.applied',
    actor: { kind: 'system' },
    configHash: digest,
    ...(before === undefined ? {} : { note: `after ${before}` }),
  });
  // A conflict: another instance has just told of one; which, the next look says.
  if ((await store.write(draft.actions)) === 'done') tally.toldConfiguration = digest;
}
