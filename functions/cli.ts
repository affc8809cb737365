// The command line: `scepter`.

import { join } from 'node:path';
import { systemClock } from '../lib/adapters/system.ts';
import { errorText } from '../lib/base/errors.ts';
import { addressesIn } from '../lib/cli/address.ts';
import { exitCodes } from '../lib/cli/io.ts';
import { runCli } from '../lib/cli/main.ts';
import { checkedToken, tokenIn } from '../lib/cli/server.ts';
import packageJson from '../package.json' with { type: 'json' };
import { type Env, readEnv } from './env.ts';
import { home } from './node/command.ts';
import { terminal } from './node/terminal.ts';

const env = environment();

function environment(): Env {
  try {
    return readEnv();
  } catch (error) {
    process.stderr.write(`scepter: ${errorText(error)}\n`);
    return process.exit(exitCodes.usage);
  }
}

const tokenPath = join(env.dataDir, 'token');
/** Where the server of this folder was started last. */
const remembered = env.url === undefined || !env.token ? await addressesIn(env.dataDir) : [];
const given = env.url === undefined ? undefined : [env.url];
const [local = env.localUrl] = env.defaults.address ? remembered : [];
const own = remembered.length > 0 ? remembered : [local];

/** The token that was given, or the one the embedded server keeps in its folder. */
const token = async (): Promise<string> =>
  env.token
    ? checkedToken('SCEPTER_TOKEN', env.token)
    : tokenIn(
        'the admin token',
        tokenPath,
        `no token: set SCEPTER_TOKEN, or SCEPTER_DATA_DIR to the server's folder (${tokenPath} is not there)`,
      );

process.exitCode = await runCli(process.argv.slice(2), packageJson.version, {
  url: env.url ?? local,
  token,
  tokenFrom: env.token ? 'the token of SCEPTER_TOKEN' : `the token in ${tokenPath}`,
  tokenOf: env.token ? given : own,
  invoke: async (target, request) =>
    (await import('./lambda/admin-function.ts')).invoke(target, request),
  stdin: async () =>
    new Uint8Array(await (await import('node:stream/consumers')).arrayBuffer(process.stdin)),
  ...{ ...terminal(env.pager), home, clock: systemClock, jwtOf: given, jwt: env.jwt },
  config: async (file) => (await import('./config/default-config.ts')).readDocument(env, file),
  outside: async () => (await import('./config/outside.ts')).openOutside(env),
  pages: async () => (await import('./config/outside.ts')).openPages(env),
  serve: async (json) => (await import('./server.ts')).serve(json),
  operator: async () => (await import('./node/operator.ts')).findOperator(env),
  deployment: async () => (await import('./lambda/deployment.ts')).deploymentOf(env),
  backups: async () => (await import('./backup/backups.ts')).backupsOf(env),
});
