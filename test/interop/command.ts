// Runs the programs of others: with a time limit, in a process group of their own, in the
// environment of somebody at a fresh shell.

import { type ChildProcess, spawn } from 'node:child_process';
import { buffer, text } from 'node:stream/consumers';

/** A program that the suite needs is not on this machine. Never the same as having passed. */
export class NotRun extends Error {
  override readonly name = 'NotRun';
}

export type Ran = { readonly code: number; readonly stdout: Buffer; readonly stderr: string };

export type RunOptions = {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
};

/** Longer than any of them takes on a busy machine, clients that poll included. */
const TIMEOUT_MS = 120_000;

/** Whatever the exit code is. @throws {NotRun} when there is no such program */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env = plainEnv(), input = '' }: RunOptions = {},
): Promise<Ran> {
  const child = spawn(program, args, { cwd, env, detached: true });
  keepGroup(child);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(missing ? new NotRun(`${program} is not installed`) : error);
    });
    child.once('close', (code) => resolve(code ?? -1));
  });
  const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), TIMEOUT_MS);
  // A program that ends without reading its input is no trouble of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  try {
    const [code, stdout, stderr] = await Promise.all([
      ended,
      buffer(child.stdout),
      text(child.stderr),
    ]);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    killGroup(child.pid, 'SIGKILL');
  }
}

/** Its standard output. @throws {Error} with its last words, unless it exits with 0 */
export async function must(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Buffer> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args[0] ?? ''} ended with ${code}: ${lastLines(stderr)}`);
}

const groups = new Set<number>();

/**
 * To be told of every child that is spawned `detached`: its group, which holds all that it starts,
 * ends with this process if nothing has ended it before.
 */
export function keepGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) groups.add(pid);
}

/** Ends a group that has been kept, and nothing else; SIGKILL also forgets it. */
export function killGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined || !groups.has(pid)) return;
  if (signal === 'SIGKILL') groups.delete(pid);
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}

process.once('exit', () => {
  for (const pid of groups) killGroup(pid, 'SIGKILL');
});
// Detached children do not get a terminal's Ctrl-C, nor the signal of a time limit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

export const lastLines = (output: string, count = 6): string =>
  output.trim().split('\n').slice(-count).join('\n');

const ours = ['HOST', 'PORT', 'NODE', 'NODE_ENV', 'NODE_OPTIONS', 'INIT_CWD'];
const keptOfNpm = ['npm_config_cache', 'npm_config_userconfig'];

/** Without what `npm run` adds (its Node in PATH above all) and without any setting of ours. */
export function plainEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { LC_ALL: 'C.UTF-8' };
  for (const [name, value] of Object.entries(process.env)) {
    if (ours.includes(name) || /^(SCEPTER|CERTMONGER|DBUS)_/.test(name)) continue;
    if (/^npm_/i.test(name) && !keptOfNpm.includes(name)) continue;
    env[name] = value;
  }
  env.PATH = (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
    .join(':');
  return { ...env, ...extra };
}
