// What an enrolment costs: calls, items and write units, counted, and printed for the arithmetic at the
// top of `lib/adapters/dynamodb.ts`. And that nothing here ever scans.
//
// DynamoDB Local reports wrong sums for transactions (4 units for one small item, 4 for seven), right
// ones for single puts. So every item of a transaction is put once more by itself, into a table of its
// own, and a transaction counts twice that.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  type ConsumedCapacity,
  PutItemCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { sweep } from '../../lib/ca/jobs.ts';
import { REFUSALS_BURST } from '../../lib/limits.ts';
import { freshStore, freshTable, itemsOf, outside, recorder } from '../support/dynamodb.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';

const { client, commands } = recorder();
const allowed = new Set(['BatchGetItem', 'TransactWriteItems', 'Query', 'PutItem', 'DeleteItem']);

// Every command of this file, whatever its test looked at.
after(() => {
  const names = new Set(commands.map(({ name }) => name));
  assert.deepEqual(
    [...names].filter((name) => !allowed.has(name)),
    [],
  );
  for (const { name, input } of commands.filter((command) => command.name === 'BatchGetItem')) {
    const [part] = Object.values(
      input.RequestItems as Record<string, { ConsistentRead?: boolean }>,
    );
    assert.equal(part?.ConsistentRead, true, name);
  }
});

const transactionsOf = (from: number): TransactWriteItem[][] =>
  commands
    .slice(from)
    .flatMap(({ input }) =>
      input.TransactItems ? [input.TransactItems as TransactWriteItem[]] : [],
    );

test('an enrolment: one batch read, two transactions, one signature', async () => {
  const { store, table } = await freshStore(client);
  const lab = await makeLab({ store, caKey: 'rsa:3072' });
  const names = ['dns:device-1.example'];
  const sent = await enrolment(lab, { challenge: await lab.challenge({ names }) });
  const before = new Map((await itemsOf(table)).map((item) => [item.pk?.S, item]));
  const [from, calls] = [commands.length, lab.calls.length];
  const answer = await sent.read(await lab.operate(sent.message));
  assert.equal(answer.pkiStatus, 'SUCCESS');
  const made = commands.slice(from);
  assert.deepEqual(
    made.map(({ name }) => name),
    ['BatchGetItem', 'TransactWriteItems', 'TransactWriteItems'],
  );
  assert.deepEqual(
    lab.calls.slice(calls).filter((call) => !call.startsWith('raKeys')),
    ['store.read', 'store.write', 'signer.sign', 'store.write'],
  );

  // The challenge is updated in place: what it is afterwards is as large as what was written.
  const now = new Map((await itemsOf(table)).map((item) => [item.pk?.S, item]));
  const scratch = await freshTable();
  const putAlone = async (Item: Record<string, never> | undefined) =>
    (
      await outside.send(
        new PutItemCommand({ TableName: scratch, Item, ReturnConsumedCapacity: 'INDEXES' }),
      )
    ).ConsumedCapacity;
  for (const item of before.values()) await putAlone(item as never);
  const transactions = transactionsOf(from);
  let tableUnits = 0;
  const indexUnits = { places: 0, due: 0, subjects: 0, devices: 0 };
  for (const items of transactions) {
    for (const { Put, Update } of items) {
      const pk = Update?.Key?.pk?.S;
      const counted: ConsumedCapacity | undefined = await putAlone(
        (Put?.Item ?? now.get(pk)) as never,
      );
      tableUnits += 2 * (counted?.Table?.CapacityUnits ?? Number.NaN);
      const indexes = counted?.GlobalSecondaryIndexes ?? {};
      for (const name of ['places', 'due', 'subjects', 'devices'] as const) {
        indexUnits[name] += indexes[name]?.CapacityUnits ?? 0;
      }
    }
  }
  const [read] = made;
  assert.ok(read);
  const { Keys } = (read.input.RequestItems as Record<string, { Keys: unknown[] }>)[table] ?? {};
  const sizes = transactions.map((items) => items.length);
  console.log(`items per transaction: ${sizes.join(' and ')}; keys of the read: ${Keys?.length}`);
  console.log(`write units: table ${tableUnits}, indexes ${JSON.stringify(indexUnits)}`);
  assert.deepEqual(sizes, [7, 4]);
  assert.equal(Keys?.length, 4);
  assert.deepEqual([tableUnits, indexUnits], [38, { places: 6, due: 5, subjects: 1, devices: 1 }]);
});

test('a refusal reads once and writes one transaction within its budget, none beyond', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const sent = await enrolment(lab, { challenge: 'not a challenge of ours' });
  const seen: string[] = [];
  for (let i = 0; i <= REFUSALS_BURST; i++) {
    const from = commands.length;
    assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'FAILURE');
    seen.push(
      commands
        .slice(from)
        .map(({ name }) => name)
        .join(),
    );
  }
  const within = Array(REFUSALS_BURST).fill('BatchGetItem,TransactWriteItems');
  assert.deepEqual(seen, [...within, 'BatchGetItem']);
  const [items] = transactionsOf(commands.length - 2);
  assert.equal(items?.length, 3, 'the Transaction, its event and the outbox');
});

test('lists are queries, one for each shard', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const from = commands.length;
  await sweep(lab.deps);
  await store.list({ list: 'outbox', group: '3', limit: 10 });
  const queries = commands.slice(from).filter(({ name }) => name === 'Query');
  assert.equal(queries.length, commands.length - from);
  assert.equal(queries.length, 4 * 32 + 1);
});
