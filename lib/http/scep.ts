// RFC 8894 §4 over HTTP: paths, methods, bodies and media types, as clients were seen to use them.
// Every result of SCEP itself is a 200; a 4xx is for requests that have no SCEP message to answer.
// Nothing redirects, because clients lose the body of a POST when they follow.

import { type Context, Hono } from 'hono';
import { type Bytes, concat } from '../base/bytes.ts';
import { HttpFailure } from '../base/errors.ts';
import { HELD_SOURCE_S, MAX_MESSAGE_OCTETS } from '../base/limits.ts';
import type { ServerDeps } from '../ca/deps.ts';
import type { Endpoint } from '../config/endpoint/endpoint.ts';
import type { Log } from '../ports/log.ts';
import { pkiOperation } from '../protocol/scep/server/pki-operation.ts';
import { printCapabilities } from '../protocol/scep/wire/capabilities.ts';
import { type Operation, parseOperation } from '../protocol/scep/wire/operation.ts';
import { mediaTypes } from '../protocol/scep/wire/registry.ts';
import { asTold, clientOf, sourceOf } from './client.ts';
import { octetsResponse, tooMany } from './respond.ts';

/**
 * Paths of SCEP, which clients write in any case and append to URLs that end in a slash; the rest of
 * the service keeps what was sent.
 */
export function scepPath(path: string): string {
  const single = path.replace(/\/{2,}/g, '/');
  return /^\/(?:scep|cgi-bin|certsrv)(?:\/|$)/i.test(single) ? single.toLowerCase() : path;
}

/** What clients append to the URL that they are given: /scep/pkiclient.exe. */
const scripts: readonly string[] = ['pkiclient.exe', 'mscep.dll', 'cgi-bin'];

export function scepRoutes(deps: ServerDeps): Hono {
  const app = new Hono();
  const at = (endpoint: (c: Context) => string) => (c: Context) => {
    const found = deps.config.endpoints.get(endpoint(c));
    if (!found) throw new HttpFailure(404, 'no such endpoint');
    return answer(deps, found, c);
  };
  const byDefault = at(() => 'default');
  const named = at((c) => {
    const segment = c.req.param('endpoint') ?? '';
    return scripts.includes(segment) ? 'default' : segment;
  });
  for (const path of ['/scep', '/scep/', '/cgi-bin/pkiclient.exe', '/certsrv/mscep/*']) {
    app.all(path, byDefault);
  }
  app.all('/scep/:endpoint', named);
  app.all('/scep/:endpoint/*', named);
  return app;
}

async function answer(deps: ServerDeps, endpoint: Endpoint, c: Context): Promise<Response> {
  const { method, url, headers } = c.req.raw;
  if ((declaredLength(headers) ?? 0) > MAX_MESSAGE_OCTETS) throw tooLong();
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    throw new HttpFailure(405, `the method ${method} is not allowed: SCEP uses GET and POST`);
  }
  const [, query = ''] = /\?([^#]*)/.exec(url) ?? [];
  if (/^[?&]*$/.test(query) && method !== 'POST') {
    const text = `This is the SCEP endpoint "${endpoint.id}" (RFC 8894).\n`;
    return octetsResponse(text, mediaTypes.caps, 'no-store');
  }
  const operation = parseOperation(method === 'POST' ? 'POST' : 'GET', query);
  switch (operation.name) {
    case 'GetCACaps':
      return octetsResponse(printCapabilities(endpoint.legacy), mediaTypes.caps, 'no-store');
    case 'GetCACert': {
      const { bag } = await deps.cas.of(endpoint.ca);
      return octetsResponse(bag, mediaTypes.caRaCert, 'no-store');
    }
    case 'GetNextCACert':
      throw new HttpFailure(404, 'there is no next CA certificate');
    case 'PKIOperation': {
      // A HEAD would lose the certificate that this request makes.
      if (method === 'HEAD') throw new HttpFailure(405, 'HEAD of a PKIOperation');
      const from = clientOf(deps, c);
      const source = sourceOf(deps, c);
      if (source && deps.tally.refusedSources.holds(endpoint.id, source, deps.clock.now())) {
        return tooMany(HELD_SOURCE_S);
      }
      const log: Log = (entry) => deps.log({ ...entry, client: from });
      const arrival = {
        octets: await messageOf(operation, c),
        ...(source ? { source } : {}),
        client: asTold(from, c),
      };
      const certRep = await pkiOperation({ ...deps, log }, endpoint, arrival);
      return octetsResponse(certRep, mediaTypes.pkiMessage, 'no-store');
    }
  }
}

/** The body's octets, whatever the Content-Type: several clients send none. */
async function messageOf(
  { message }: Extract<Operation, { name: 'PKIOperation' }>,
  c: Context,
): Promise<Bytes> {
  if (message) return message;
  const body = await bodyOf(c.req.raw).catch((error) => {
    // A client that hangs up is not an outage, and not every platform reports it as such.
    throw error instanceof HttpFailure ? error : new HttpFailure(400, 'the message ends too early');
  });
  if (body.length > MAX_MESSAGE_OCTETS) throw tooLong();
  if (body.length === 0) throw new HttpFailure(400, 'the message is empty');
  return body;
}

/**
 * The body. Its declared length has been checked; otherwise the octets are counted as they come. Hono's own
 * limit would make a Request of the platform in both cases, which costs more than `arrayBuffer`.
 */
async function bodyOf(request: Request): Promise<Bytes> {
  if (declaredLength(request.headers) !== undefined) {
    return new Uint8Array(await request.arrayBuffer());
  }
  const reader = request.body?.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const part = (await reader?.read())?.value;
    if (!part) return concat(parts);
    length += part.length;
    // The body is not cancelled, because that would close the connection before the answer.
    if (length > MAX_MESSAGE_OCTETS) throw tooLong();
    parts.push(part);
  }
}

/** Undefined where the length is not declared. */
function declaredLength(headers: Headers): number | undefined {
  const length = headers.get('content-length');
  return length === null || headers.has('transfer-encoding')
    ? undefined
    : Number.parseInt(length, 10);
}

const tooLong = (): HttpFailure => new HttpFailure(413, 'the message is too long');
