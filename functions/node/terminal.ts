// Standard output, standard error and the signals of a command. Characters that would act on a terminal are
// escaped on one. What is longer than its screen goes through a pager. Ctrl-C reaches this process and the script that started it, which passes it on: so it arrives
// twice.

import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import { visible } from '../../lib/base/text.ts';
import { CliError, type Prompt, ReaderGone } from '../../lib/cli/io.ts';
import type { Tone } from '../../lib/cli/text.ts';

const harmless = (text: string): string => text.split('\n').map(visible).join('\n');

// `scepter ... | head` closes the pipe when it has enough lines, which is no failure. A command that fails keeps
// its exit code all the same: what it waits for ends, and what it would print next goes nowhere.
const readerGone = new AbortController();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return readerGone.abort();
  process.stderr.write(`scepter: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});

function out(data: string): void {
  if (readerGone.signal.aborted) throw new ReaderGone();
  process.stdout.write(process.stdout.isTTY ? harmless(data) : data);
}

const colours = {
  good: 'green',
  bad: 'red',
  warning: 'yellow',
  over: 'gray',
} as const satisfies Record<Tone, string>;

const ESCAPE = '\u001b';

/** What `style` has put around a text, and nothing else that acts on a terminal. */
const coloured = (text: string): string =>
  text
    .split(new RegExp(`(${ESCAPE}\\[\\d{1,2}m)`))
    .map((part, at) => (at % 2 === 0 ? harmless(part) : part))
    .join('');

/** @param pager a command line; empty: none */
export const terminal = (pager: string | undefined) => ({
  out,
  page: async (text: string, paged: boolean): Promise<void> => {
    const { isTTY, rows = Number.POSITIVE_INFINITY } = process.stdout;
    if (readerGone.signal.aborted) throw new ReaderGone();
    const shown = isTTY ? coloured(text) : text;
    const isLong = isTTY && text.split('\n').length > rows;
    if (!(paged && isLong && pager !== '' && (await throughPager(pager, shown)))) {
      process.stdout.write(shown);
    }
  },
  /** Node knows of NO_COLOR, FORCE_COLOR, and of terminals without colours. */
  style: (tone: Tone, text: string): string =>
    styleText(colours[tone], text, { stream: process.stdout }),
  columns: process.stdout.columns,
  note: (line: string): void => {
    process.stderr.write(`${harmless(line)}\n`);
  },
  progress: process.stderr.isTTY
    ? (line: string): void => {
        process.stderr.write(`\r\u001b[K${visible(line)}`);
      }
    : undefined,
  prompt: process.stdin.isTTY && process.stderr.isTTY ? prompt : undefined,
  stopped: (): AbortSignal => AbortSignal.any([stopped(), readerGone.signal]),
});

/** Lines that are pasted at once wait for their questions. */
function prompt(): Prompt {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const next = lines[Symbol.asyncIterator]();
  let ended = false;
  lines.on('SIGINT', () => lines.close());
  lines.once('close', () => {
    ended = true;
  });
  return {
    ask: async (question) => {
      if (!ended) {
        lines.setPrompt(question);
        lines.prompt();
      }
      const { done, value } = await next.next();
      if (done) throw new CliError('failure', 'stopped: nothing was written');
      return value;
    },
    close: () => lines.close(),
  };
}

/** What a shell says of a program that it cannot find or run. */
const NOT_FOUND = [126, 127];

/** @returns whether there is such a pager, and it has had the text */
async function throughPager(given: string | undefined, text: string): Promise<boolean> {
  const { spawn } = await import('node:child_process');
  const child = spawn(given ?? 'less', given === undefined ? ['-FRX'] : [], {
    shell: given !== undefined,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  // Whoever looks at a page stops the pager with Ctrl-C, or something in it, and not this command.
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  // A pager that is left early closes its end.
  child.stdin.on('error', ignore);
  child.stdin.end(text);
  try {
    return await new Promise((resolve) => {
      child.once('error', () => resolve(false));
      child.once('close', (code) => resolve(!NOT_FOUND.includes(code ?? 0)));
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}

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
