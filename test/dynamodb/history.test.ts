// A random history over DynamoDB, with the concurrency that the machine has, judged from the table.
// SCEPTER_HISTORY_OPS makes it longer, SCEPTER_HISTORY_SEED another.

import { test } from 'node:test';
import { history } from '../history/history.ts';
import { freshStore } from '../support/dynamodb.ts';

const { SCEPTER_HISTORY_OPS: operations = '1000', SCEPTER_HISTORY_SEED: seed = 'dynamodb' } =
  process.env;

test(`every promise is kept: DynamoDB, ${operations} operations at once, seed ${seed}`, async (t) => {
  const began = performance.now();
  const { transcript, ...summary } = await history({
    seed,
    operations: Number(operations),
    order: 'free',
    open: async () => {
      const { store, rows } = await freshStore();
      return { store, dump: rows, close: async () => {} };
    },
    progress: (done) =>
      t.diagnostic(`${done} operations, ${Math.round((performance.now() - began) / 1000)} s`),
  });
  t.diagnostic(JSON.stringify({ ...summary, answers: transcript.length }));
});
