// npm run dev:aws: nothing of it is left behind, whenever and however it ends, and it does not outlive what
// it stands on.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { javaAt } from '../support/dynamodb-local.ts';
import { root } from '../support/installed.ts';
import { freePort } from '../support/process.ts';
import { answered } from '../support/server-process.ts';

/** Started as a terminal has it: a Ctrl-C is for the whole group. */
async function start() {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'test/dev-aws/run.ts')], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => signal ?? code);
  while (!/\n {4}scepter enrol .*\n/.test(printed)) {
    const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
    if (!more) throw new Error(printed);
  }
  const places = ['DYNAMODB', 'KMS'].map((name) => {
    const [, url = ''] = new RegExp(`AWS_ENDPOINT_URL_${name}=(\\S+)`).exec(printed) ?? [];
    return new URL(url);
  });
  return {
    child,
    ended,
    printed: () => printed,
    dynamodb: places[0]?.port ?? '',
    /** Nothing of it listens, or soon nothing does. */
    nothingIsLeft: async (): Promise<void> => {
      for (const { port: one } of [...places, { port: String(port) }]) {
        const asked = () => assert.rejects(fetch(`http://127.0.0.1:${one}`), TypeError, one);
        await answered(asked);
      }
    },
  };
}

test('dev:aws ends with all of it when DynamoDB Local dies, says so, and exits with 1', async () => {
  const dev = await start();
  process.kill(javaAt(dev.dynamodb), 'SIGKILL');
  assert.equal(await dev.ended, 1);
  assert.match(dev.printed(), /\nDynamoDB Local has ended, and dev:aws with it: start it again\n$/);
  await dev.nothingIsLeft();
});

test('server and emulators end when dev:aws is killed', async () => {
  const dev = await start();
  dev.child.kill('SIGKILL');
  assert.equal(await dev.ended, 'SIGKILL');
  await dev.nothingIsLeft();
});
