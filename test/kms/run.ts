// npm run test:kms: the emulators of AWS KMS and of IAM Roles Anywhere that the other tests use, held against what
// others made.
// A peer that cannot be had is said not to have run; `.ci/run` then counts the suite as failed.

import { join } from 'node:path';
import { runTests } from '../support/run-tests.ts';
import { peers, type Started, signingHelper } from './peers.ts';

const files = ['emulator'];
const started: Started[] = [];
let env: Record<string, string> = {};
for (const { name, start } of peers) {
  try {
    const peer = await start();
    started.push(peer);
    env = { ...env, [`KMS_PEER_${name}`]: JSON.stringify(peer.env) };
    files.push(name);
  } catch (error) {
    console.log(`NOT RUN: ${name} (${error instanceof Error ? error.message : error})`);
  }
}
try {
  env = { ...env, AWS_SIGNING_HELPER: await signingHelper() };
  files.push('roles-anywhere');
} catch (error) {
  console.log(`NOT RUN: roles-anywhere (${error instanceof Error ? error.message : error})`);
}
const paths = files.map((name) => join(import.meta.dirname, `${name}.test.ts`));
process.exitCode = await runTests(paths, env);
await Promise.all(started.map((peer) => peer.stop()));
