// How Hono asks the handlers of the admin API's routes what its contract (`lib/api/`) lets through: JSON in, JSON
// out, problem+json (RFC 9457) for refusals.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod/mini';
import { type NamedRoute, type RouteName, routes } from '../../api/api.ts';
import { errorText, HttpFailure, Outage } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { MAX_ADMIN_BODY_OCTETS } from '../../base/limits.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import { Once, OtherRequest, Repeated } from '../../ca/record/idempotency.ts';
import { noRight } from '../operator/no-right.ts';
import { bodyOf, checked, queryOf } from '../request.ts';
import { json, lines } from '../respond.ts';
import { type Admin, type Callers, requireRole, tellReading } from './auth.ts';
import type { ApiCall, Handler } from './handlers.ts';

/** Those that this process has; a route without one is answered by whoever else has it. */
export type Handlers = { readonly [Name in RouteName]?: Handler | Handler['handle'] };

type Served = { readonly route: NamedRoute; readonly handler: Handler };

const notHere: Handler = {
  async handle() {
    throw noRight();
  },
};

const servedBy = (handlers: Handlers): Served[] =>
  routes.map((route) => {
    const handler = handlers[route.name] ?? notHere;
    return { route, handler: typeof handler === 'function' ? { handle: handler } : handler };
  });

export function serveApi(deps: AdminDeps, handlers: Handlers, callers: Callers): Hono<Admin> {
  const served = servedBy(handlers);
  const app = new Hono<Admin>();
  app.use(
    bodyLimit({
      maxSize: MAX_ADMIN_BODY_OCTETS,
      onError: () => {
        throw new HttpFailure(413, `the body must be at most ${MAX_ADMIN_BODY_OCTETS} octets`);
      },
    }),
  );
  for (const one of served) {
    const { method, path, roles } = one.route;
    const role = requireRole(deps, callers, ...roles);
    app.on(method, honoPath(path), role, async (c) => {
      // A replay is asked with a body, and answers with what is on record all the same.
      const reads = method === 'GET' ? path !== '/status' : path === '/replay';
      if (reads) await tellReading(callers.access, c);
      return answer(deps, one, c);
    });
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
function paramsOf({ params, noun }: NamedRoute, c: Context): unknown {
  const result = z.safeParse(params ?? nothing, c.req.param());
  if (!result.success) throw new HttpFailure(404, `no such ${noun}`);
  return result.data;
}

async function answer(
  deps: AdminDeps,
  { route, handler }: Served,
  c: Context<Admin>,
): Promise<Response> {
  const params = paramsOf(route, c);
  const query = checked(route.query ?? nothing, queryOf(c), 'the query');
  const sent = route.body ? await bodyOf(c) : undefined;
  const body = route.body && checked(route.body, sent, 'the body');
  const { method, path } = c.req;
  const actor = c.get('actor');
  const once = route.repeatable && onceOf(c, [method, path, query as Json, sent as Json]);
  const call = { actor, path, params, query, body, once };
  const status = route.status ?? 200;
  if (once) return json(status, await onlyOnce(deps, handler, call, once));
  if (handler.lines && c.req.header('accept')?.includes(ndjson)) {
    return lines(ndjson, handler.lines(deps, call), (error) => {
      const detail = `the reply was broken off: ${errorText(error)}`;
      deps.log({ event: 'http.outage', severity: 'error', method, path, token: actor.id, detail });
    });
  }
  return json(status, (await handler.handle(deps, call)) as object);
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
  handler: Handler,
  call: ApiCall,
  once: Once,
): Promise<object> {
  const before = await kept(deps, handler, once);
  if (before) return before;
  let answered: unknown;
  try {
    answered = await handler.handle(deps, call);
  } catch (error) {
    // The request may have been done in spite of the error: by its twin, or before the error.
    const after = await kept(deps, handler, once);
    if (after) return after;
    throw error instanceof Repeated ? new Outage('an answer has been forgotten') : error;
  }
  return (await kept(deps, handler, once)) ?? (answered as object);
}

async function kept(deps: AdminDeps, handler: Handler, once: Once): Promise<object | undefined> {
  try {
    const record = await once.recalled(deps.store, deps.clock.now());
    if (!record) return undefined;
    const again = await handler.repeat?.(deps, once, record);
    return (again ?? JSON.parse(record.answer)) as object;
  } catch (error) {
    if (!(error instanceof OtherRequest)) throw error;
    throw new HttpFailure(422, 'Idempotency-Key: was used for another request');
  }
}
