// npm run test:kms: the emulator of AWS KMS that the other tests use, held against what others made.
// A peer that cannot be had is said not to have run; `.ci/run` then counts the suite as failed.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { peers, type Started } from './peers.ts';

const files = ['emulator'];
const started: Started[] = [];
let env: Record<string, string | undefined> = { ...process.env };
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
const paths = files.map((name) => join(import.meta.dirname, `${name}.test.ts`));
const args = ['--test', '--test-concurrency=2', ...paths];
const tests = spawn(process.execPath, args, { stdio: 'inherit', env });
process.exitCode = await new Promise<number>((resolve) => {
  tests.once('close', (code) => resolve(code ?? 1));
});
await Promise.all(started.map((peer) => peer.stop()));
