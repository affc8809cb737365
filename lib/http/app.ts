// The whole service as one Hono application, the same on every runtime.

import { Hono } from 'hono';
import type { Deps } from '../ca/deps.ts';
import { HttpFailure } from '../errors.ts';
import { adminRoutes } from './admin.ts';
import { documentRoutes } from './openapi.ts';
import { refuse } from './respond.ts';
import { scepPath, scepRoutes } from './scep.ts';
import { statusRoutes } from './status.ts';

export function makeApp(deps: Deps): Hono {
  const app = new Hono({ getPath: ({ url }) => scepPath(pathOf(url)) });
  app.route('/', scepRoutes(deps));
  app.route('/', statusRoutes(deps));
  app.route('/', documentRoutes());
  app.route('/api/v1', adminRoutes(deps));
  app.notFound((c) => refuse(deps, new HttpFailure(404, 'no such path'), c));
  app.onError((error, c) => refuse(deps, error, c));
  return app;
}

/** The path of an absolute URL, undecoded: no route here has escaped characters. */
function pathOf(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
}
