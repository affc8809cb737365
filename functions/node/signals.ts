// What ends a server, and what makes it read its configuration again. No server outlives what started it: a
// `kill` of npm, or of the shell that npm puts between, reaches neither of their children, and
// `bin/scepter.js` may be killed in a way that it cannot pass on.

import { execFile } from 'node:child_process';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { readVariable } from '../env.ts';

type Deeds = { readonly stop: () => void; readonly reload: () => void };

/** @param deeds of which `stop` is called once; a signal that insists ends the process at once */
export function obeySignals({ stop, reload }: Deeds): void {
  let stopped = false;
  const stopOnce = (): void => {
    if (!stopped) stop();
    stopped = true;
  };
  // A signal for the whole group, such as Ctrl-C, comes a second time from npm or `bin/scepter.js`, which pass on
  // their own.
  let passedOn = wasStarted();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopped && !passedOn) process.exit(130);
      if (stopped) passedOn = false;
      stopOnce();
    });
  }
  process.on('SIGHUP', () => (isTerminalClosed() ? stopOnce() : reload()));
  whenStarterEnds(stopOnce);
}

const isOfNpm = (): boolean => readVariable('npm_lifecycle_event') !== undefined;
/** By npm or by `bin/scepter.js`. */
const wasStarted = (): boolean => process.connected || isOfNpm();

const terminals = [0, 1, 2].filter((stream) => isatty(stream));
/** A closed terminal sends SIGHUP as well, and ends what runs in it. */
const isTerminalClosed = (): boolean => terminals.some((stream) => !isatty(stream));

const CHECK_MS = 200;

/** Calls `stop` once npm, its shell or `bin/scepter.js` is gone, if one of them started this process. */
export function whenStarterEnds(stop: () => void): void {
  if (process.connected) {
    process.once('disconnect', stop);
    process.channel?.unref();
  }
  // A server that was started in another way may lose its parent: `nohup`, a closed terminal, a daemon.
  if (!isOfNpm()) return;
  const parent = process.ppid;
  let npm: number | undefined;
  void npmBehind(parent).then((found) => {
    npm = found;
  });
  const timer = setInterval(() => {
    // Of a parent that is gone, POSIX gives another one and Windows the same.
    const alone = process.ppid !== parent || !isRunning(parent);
    if (!alone && (npm === undefined || isRunning(npm))) return;
    clearInterval(timer);
    stop();
  }, CHECK_MS);
  timer.unref();
}

const run = promisify(execFile);

/** The process of npm where the parent is its shell, which goes on waiting when npm is killed. */
async function npmBehind(parent: number): Promise<number | undefined> {
  const told = await run('ps', ['-o', 'ppid=,args=', '-p', String(parent)]).catch(() => undefined);
  const [, grandparent, args = ''] = /^\s*(\d+)\s+(.*)$/m.exec(told?.stdout ?? '') ?? [];
  return args.includes(' -c ') ? Number(grandparent) : undefined;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
