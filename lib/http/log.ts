// The files of the logs, as C2SP tlog-tiles has them under `/log/{log}/`. Checkpoints and tiles of hashes are for
// everybody; entries are for tokens with the role auditor.

import { Hono } from 'hono';
import { HttpFailure } from '../base/errors.ts';
import type { AdminDeps } from '../ca/deps.ts';
import { TokenUses } from '../ca/record/token-use.ts';
import type { Logs } from '../ports/log-files.ts';
import { type Admin, requireRole } from './admin/auth.ts';
import { octetsResponse } from './respond.ts';
import { checkAdminHost } from './target.ts';

/** A tile's path has no other form, so none leads out of the log. */
const tile =
  /^\/log\/([a-z0-9.-]+\/tile\/(?:entries|\d{1,2})\/(?:x\d{3}\/)*\d{3}(?:\.p\/\d{1,3})?)$/;

/** Seconds that a cache may keep a checkpoint, and what never changes. */
const CHECKPOINT_S = 5;
const FOREVER_S = 31_536_000;

export function logRoutes(deps: AdminDeps & { readonly logs: Logs }): Hono<Admin> {
  const app = new Hono<Admin>();
  const { files } = deps.logs;
  const file = async (path: string | undefined, type: string, caching: string) => {
    const octets = path === undefined ? undefined : await files.read(path);
    if (!octets) throw new HttpFailure(404, 'no such file of a log');
    return octetsResponse(octets, type, caching);
  };
  app.get('/log/:log{[a-z0-9.-]+}/checkpoint', (c) =>
    file(
      `${c.req.param('log')}/checkpoint`,
      'text/plain; charset=utf-8',
      `public, max-age=${CHECKPOINT_S}`,
    ),
  );
  const ofTile = (scope: string) => (c: { req: { path: string } }) =>
    file(
      tile.exec(c.req.path)?.[1],
      'application/octet-stream',
      `${scope}, max-age=${FOREVER_S}, immutable`,
    );
  app.get(
    '/log/:log/tile/entries/*',
    async (c, next) => {
      checkAdminHost(deps.config, c);
      await next();
    },
    requireRole(deps, new TokenUses(deps), 'auditor'),
    ofTile('private'),
  );
  app.get('/log/:log/tile/*', ofTile('public'));
  return app;
}
