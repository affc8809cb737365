// The command line: `scepter`.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arrayBuffer } from 'node:stream/consumers';
import { systemClock } from '../lib/adapters/system.ts';
import { visible } from '../lib/base/text.ts';
import { CliError } from '../lib/cli/io.ts';
import { runCli } from '../lib/cli/main.ts';
import packageJson from '../package.json' with { type: 'json' };
import { readDocument } from './default-config.ts';
import { readEnv } from './env.ts';
import { stopped } from './node/stopped.ts';

const env = readEnv();

/** The token that was given, or the one the embedded server keeps in its folder. */
async function token(): Promise<string> {
  if (env.token) return env.token;
  const path = join(env.dataDir, 'token');
  const kept = await readFile(path, 'utf8').catch(() => undefined);
  if (kept === undefined) {
    throw new CliError(
      'notAllowed',
      `no token: set SCEPTER_TOKEN, or SCEPTER_DATA_DIR to the server's folder (${path} is not there)`,
    );
  }
  return kept.trim();
}

/** Output that a command passes through, such as an export, is escaped on a terminal. */
const harmless = (text: string): string => text.split('\n').map(visible).join('\n');

// `scepter ... | head` closes the pipe when it has enough lines, which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`scepter: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
});

process.exitCode = await runCli(process.argv.slice(2), packageJson.version, {
  url: env.url ?? env.localUrl,
  token,
  jwt: env.jwt,
  invoke: async (target, request) =>
    (await import('./lambda/admin-function.ts')).invoke(target, request),
  stdin: async () => new Uint8Array(await arrayBuffer(process.stdin)),
  out: (data) => process.stdout.write(process.stdout.isTTY ? harmless(data) : data),
  columns: process.stdout.columns,
  note: (line) => process.stderr.write(`${harmless(line)}\n`),
  progress: process.stderr.isTTY
    ? (line) => process.stderr.write(`\r\u001b[K${visible(line)}`)
    : undefined,
  stopped,
  clock: systemClock,
  config: (file) => readDocument(env, file),
  operator: async () => (await import('./node/operator.ts')).openOperator(env),
  backups: async () => (await import('./backup/backups.ts')).backupsOf(env),
});
