// Runs before the service at Cloudflare: refuses floods and plain http, and answers from the cache.

import { isToken } from '../../lib/api/route.ts';
import { errorText } from '../../lib/base/errors.ts';
import { FLOOD_RETRY_S, MIN_ADMIN_TOKEN } from '../../lib/base/limits.ts';
import { ownNames, tokenHash } from '../../lib/ca/record/tokens.ts';
import type { Config } from '../../lib/config/config.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { type Connection, forwardedFor, subscriber } from '../../lib/http/client.ts';
import { forbidden, tooMany, unavailable } from '../../lib/http/respond.ts';
import { isForDevices } from '../../lib/http/target.ts';
import type { Log } from '../../lib/ports/log.ts';
import type { AdminToken } from '../../lib/ports/records/registry.ts';

/** A rate limit binding: counts for each location of Cloudflare's, and not exactly. */
export type RateLimit = {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
};

/** Cloudflare writes it into every request, whatever the client has sent. */
const clientAddress = ({ headers }: Request): string => headers.get('cf-connecting-ip') ?? '';

/** Cloudflare ends X-Forwarded-For with that address, too. Proxies before it are known by theirs. */
export function connectionFrom(request: Request): Connection {
  const hops = forwardedFor(request.headers.get('x-forwarded-for'));
  const client = clientAddress(request);
  return { hops: client === '' || hops.at(-1) === client ? hops : [...hops, client] };
}

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** @returns the refusal of a request that does not come in */
export async function refusal(
  request: Request,
  { floods, plainHttp, log }: { floods: RateLimit; plainHttp: boolean; log: Log },
): Promise<Response | undefined> {
  const { protocol, hostname, pathname } = new URL(request.url);
  // No zone redirects by itself, and a token of the admin API must not cross a network in clear.
  const mayBePlain = loopback.test(hostname) || (plainHttp && isForDevices(pathname));
  if (protocol === 'http:' && !mayBePlain) return forbidden();
  const key = subscriber(clientAddress(request));
  const { success } = await floods.limit({ key }).catch((error: unknown) => {
    // While the counter fails, every request is let in.
    log({ event: 'http.uncounted', severity: 'warning', detail: String(error) });
    return { success: true };
  });
  return success ? undefined : tooMany(FLOOD_RETRY_S);
}

/** Warns if certificates point to plain http at this Worker, which refuses it. */
export function warnOfPlainUrl(
  { publicUrl }: Pick<Config, 'publicUrl'>,
  plainHttp: boolean,
  log: Log,
): void {
  const { protocol, hostname } = new URL(publicUrl);
  if (protocol !== 'http:' || plainHttp || loopback.test(hostname)) return;
  const detail = `publicUrl is "${publicUrl}", and this Worker answers no plain http: say https, or set SCEPTER_PLAIN_HTTP=1`;
  log({ event: 'start.plainUrl', severity: 'warning', detail });
}

/** The answer to an unexpected error, such as an invalid URL: 503, with the detail in the log only. */
export const broken =
  (log: Log) =>
  (error: unknown): Response => {
    const detail = errorText(error);
    log({ event: 'http.outage', severity: 'error', detail });
    return unavailable();
  };

/** @throws {ConfigError} for a token that is too short to be secret or that a header cannot carry */
export function tokensOf(adminToken: string | undefined): ReadonlyMap<string, AdminToken> {
  if (adminToken === undefined) return new Map();
  if (adminToken.length < MIN_ADMIN_TOKEN || !isToken(adminToken)) {
    const may = `at least ${MIN_ADMIN_TOKEN} letters, digits and signs, and no more than 256`;
    throw new ConfigError([`SCEPTER_ADMIN_TOKEN must have ${may}`]);
  }
  return new Map([[tokenHash(adminToken), { name: ownNames.workerSecret, roles: ['admin'] }]]);
}

export type EdgeCache = {
  match(request: Request): Promise<Response | undefined>;
  put(request: Request, response: Response): Promise<void>;
};

/**
 * Caches CRLs and CA certificates for as long as their Cache-Control says, because a fleet fetches them more
 * often than everything else together. Cloudflare caches only for a Worker on its own domain.
 * @param hold keeps the isolate at work until the promise has ended; nothing is lost if it does not
 */
export async function cached(
  request: Request,
  cache: EdgeCache,
  hold: (work: Promise<void>) => void,
  ask: () => Response | Promise<Response>,
): Promise<Response> {
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || !/^\/(?:crl|aia)\//.test(pathname)) return ask();
  // The query is left out of the key: with any query it is the same file.
  const file = new Request(origin + pathname);
  const conditional = new Request(file, { headers: conditionsOf(request) });
  // A cache that fails is treated as an empty one.
  const found = await cache.match(conditional).catch(() => undefined);
  if (found) return found;
  const response = await ask();
  if (response.status === 200) hold(cache.put(file, response.clone()).catch(() => undefined));
  return response;
}

const conditionsOf = ({ headers }: Request): [string, string][] =>
  ['if-none-match', 'if-modified-since'].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value] as [string, string]];
  });
