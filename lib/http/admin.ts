// The admin API: JSON in, JSON out, problem+json (RFC 9457) for refusals. The table of its routes,
// and how Hono asks them.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import type { Deps } from '../ca/deps.ts';
import { Once, OtherRequest, Repeated } from '../ca/idempotency.ts';
import { HttpFailure, Outage } from '../errors.ts';
import { MAX_ADMIN_BODY_OCTETS } from '../limits.ts';
import type { Json } from '../log/canonical.ts';
import { caRoutes } from './admin-cas.ts';
import { certificateRoutes } from './admin-certificates.ts';
import { challengeRoutes } from './admin-challenges.ts';
import { eventRoutes } from './admin-events.ts';
import { simulateRoutes } from './admin-simulate.ts';
import { serviceRoutes } from './admin-status.ts';
import { transactionRoutes } from './admin-transactions.ts';
import { type Admin, requireRole } from './auth.ts';
import { bodyOf, checked, queryOf } from './request.ts';
import { json, lines } from './respond.ts';
import type { Call, Route } from './route.ts';

export const routes: readonly Route[] = [
  ...challengeRoutes,
  ...transactionRoutes,
  ...certificateRoutes,
  ...caRoutes,
  ...eventRoutes,
  ...serviceRoutes,
  ...simulateRoutes,
];

export function adminRoutes(deps: Deps): Hono<Admin> {
  const app = new Hono<Admin>();
  app.use(
    bodyLimit({
      maxSize: MAX_ADMIN_BODY_OCTETS,
      onError: () => {
        throw new HttpFailure(413, `the body must be at most ${MAX_ADMIN_BODY_OCTETS} octets`);
      },
    }),
  );
  for (const route of routes) {
    const role = requireRole(deps, ...route.roles);
    app.on(route.method, honoPath(route.path), role, (c) => answer(deps, route, c));
  }
  for (const [path, known] of Map.groupBy(routes, (route) => honoPath(route.path))) {
    const methods = known.map(({ method }) => (method === 'GET' ? 'GET, HEAD' : method));
    app.all(path, (c) => {
      for (const route of known) paramsOf(route, c);
      throw new HttpFailure(405, `the method ${c.req.method} is not one of it`, methods.join(', '));
    });
  }
  app.all('*', () => {
    throw new HttpFailure(404, 'no such resource');
  });
  return app;
}

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

const nothing = z.strictObject({});

/** No store is asked for what cannot be there. @throws {HttpFailure} 404 */
function paramsOf({ params, noun }: Route, c: Context): unknown {
  const result = z.safeParse(params ?? nothing, c.req.param());
  if (!result.success) throw new HttpFailure(404, `no such ${noun}`);
  return result.data;
}

async function answer(deps: Deps, route: Route, c: Context<Admin>): Promise<Response> {
  const params = paramsOf(route, c);
  const query = checked(route.query ?? nothing, queryOf(c), 'the query');
  const sent = route.body ? await bodyOf(c) : undefined;
  const body = route.body && checked(route.body, sent, 'the body');
  const { method, path } = c.req;
  const actor = c.get('actor');
  const once = route.repeatable && onceOf(c, actor.id, [method, path, query as Json, sent as Json]);
  const call = { actor, path, params, query, body, once };
  const status = route.status ?? 200;
  if (once) return json(status, await onlyOnce(deps, route, call, once));
  if (route.lines && c.req.header('accept')?.includes(ndjson)) {
    return lines(ndjson, route.lines(deps, call));
  }
  return json(status, (await route.handle(deps, call)) as object);
}

const ndjson = 'application/x-ndjson';

/** @throws {HttpFailure} 422 for an Idempotency-Key that is none */
function onceOf(c: Context, by: string, request: Json): Once | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x20-\x7e]{1,100}$/.test(key)) {
    throw new HttpFailure(422, 'Idempotency-Key: must be 1 to 100 printable ASCII characters');
  }
  return new Once(by, key, request);
}

/** Done once, and answered the same each time. */
async function onlyOnce(
  deps: Deps,
  route: Route,
  call: Call<unknown, unknown, unknown>,
  once: Once,
): Promise<object> {
  const before = await kept(deps, route, once);
  if (before) return before;
  let answered: unknown;
  try {
    answered = await route.handle(deps, call);
  } catch (error) {
    // It may have been done all the same: by a twin, or by this one before it failed.
    const after = await kept(deps, route, once);
    if (after) return after;
    throw error instanceof Repeated ? new Outage('an answer has been forgotten') : error;
  }
  return (await kept(deps, route, once)) ?? (answered as object);
}

async function kept(deps: Deps, route: Route, once: Once): Promise<object | undefined> {
  try {
    const record = await once.recalled(deps.store, deps.clock.now());
    if (!record) return undefined;
    return route.repeat ? await route.repeat(deps, once, record) : JSON.parse(record.answer);
  } catch (error) {
    if (!(error instanceof OtherRequest)) throw error;
    throw new HttpFailure(422, 'Idempotency-Key: was used for another request');
  }
}
