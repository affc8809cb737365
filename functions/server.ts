// Plain Node: the embedded default over HTTP. `scepter serve`, which is `npm start`.

import { jsonLog, systemClock } from '../lib/adapters/system.ts';
import { loadConfig } from './config/default-config.ts';
import { readEnv } from './env.ts';
import { say } from './node/banner.ts';
import { announce } from './node/cautions.ts';
import { openEmbedded } from './node/embedded.ts';
import { refusalOf } from './node/failed-start.ts';
import { closed, listening } from './node/listen.ts';
import { runService, type Service } from './node/service.ts';
import { obeySignals } from './node/signals.ts';

/** Resolves when it is ready; a start that fails ends the process. */
export const serve = (json = false): Promise<void> => start(json).catch(fail);

async function start(json: boolean): Promise<void> {
  const env = readEnv();
  if (env.refuseSoftwareKeys) {
    throw new Error(
      'NODE_ENV is "production" and the CA keys would be files: use KMS, or set SCEPTER_ALLOW_SOFTWARE_KEYS=1',
    );
  }
  // A log that cannot be written (its disk is full, its reader gone) does not end the service.
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error').on('error', () => {});
  }
  const log = jsonLog((line) => process.stderr.write(`${line}\n`), systemClock);
  const config = await loadConfig(env);
  // Nothing is made before the port can be had; a request that comes meanwhile waits.
  const ready = Promise.withResolvers<Service>();
  const { servers, address, reloadTls } = await listening(env, {
    fetch: async (request, connection) => (await ready.promise).fetch(request, connection),
  });
  for (const server of servers) server.on('error', fail);
  const embedded = await openEmbedded(env, config, log);
  const announced = (publicUrl: string) => announce({ env, address, log }, publicUrl);
  const service = runService(env, embedded, log, announced);
  ready.resolve(service);
  const stop = () => {
    log({ event: 'server.stopping', severity: 'info' });
    void closed(servers, service.stop(), () => {
      const detail = 'work was still running, and is taken up by the next start';
      log({ event: 'server.cutOff', severity: 'warning', detail });
      process.exit();
    }).then(embedded.close);
  };
  obeySignals({ stop, reload: () => reloadTls(log).then(service.reload) });
  await say({ env, embedded, address, log }, json);
}

function fail(error: unknown): void {
  const { said, code } = refusalOf(error);
  process.stderr.write(`scepter: ${said}\n`);
  process.exit(code);
}

if (import.meta.main) await serve();
