// Forgets whom the events of a Transaction name. The log keeps the hash of what is gone, and the event that tells of it:
// nothing else can be put in its place.

import { Outage } from '../../base/errors.ts';
import type { NamedActor } from '../../events/event.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { Deps } from '../deps.ts';
import { openStates } from '../query/transactions.ts';
import { Draft, View } from '../record/unit-of-work.ts';

/** Events that one write forgets: a write to DynamoDB has a hundred records at most. */
const AT_ONCE = 50;

/**
 * @returns how many events were forgotten; `missing` where no event tells of such a Transaction; `open` while it is not
 *   over: what happens next would name the same again
 * @throws {Outage} where one of the events was changed by another hand
 */
export async function forgetTransaction(
  { store, clock, random }: Pick<Deps, 'store' | 'clock' | 'random'>,
  transaction: string,
  actor: NamedActor,
): Promise<number | 'missing' | 'open'> {
  let [forgotten, seen] = [0, 0];
  for (let from: string | undefined, more = true; more; ) {
    const place = { list: 'timeline', group: transaction, limit: AT_ONCE } as const;
    const { keys, next } = await store.list({ ...place, ...(from === undefined ? {} : { from }) });
    const view = new View(store);
    const events = keys.map((key) => ({ kind: 'event', key }) as const);
    await view.load([...events, { kind: 'transaction', key: transaction }]);
    const [altered] = view.altered;
    if (altered !== undefined) {
      throw new Outage(`the record ${altered} was changed by another hand: nothing is forgotten`);
    }
    const record = view.get('transaction', transaction);
    if (openStates.some((open) => open === record?.state)) return 'open';
    const draft = new Draft(view);
    if (record?.client) {
      const { client: _forgotten, ...rest } = record;
      draft.put('transaction', transaction, rest as Transaction);
    }
    let count = 0;
    let ca: string | undefined;
    for (const key of keys) {
      const event = view.get('event', key);
      if (!event) continue;
      seen += 1;
      const said = JSON.parse(event.body) as { readonly type: string; readonly ca?: string };
      const { personal, ...rest } = event;
      // Whoever forgot it is never forgotten.
      if (personal === undefined || said.type === 'log.forgotten') continue;
      draft.put('event', key, rest);
      count += 1;
      ca = said.ca;
    }
    if (count > 0) {
      const about = { actor, transaction, number: count, ...(ca === undefined ? {} : { ca }) };
      draft.event(clock.now(), random, { ...about, type: 'log.forgotten' });
      // Another one has forgotten some of them: what is left is read once more.
      if ((await store.write(draft.actions)) === 'conflict') continue;
    }
    forgotten += count;
    [from, more] = [next, next !== undefined];
  }
  return seen === 0 ? 'missing' : forgotten;
}
