// Decision links: a person without a token decides about one request, once. What a link says stands in it, under a MAC
// of the approvals' key: the Transaction, the SHA-256 of its CSR, the person, its end, and whoever made it. That it was
// used is written together with the decision.

import { base64url, fromBase64url, fromUtf8, utf8 } from '../../base/bytes.ts';
import { canonicalText } from '../../base/json.ts';
import { iso } from '../../base/text.ts';
import { ulid } from '../../base/ulid.ts';
import type { Actor } from '../../events/event.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { Author, Transaction } from '../../ports/records/transaction.ts';
import { mac } from '../challenge/challenges.ts';
import type { Deps } from '../deps.ts';
import { Once } from '../record/idempotency.ts';
import { eventOf } from '../record/transaction-event.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { holds, tagged } from './approval-mac.ts';
import { waits } from './decide.ts';
import { isSamePerson } from './persons.ts';

export type DecisionLink = {
  readonly id: string;
  readonly transaction: string;
  readonly csrHash: string;
  readonly person: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The person who made it. */
  readonly by: string;
};

type LinkDeps = Pick<Deps, 'config' | 'store' | 'macKeys' | 'clock' | 'random'>;
type Wanted = { readonly person: string; readonly ttlMs: number; readonly actor: Actor };

/**
 * Good until the request expires, at the latest. Nothing but the event is written.
 * @returns the link and its text; `missing`; `minter`: the person made the challenge of the request; or the state that
 *   it is in, where it does not wait
 */
export async function makeLink(
  deps: LinkDeps,
  key: string,
  { person, ttlMs, actor }: Wanted,
): Promise<
  | { readonly link: DecisionLink; readonly text: string }
  | 'missing'
  | 'minter'
  | Transaction['state']
> {
  const { store, macKeys, clock, random } = deps;
  const now = clock.now();
  const view = new View(store);
  await view.load([{ kind: 'transaction', key }]);
  const transaction = view.get('transaction', key);
  if (!transaction) return 'missing';
  if (!waits(deps, transaction)) return transaction.state;
  if (transaction.expiresAt <= now) return 'expired';
  const { challengeBy, csrHash } = transaction;
  if (challengeBy && isSamePerson(challengeBy, { by: person })) return 'minter';
  const link = {
    ...{ id: ulid(now, random(10)), transaction: key, csrHash, person },
    expiresAt: Math.min(now + ttlMs, transaction.expiresAt),
    by: actor.person ?? actor.id ?? actor.kind,
  };
  const [macKey] = await macKeys.live('approval');
  const said = base64url(utf8(canonicalText(link)));
  const draft = new Draft(view);
  const note = `for ${person}, until ${iso(link.expiresAt)}`;
  draft.event(now, random, { ...eventOf(transaction), type: 'link.created', actor, note });
  await store.write(draft.actions);
  return { link, text: `${said}.${tagOf(macKey, said)}` };
}

const tagOf = (macKey: MacKey, said: string): string => tagged(macKey, mac(macKey, 'link', said));

/** What stands in a link; undefined for one that this service did not make. Reads no record. */
export async function readLink(
  { macKeys }: Pick<Deps, 'macKeys'>,
  text: string,
): Promise<DecisionLink | undefined> {
  const [, said = '', tag = ''] = /^([\w-]{1,1000})\.(.{1,200})$/.exec(text) ?? [];
  const live = await macKeys.live('approval');
  if (!holds(live, tag, (macKey) => tagOf(macKey, said))) return undefined;
  return JSON.parse(fromUtf8(fromBase64url(said)));
}

/** Whether it was used: under this a decision is remembered. */
export const useOfLink = ({ id }: DecisionLink): Once => new Once('decision link', id, null);

/** Whoever decides by it. */
export const authorBy = ({ person, by }: DecisionLink): Author => ({
  by: person,
  auth: `link made by ${by}`,
});
