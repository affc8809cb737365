// A server by somebody else as a child process: it ends when this process does, however that comes.

import { spawn } from 'node:child_process';

export type ServerProcess = { stop(): Promise<void> };

type Options = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stderr?: 'inherit' | 'ignore';
};

export function startProcess(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stderr = 'inherit' }: Options = {},
): ServerProcess {
  // The shell waits for the end of its input, which is the end of this process, and then for the server's.
  const script = '"$@" & pid=$!; cat >/dev/null; kill -9 $pid; wait $pid 2>/dev/null';
  const child = spawn('sh', ['-c', script, 'sh', command, ...args], {
    stdio: ['pipe', 'ignore', stderr],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    // A Ctrl-C in the terminal is for us, and reaches it by the end of its input.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
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
