// The real server and the real CLI as child processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..', '..');

export const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `scepter-${name}-`));

// Each process begins somewhere else.
let ports = process.pid * 251;

/**
 * A port for a process that is yet to be started. Not one of those that the system gives to whoever
 * listens at any port or connects, for it gives them to others meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 11_000 + (ports++ % 20_000);
    if (await isFree(port)) return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** What a server of its own needs: a folder, a port, and a CA whose key costs a start little. */
export async function freshService(name: string, more: object = {}) {
  const [dataDir, port] = [join(temporary(name), 'data'), await freePort()];
  const config = {
    publicUrl: `http://127.0.0.1:${port}`,
    cas: { default: { subject: `CN=${name}`, key: 'ec:P-256' } },
    endpoints: { default: { ca: 'default' } },
    ...more,
  };
  const env = {
    SCEPTER_DATA_DIR: dataDir,
    PORT: String(port),
    SCEPTER_CONFIG: JSON.stringify(config),
  };
  return { dataDir, env };
}

/** Of a process of Node that is patient with what it asks. */
export const patiently = {
  NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'patience.js')).href}`,
};

type Environment = Readonly<Record<string, string | undefined>>;

/** The environment without what this process or a developer's shell may have set. */
function environment(extra: Environment): Record<string, string> {
  const own = [
    'PORT',
    'HOST',
    'NODE_ENV',
    'SCEPTER_DATA_DIR',
    'SCEPTER_TLS_CERT',
    'SCEPTER_TLS_KEY',
    'SCEPTER_HTTP_PORT',
    'SCEPTER_ALLOW_SOFTWARE_KEYS',
    'SCEPTER_TABLE',
    'SCEPTER_FILES',
    'SCEPTER_LOGS',
    'SCEPTER_LOG_KEY',
    'SCEPTER_DEPLOYMENT',
    'SCEPTER_SEALING_KEY',
    'SCEPTER_CONFIG',
    'SCEPTER_URL',
    'SCEPTER_TOKEN',
    'SCEPTER_JWT',
  ];
  const all = {
    ...process.env,
    ...Object.fromEntries(own.map((name) => [name, undefined])),
    ...patiently,
    ...extra,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

export type Finished = { readonly code: number | null; readonly out: string; readonly err: string };

/** Runs a file of this repository to its end. */
export async function run(
  file: string,
  args: readonly string[],
  { env = {}, stdin = '', cwd = root }: { env?: Environment; stdin?: string; cwd?: string } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [join(root, file), ...args], {
    env: environment(env),
    cwd,
  });
  child.stdin.end(stdin);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}

export type Running = {
  readonly url: string;
  /** What it has printed so far. */
  readonly printed: () => string;
  readonly logged: () => string;
  stop(): Promise<void>;
  readonly child: ChildProcess;
};

type Ready = {
  /** What its log says by then, where it prints nothing. */
  readonly until?: RegExp;
};

/** Starts the server as `npm start` does and waits until it says that it is ready. */
export async function startServer(env: Environment, { until }: Ready = {}): Promise<Running> {
  const child = spawn(process.execPath, [join(root, 'functions/server.ts')], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let logged = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      printed += data;
      // It is written in one piece.
      if (/^Scepter is ready at .*\n$/s.test(printed)) resolve();
    });
    child.stderr.on('data', (data) => {
      logged += data;
      if (until?.test(logged)) resolve();
    });
    child.once('close', (code) => reject(new Error(`the server ended with ${code}: ${logged}`)));
  });
  return {
    url: (/ready at (\S+),/.exec(printed) ?? /"publicUrl":"(.*?)"/.exec(logged))?.[1] ?? '',
    printed: () => printed,
    logged: () => logged,
    child,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
