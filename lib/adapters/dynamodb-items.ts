// The form of what is in the DynamoDB table: records to items and back, actions to the items of a
// transaction. Pure; `dynamodb.ts` has the schema and makes the calls.

import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { utf8 } from '../bytes.ts';
import { Outage } from '../errors.ts';
import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import { type List, placesOf } from '../ports/places.ts';
import { type Challenge, type IdempotencyRecord, RECORD_VERSION } from '../ports/records.ts';
import type { Action, Key, Row } from '../ports/store.ts';

export type Item = Record<string, AttributeValue>;

/** Of an index: its name, its partition key and its sort key. */
export type Index = { readonly name: string; readonly place: string; readonly sort: string };
export const places: Index = { name: 'places', place: 'place', sort: 'placeSort' };
export const due: Index = { name: 'due', place: 'due', sort: 'dueSort' };

export const subjects: Index = { name: 'subjects', place: 'subject', sort: 'subjectSort' };
export const devices: Index = { name: 'devices', place: 'device', sort: 'deviceSort' };

/**
 * The index of each list, and over how many partition keys a group of it is spread. A record stands
 * in several lists at once, each in another index. A group of the outbox is a shard already, events
 * of one Transaction are few, and what is sorted by names can be split. Fewer shards than a table was
 * written with would hide records: these numbers only ever rise.
 */
export const lists: Readonly<Record<List, { readonly index: Index; readonly shards: number }>> = {
  transactions: { index: places, shards: 32 },
  challenges: { index: places, shards: 32 },
  certificates: { index: places, shards: 32 },
  events: { index: places, shards: 64 },
  outbox: { index: places, shards: 1 },
  open: { index: due, shards: 32 },
  expiring: { index: due, shards: 32 },
  timeline: { index: due, shards: 1 },
  subjects: { index: subjects, shards: 4 },
  devices: { index: devices, shards: 4 },
};

export const pkOf = ({ kind, key }: Key): string => `${kind}#${key}`;
export const placeOf = (list: List, group: string, shard: number): string =>
  `${list}#${group}#${shard}`;

/** The key of a record, from the partition key of its item. */
export const keyOf = (pk: string): string => pk.slice(pk.indexOf('#') + 1);

const MAX_ITEM_OCTETS = 400 * 1024;

/** An expired challenge is only good for telling people so; afterwards DynamoDB may delete it. */
const KEEP_CHALLENGE_MS = 30 * 24 * 60 * 60 * 1000;

/** Seconds, from when on DynamoDB may delete the item. */
const ttlOf = (at: number): AttributeValue => number(Math.floor(at / 1000));

const text = (value: string): AttributeValue => ({ S: value });
export const number = (value: number): AttributeValue => ({ N: String(value) });

/** FNV-1a over UTF-16 units: even and stable is all it has to be. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

function placeAttributes(kind: Key['kind'], key: string, record: Row['record']): Item {
  return Object.fromEntries(
    placesOf(kind, key, record).flatMap(({ list, group, sort }) => {
      const { index, shards } = lists[list];
      const place = placeOf(list, group, hashOf(key) % shards);
      return [
        [index.place, text(place)],
        [index.sort, text(sort)],
      ];
    }),
  );
}

/** What a `use` counts with is kept as attributes; the rest of the record as JSON, as of any other. */
function challengeAttributes({ usesLeft, failures, expiresAt, open, ...rest }: Challenge): Item {
  const holders = Object.entries(open).map(([id, hash]) => [id, text(hash)] as const);
  return {
    record: text(JSON.stringify(rest)),
    usesLeft: number(usesLeft),
    failures: number(failures),
    expiresAt: number(expiresAt),
    open: { M: Object.fromEntries(holders) },
    ttl: ttlOf(expiresAt + KEEP_CHALLENGE_MS),
  };
}

function itemOf({ kind, key }: Key, rev: number, record: Row['record'], attempt: string): Item {
  return {
    pk: text(pkOf({ kind, key })),
    rev: number(rev),
    v: number(RECORD_VERSION),
    attempt: text(attempt),
    ...placeAttributes(kind, key, record),
    ...(kind === 'challenge'
      ? challengeAttributes(record as Challenge)
      : { record: text(JSON.stringify(record)) }),
    ...(kind === 'idempotency' ? { ttl: ttlOf((record as IdempotencyRecord).expiresAt) } : {}),
  };
}

