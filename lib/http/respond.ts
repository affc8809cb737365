// Replies: octets with a bare media type, and refusals with a fixed body and a correlation id.
// A refusal never repeats text from a request, an error or a library.

import type { Context } from 'hono';
import { type Bytes, utf8 } from '../base/bytes.ts';
import { errorText, HttpFailure, Malformed, TooEarly } from '../base/errors.ts';
import { MAX_LOGGED_PATH, RETRY_AFTER_S } from '../base/limits.ts';
import { ulid } from '../base/ulid.ts';
import type { Deps } from '../ca/deps.ts';
import type { NamedActor } from '../events/event.ts';
import type { LogEntry } from '../ports/log.ts';
import { type Connection, clientOf } from './client.ts';
import { pathOf } from './target.ts';

/** A reply whose Content-Type is exactly this one: frameworks add parameters to text bodies. */
export function octetsResponse(
  body: Bytes | string,
  mediaType: string,
  cacheControl: string,
): Response {
  const bytes = typeof body === 'string' ? utf8(body) : body;
  return new Response(bytes, {
    headers: {
      'content-type': mediaType,
      'content-length': String(bytes.length),
      'cache-control': cacheControl,
      'x-content-type-options': 'nosniff',
    },
  });
}

const titles = {
  400: 'bad request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  409: 'conflict',
  413: 'content too large',
  415: 'unsupported media type',
  422: 'unprocessable content',
  429: 'too many requests, try again later',
  503: 'service unavailable, try again later',
} as const;
type Status = keyof typeof titles;

/** JSON of the admin API. */
export function json(status: 200 | 201, value: object): Response {
  const response = octetsResponse(`${JSON.stringify(value)}\n`, 'application/json', 'no-store');
  return new Response(response.body, { status, headers: response.headers });
}

/**
 * Streams lines of text as fast as the client reads them. A failure before the first line is thrown; a later
 * one breaks the reply off, so that the client does not take a part for the whole.
 * @param failed is told of a later one
 */
export async function lines(
  mediaType: string,
  source: AsyncGenerator<string, void>,
  failed: (error: unknown) => void,
): Promise<Response> {
  let next = await source.next();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (next.done) return controller.close();
      controller.enqueue(utf8(next.value));
      try {
        next = await source.next();
      } catch (error) {
        failed(error);
        throw error;
      }
    },
    async cancel() {
      await source.return();
    },
  });
  const headers = { 'content-type': mediaType, 'cache-control': 'no-store' };
  return new Response(stream, { headers: { ...headers, 'x-content-type-options': 'nosniff' } });
}

type Refusing = Pick<Deps, 'config' | 'clock' | 'random' | 'log'>;

/** The reply to an error. One that is not about the request is an outage: 503, with the detail in the log. */
export function refuse(deps: Refusing, error: unknown, c: Context): Response {
  const { log, clock, random } = deps;
  const about = aboutOf(deps, c);
  const id = ulid(clock.now(), random(10));
  const status: Status =
    error instanceof HttpFailure ? error.status : error instanceof Malformed ? 400 : 503;
  const detail = errorText(error);
  if (error instanceof TooEarly) {
    log({ event: 'http.tooEarly', severity: 'info', id, ...about, detail });
  } else if (status === 503) {
    const trace = error instanceof Error ? error.stack : undefined;
    log({ event: 'http.outage', severity: 'error', id, ...about, detail, trace });
  } else {
    log({ event: 'http.refused', severity: 'info', id, ...about, status, detail });
  }
  const api = c.req.path.startsWith('/api/');
  // Only the API's own 4xx sentences may leave: they are about fields an operator wrote.
  const said = api && status !== 503 ? detail : undefined;
  const body = api
    ? JSON.stringify({ type: 'about:blank', title: titles[status], status, detail: said, id })
    : `${titles[status]} (${id})\n`;
  const response = octetsResponse(
    body,
    api ? 'application/problem+json' : 'text/plain',
    'no-store',
  );
  if (status === 503) {
    const seconds = error instanceof TooEarly ? error.retryAfterS : RETRY_AFTER_S;
    response.headers.set('retry-after', String(seconds));
  }
  if (status === 401) response.headers.set('www-authenticate', 'Bearer');
  if (error instanceof HttpFailure && status === 405) response.headers.set('allow', error.allow);
  return new Response(response.body, { status, headers: response.headers });
}

/** Who asked, and for what: of a token its name. The query is left out, because it may be a whole message. */
function aboutOf(deps: Refusing, c: Context): Partial<LogEntry> {
  const { id: token }: Partial<NamedActor> = c.get('actor') ?? {};
  const { path = pathOf(c.req.raw.url) }: Connection = c.env ?? {};
  const { method } = c.req;
  return { client: clientOf(deps, c), method, path: path.slice(0, MAX_LOGGED_PATH), token };
}

/** The reply of a service that could not start; it has no correlation id, because nothing else is ready. */
export const unavailable = (): Response => plain(503, { 'retry-after': String(RETRY_AFTER_S) });

/** The reply to a request of a flood. */
export const tooMany = (retryAfterS: number): Response =>
  plain(429, { 'retry-after': String(retryAfterS) });

/** The reply to a request without credentials that are good. @param offered the scheme; undefined: a header of its own */
export const unauthorized = (offered: string | undefined): Response =>
  plain(401, offered === undefined ? {} : { 'www-authenticate': offered });

/** The reply to a request that did not come through the configured way in. */
export const forbidden = (): Response => plain(403);

function plain(status: Status, headers: Readonly<Record<string, string>> = {}): Response {
  const body = `${titles[status]}\n`;
  const about = { 'content-type': 'text/plain', 'content-length': String(body.length) };
  return new Response(body, {
    status,
    headers: { ...about, 'cache-control': 'no-store', ...headers },
  });
}
