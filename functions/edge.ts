// What stands before the service at Cloudflare: who may come in, and what is answered from the cache.

import { tokenHash } from '../lib/ca/tokens.ts';
import { type Config, ConfigError } from '../lib/config.ts';
import { isToken } from '../lib/http/auth.ts';
import { type Connection, forwardedFor } from '../lib/http/client.ts';
import { forbidden, tooMany, unavailable } from '../lib/http/respond.ts';
import { FLOOD_RETRY_S, MIN_ADMIN_TOKEN } from '../lib/limits.ts';
import type { Log } from '../lib/ports/log.ts';
import type { AdminToken } from '../lib/ports/records.ts';

/** A rate limit binding: counts for each location of Cloudflare's, and not exactly. */
export type RateLimit = {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
};

/** Cloudflare writes it into every request, whatever the client has sent. */
const clientAddress = ({ headers }: Request): string => headers.get('cf-connecting-ip') ?? '';

/** Cloudflare ends X-Forwarded-For with that address, too. */
export function connectionFrom(request: Request): Connection {
  const hops = forwardedFor(request.headers.get('x-forwarded-for'));
  const client = clientAddress(request);
  return { hops: client === '' || hops.at(-1) === client ? hops : [...hops, client] };
}

/** What devices and relying parties ask for. Nothing else comes in plain http, whatever there will be. */
const forDevices = /^\/(?:scep|cgi-bin|certsrv\/mscep|crl|aia|healthz|readyz)(?:\/|$)/i;

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** @returns the refusal of a request that does not come in */
export async function refusal(
  request: Request,
  { floods, plainHttp, log }: { floods: RateLimit; plainHttp: boolean; log: Log },
): Promise<Response | undefined> {
  const { protocol, hostname, pathname } = new URL(request.url);
  // No zone redirects by itself, and a token of the admin API must not cross a network in clear.
  const mayBePlain = loopback.test(hostname) || (plainHttp && forDevices.test(pathname));
  if (protocol === 'http:' && !mayBePlain) return forbidden();
  const key = subscriber(clientAddress(request));
  const { success } = await floods.limit({ key }).catch((error: unknown) => {
    // Whoever cannot count keeps nobody out.
    log({ event: 'http.uncounted', severity: 'warning', detail: String(error) });
    return { success: true };
  });
  return success ? undefined : tooMany(FLOOD_RETRY_S);
}

/** What points to plain http in every certificate points to a refusal, if it points here. */
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

/** Such as a URL that is none: whatever it was, the log is told and who asked is not. */
export const broken =
  (log: Log) =>
  (error: unknown): Response => {
    const detail = error instanceof Error ? error.message : String(error);
    log({ event: 'http.outage', severity: 'error', detail });
    return unavailable();
  };

/** Whoever has one address of IPv6 has all that share its first 64 bits. */
export function subscriber(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length;
  return [...groups, ...Array<string>(Math.max(0, missing)).fill('0')].slice(0, 4).join(':');
}

/** @throws {ConfigError} for a token that could not be shown, or be found out */
export function tokensOf(adminToken: string | undefined): ReadonlyMap<string, AdminToken> {
  if (adminToken === undefined) return new Map();
  if (adminToken.length < MIN_ADMIN_TOKEN || !isToken(adminToken)) {
    const may = `at least ${MIN_ADMIN_TOKEN} letters, digits and signs, and no more than 256`;
    throw new ConfigError([`SCEPTER_ADMIN_TOKEN must have ${may}`]);
  }
  return new Map([[tokenHash(adminToken), { name: 'worker-secret', roles: ['admin'] }]]);
}

export type EdgeCache = {
  match(request: Request): Promise<Response | undefined>;
  put(request: Request, response: Response): Promise<void>;
};

/**
 * CRLs and certificates of CAs, for as long as they say themselves: a fleet fetches them more often than
 * everything else together. Without a domain of one's own nothing is kept.
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
  // Whatever query somebody appends, it is the same file.
  const file = new Request(origin + pathname);
  const conditional = new Request(file, { headers: conditionsOf(request) });
  // Whoever has no cache asks.
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
