// The command line against a lab, in this process: its words as a terminal gets them, and a clock
// that jumps instead of waiting.

import type { ServerResponse } from 'node:http';
import { serve } from '@hono/node-server';
import { readDocument } from '../../functions/config/default-config.ts';
import { readEnv } from '../../functions/env.ts';
import { brokenOff } from '../../functions/node/listen.ts';
import { operatingOf } from '../../functions/node/operator.ts';
import { type Bytes, utf8 } from '../../lib/base/bytes.ts';
import type { Operator } from '../../lib/ca/deps.ts';
import type { Io } from '../../lib/cli/io.ts';
import { runCli } from '../../lib/cli/main.ts';
import { type Lab, operatorOf } from './lab.ts';
import type { Finished } from './process.ts';

export type Answer = (request: Request) => Promise<Response>;

export type TerminalOptions = {
  readonly stdin?: string | Bytes;
  readonly token?: string;
  readonly jwt?: string;
  /** Aborted when somebody stops the command. */
  readonly stop?: AbortSignal;
  /** What SCEPTER_CONFIG is. */
  readonly config?: string;
  /** What its environment has of validators outside. */
  readonly outside?: Io['outside'];
  readonly pages?: Io['pages'];
  /** What `ca init` and its like work with; default: the lab itself. `server`: its server does it. */
  readonly operator?: Operator | 'server';
  /** Called when what was opened for that is closed. */
  readonly closed?: () => void;
  /** Called when a command waits, with how often it has, after the lab's clock was put forward. */
  readonly waits?: (count: number) => unknown;
  /** As on a terminal: what stands in the line that is written again and again. */
  readonly progress?: (line: string) => void;
};

/** Functions of AWS are asked in `test/lambda`. */
const invoke: Io['invoke'] = () => Promise.reject(new Error('there is no AWS here'));

export type Terminal = {
  readonly url: string;
  /** Milliseconds of every wait of the last command. */
  readonly slept: number[];
  run(args: readonly string[], options?: TerminalOptions): Promise<Finished>;
  close(): Promise<void>;
};

/** @param between sees every HTTP request, and answers it itself or by what it is given */
export async function openTerminal(
  lab: Lab,
  between: (request: Request, answer: Answer) => Promise<Response> = (request, answer) =>
    answer(request),
): Promise<Terminal> {
  const answer: Answer = async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const body = method === 'POST' ? await request.arrayBuffer() : null;
    return lab.fetch(pathname + search, { method, headers, body });
  };
  const server = serve({
    fetch: async (request, { outgoing }) =>
      brokenOff(await between(request, answer), outgoing as ServerResponse),
    port: 0,
    hostname: '127.0.0.1',
    // The Response of the runtime stays what it is: workerd's own HTTP takes no other.
    overrideGlobalObjects: false,
  });
  // A connection that is closed for having been idle, on a busy machine, breaks off the request that comes at that moment.
  if ('keepAliveTimeout' in server) server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  const slept: number[] = [];
  return {
    url,
    slept,
    run: async (
      args,
      {
        stdin = '',
        token = lab.adminToken,
        jwt,
        config,
        outside = () => Promise.reject(new Error('there are no secrets here')),
        pages = () => Promise.reject(new Error('there are no secrets here')),
        stop,
        waits,
        operator,
        closed,
        progress,
      } = {},
    ) => {
      slept.length = 0;
      let out = '';
      let err = '';
      const code = await runCli(args, '0.0.0', {
        url,
        token: async () => token,
        tokenFrom: 'the token of this test',
        jwt,
        invoke,
        stdin: async () => (typeof stdin === 'string' ? utf8(stdin) : stdin),
        out: (text) => {
          out += text;
        },
        note: (text) => {
          err += `${text}\n`;
        },
        page: async (text) => {
          out += text;
        },
        style: (_, text) => text,
        columns: undefined,
        progress,
        prompt: undefined,
        home: { schema: '/config.schema.json', repository: undefined },
        stopped: () => stop ?? new AbortController().signal,
        clock: {
          now: lab.clock.now,
          sleep: async (ms) => {
            slept.push(ms);
            lab.clock.at += ms;
            await waits?.(slept.length);
          },
        },
        config: (file) => readDocument(readEnv({ SCEPTER_CONFIG: config }), file),
        outside,
        pages,
        backups: async () => Promise.reject(new Error('there is no data folder here')),
        serve: () => Promise.reject(new Error('a server is a process of its own')),
        operator: async () =>
          operator === 'server'
            ? {}
            : operatingOf(
                { ...lab.deps, ...operator, operator: operator ?? operatorOf(lab.deps) },
                closed ?? (() => {}),
              ),
      });
      return { code, out, err };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
