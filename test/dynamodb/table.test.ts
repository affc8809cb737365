// The table at a start: one that cannot be used is refused with a sentence that names it, says what is
// wrong and what to do; and what is in it that no release of ours has written.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTimeToLiveCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { makeClient } from '../../lib/adapters/dynamodb-calls.ts';
import { checkTable, tableDefinition, ttlAttribute } from '../../lib/adapters/dynamodb-table.ts';
import { Outage } from '../../lib/errors.ts';
import { challengeRecord } from '../store.contract.ts';
import { freshStore, freshTable, itemsOf, outside } from '../support/dynamodb.ts';
import { freePort } from '../support/process.ts';

const { AttributeDefinitions, GlobalSecondaryIndexes, KeySchema } = tableDefinition;
const [places, due, ...search] = GlobalSecondaryIndexes;
assert.ok(places && due);

describe('a table is refused', () => {
  const tables: [string, Partial<CreateTableCommandInput>, RegExp][] = [
    [
      'with another key',
      {
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        AttributeDefinitions: [
          ...AttributeDefinitions,
          { AttributeName: 'id', AttributeType: 'S' as const },
        ].filter(({ AttributeName }) => AttributeName !== 'pk'),
      },
      /^the DynamoDB table "[\w-]+" has the key id \(S\) and not pk \(S\): name a table that was made for Scepter$/,
    ],
    [
      'with a key of another type',
      {
        AttributeDefinitions: AttributeDefinitions.map((one) =>
          one.AttributeName === 'pk' ? { ...one, AttributeType: 'B' } : one,
        ),
      },
      /has the key pk \(B\) and not pk \(S\)/,
    ],
    [
      'with a sort key',
      {
        KeySchema: [...KeySchema, { AttributeName: 'sk', KeyType: 'RANGE' }],
        AttributeDefinitions: [
          ...AttributeDefinitions,
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
      },
      /has the key pk \(S\), sk \(S\) and not pk \(S\)/,
    ],
    [
      'without an index',
      {
        GlobalSecondaryIndexes: [places],
        AttributeDefinitions: AttributeDefinitions.filter(({ AttributeName = '' }) =>
          /^(pk|place)/.test(AttributeName),
        ),
      },
      /has no index "due": add it with the keys due \(S\), dueSort \(S\), KEYS_ONLY$/,
    ],
    [
      'with an index of other keys',
      { GlobalSecondaryIndexes: [{ ...places, KeySchema: due.KeySchema }, due, ...search] },
      /has an index "places" with the keys due \(S\), dueSort \(S\) and not place \(S\), placeSort \(S\): delete it and add it again$/,
    ],
  ];
  for (const [i, [what, changes, sentence]] of tables.entries()) {
    test(what, async () => {
      const TableName = `refused-${process.pid}-${i}`;
      const wanted = { ...tableDefinition, ...changes, TableName };
      const used = new Set(
        [wanted, ...(wanted.GlobalSecondaryIndexes ?? [])].flatMap(({ KeySchema: keys }) =>
          keys?.map(({ AttributeName }) => AttributeName),
        ),
      );
      await outside.send(
        new CreateTableCommand({
          ...wanted,
          AttributeDefinitions: wanted.AttributeDefinitions?.filter(({ AttributeName }) =>
            used.has(AttributeName),
          ),
        }),
      );
      await assert.rejects(checkTable(outside, TableName), { message: sentence });
    });
  }

  for (const [what, change, sentence] of [
    ['that is being made', { TableStatus: 'CREATING' }, /is CREATING and not ACTIVE: wait until/],
    [
      'with an index that is being made',
      { GlobalSecondaryIndexes: [places, { ...due, IndexStatus: 'CREATING' }, ...search] },
      /has an index "due" that is CREATING and not ACTIVE: wait until/,
    ],
  ] as const) {
    test(what, async () => {
      // DynamoDB Local makes tables at once: only what it says of them is changed.
      const client = makeClient();
      client.middlewareStack.add(
        (next) => async (args) => {
          const { output, response } = await next(args);
          const { Table } = output as { Table?: { GlobalSecondaryIndexes?: object[] } };
          const [made] = Table?.GlobalSecondaryIndexes ?? [];
          const indexes = 'TableStatus' in change ? [] : change.GlobalSecondaryIndexes;
          const GlobalSecondaryIndexes = indexes.map((index) => ({ ...made, ...index }));
          return {
            output: { ...output, Table: { ...Table, ...change, GlobalSecondaryIndexes } },
            response,
          };
        },
        { step: 'initialize' },
      );
      await assert.rejects(checkTable(client, await freshTable()), { message: sentence });
    });
  }

  test('that is not there', async () => {
    await assert.rejects(checkTable(outside, 'nowhere'), {
      message:
        'the DynamoDB table "nowhere" does not exist in eu-central-1 for these credentials: make it, or set SCEPTER_TABLE or AWS_REGION',
    });
  });

  test('that cannot be reached', async () => {
    const client = makeClient({ endpoint: `http://127.0.0.1:${await freePort()}` });
    await assert.rejects(checkTable(client, 'there'), {
      message: /^the DynamoDB table "there" cannot be reached in eu-central-1: .*ECONNREFUSED/,
    });
  });

  test('for which there are no credentials', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('none found'), { name: 'CredentialsProviderError' });
    };
    await assert.rejects(checkTable(makeClient({ credentials }), 'there'), {
      message:
        'the DynamoDB table "there" cannot be reached without AWS credentials: give this process a role or set AWS_PROFILE',
    });
  });
});

