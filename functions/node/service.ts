// A service that runs: the newest configuration that was good, and its upkeep. SIGHUP reads the document
// anew; a request that has begun ends under the configuration that it began with.

import { ConfigError } from '../../lib/config/error.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Connection } from '../../lib/http/client.ts';
import { operatorHandlers } from '../../lib/http/operator/handlers.ts';
import type { Log } from '../../lib/ports/log.ts';
import { loadConfig } from '../config/default-config.ts';
import type { Env } from '../env.ts';
import { keepUp, upkeepOf } from '../upkeep.ts';
import type { Embedded } from './embedded.ts';

export type Service = {
  fetch(request: Request, connection: Connection): Response | Promise<Response>;
  /** Takes the document as it is now, or says in the log why not and goes on as before. */
  reload(): Promise<void>;
  /** Resolves when what has begun has ended. */
  stop(): Promise<void>;
};

/** @param took is told of each document that is taken later */
export function runService(
  env: Env,
  embedded: Embedded,
  log: Log,
  took: (publicUrl: string) => Promise<unknown>,
): Service {
  const begin = ({ deps, served }: Embedded) => ({
    app: makeApp(deps, operatorHandlers),
    endUpkeep: keepUp(upkeepOf(deps, served), log),
  });
  let running = begin(embedded);
  let changes = Promise.resolve();
  const change = async (): Promise<void> => {
    const { deps, made, ...next } = await embedded.configured(await loadConfig(env));
    const before = running;
    running = { ...before, app: makeApp(deps, operatorHandlers) };
    // Two of one task never run at once.
    await before.endUpkeep();
    running = begin({ deps, made, ...next });
    log({ event: 'config.reloaded', severity: 'info', detail: taken(env, made) });
    await took(deps.config.publicUrl);
  };
  return {
    fetch: (request, connection) => running.app.fetch(request, connection),
    reload: () => {
      changes = changes.then(async () => {
        const detail = unchangeable(env);
        if (detail) return log({ event: 'config.notReloaded', severity: 'warning', detail });
        await change().catch((error: unknown) => {
          log({ event: 'config.notReloaded', severity: 'error', detail: refused(error) });
        });
      });
      return changes;
    },
    stop: async () => {
      await changes;
      await running.endUpkeep();
    },
  };
}

const restart =
  'a process keeps its environment, and with it HOST, PORT, SCEPTER_DATA_DIR and every env:NAME: those change with a restart';

/** Why there is no document to read again. */
function unchangeable({ config }: Env): string | undefined {
  if (config === undefined) {
    return `SCEPTER_CONFIG names no document that could have changed; ${restart}`;
  }
  const fixed = config.trimStart().startsWith('{')
    ? 'is the document itself'
    : config.startsWith('s3:') && 'names a document by its SHA-256, and never another';
  return fixed ? `SCEPTER_CONFIG ${fixed}: name a file in it instead; ${restart}` : undefined;
}

function taken({ config }: Env, made: readonly string[]): string {
  const also = made.length > 0 ? `, and made the CA ${made.join(', ')}` : '';
  return `took ${config} as it is now${also}; ${restart}`;
}

function refused(error: unknown): string {
  const said =
    error instanceof ConfigError
      ? error.problems.join('; ')
      : error instanceof Error
        ? error.message
        : String(error);
  return `${said} (the configuration that was in force stays)`;
}
