// `npm run test:history`: one long history, with its progress. SCEPTER_HISTORY_OPS operations (default
// 10000) over SCEPTER_HISTORY_STORE (memory, sqlite or dynamodb, which is DynamoDB Local; default
// memory), from SCEPTER_HISTORY_SEED (default a fresh one; it is printed). Over memory one step is
// taken at a time, so the same seed is the same history; over the others everything runs at once.

import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import type { Turns } from '../support/seeded.ts';
import { history } from './history.ts';
import { memory, sqlite } from './stores.ts';
import type { Tried } from './world.ts';

const {
  SCEPTER_HISTORY_OPS: operations = '10000',
  SCEPTER_HISTORY_STORE: name = 'memory',
  SCEPTER_HISTORY_SEED: seed = String(Date.now()),
} = process.env;

const stores: Readonly<Record<string, (turns: Turns) => Promise<Tried>>> = {
  memory,
  sqlite,
  dynamodb: async () => {
    const local = await startDynamoDbLocal();
    if (!local) throw new Error('DynamoDB Local needs Java 17 or later');
    Object.assign(process.env, local.env);
    const { freshStore } = await import('../support/dynamodb.ts');
    const { store, rows } = await freshStore();
    return { store, dump: rows, close: () => local.stop() };
  },
};

const open = stores[name];
if (!open) throw new Error(`SCEPTER_HISTORY_STORE must be one of ${Object.keys(stores)}`);
if (!(Number(operations) > 0)) throw new Error('SCEPTER_HISTORY_OPS must be a number above 0');

const order = name === 'memory' ? 'seeded' : 'free';
console.log(`${operations} operations over ${name}, order ${order}, SCEPTER_HISTORY_SEED=${seed}`);
const began = performance.now();
const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
const progress = (done: number) => console.log(`${done} operations, ${seconds()} s`);
const { transcript, ...summary } = await history({
  seed,
  operations: Number(operations),
  order,
  open,
  progress,
});
console.log(JSON.stringify({ ...summary, answers: transcript.length }, undefined, 1));
console.log(`every promise was kept; ${seconds()} s`);
