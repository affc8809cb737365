// The admin API: JSON in, JSON out, problem+json (RFC 9457) for refusals. The table of its routes,
// and how Hono asks them.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import { HttpFailure, Outage } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { MAX_ADMIN_BODY_OCTETS } from '../../base/limits.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import { Once, OtherRequest, Repeated } from '../../ca/record/idempotency.ts';
import { bodyOf, checked, queryOf } from '../request.ts';
import { json, lines } from '../respond.ts';
import { type Admin, requireRole } from './auth.ts';
import { caRoutes } from './cas.ts';
import { certificateRoutes } from './certificates.ts';
import { challengeRoutes } from './challenges.ts';
import { eventRoutes } from './events.ts';
import { signedRevocationRoutes } from './revoke-signed.ts';
import type { ApiCall, Route } from './route.ts';
import { simulateRoutes } from './simulate.ts';
import { serviceRoutes } from './status.ts';
import { transactionRoutes } from './transactions.ts';

export const routes: readonly Route[] = [
  ...challengeRoutes,
  ...transactionRoutes,
  ...certificateRoutes,
  ...signedRevocationRoutes,
  ...caRoutes,
  ...eventRoutes,
  ...serviceRoutes,
  ...simulateRoutes,
];

export function adminRoutes(deps: AdminDeps): Hono<Admin> {
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
      throw new HttpFailure(
        405,
        `the method ${c.req.method} is not allowed here`,
        methods.join(', '),
      );
    });
  }
  app.all('*', () => {
    throw new HttpFailure(404, 'no such resource');
  });
  return app;
}

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

const nothing = z.strictObject({});

/** Refuses parameters that name nothing, before the store is read. @throws {HttpFailure} 404 */
function paramsOf({ params, noun }: Route, c: Context): unknown {
  const result = z.safeParse(params ?? nothing, c.req.param());
  if (!result.success) throw new HttpFailure(404, `no such ${noun}`);
  return result.data;
}

async function answer(deps: AdminDeps, route: Route, c: Context<Admin>): Promise<Response> {
  const params = paramsOf(route, c);
  const query = checked(route.query ?? nothing, queryOf(c), 'the query');
  const sent = route.body ? await bodyOf(c) : undefined;
  const body = route.body && checked(route.body, sent, 'the body');
  const { method, path } = c.req;
  const actor = c.get('actor');
  const once = route.repeatable && onceOf(c, [method, path, query as Json, sent as Json]);
  const call = { actor, path, params, query, body, once };
  const status = route.status ?? 200;
  if (once) return json(status, await onlyOnce(deps, route, call, once));
  if (route.lines && c.req.header('accept')?.includes(ndjson)) {
    return lines(ndjson, route.lines(deps, call));
  }
  return json(status, (await route.handle(deps, call)) as object);
}

const ndjson = 'application/x-ndjson';

/** @throws {HttpFailure} 422 for a malformed Idempotency-Key */
function onceOf(c: Context<Admin>, request: Json): Once | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x20-\x7e]{1,100}$/.test(key)) {
    throw new HttpFailure(422, 'Idempotency-Key: must be 1 to 100 printable ASCII characters');
  }
  return new Once(c.get('tokenHash'), key, request);
}

/** Handles a request once; each repeat gets the same answer. */
async function onlyOnce(
  deps: AdminDeps,
  route: Route,
  call: ApiCall<unknown, unknown, unknown>,
  once: Once,
): Promise<object> {
  const before = await kept(deps, route, once);
  if (before) return before;
  let answered: unknown;
  try {
    answered = await route.handle(deps, call);
  } catch (error) {
    // The request may have been done in spite of the error: by its twin, or before the error.
    const after = await kept(deps, route, once);
    if (after) return after;
    throw error instanceof Repeated ? new Outage('an answer has been forgotten') : error;
  }
  return (await kept(deps, route, once)) ?? (answered as object);
}

async function kept(deps: AdminDeps, route: Route, once: Once): Promise<object | undefined> {
  try {
    const record = await once.recalled(deps.store, deps.clock.now());
    if (!record) return undefined;
    return route.repeat ? await route.repeat(deps, once, record) : JSON.parse(record.answer);
  } catch (error) {
    if (!(error instanceof OtherRequest)) throw error;
    throw new HttpFailure(422, 'Idempotency-Key: was used for another request');
  }
}
