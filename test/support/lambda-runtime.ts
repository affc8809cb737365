// Functions at work on this machine: each a process of its own with nothing but Lambda's environment,
// given events by the Runtime API, one at a time. The API is a server here, or AWS's own Runtime
// Interface Emulator where that is installed (`aws-lambda-rie` in PATH).

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { keepGroup, killGroup } from '../interop/command.ts';
import { freePort } from './process.ts';

export type LambdaFunction = {
  /** @throws {Error} with what the function said, when it failed */
  invoke(event: unknown): Promise<unknown>;
  /** What its process has written. */
  log(): string;
  /** Lines of the log that are events of this name. */
  logged(event: string): Record<string, unknown>[];
  stop(): Promise<void>;
};

export type FunctionOptions = {
  /** With `index.mjs`, which exports `handler`. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Another Node than this one. */
  readonly node?: string;
};

/** What runs the bundle: our own loop, or another that speaks the Runtime API. */
export const ownBootstrap = [process.execPath, join(import.meta.dirname, 'lambda-bootstrap.ts')];

const TIMEOUT_MS = 30_000;
const payloadLimit = 6 * 1024 * 1024;

const lambdaEnv = ({ folder, env }: FunctionOptions): Record<string, string> => ({
  // What Node and its runtime client need; nothing else of this machine.
  PATH: process.env.PATH ?? '',
  AWS_LAMBDA_FUNCTION_NAME: 'scepter',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
  LAMBDA_TASK_ROOT: folder,
  TZ: ':UTC',
  _HANDLER: 'index.handler',
  ...env,
});

function collected(child: ChildProcess) {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      said += data;
    });
  }
  return {
    log: () => said,
    logged: (event: string) =>
      said
        .split('\n')
        // The last one has not ended yet.
        .slice(0, -1)
        .filter((line) => line.includes(`"event":"${event}"`))
        .map((line) => JSON.parse(line.slice(line.indexOf('{')))),
  };
}

type Invocation = {
  readonly id: string;
  readonly event: unknown;
  readonly done: (result: unknown) => void;
  readonly failed: (error: Error) => void;
};

export async function startFunction(options: FunctionOptions): Promise<LambdaFunction> {
  const waiting: Invocation[] = [];
  let current: Invocation | undefined;
  let idle: ServerResponse | undefined;
  const hand = (): void => {
    if (!idle || current) return;
    current = waiting.shift();
    if (!current) return;
    idle.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': current.id,
      'lambda-runtime-deadline-ms': String(Date.now() + TIMEOUT_MS),
      'lambda-runtime-invoked-function-arn':
        'arn:aws:lambda:eu-central-1:111122223333:function:scepter',
    });
    idle.end(JSON.stringify(current.event));
    idle = undefined;
  };
  const settle = (how: (invocation: Invocation) => void): void => {
    const ended = current;
    current = undefined;
    if (ended) how(ended);
    hand();
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').replace('/2018-06-01/runtime', '');
    if (path === '/invocation/next') {
      idle = response;
      return hand();
    }
    const body = await json(request);
    response.writeHead(202).end();
    const { errorType, errorMessage } = Object(body);
    const error = new Error(`${errorType}: ${errorMessage}`);
    if (path === '/init/error') {
      for (const { failed } of waiting.splice(0)) failed(error);
    } else if (path === `/invocation/${current?.id}/error`) {
      settle(({ failed }) => failed(error));
    } else if (path === `/invocation/${current?.id}/response`) {
      const tooLarge = JSON.stringify(body).length > payloadLimit;
      settle(({ done, failed }) =>
        tooLarge ? failed(new Error('ResponseSizeTooLarge')) : done(body),
      );
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.destroy(error));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [own = '', ...args] = ownBootstrap;
  const command = options.node ?? own;
  const child = spawn(command, args, {
    env: { ...lambdaEnv(options), AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  keepGroup(child);
  const said = collected(child);
  const ended = once(child, 'close').then(() => {
    const error = new Error(`the function's process ended: ${said.log().slice(-2000)}`);
    for (const { failed } of [...waiting.splice(0), ...(current ? [current] : [])]) failed(error);
  });
  return {
    ...said,
    invoke: (event) =>
      new Promise((done, failed) => {
        waiting.push({ id: randomUUID(), event, done, failed });
        hand();
      }),
    stop: async () => {
      killGroup(child.pid, 'SIGKILL');
      await ended;
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * The same under AWS's emulator.
 * @param rie the emulator's path
 * @param bootstrap what it runs: speaks the Runtime API
 */
export async function startUnderRie(
  rie: string,
  options: FunctionOptions,
  bootstrap: readonly string[] = ownBootstrap,
): Promise<LambdaFunction> {
  const [port, apiPort] = [await freePort(), await freePort()];
  const addresses = [
    ...['--runtime-interface-emulator-address', `127.0.0.1:${port}`],
    ...['--runtime-api-address', `127.0.0.1:${apiPort}`],
  ];
  const child = spawn(rie, [...addresses, ...bootstrap, 'index.handler'], {
    cwd: options.folder,
    env: lambdaEnv(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  keepGroup(child);
  const said = collected(child);
  const ended = once(child, 'close');
  const url = `http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`;
  let last: Promise<unknown> = Promise.resolve();
  const invoke = async (event: unknown): Promise<unknown> => {
    const until = Date.now() + 60_000;
    for (;;) {
      try {
        const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) });
        const body = (await response.json()) as { errorType?: string; errorMessage?: string };
        if (body?.errorType) throw new Error(`${body.errorType}: ${body.errorMessage}`);
        return body;
      } catch (error) {
        // It is not listening yet.
        if (!(error instanceof TypeError) || Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  return {
    ...said,
    // It takes one event at a time.
    invoke: (event) => {
      const mine = last.then(() => invoke(event));
      last = mine.catch(() => undefined);
      return mine;
    },
    stop: async () => {
      killGroup(child.pid, 'SIGKILL');
      await ended;
    },
  };
}
