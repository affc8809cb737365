// Being told to stop, for commands that end in their own way: by a terminal, whose Ctrl-C reaches this
// process and the script that started it, which passes it on; so one comes twice.

/** Milliseconds in which a second signal is the first one, passed on. Later ones are meant. */
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
