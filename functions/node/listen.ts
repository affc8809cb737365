// Serves the service with node:http.

import { createServer, type IncomingMessage, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { MAX_REQUEST_LINE_OCTETS } from '../../lib/base/limits.ts';
import { type Connection, connectionOf } from '../../lib/http/client.ts';

type App = {
  readonly fetch: (request: Request, connection: Connection) => Response | Promise<Response>;
};

/** RFC 9112 §3.2: the target in origin-form, and the authority that it is for. */
function targetOf({ url = '', headersDistinct }: IncomingMessage) {
  const [, authority, rest] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  // A request with two Host headers counts as having none, because a proxy may have read the other one.
  const [header = '', ...more] = headersDistinct.host ?? [];
  if (authority === undefined) return { target: url, host: more.length === 0 ? header : '' };
  return { target: rest?.startsWith('/') ? rest : `/${rest}`, host: authority };
}

/** A server that does not listen yet. */
export function serverOf(app: App): Server {
  const connections = new WeakMap<IncomingMessage, Omit<Connection, 'hops'>>();
  const listener = getRequestListener((request, { incoming }) => {
    const connection = connectionOf(request, incoming.socket.remoteAddress);
    return app.fetch(request, { ...connection, ...connections.get(incoming as IncomingMessage) });
  });
  const server = createServer({ maxHeaderSize: MAX_REQUEST_LINE_OCTETS }, (incoming, outgoing) => {
    const { target, host } = targetOf(incoming);
    connections.set(incoming, { path: target.replace(/[?#].*$/s, ''), host });
    // The client's Host, which HTTP/1.0 does not have, is not used for the URL.
    incoming.url = target;
    incoming.headers.host = 'localhost';
    return listener(incoming, outgoing);
  });
  // RFC 9112 §9.6: a client that has sent its request may say that no more will come, and waits.
  return Object.assign(server, { httpAllowHalfOpen: true });
}
