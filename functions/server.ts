// Plain Node: the embedded default over HTTP. `npm start`.

import { serve } from '@hono/node-server';
import { jsonLog, systemClock } from '../lib/adapters/system.ts';
import { keepCrl } from '../lib/ca/lifecycle.ts';
import { ConfigError } from '../lib/config.ts';
import { makeApp } from '../lib/http/app.ts';
import { MAX_REQUEST_LINE_OCTETS } from '../lib/limits.ts';
import { banner } from './banner.ts';
import { loadConfig } from './default-config.ts';
import { openEmbedded } from './embedded.ts';
import { readEnv } from './env.ts';

/** How often a server that stays up looks after what runs out. */
const UPKEEP_MS = 60 * 60 * 1000;

async function start(): Promise<void> {
  const env = readEnv();
  if (env.refuseSoftwareKeys) {
    throw new Error(
      'NODE_ENV is "production" and the CA keys would be files: use KMS, or set SCEPTER_ALLOW_SOFTWARE_KEYS=1',
    );
  }
  const config = await loadConfig(env);
  const log = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  const embedded = await openEmbedded(env, config, log);
  const { deps, store } = embedded;
  const server = serve(
    {
      fetch: makeApp(deps).fetch,
      port: env.port,
      // HTTP/1.0 clients send no Host header.
      hostname: env.host,
      serverOptions: { maxHeaderSize: MAX_REQUEST_LINE_OCTETS },
    },
    async () => process.stdout.write(await banner(env, embedded)),
  );
  server.on('error', fail);
  const upkeep = setInterval(async () => {
    for (const id of config.cas.keys()) await keepCrl(deps, await deps.cas.of(id));
  }, UPKEEP_MS);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(upkeep);
      server.close(() => store.close());
    });
  }
}

function fail(error: unknown): void {
  const said = error instanceof Error ? error.message : String(error);
  const hint = said.includes('EADDRINUSE') ? ' (another process has this port: set PORT)' : '';
  process.stderr.write(`scepter: ${said}${hint}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}

start().catch(fail);
