// npm run dev:worker: what it prints works, and nothing of it is left behind, whenever and however it ends.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { javaAt } from '../support/dynamodb-local.ts';
import { root } from '../support/installed.ts';
import { freePort, patiently, run, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';

/** Started as a terminal has it: Ctrl-C is for the whole group. */
function start(port: number) {
  const child = spawn(process.execPath, [join(root, 'test/dev-aws/run.ts'), 'worker'], {
    env: { ...patiently, PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => signal ?? code);
  return {
    ended,
    printed: () => printed,
    /** Waits until it has said that. */
    async said(what: RegExp): Promise<readonly string[]> {
      const found = what.exec(printed);
      if (found) return found;
      const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
      if (!more && !what.test(printed)) throw new Error(printed);
      return this.said(what);
    },
    kill: (signal: NodeJS.Signals) => process.kill(-(child.pid ?? 0), signal),
  };
}

/** Nothing listens there, or soon nothing does. */
const isFree = (url: string): Promise<void> =>
  answered(() =>
    assert.rejects(
      () => fetch(url),
      (error) => error instanceof TypeError,
      `${url} still answers`,
    ),
  );

type Ready = { readonly url: string; readonly env: Readonly<Record<string, string>> };
async function ready(dev: ReturnType<typeof start>, port: number): Promise<Ready> {
  const [, exported = ''] = await dev.said(
    /\n {2}export (?!PATH)(.*)\n\n {2}scepter .*\n.* --out device-1\n/,
  );
  const pairs = exported.matchAll(/(\w+)=(?:'(.*?)'|(\S*))/g);
  const env = Object.fromEntries(
    [...pairs].map(([, name, quoted, plain]) => [name, quoted ?? plain]),
  );
  return { url: `http://127.0.0.1:${port}`, env };
}

async function nothingIsLeft({ url, env }: Ready): Promise<void> {
  const { AWS_ENDPOINT_URL_DYNAMODB: dynamodb = '', AWS_ENDPOINT_URL_KMS: kms = '' } = env;
  for (const one of [url, dynamodb, kms]) await isFree(one);
}

describe('npm run dev:worker', () => {
  test('dev:worker makes a CA over emulators, the printed commands enrol, and Ctrl-C ends all of it', async () => {
    const port = await freePort();
    const dev = start(port);
    try {
      const { url, env } = await ready(dev, port);
      const cli = (args: readonly string[], stdin = '') =>
        run('bin/scepter.js', args, { env, stdin });
      const { out: challenge } = await cli(['challenge', 'create']);
      const out = join(temporary('dev-worker'), 'device');
      const args = ['--url', `${url}/scep`, '--subject', 'CN=device-1', '--out', out];
      const enrolled = await cli(['enrol', ...args, '--challenge-stdin'], challenge);
      assert.equal(enrolled.code, 0, enrolled.err);
      assert.equal((await fetch(`${url}/crl/default.crl`)).status, 200);
      const shown = await cli(['ca', 'show', '--json']);
      assert.equal(shown.code, 0, shown.err);
      dev.kill('SIGINT');
      assert.equal(await dev.ended, 0);
      await nothingIsLeft({ url, env });
    } finally {
      await end(dev);
    }
  });

  test('Ctrl-C ends dev:worker also before it serves', async () => {
    for (const when of [/^Starting/, /\$ scepter ca init/, /Your Worker has access/]) {
      const port = await freePort();
      const dev = start(port);
      try {
        await dev.said(when);
        dev.kill('SIGINT');
        assert.equal(await dev.ended, 1, `${when}: ${dev.printed()}`);
        await isFree(`http://127.0.0.1:${port}`);
      } finally {
        await end(dev);
      }
    }
  });

  test('closing the terminal, or a kill, ends dev:worker and all that it started', async () => {
    for (const signal of ['SIGHUP', 'SIGKILL'] as const) {
      const port = await freePort();
      const dev = start(port);
      try {
        const made = await ready(dev, port);
        dev.kill(signal);
        await dev.ended;
        await nothingIsLeft(made);
      } finally {
        await end(dev);
      }
    }
  });

  test('dev:worker says so when DynamoDB Local dies, and ends with all that it started, exit 1', async () => {
    const port = await freePort();
    const dev = start(port);
    try {
      const made = await ready(dev, port);
      const { port: dynamodb } = new URL(made.env.AWS_ENDPOINT_URL_DYNAMODB ?? '');
      process.kill(javaAt(dynamodb), 'SIGKILL');
      assert.equal(await dev.ended, 1);
      const said = /\nDynamoDB Local has ended, and dev:worker with it: start it again\n/;
      assert.match(dev.printed(), said);
      await nothingIsLeft(made);
    } finally {
      await end(dev);
    }
  });

  test('dev:worker says that a port is taken, and how to choose another', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const dev = start(typeof address === 'object' && address ? address.port : 0);
    try {
      assert.equal(await dev.ended, 1);
      assert.match(dev.printed(), /Address already in use/);
      assert.match(dev.printed(), /\nNOT RUN: dev:worker \(.*\)\nAnother port: PORT=8788 npm run/);
    } finally {
      await end(dev);
      taken.close();
    }
  });
});

async function end(dev: ReturnType<typeof start>): Promise<void> {
  try {
    dev.kill('SIGKILL');
  } catch {
    // It has ended.
  }
  await dev.ended;
}
