// What the DynamoDB store decides without DynamoDB: the form of its items, and writes that it refuses.
// `npm run test:dynamodb` has everything else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { lists, rowOf } from '../../lib/adapters/aws/dynamodb/items.ts';
import { tableDefinition } from '../../lib/adapters/aws/dynamodb/table.ts';
import { transactItemOf } from '../../lib/adapters/aws/dynamodb/writes.ts';
import { systemRandom } from '../../lib/adapters/system.ts';
import { Outage } from '../../lib/base/errors.ts';
import { ulid } from '../../lib/base/ulid.ts';
import type { Action } from '../../lib/ports/store.ts';
import { transactionRecord } from './store.contract.ts';

/** No server listens there: a call would fail the test. */
const store = new DynamoStore(
  makeDynamoDbClient({
    region: 'none',
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    requestHandler: {
      handle: async () => assert.fail('called'),
    } as never,
  }),
  'table',
);

const poll = (key: string): Action => ({
  do: 'put',
  kind: 'poll',
  key,
  rev: 0,
  record: { transaction: key },
});
const transaction = (id: string, csrHash: string): Action => ({
  do: 'put',
  kind: 'transaction',
  key: id,
  rev: 0,
  record: transactionRecord(id, { csrHash }),
});

test('the SDK repeats no call: only the store knows which may be repeated', async () => {
  assert.equal(await makeDynamoDbClient({ region: 'none' }).config.maxAttempts(), 1);
});

test('more actions than a transaction takes are a programming error, never several transactions', async () => {
  const actions = Array.from({ length: 101 }, (_, i) => poll(`${i}`));
  await assert.rejects(store.write(actions), {
    name: 'TypeError',
    message: '101 actions in one write; DynamoDB takes 100',
  });
});

test('a record larger than the limit of an item is an outage that names it and not its content', async () => {
  await assert.rejects(store.write([transaction('big', 'secret'.repeat(70_000))]), (error) => {
    assert.ok(error instanceof Outage);
    assert.match(error.message, /^the transaction big has 42\d{4} octets; DynamoDB takes 409600$/);
    return true;
  });
});

test('records that together exceed the limit of a transaction are an outage', async () => {
  const actions = Array.from({ length: 11 }, (_, i) => transaction(`t${i}`, 'A'.repeat(390_000)));
  await assert.rejects(store.write(actions), (error) => {
    return (
      error instanceof Outage && /octets in one write; DynamoDB takes 4000000$/.test(error.message)
    );
  });
});

test('octets are stored as such, and the texts of an event deflated (RFC 1951)', () => {
  const body = '{"a":"\u00e9 \\"b\\""}';
  const puts: readonly (Action & { readonly do: 'put' })[] = [
    { do: 'put', kind: 'request', key: 'k', rev: 0, record: { transaction: 't', csr: 'MAA=' } },
    {
      do: 'put',
      kind: 'event',
      key: 'k',
      rev: 0,
      record: { body, personal: body, transaction: 't' },
    },
  ];
  const [request, event] = puts.map((put) => {
    const { item } = transactItemOf('table', put, 'attempt');
    assert.deepEqual(rowOf(item.Put?.Item ?? {}).record, put.record);
    return item.Put?.Item;
  });
  assert.deepEqual(request?.csr, { B: new Uint8Array([0x30, 0]) });
  assert.deepEqual(request?.record, { S: '{"transaction":"t"}' });
  assert.deepEqual(event?.record, { S: '{}' });
  for (const { B = new Uint8Array() } of [event?.body ?? {}, event?.personal ?? {}]) {
    assert.equal(inflateRawSync(B).toString(), body);
  }
});

test('what is no deflated text, or becomes too long, is not in the record of an event', () => {
  const put = { do: 'put', kind: 'event', key: 'k', rev: 0, record: { body: '{}' } } as const;
  const { item } = transactItemOf('table', put, 'attempt');
  const wrong = [
    new Uint8Array([0xff]),
    new Uint8Array(),
    deflateRawSync(new Uint8Array([0xff])),
    deflateRawSync(new Uint8Array(2 * 1024 * 1024)),
  ];
  for (const B of wrong) {
    const row = rowOf({ ...item.Put?.Item, body: { B } });
    assert.deepEqual(row.record, {});
  }
});

test('an item whose text is no JSON object is a row without a record, which says what stands there', () => {
  for (const said of ['', 'no JSON', '{"name":', 'null', '1', '"text"', 'true']) {
    const item = { pk: { S: 'token#h' }, rev: { N: '1' }, v: { N: '1' }, record: { S: said } };
    assert.deepEqual(rowOf(item), { kind: 'token', key: 'h', rev: 1, record: undefined, said });
  }
});

test('DynamoDB may delete an expired answer, and nothing depends on whether it has', () => {
  const record = { request: 'aa', answer: '{}', expiresAt: 1_800_000_000_999 };
  const put: Action = { do: 'put', kind: 'idempotency', key: 'k', rev: 0, record };
  const { item } = transactItemOf('table', put, 'attempt');
  assert.deepEqual(item.Put?.Item?.ttl, { N: '1800000000' });
  assert.deepEqual(rowOf(item.Put?.Item ?? {}).record, record);
});

test('Transactions of one millisecond stand in all shards of a list, none with twice its share', () => {
  const { shards } = lists.transactions;
  const counts = new Map<string, number>();
  for (let i = 0; i < 200 * shards; i++) {
    const id = ulid(1_800_000_000_000, systemRandom(10));
    const { item } = transactItemOf('table', transaction(id, ''), 'attempt');
    const place = item.Put?.Item?.place?.S ?? '';
    assert.match(place, /^transactions#default#\d+$/);
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  assert.equal(counts.size, shards);
  assert.ok(Math.max(...counts.values()) < 400, JSON.stringify([...counts]));
});

test('the table is defined by its keys alone, and its indexes hold keys only', () => {
  // What infrastructure is compared with: changed only together with a way to move old tables.
  assert.deepEqual(tableDefinition, {
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    AttributeDefinitions: [
      'pk',
      ...['place', 'placeSort', 'due', 'dueSort'],
      ...['subject', 'subjectSort', 'device', 'deviceSort'],
    ].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    GlobalSecondaryIndexes: [
      ['places', 'place', 'placeSort'],
      ['due', 'due', 'dueSort'],
      ['subjects', 'subject', 'subjectSort'],
      ['devices', 'device', 'deviceSort'],
    ].map(([IndexName, partition, sort]) => ({
      IndexName,
      KeySchema: [
        { AttributeName: partition, KeyType: 'HASH' },
        { AttributeName: sort, KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    })),
  });
});
