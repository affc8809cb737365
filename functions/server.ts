// Plain Node: the embedded default over HTTP. `npm start`.

import { jsonLog, systemClock } from '../lib/adapters/system.ts';
import { STOP_GRACE_MS } from '../lib/base/limits.ts';
import { makeApp } from '../lib/http/app.ts';
import { loadConfig } from './default-config.ts';
import { readEnv } from './env.ts';
import { banner } from './node/banner.ts';
import { openEmbedded } from './node/embedded.ts';
import { refusalOf } from './node/failed-start.ts';
import { serverOf } from './node/listen.ts';
import { keepUp, upkeepOf } from './upkeep.ts';

async function start(): Promise<void> {
  const env = readEnv();
  if (env.refuseSoftwareKeys) {
    throw new Error(
      'NODE_ENV is "production" and the CA keys would be files: use KMS, or set SCEPTER_ALLOW_SOFTWARE_KEYS=1',
    );
  }
  const log = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  const embedded = await openEmbedded(env, await loadConfig(env), log);
  const { deps, store } = embedded;
  const ready = await banner(env, embedded);
  const server = serverOf(makeApp(deps));
  server.listen(env.port, env.host, () => process.stdout.write(ready));
  server.on('error', fail);
  const stopUpkeep = keepUp(upkeepOf(deps), log);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      const stopped = stopUpkeep();
      server.close(() => stopped.then(() => store.close()));
      // Whoever is still sending after a while is cut off.
      setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS).unref();
    });
  }
}

function fail(error: unknown): void {
  const { said, code } = refusalOf(error);
  process.stderr.write(`scepter: ${said}\n`);
  process.exit(code);
}

// A log that cannot be written (its disk is full, its reader gone) does not end the service.
process.stderr.on('error', () => {});
start().catch(fail);
