// A server by somebody else as a child process: it ends when this process does, however that comes.

import { spawn } from 'node:child_process';

export type ServerProcess = {
  /** When it has ended, also by itself. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

type Options = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stderr?: 'inherit' | 'ignore';
};

/**
 * For a shell that is given a command: a process that ends with its input, which is the end of whoever
 * started it. It must have a group of its own: a Ctrl-C in the terminal is for that one, and reaches it by
 * the end of its input.
 */
export const guarded =
  'exec 3<&0; (cat <&3; kill -9 0) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';

export function startProcess(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stderr = 'inherit' }: Options = {},
): ServerProcess {
  const child = spawn('sh', ['-c', guarded, 'sh', command, ...args], {
    stdio: ['pipe', 'ignore', stderr],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // What guards it ends with its input, too.
  void ended.then(() => child.stdin?.end());
  return {
    ended,
    stop: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}

/** Asks until there is an answer, at most a minute. @throws what the last one threw */
export async function answered<T>(ask: () => T | Promise<T>): Promise<T> {
  const until = Date.now() + 60_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
