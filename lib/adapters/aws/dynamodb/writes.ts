// What a write of the store is in DynamoDB: each action as an item of TransactWriteItems, with the condition that
// it is made on. Pure; whoever reviews what the table allows reads this page.

import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { Outage } from '../../../base/errors.ts';
import { MAX_CHALLENGE_FAILURES } from '../../../base/limits.ts';
import { RECORD_VERSION } from '../../../ports/records/records.ts';
import { type Action, MAX_REV, nextRev, SPOILT_REV } from '../../../ports/store.ts';
import { type Item, itemOctets, itemOf, number, pkOf, text } from './items.ts';

const MAX_ITEM_OCTETS = 400 * 1024;

/**
 * The action as DynamoDB takes it. Every one asks for the item that made its condition fail, so that
 * our own attempt is known when it comes back.
 * @returns the octets of its item with it; 0 where nothing is put
 * @throws {Outage} when the record is larger than an item may be
 */
export function transactItemOf(
  TableName: string,
  action: Action,
  attempt: string,
): { item: TransactWriteItem; octets: number } {
  const about = { TableName, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;
  const Key = { pk: text(pkOf(action)) };
  if (action.do === 'use') {
    return { item: { Update: { ...about, Key, ...useUpdate(action, attempt) } }, octets: 0 };
  }
  const condition = conditionOn(action);
  if (action.do === 'check') {
    return { item: { ConditionCheck: { ...about, Key, ...condition } }, octets: 0 };
  }
  if (action.do === 'delete') {
    return { item: { Delete: { ...about, Key, ...condition } }, octets: 0 };
  }
  const Item = itemOf(action, nextRev(action.rev), action.record, attempt);
  const octets = itemOctets(Item);
  if (octets > MAX_ITEM_OCTETS) {
    throw new Outage(
      `the ${action.kind} ${action.key} has ${octets} octets; DynamoDB takes ${MAX_ITEM_OCTETS}`,
    );
  }
  return { item: { Put: { ...about, Item, ...condition } }, octets };
}

function conditionOn({ do: deed, rev }: Exclude<Action, { do: 'use' }>): {
  readonly ConditionExpression: string;
  readonly ExpressionAttributeValues?: Record<string, AttributeValue>;
} {
  if (rev === 0 && deed !== 'delete') return { ConditionExpression: 'attribute_not_exists(pk)' };
  if (rev !== SPOILT_REV) {
    return {
      ConditionExpression: 'rev = :rev',
      ExpressionAttributeValues: { ':rev': number(rev) },
    };
  }
  return {
    ConditionExpression:
      'attribute_exists(pk) AND (attribute_not_exists(rev) OR NOT rev BETWEEN :one AND :max)',
    ExpressionAttributeValues: { ':one': number(1), ':max': number(MAX_REV) },
  };
}

/**
 * The three ways to use a challenge, `applyUse` of the port as conditional updates. They do not look at `rev`, but
 * raise it, so that whoever has read the record before cannot write it back. `open` is the map of holders,
 * from Transaction to request hash.
 */
const ways = {
  /**
   * A Transaction takes a use: one is left, or becomes free in the same update (:delta is the number that becomes free
   * less 1, and :needed is -:delta); no more are left than the challenge has; it has not expired; it is good for
   * several uses or has been refused fewer than :locked times; nobody has revoked it; and the Transaction holds no
   * use of it yet. Then the use is counted, and the Transaction is a holder.
   */
  take: {
    condition:
      'attribute_exists(pk) AND v <= :v' +
      ' AND usesLeft >= :needed AND usesLeft <= uses AND expiresAt > :now' +
      ' AND (uses > :one OR failures < :locked) AND attribute_not_exists(revokedAt)' +
      ' AND attribute_not_exists(#open.#taker)',
    update:
      'SET rev = rev + :one, attempt = :attempt' +
      ', usesLeft = usesLeft + :delta, #open.#taker = :requestHash',
  },
  /** Holders give their uses back, all :delta of them, whether or not the challenge could still be used. */
  free: {
    condition: 'attribute_exists(pk) AND v <= :v',
    update: 'SET rev = rev + :one, attempt = :attempt, usesLeft = usesLeft + :delta',
  },
  /** A refused attempt is counted, as long as the challenge is neither locked by :locked of them nor revoked. */
  fail: {
    condition:
      'attribute_exists(pk) AND v <= :v' +
      ' AND (uses > :one OR failures < :locked) AND attribute_not_exists(revokedAt)',
    update: 'SET rev = rev + :one, attempt = :attempt, failures = failures + :one',
  },
} as const;

type Update = Omit<NonNullable<TransactWriteItem['Update']>, 'Key' | 'TableName'>;

/** One of the three ways; each holder that gives its use back must be one, and stands there no longer. */
function useUpdate(
  { take, free = [], clear = [], fail }: Extract<Action, { do: 'use' }>,
  attempt: string,
): Update {
  const way = take ? ways.take : fail ? ways.fail : ways.free;
  // One that is not there is removed without complaint, as the port has it for `clear`.
  const gone = [...new Set([...free, ...clear])].filter((id) => id !== take?.transaction);
  const holder = (id: string): string =>
    id === take?.transaction ? '#open.#taker' : `#open.#gone${gone.indexOf(id)}`;
  const held = [...new Set(free)].map((id) => ` AND attribute_exists(${holder(id)})`);
  const remove = gone.length > 0 ? ` REMOVE ${gone.map(holder).join(', ')}` : '';
  const delta = free.length - (take ? 1 : 0);
  // DynamoDB refuses a name and a value that no expression uses.
  const values: Item = {
    ':v': number(RECORD_VERSION),
    ':one': number(1),
    ':attempt': text(attempt),
    ...(fail ? {} : { ':delta': number(delta) }),
    ...(take || fail ? { ':locked': number(MAX_CHALLENGE_FAILURES) } : {}),
    ...(take
      ? {
          ':needed': number(-delta),
          ':now': number(take.now),
          ':requestHash': text(take.requestHash),
        }
      : {}),
  };
  const holders = [
    ...(take ? [['#taker', take.transaction]] : []),
    ...gone.map((id, i) => [`#gone${i}`, id]),
  ];
  return {
    UpdateExpression: `${way.update}${remove}`,
    ConditionExpression: `${way.condition}${held.join('')}`,
    ExpressionAttributeNames:
      holders.length > 0 ? { '#open': 'open', ...Object.fromEntries(holders) } : undefined,
    ExpressionAttributeValues: values,
  };
}
