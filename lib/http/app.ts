// The service as Hono applications, the same on every runtime: the whole, or parts for functions that
// have different permissions.

import { Hono } from 'hono';
import { openApi } from '../api/openapi.ts';
import { API_ROOT } from '../api/route.ts';
import { HttpFailure } from '../base/errors.ts';
import type { AdminDeps, ChallengeDeps, Deps, ServerDeps } from '../ca/deps.ts';
import { adminRoutes } from './admin/admin.ts';
import { callersOf } from './admin/auth.ts';
import { jamfRoutes } from './challenge-pages/jamf.ts';
import { ndesRoutes } from './challenge-pages/ndes.ts';
import { decisionRoutes } from './decision/decision.ts';
import { entryRoutes, logRoutes } from './log.ts';
import { metricsRoutes } from './metrics.ts';
import { type OperatorHandlers, operatorRoutes } from './operator/handlers.ts';
import { octetsResponse, refuse } from './respond.ts';
import { scepPath, scepRoutes } from './scep.ts';
import { statusRoutes } from './status.ts';
import { checkAdminHost, checkPath, pathOf } from './target.ts';

/** @param operated for a process that may do what only an operator does */
export function makeApp(
  deps: ServerDeps & Pick<AdminDeps, 'operator'>,
  operated?: OperatorHandlers,
): Hono {
  return framed(deps, (app) => {
    mountForMdms(app, deps);
    mountForDevices(app, deps);
    mountForAdmins(app, { ...deps, keys: deps }, operated);
  });
}

/** SCEP, CRLs, CA certificates, what everybody may read of the logs, and probes. */
export const makeDeviceApp = (deps: ServerDeps): Hono =>
  framed(deps, (app) => {
    mountForDevices(app, deps);
    app.route('/', logRoutes(deps));
  });

/** Pages and hooks from which MDMs get challenges. */
export const makeChallengeApp = (deps: ChallengeDeps): Hono =>
  framed(deps, (app) => mountForMdms(app, deps));

/** The admin API and its documentation. */
export const makeAdminApp = (deps: AdminDeps): Hono =>
  framed(deps, (app) => mountForAdmins(app, deps));

/** For whoever runs this process: there is no ingress, and so no Host. */
export const makeOperatorApp = (deps: AdminDeps): Hono =>
  framed(deps, (app) => {
    app.route(API_ROOT, operatorRoutes(deps));
  });

function mountForMdms(app: Hono, deps: ChallengeDeps): void {
  app.route('/', ndesRoutes(deps));
  app.route('/', jamfRoutes(deps));
}

function mountForDevices(app: Hono, deps: ServerDeps): void {
  app.route('/', scepRoutes(deps));
  app.route('/', statusRoutes(deps));
}

/** Lets the admin API answer at `adminHost` only, where that is set. */
const adminPaths = ['/api/*', '/openapi.json', '/metrics'];

function mountForAdmins(app: Hono, deps: AdminDeps, operated?: OperatorHandlers): void {
  for (const path of adminPaths) {
    app.use(path, async (c, next) => {
      checkAdminHost(deps.config, c);
      await next();
    });
  }
  let document: string | undefined;
  app.get('/openapi.json', () => {
    document ??= JSON.stringify(openApi());
    return octetsResponse(document, 'application/json', 'public, max-age=300');
  });
  const callers = callersOf(deps);
  app.route(API_ROOT, adminRoutes(deps, callers, operated));
  const { metrics } = deps;
  if (metrics) app.route('/', metricsRoutes({ ...deps, metrics }, callers));
  app.route('/', logRoutes(deps));
  app.route('/', entryRoutes(deps, callers));
  const { decisionUrl } = deps.config;
  if (decisionUrl !== undefined) app.route('/', decisionRoutes(deps, decisionUrl));
}

function framed(
  deps: Pick<Deps, 'config' | 'clock' | 'random' | 'log' | 'metrics'>,
  mount: (app: Hono) => void,
): Hono {
  const app = new Hono({ getPath: ({ url }) => scepPath(pathOf(url)) });
  const { metrics, clock } = deps;
  if (metrics) {
    app.use(async (c, next) => {
      const start = clock.now();
      await next();
      const labels = { part: partOf(c.req.path), status: String(c.res.status) };
      metrics.observe('scepter_http_request_duration_seconds', labels, clock.now() - start);
    });
  }
  app.use(async (c, next) => {
    checkPath(c);
    await next();
  });
  mount(app);
  app.notFound((c) => refuse(deps, new HttpFailure(404, 'no such path'), c));
  app.onError((error, c) => refuse(deps, error, c));
  return app;
}

/** What a path is for, as a label: never the path itself. */
function partOf(path: string): string {
  const [, first = ''] = path.split('/');
  if (/^\/certsrv\/.*mscep_admin\/?$/.test(path) || first === 'hooks') return 'mdm';
  if (/^(?:scep|cgi-bin|certsrv)$/i.test(first)) return 'scep';
  return (
    ['api', 'crl', 'aia', 'log', 'decide', 'metrics', 'healthz', 'readyz'].find(
      (one) => one === first,
    ) ?? 'other'
  );
}
