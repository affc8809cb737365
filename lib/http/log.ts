// The files of the logs, as C2SP tlog-tiles has them under `/log/{log}/`. Checkpoints and tiles of hashes are for
// everybody; entries are for tokens with the role auditor.

import { Hono } from 'hono';
import { HttpFailure } from '../base/errors.ts';
import type { AdminDeps } from '../ca/deps.ts';
import type { Logs } from '../ports/log-files.ts';
import { type Admin, type Callers, requireRole, tellReading } from './admin/auth.ts';
import { octetsResponse } from './respond.ts';
import { checkAdminHost } from './target.ts';

/** A tile's path has no other form, so none leads out of the log. */
const tile =
  /^\/log\/([a-z0-9.-]+\/tile\/(?:entries|\d{1,2})\/(?:x\d{3}\/)*\d{3}(?:\.p\/\d{1,3})?)$/;

/** Seconds that a cache may keep a checkpoint, and what never changes. */
const CHECKPOINT_S = 5;
const FOREVER_S = 31_536_000;

/** Checkpoints and tiles of hashes. */
export function logRoutes({ logs: { files } }: Pick<AdminDeps, 'logs'>): Hono {
  const app = new Hono();
  app.get('/log/:log{[a-z0-9.-]+}/checkpoint', (c) =>
    answer(
      files,
      `${c.req.param('log')}/checkpoint`,
      'text/plain; charset=utf-8',
      `public, max-age=${CHECKPOINT_S}`,
    ),
  );
  app.get('/log/:log/tile/:level{\\d+}/*', (c) => answerTile(files, c.req.path, 'public'));
  return app;
}

export function entryRoutes(deps: AdminDeps, callers: Callers): Hono<Admin> {
  const app = new Hono<Admin>();
  app.get(
    '/log/:log/tile/entries/*',
    async (c, next) => {
      checkAdminHost(deps.config, c);
      await next();
    },
    requireRole(deps, callers, 'auditor'),
    async (c, next) => {
      await tellReading(callers.access, c);
      await next();
    },
    (c) => answerTile(deps.logs.files, c.req.path, 'private'),
  );
  return app;
}

type Files = Logs['files'];

async function answer(
  files: Files,
  path: string | undefined,
  type: string,
  caching: string,
): Promise<Response> {
  const octets = path === undefined ? undefined : await files.read(path);
  if (!octets) throw new HttpFailure(404, 'no such file of a log');
  return octetsResponse(octets, type, caching);
}

const answerTile = (files: Files, path: string, scope: string): Promise<Response> =>
  answer(
    files,
    tile.exec(path)?.[1],
    'application/octet-stream',
    `${scope}, max-age=${FOREVER_S}, immutable`,
  );
