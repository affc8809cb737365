// Takes a use of a challenge, or counts a refusal of it; a signed one gets its record with the first.

import { Outage } from '../../base/errors.ts';
import type { EventFields } from '../../events/event.ts';
import type { Challenge } from '../../ports/records/records.ts';
import { applyUse, type CountRefused, type TakeUse } from '../../ports/store.ts';
import type { Act } from '../enrol/rollback.ts';
import type { Draft } from '../record/unit-of-work.ts';
import { challengeCreated } from './challenges.ts';

/** A challenge of which a use is taken, or a refusal counted; `fresh` where it has no record yet. */
export type Used = { readonly key: string; readonly fresh?: Challenge | undefined };

/**
 * As `Draft.use`, with the record and its event where this is the first that is heard of it.
 * @throws {Outage} where it has expired since it was read: the same request is refused then
 */
export function useChallenge(
  draft: Draft,
  { key, fresh }: Used,
  change: TakeUse | CountRefused,
  { now, random }: Pick<Act, 'now' | 'random'>,
): void {
  if (!fresh) {
    draft.use(key, change);
    return;
  }
  const { fail, ...take } = change;
  const used = applyUse(fresh, fail ? { do: 'use', fail } : { do: 'use', ...(take as TakeUse) });
  if (!used) throw new Outage('the challenge has expired meanwhile');
  draft.create('challenge', key, used);
  draft.event(now, random, challengeCreated(fresh, signer(fresh)));
}

const signer = ({ madeBy }: Challenge): EventFields['actor'] => ({
  kind: 'admin',
  ...(madeBy ? { id: madeBy.by, auth: 'signature' } : {}),
});
