// Over emulators a Worker waits sixty times as long for a call as in production (test/support/patience.js). A
// bundler leaves out what package.json says has no effect of its own: then tests would run without patience, and
// fail on a busy machine only.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { bundleWorker } from '../support/workerd.ts';
import { patientWorker } from '../support/wrangler-dev.ts';

const patience = /AbortSignal\.timeout\s*=[^=]/;

test('the Worker that runs over emulators has patience in its bundle', async () => {
  const { path } = await bundleWorker(patientWorker);
  assert.ok(patience.test(await readFile(path, 'utf8')), 'it waits no longer than in production');
});

test('the Worker that is deployed has none', async () => {
  const { SCEPTER_TEST_BUNDLE: bundle = '' } = process.env;
  assert.ok(!patience.test(await readFile(bundle, 'utf8')));
});
