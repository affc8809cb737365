// Runs the programs of others: with a time limit, in a process group of their own, in the
// environment of somebody at a fresh shell.

import { spawn } from 'node:child_process';
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
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 30_000;

/** Whatever the exit code is. @throws {NotRun} when there is no such program */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env = plainEnv(), input = '', timeoutMs = TIMEOUT_MS }: RunOptions = {},
): Promise<Ran> {
  // A group, so that the time limit also ends what the program has started.
  const child = spawn(program, args, { cwd, env, detached: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(missing ? new NotRun(`${program} is not installed`) : error);
    });
    child.once('close', (code) => resolve(code ?? -1));
  });
  const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), timeoutMs);
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

export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}

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