test('a table as it is defined is accepted, with its attribute for expiry', async () => {
  const TableName = await freshTable();
  await checkTable(outside, TableName);
  const { TimeToLiveDescription } = await outside.send(
    new DescribeTimeToLiveCommand({ TableName }),
  );
  assert.equal(TimeToLiveDescription?.AttributeName, ttlAttribute);
});

test('only challenges expire, 30 days after they could be used', async () => {
  const { store, table } = await freshStore();
  await store.write([
    { do: 'put', kind: 'poll', key: 'p', rev: 0, record: { transaction: 'a' } },
    { do: 'put', kind: 'challenge', key: 'c', rev: 0, record: challengeRecord({ expiresAt: 999 }) },
  ]);
  const found = await itemsOf(table);
  assert.deepEqual(Object.fromEntries(found.map(({ pk, ttl }) => [pk?.S, ttl?.N])), {
    'poll#p': undefined,
    'challenge#c': String(30 * 24 * 60 * 60),
  });
});

describe('a record of a later release', () => {
  const key = { kind: 'challenge', key: 'c' } as const;
  const later = async () => {
    const { store, table } = await freshStore();
    await store.write([{ do: 'put', ...key, rev: 0, record: challengeRecord() }]);
    await outside.send(
      new UpdateItemCommand({
        TableName: table,
        Key: { pk: { S: 'challenge#c' } },
        UpdateExpression: 'SET v = :v',
        ExpressionAttributeValues: { ':v': { N: '99' } },
      }),
    );
    return store;
  };

  test('is an outage with a sentence', async () => {
    await assert.rejects((await later()).read([key]), (error) => {
      return error instanceof Outage && /was written by a later release/.test(error.message);
    });
  });

  test('is not counted with either', async () => {
    const store = await later();
    assert.equal(await store.write([{ do: 'use', ...key, fail: true }]), 'conflict');
  });
});

test('a CRL of a later release is an outage with a sentence', async () => {
  const { store, table } = await freshStore();
  const crl = { number: 1, der: new Uint8Array(9), thisUpdate: 1, nextUpdate: 2, changes: 0 };
  assert.equal(await store.publish('default', crl), 'done');
  await outside.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { pk: { S: 'crl#default' } },
      UpdateExpression: 'SET v = :v',
      ExpressionAttributeValues: { ':v': { N: '99' } },
    }),
  );
  await assert.rejects(store.newest('default'), (error) => {
    return error instanceof Outage && /was written by a later release/.test(error.message);
  });
});

test('an item that is no record of ours is an outage that names it', async () => {
  const { store, table } = await freshStore();
  await outside.send(new UpdateItemCommand({ TableName: table, Key: { pk: { S: 'poll#x' } } }));
  await assert.rejects(store.read([{ kind: 'poll', key: 'x' }]), /the item poll#x is not a record/);
});
