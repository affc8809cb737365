// A plain `npm start`: the real server in a process of its own, on a port and with data of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isFree } from '../support/process.ts';
import { keepGroup, killGroup, lastLines, must, plainEnv } from './command.ts';

export type Server = {
  /** `http://127.0.0.1:PORT`; SCEP is at `/scep` below it. */
  readonly origin: string;
  readonly port: number;
  readonly dataDir: string;
  /** Our own CLI, which knows the server by its folder: what it prints with `--json`. */
  cli(...args: readonly string[]): Promise<unknown>;
  challenge(options?: ChallengeOptions): Promise<string>;
  /** What it has written to standard error: its log. */
  log(): Promise<string>;
  stop(): Promise<void>;
};

export type ChallengeOptions = {
  readonly endpoint?: string;
  readonly subject?: string;
  readonly san?: readonly string[];
};

export type StartOptions = {
  /** The checkout it runs in. */
  readonly root: string;
  /** Where its output goes, and its data unless `port` is left to the default. */
  readonly folder: string;
  /** Default: a free port and a data folder in `folder`. `plain` sets neither: readers of guides. */
  readonly settings?: 'plain';
  /** Without its publicUrl; default: the embedded default. */
  readonly config?: object;
  /** Default: a free one. */
  readonly port?: number;
  /** Where its records and keys are, if not in its folder. */
  readonly env?: Readonly<Record<string, string>>;
};

const READY_WITHIN_MS = 60_000;
/** Longer than a server waits for requests that have begun. */
const STOPPED_WITHIN_MS = 60_000;
const DEFAULT_PORT = 8080;

/** @throws {Error} with what the server said, when it does not become ready */
export async function startServer(options: StartOptions): Promise<Server> {
  const { root, folder, settings, config, env = {} } = options;
  const port = settings === 'plain' ? DEFAULT_PORT : (options.port ?? (await freePort()));
  if (!(await isFree(port))) throw new Error(`port ${port} is taken by another process`);
  const dataDir = settings === 'plain' ? join(root, '.scepter') : join(folder, 'data');
  const own = settings === 'plain' ? {} : { PORT: `${port}`, SCEPTER_DATA_DIR: dataDir };
  const origin = `http://127.0.0.1:${port}`;
  const configured = config
    ? { SCEPTER_CONFIG: JSON.stringify({ publicUrl: origin, ...config }) }
    : {};
  const errors = join(folder, 'server.err');
  const child = spawn('npm', ['start'], {
    cwd: root,
    env: plainEnv({ ...own, ...configured, ...env }),
    // npm does not hand a signal on to what it runs; the group gets it.
    detached: true,
    stdio: ['ignore', openSync(join(folder, 'server.out'), 'a'), openSync(errors, 'a')],
  });
  keepGroup(child);
  const log = () => readFile(errors, 'utf8');
  const stop = () => stopGroup(child, port);
  try {
    await ready(child, `${origin}/readyz`);
  } catch (error) {
    await stop();
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`npm start: ${why}\n${lastLines(await log())}`);
  }
  const cli = async (...args: readonly string[]): Promise<unknown> => {
    const client = plainEnv({ SCEPTER_URL: origin, SCEPTER_DATA_DIR: dataDir });
    const command = ['bin/scepter.js', ...args, '--json'];
    const json = await must('node', command, { cwd: root, env: client });
    return JSON.parse(json.toString());
  };
  return {
    origin,
    port,
    dataDir,
    log,
    stop,
    cli,
    challenge: async ({ endpoint = 'default', subject, san = [] } = {}) => {
      const bound = [
        ...(subject ? ['--subject', subject] : []),
        ...san.flatMap((name) => ['--san', name]),
      ];
      const made = await cli('challenge', 'create', '--endpoint', endpoint, ...bound);
      const { challenge } = made as { challenge?: unknown };
      if (typeof challenge !== 'string') throw new Error(`challenge create printed ${made}`);
      return challenge;
    },
  };
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const until = Date.now() + READY_WITHIN_MS;
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  while (Date.now() < until) {
    if (failed) throw failed;
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await sleep(100);
  }
  throw new Error(`not ready after ${READY_WITHIN_MS / 1000} s`);
}

async function stopGroup(child: ChildProcess, port: number): Promise<void> {
  killGroup(child.pid, 'SIGTERM');
  // npm is gone before the server is; a port that stays taken would fail the next start.
  const until = Date.now() + STOPPED_WITHIN_MS;
  while (!(await isFree(port)) && Date.now() < until) await sleep(100);
  killGroup(child.pid, 'SIGKILL');
}
