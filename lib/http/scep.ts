// RFC 8894 §4 over HTTP: paths, methods, bodies and media types, as clients were seen to use them.
// Every result of SCEP itself is a 200; a 4xx ends here, before anybody can be answered in SCEP.
// Nothing redirects: clients lose POST bodies on the way.

import { type Context, Hono } from 'hono';
import { type Bytes, concat } from '../bytes.ts';
import type { Deps } from '../ca/deps.ts';
import { pkiOperation } from '../ca/pki-operation.ts';
import type { Endpoint } from '../config.ts';
import { HttpFailure } from '../errors.ts';
import { MAX_MESSAGE_OCTETS } from '../limits.ts';
import type { Log } from '../ports/log.ts';
import { printCapabilities } from '../scep/capabilities.ts';
import { type Operation, parseOperation } from '../scep/operation.ts';
import { mediaTypes } from '../scep/registry.ts';
import { clientOf } from './client.ts';
import { octets } from './respond.ts';

/** Paths of SCEP, which clients write in any case; the rest of the service keeps its case. */
export function scepPath(path: string): string {
  return /^\/(?:scep|cgi-bin|certsrv)(?:\/|$)/i.test(path) ? path.toLowerCase() : path;
}

export function scepRoutes(deps: Deps): Hono {
  const app = new Hono();
  const at = (endpoint: (c: Context) => string) => (c: Context) => {
    const found = deps.config.endpoints.get(endpoint(c));
    if (!found) throw new HttpFailure(404, 'no such endpoint');
    return answer(deps, found, c);
  };
  const byDefault = at(() => 'default');
  // Clients append a script's path to whatever they are given: /scep/pkiclient.exe.
  const named = at((c) => {
    const segment = c.req.param('endpoint') ?? '';
    return segment.includes('.') || segment === 'cgi-bin' ? 'default' : segment;
  });
  for (const path of ['/scep', '/scep/', '/cgi-bin/pkiclient.exe', '/certsrv/mscep/*']) {
    app.all(path, byDefault);
  }
  app.all('/scep/:endpoint', named);
  app.all('/scep/:endpoint/*', named);
  return app;
}

async function answer(deps: Deps, endpoint: Endpoint, c: Context): Promise<Response> {
  const { method, url, headers } = c.req.raw;
  if ((declaredLength(headers) ?? 0) > MAX_MESSAGE_OCTETS) throw tooLong();
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    throw new HttpFailure(405, `the method ${method} is not one of SCEP`);
  }
  const [, query] = /\?([^#]*)/.exec(url) ?? [];
  if (query === undefined && method !== 'POST') {
    const text = `This is the SCEP endpoint "${endpoint.id}" (RFC 8894).\n`;
    return octets(text, mediaTypes.caps, 'no-store');
  }
  const operation = parseOperation(method === 'POST' ? 'POST' : 'GET', query ?? '');
  switch (operation.name) {
    case 'GetCACaps':
      return octets(printCapabilities(endpoint.legacy), mediaTypes.caps, 'no-store');
    case 'GetCACert': {
      const { bag } = await deps.cas.of(endpoint.ca);
      return octets(bag, mediaTypes.caRaCert, 'no-store');
    }
    case 'GetNextCACert':
      throw new HttpFailure(404, 'there is no next CA certificate');
    case 'PKIOperation': {
      // Nobody would get what it makes.
      if (method === 'HEAD') throw new HttpFailure(405, 'HEAD of a PKIOperation');
      const client = clientOf(deps, c);
      const log: Log = (entry) => deps.log({ ...entry, client });
      const message = await messageOf(operation, c);
      const certRep = await pkiOperation({ ...deps, log }, endpoint, message);
      return octets(certRep, mediaTypes.pkiMessage, 'no-store');
    }
  }
}

/** Octets whatever the Content-Type says: several clients send none. */
async function messageOf(
  { message }: Extract<Operation, { name: 'PKIOperation' }>,
  c: Context,
): Promise<Bytes> {
  if (message) return message;
  const body = await bodyOf(c.req.raw).catch((error) => {
    // A client that hangs up is no trouble of ours, and not every platform says that it did.
    throw error instanceof HttpFailure ? error : new HttpFailure(400, 'the message ends too early');
  });
  if (body.length > MAX_MESSAGE_OCTETS) throw tooLong();
  if (body.length === 0) throw new HttpFailure(400, 'the message is empty');
  return body;
}

/**
 * The body, whose length was declared and looked at, or is counted as it comes. Hono's own limit makes
 * a Request of the platform's in both cases, for one look at its body; `arrayBuffer` does without.
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
    // Not cancelled: that would take the connection from under the answer.
    if (length > MAX_MESSAGE_OCTETS) throw tooLong();
    parts.push(part);
  }
}

/** Undefined where the end of the body is not known before it comes. */
function declaredLength(headers: Headers): number | undefined {
  const length = headers.get('content-length');
  return length === null || headers.has('transfer-encoding')
    ? undefined
    : Number.parseInt(length, 10);
}

const tooLong = (): HttpFailure => new HttpFailure(413, 'the message is too long');
