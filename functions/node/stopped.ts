// Turns SIGINT and SIGTERM into an AbortSignal, for commands that end by themselves. Ctrl-C in a terminal
// reaches this process and the script that started it, which passes it on: so it arrives twice.

/** Milliseconds in which a second signal is the first one, passed on. A later one ends the process. */
const SAME_SIGNAL_MS = 500;

export function stopped(): AbortSignal {
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
