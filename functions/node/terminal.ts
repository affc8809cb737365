// Standard output, standard error and the signals of a command. Characters that would act on a terminal are
// escaped on one. Ctrl-C reaches this process and the script that started it, which passes it on: so it arrives
// twice.

import { visible } from '../../lib/base/text.ts';
import { ReaderGone } from '../../lib/cli/io.ts';

const harmless = (text: string): string => text.split('\n').map(visible).join('\n');

// `scepter ... | head` closes the pipe when it has enough lines, which is no failure. A command that fails keeps
// its exit code all the same: what it waits for ends, and what it would print next goes nowhere.
const readerGone = new AbortController();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return readerGone.abort();
  process.stderr.write(`scepter: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});

export const terminal = {
  out: (data: string): void => {
    if (readerGone.signal.aborted) throw new ReaderGone();
    process.stdout.write(process.stdout.isTTY ? harmless(data) : data);
  },
  columns: process.stdout.columns,
  note: (line: string): void => {
    process.stderr.write(`${harmless(line)}\n`);
  },
  progress: process.stderr.isTTY
    ? (line: string): void => {
        process.stderr.write(`\r\u001b[K${visible(line)}`);
      }
    : undefined,
  stopped: (): AbortSignal => AbortSignal.any([stopped(), readerGone.signal]),
};

/** Milliseconds in which a second signal is the first one, passed on. A later one ends the process. */
const SAME_SIGNAL_MS = 500;

/** Turns SIGINT and SIGTERM into an AbortSignal, for commands that end by themselves. */
function stopped(): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      first ??= Date.now();
      if (Date.now() - first > SAME_SIGNAL_MS) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
