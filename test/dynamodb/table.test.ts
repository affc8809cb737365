// The table at a start: one that cannot be used is refused with a sentence that names it, says what is
// wrong and what to do; and items in it that no release of this service has written.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AttributeValue,
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTimeToLiveCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import {
  checkTable,
  tableDefinition,
  ttlAttribute,
} from '../../lib/adapters/aws/dynamodb/table.ts';
import { Outage } from '../../lib/base/errors.ts';
import { View } from '../../lib/ca/record/unit-of-work.ts';
import { nextRev, SPOILT_REV } from '../../lib/ports/store.ts';
import { challengeRecord, transactionRecord } from '../adapters/store.contract.ts';
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
    test(`a table ${what} is refused`, async () => {
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
    test(`a table ${what} is refused`, async () => {
      // DynamoDB Local makes tables at once: only what it says of them is changed.
      const client = makeDynamoDbClient();
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

  test('a table that does not exist is refused', async () => {
    await assert.rejects(checkTable(outside, 'nowhere'), {
      message:
        'the DynamoDB table "nowhere" does not exist in eu-central-1 for these credentials: make it, or set SCEPTER_TABLE or AWS_REGION',
    });
  });

  test('a table that cannot be reached is refused', async () => {
    const client = makeDynamoDbClient({ endpoint: `http://127.0.0.1:${await freePort()}` });
    await assert.rejects(checkTable(client, 'there'), {
      message: /^the DynamoDB table "there" cannot be reached in eu-central-1: .*ECONNREFUSED/,
    });
  });

  test('a table is refused without credentials', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('none found'), { name: 'CredentialsProviderError' });
    };
    await assert.rejects(checkTable(makeDynamoDbClient({ credentials }), 'there'), {
      message:
        'the DynamoDB table "there" cannot be reached without AWS credentials: give this process a role or set AWS_PROFILE',
    });
  });
});

test('the table as defined is accepted, with its attribute for expiry', async () => {
  const TableName = await freshTable();
  await checkTable(outside, TableName);
  const { TimeToLiveDescription } = await outside.send(
    new DescribeTimeToLiveCommand({ TableName }),
  );
  assert.equal(TimeToLiveDescription?.AttributeName, ttlAttribute);
});

test('only challenges expire, 30 days after their last possible use', async () => {
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

  test('a record of a later release is an outage with a sentence', async () => {
    const view = new View(await later());
    await view.load([key]);
    assert.throws(
      () => view.get('challenge', 'c'),
      (error) =>
        error instanceof Outage && /says that a later release wrote it/.test(error.message),
    );
  });

  test('a use of a challenge of a later release is a conflict', async () => {
    const store = await later();
    assert.equal(await store.write([{ do: 'use', ...key, fail: true }]), 'conflict');
  });
});

describe('what another hand has written', () => {
  const counts: Record<string, AttributeValue | undefined> = {
    'no count': undefined,
    'a text as its count': { S: '1' },
    'a count below 1': { N: '0' },
    'a count that does not change when 1 is added': { N: '1152921504606846976' },
    'a count of 126 digits': { N: '9.9e125' },
  };
  const poll = { do: 'put', kind: 'poll', key: 'p', record: { transaction: 't' } } as const;
  for (const [what, rev] of Object.entries(counts)) {
    test(`a record with ${what} is written over once, and counts from then on`, async () => {
      const { store, table } = await freshStore();
      await store.write([{ ...poll, rev: 0 }]);
      const [item] = await itemsOf(table);
      const { rev: _rev, ...rest } = item ?? assert.fail();
      const Item = { ...rest, ...(rev ? { rev } : {}) };
      await outside.send(new PutItemCommand({ TableName: table, Item }));
      const [row] = await store.read([poll]);
      assert.equal(row?.rev, SPOILT_REV);
      assert.equal(await store.write([{ ...poll, do: 'check', rev: SPOILT_REV }]), 'done');
      const answers = await Promise.all(
        [1, 2].map(() => store.write([{ ...poll, rev: SPOILT_REV }])),
      );
      assert.deepEqual(answers.sort(), ['conflict', 'done']);
      assert.equal((await store.read([poll]))[0]?.rev, nextRev(SPOILT_REV));
    });
  }

  test('a forged key is in no list, of whatever kind and length it is', async () => {
    const { store, table } = await freshStore();
    const record = transactionRecord('t', { endpoint: 'default' });
    await store.write([{ do: 'put', kind: 'transaction', key: 't', rev: 0, record }]);
    const [item] = await itemsOf(table);
    const { place = assert.fail() } = item ?? assert.fail();
    for (const pk of ['poll#t', `x#${'y'.repeat(2046)}`, 'transaction', '#']) {
      const Item = { pk: { S: pk }, place, placeSort: { S: `a${pk.length}` } };
      await outside.send(new PutItemCommand({ TableName: table, Item }));
    }
    for (const reverse of [true, false]) {
      const query = { list: 'transactions', group: 'default', limit: 2, reverse } as const;
      const found: string[] = [];
      for (let next: string | undefined, pages = 0; pages < 9; pages++) {
        const page = await store.list({ ...query, ...(next ? { from: next } : {}) });
        found.push(...page.keys);
        next = page.next;
        if (next === undefined) break;
      }
      assert.deepEqual(found, ['t']);
    }
  });
});

test('an item that is not a record is not believed, and does not affect the others', async () => {
  const { store, table } = await freshStore();
  await store.write([
    { do: 'put', kind: 'poll', key: 'good', rev: 0, record: { transaction: 'a' } },
    { do: 'put', kind: 'poll', key: 'noise', rev: 0, record: { transaction: 'a' } },
  ]);
  await outside.send(new UpdateItemCommand({ TableName: table, Key: { pk: { S: 'poll#x' } } }));
  await outside.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { pk: { S: 'poll#noise' } },
      UpdateExpression: 'SET #record = :noise',
      ExpressionAttributeNames: { '#record': 'record' },
      ExpressionAttributeValues: { ':noise': { S: '{"transaction":' } },
    }),
  );
  const rows = await store.read(['good', 'noise', 'x'].map((key) => ({ kind: 'poll', key })));
  const records = new Map(rows.map(({ key, record }) => [key, record]));
  assert.deepEqual(records.get('good'), { transaction: 'a' });
  assert.deepEqual([records.get('noise'), records.get('x')], [undefined, undefined]);
  const record = { transaction: 'b' };
  assert.equal(
    await store.write([{ do: 'put', kind: 'poll', key: 'noise', rev: 1, record }]),
    'done',
  );
});