/** @throws {Outage} when it was written by a later release or is no record */
export function rowOf(item: Item): Row {
  const pk = item.pk?.S ?? '';
  const [kind = '', key] = [pk.split('#', 1)[0], keyOf(pk)];
  if (Number(item.v?.N) > RECORD_VERSION) {
    throw new Outage(
      `the ${kind} ${key} was written by a later release, which this one cannot read`,
    );
  }
  if (item.record?.S === undefined) throw new Outage(`the item ${pk} is not a record of ours`);
  const record = JSON.parse(item.record.S);
  const counted = kind === 'challenge' ? countedOf(item) : {};
  return { kind, key, rev: Number(item.rev?.N), record: { ...record, ...counted } } as Row;
}

function countedOf({ usesLeft, failures, expiresAt, open }: Item) {
  const holders = Object.entries(open?.M ?? {}).map(([id, hash]) => [id, hash.S]);
  return {
    usesLeft: Number(usesLeft?.N),
    failures: Number(failures?.N),
    expiresAt: Number(expiresAt?.N),
    open: Object.fromEntries(holders),
  };
}

/** About what DynamoDB counts: names and values. */
function octetsOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, { S, N, M }]) => {
    const value = S !== undefined ? utf8(S).length : (N?.length ?? 0);
    return sum + name.length + value + (M ? octetsOf(M) : 0) + 3;
  }, 0);
}

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
  const condition =
    action.rev === 0 && action.do !== 'delete'
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : {
          ConditionExpression: 'rev = :rev',
          ExpressionAttributeValues: { ':rev': number(action.rev) },
        };
  if (action.do === 'check') {
    return { item: { ConditionCheck: { ...about, Key, ...condition } }, octets: 0 };
  }
  if (action.do === 'delete') {
    return { item: { Delete: { ...about, Key, ...condition } }, octets: 0 };
  }
  const Item = itemOf(action, action.rev + 1, action.record, attempt);
  const octets = octetsOf(Item);
  if (octets > MAX_ITEM_OCTETS) {
    throw new Outage(
      `the ${action.kind} ${action.key} has ${octets} octets; DynamoDB takes ${MAX_ITEM_OCTETS}`,
    );
  }
  return { item: { Put: { ...about, Item, ...condition } }, octets };
}

/** `applyUse` of the port as one conditional update. It does not look at `rev`, but raises it. */
function useUpdate(
  { take, free = [], clear = [], fail }: Extract<Action, { do: 'use' }>,
  attempt: string,
): Pick<
  NonNullable<TransactWriteItem['Update']>,
  | 'UpdateExpression'
  | 'ConditionExpression'
  | 'ExpressionAttributeNames'
  | 'ExpressionAttributeValues'
> {
  const holders: string[] = [];
  const values: Item = {
    ':v': number(RECORD_VERSION),
    ':one': number(1),
    ':attempt': text(attempt),
  };
  const holder = (id: string): string => {
    const known = holders.indexOf(id);
    return `#open.#h${known >= 0 ? known : holders.push(id) - 1}`;
  };
  const conditions = ['attribute_exists(pk)', 'v <= :v'];
  const sets = ['rev = rev + :one', 'attempt = :attempt'];
  const delta = free.length - (take ? 1 : 0);
  if (delta !== 0) {
    sets.push('usesLeft = usesLeft + :delta');
    values[':delta'] = number(delta);
  }
  if (take) {
    const mine = holder(take.transaction);
    conditions.push('usesLeft >= :needed', 'expiresAt > :now', `attribute_not_exists(${mine})`);
    sets.push(`${mine} = :requestHash`);
    values[':needed'] = number(-delta);
    values[':now'] = number(take.now);
    values[':requestHash'] = text(take.requestHash);
  }
  if (take || fail) {
    conditions.push('failures < :locked');
    values[':locked'] = number(MAX_CHALLENGE_FAILURES);
  }
  if (fail) sets.push('failures = failures + :one');
  const freed = [...new Set(free)];
  conditions.push(...freed.map((id) => `attribute_exists(${holder(id)})`));
  // One that is not there is removed without complaint, as the port has it for `clear`.
  const gone = [...new Set([...free, ...clear])].filter((id) => id !== take?.transaction);
  const remove = gone.length > 0 ? ` REMOVE ${gone.map(holder).join(', ')}` : '';
  return {
    UpdateExpression: `SET ${sets.join(', ')}${remove}`,
    ConditionExpression: conditions.join(' AND '),
    // DynamoDB refuses a name that no expression uses.
    ExpressionAttributeNames:
      holders.length > 0
        ? { '#open': 'open', ...Object.fromEntries(holders.map((id, i) => [`#h${i}`, id])) }
        : undefined,
    ExpressionAttributeValues: values,
  };
}
