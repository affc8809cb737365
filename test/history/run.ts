// `npm run test:history`: one long history. SCEPTER_HISTORY_OPS operations (default 1000) over the
// store SCEPTER_HISTORY_STORE (memory, sqlite; default memory), from the seed SCEPTER_HISTORY_SEED
// (default a fresh one, which is printed).

import { history } from './history.ts';
import { memory, sqlite } from './stores.ts';

const stores = { memory, sqlite } as const;
const {
  SCEPTER_HISTORY_OPS: operations = '1000',
  SCEPTER_HISTORY_STORE: name = 'memory',
  SCEPTER_HISTORY_SEED: seed = String(Date.now()),
} = process.env;
const open = stores[name as keyof typeof stores];
if (!open || !(Number(operations) > 0)) {
  throw new Error(`SCEPTER_HISTORY_STORE must be one of ${Object.keys(stores).join(', ')}`);
}
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
