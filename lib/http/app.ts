// The service as Hono applications, the same on every runtime: all of it, or the parts that are
// deployed apart because they may do different things.

import { Hono } from 'hono';
import type { Deps } from '../ca/deps.ts';
import { HttpFailure } from '../errors.ts';
import { adminRoutes } from './admin.ts';
import { documentRoutes } from './openapi.ts';
import { refuse } from './respond.ts';
import { scepPath, scepRoutes } from './scep.ts';
import { statusRoutes } from './status.ts';

export function makeApp(deps: Deps): Hono {
  return framed(deps, (app) => {
    mountForDevices(app, deps);
    mountForAdmins(app, deps);
  });
}

/** SCEP, and what relying parties and probes ask. */
export const makeDeviceApp = (deps: Deps): Hono =>
  framed(deps, (app) => mountForDevices(app, deps));

/** The admin API and its documentation. */
export const makeAdminApp = (deps: Deps): Hono => framed(deps, (app) => mountForAdmins(app, deps));

function mountForDevices(app: Hono, deps: Deps): void {
  app.route('/', scepRoutes(deps));
  app.route('/', statusRoutes(deps));
}

function mountForAdmins(app: Hono, deps: Deps): void {
  app.route('/', documentRoutes());
  app.route('/api/v1', adminRoutes(deps));
}

function framed(deps: Deps, mount: (app: Hono) => void): Hono {
  const app = new Hono({ getPath: ({ url }) => scepPath(pathOf(url)) });
  mount(app);
  app.notFound((c) => refuse(deps, new HttpFailure(404, 'no such path'), c));
  app.onError((error, c) => refuse(deps, error, c));
  return app;
}

/** The path of an absolute URL, undecoded: no route here has escaped characters. */
function pathOf(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
}
