// What an enrolment costs: calls, items and write units, counted, and printed for the arithmetic at the
// top of `lib/adapters/aws/dynamodb/dynamodb.ts`. And that nothing here ever scans.
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
import { type Item, itemOctets } from '../../lib/adapters/aws/dynamodb/items.ts';
import { REFUSAL_PLACES, REFUSAL_PLACES_MS } from '../../lib/base/limits.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { listCertificates } from '../../lib/ca/query/certificates.ts';
import { freshStore, freshTable, itemsOf, outside, recorder } from '../support/dynamodb.ts';
import { deviceKey } from '../support/keys.ts';
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

test('an enrolment is one batch read, two transactions and one signature', async () => {
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
  let [tableUnits, checked] = [0, 0];
  const indexUnits = { places: 0, due: 0, subjects: 0, devices: 0 };
  for (const items of transactions) {
    for (const { Put, Update, ConditionCheck } of items) {
      if (ConditionCheck) {
        // Of an item that is not there: the smallest write, twice.
        checked += 1;
        tableUnits += 2;
        continue;
      }
      const item = (Put?.Item ?? now.get(Update?.Key?.pk?.S)) as Item;
      const counted: ConsumedCapacity | undefined = await putAlone(item as never);
      console.log(`  ${item.pk?.S?.split('#', 1)}: about ${itemOctets(item)} octets`);
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
  assert.deepEqual(sizes, [6, 4]);
  assert.equal(Keys?.length, 5);
  assert.equal(checked, 1);
  assert.deepEqual([tableUnits, indexUnits], [26, { places: 4, due: 5, subjects: 2, devices: 1 }]);
});

test('a refusal reads once and writes one transaction within its budget, none beyond; ten cost the budget one read and one write', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const sent = await enrolment(lab, { challenge: 'not a challenge of ours' });
  const refused = async (): Promise<string> => {
    const from = commands.length;
    assert.equal((await sent.read(await lab.operate(sent.message))).pkiStatus, 'FAILURE');
    return commands
      .slice(from)
      .map(({ name }) => name)
      .join();
  };
  const seen: string[] = [];
  for (let i = 0; i < REFUSAL_PLACES + 3; i++) seen.push(await refused());
  const stored = 'BatchGetItem,TransactWriteItems';
  const within = Array(REFUSAL_PLACES - 1).fill(stored);
  const beyond = Array(3).fill('BatchGetItem');
  assert.deepEqual(seen, [`BatchGetItem,${stored},TransactWriteItems`, ...within, ...beyond]);
  const [items] = transactionsOf(commands.length - 5);
  assert.equal(items?.length, 2, 'the Transaction and its event');
  lab.clock.at += REFUSAL_PLACES_MS;
  assert.equal(await refused(), `BatchGetItem,${stored},TransactWriteItems`);
});

test('a page of expired certificates is one query for each shard and one read, of expired ones only', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({
    store,
    caKey: 'ec:P-256',
    config: {
      profiles: { short: { validity: '1d' } },
      endpoints: { default: { ca: 'default' }, short: { ca: 'default', profile: 'short' } },
    },
  });
  for (const [i, endpoint] of ['short', 'short', 'default', 'default', 'default'].entries()) {
    const challenge = await lab.challenge({ endpoint });
    const key = await deviceKey(`brief ${i}`, { type: 'EC', curve: 'P-256' });
    const sent = await enrolment(lab, { challenge, key });
    const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
    assert.equal((await sent.read(await lab.operate(sent.message, path))).pkiStatus, 'SUCCESS');
  }
  lab.clock.at += 2 * 86_400_000;
  const from = commands.length;
  const page = await listCertificates(lab.deps, { ca: 'default', state: 'expired', limit: 20 });
  assert.equal(page.certificates.length, 2);
  const made = commands.slice(from);
  assert.equal(made.filter(({ name }) => name === 'Query').length, 32);
  const [read, ...others] = made.filter(({ name }) => name !== 'Query');
  const [part] = Object.values(read?.input.RequestItems as Record<string, { Keys: unknown[] }>);
  assert.deepEqual([others, part?.Keys.length], [[], 2]);
});

test('lists are queries, one for each shard', async () => {
  const { store } = await freshStore(client);
  const lab = await makeLab({ store });
  const from = commands.length;
  await sweep(lab.deps);
  await store.list({ list: 'timeline', group: 't', limit: 10 });
  const queries = commands.slice(from).filter(({ name }) => name === 'Query');
  assert.equal(queries.length, commands.length - from);
  assert.equal(queries.length, 4 * 32 + 1);
});
