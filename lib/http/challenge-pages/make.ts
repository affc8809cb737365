// Makes the challenge of a page or hook: one use, bound to what its account may have, as long as the account has places
// in its hour.

import type { Context } from 'hono';
import { PAGE_LINE_MS } from '../../base/mdm-limits.ts';
import { normalBinding, type WantedBinding } from '../../ca/challenge/binding.ts';
import { createChallenge } from '../../ca/challenge/challenges.ts';
import { takesPlace } from '../../ca/challenge/places.ts';
import type { ChallengeDeps } from '../../ca/deps.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import type { ChallengeForm } from '../../config/outside/ndes.ts';
import { clientOf } from '../client.ts';

type Wanted = {
  /** The page and its account, as events name them. */
  readonly by: string;
  readonly form?: ChallengeForm;
  readonly perHour: number;
  readonly ttlMs: number;
  readonly binding: WantedBinding;
  readonly c: Context;
};

/** @returns undefined where the account has had all of its hour */
export async function makeFor(
  deps: ChallengeDeps,
  endpoint: Endpoint,
  { by, perHour, binding, c, ...wanted }: Wanted,
): Promise<string | undefined> {
  const bound = normalBinding(endpoint.profile, binding);
  const account = `${endpoint.id}/${by}`;
  if (!(await takesPlace(deps, account, perHour))) {
    const number = deps.tally.lineDue(`${account} full`, deps.clock.now(), PAGE_LINE_MS);
    if (number !== undefined) {
      const about = { endpoint: endpoint.id, account: by, perHour, number };
      deps.log({ event: 'page.full', severity: 'warning', ...about });
    }
    return undefined;
  }
  const from = clientOf(deps, c);
  const actor = { kind: 'admin', id: by, auth: 'password', ...(from ? { from } : {}) } as const;
  const made = await createChallenge(
    deps,
    endpoint,
    { ...wanted, binding: bound, uses: 1 },
    { actor },
  );
  return made.challenge;
}
