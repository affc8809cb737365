// Within workerd: evaluates a test file inside a handler, where random values, timers and I/O are
// allowed, runs its tests, and says on the console, a line of JSON each, what became of them.

import { handleAsNodeRequest } from 'cloudflare:node';
import { inspect } from 'node:util';
import { type Message, mark } from './message.ts';
import { load, type Result, run } from './node-test.ts';

type Environment = {
  /** The file whose tests run in this isolate. */
  readonly FILE: string;
  readonly MAKE_FUNCTION: { newFunction(body: string, name: string, ...args: string[]): unknown };
};
type Files = Readonly<Record<string, () => Promise<unknown>>>;

const say = (message: Message): void => console.log(mark + JSON.stringify(message));
const textOf = (error: unknown): string => inspect(error, { depth: 6, maxStringLength: 2000 });

/** What the bundle exports: workerd calls `test` when it is started for tests. */
export const suiteOf = (files: Files) => ({
  async test(_: unknown, { FILE, MAKE_FUNCTION }: Environment): Promise<void> {
    // A promise that failed and that nobody waited for: Node's runner fails the file for it.
    addEventListener('unhandledrejection', (event) => {
      const { reason } = event as PromiseRejectionEvent;
      say({ kind: 'fault', error: `nobody waited for: ${textOf(reason)}` });
    });
    Object.assign(globalThis, {
      fetch: withoutRedirects(fetch),
      FunctionOfTests: function compile(...args: string[]) {
        return MAKE_FUNCTION.newFunction(args.pop() ?? '', 'compiled', ...args);
      },
    });
    try {
      const file = files[FILE];
      if (!file) throw new Error(`${FILE} is not in the bundle`);
      say({ kind: 'registered', tests: await load(file) });
      await run(({ error, ...rest }: Result) =>
        say({ kind: 'result', ...rest, ...(error === undefined ? {} : { error: textOf(error) }) }),
      );
      say({ kind: 'end' });
    } catch (error) {
      say({ kind: 'fault', error: textOf(error) });
    }
  },

  /** Whatever tests fetch comes here: servers that they have in this isolate, over workerd's HTTP. */
  async fetch(request: Request): Promise<Response> {
    const { port } = new URL(request.url);
    try {
      return await handleAsNodeRequest(Number(port), request);
    } catch (error) {
      // That no server is there, in the words that a network has for it.
      const { code } = error as { readonly code?: unknown };
      if (code === 'ERR_INVALID_ARG_VALUE') throw new Error(`connect ECONNREFUSED :${port}`);
      throw error;
    }
  },
});

/** For clients that are never in a Worker: `redirect: 'error'`, which it does not have. */
const withoutRedirects =
  (native: typeof fetch): typeof fetch =>
  async (input, init = {}) => {
    if (init.redirect !== 'error') return native(input, init);
    const response = await native(input, { ...init, redirect: 'manual' });
    if (response.status < 300 || response.status > 399) return response;
    throw new TypeError('fetch failed', { cause: new Error('unexpected redirect') });
  };
