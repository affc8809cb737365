// Serves the service with node:http.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { MAX_REQUEST_LINE_OCTETS } from '../../lib/base/limits.ts';
import { type Connection, connectionOf } from '../../lib/http/client.ts';
import type { Env } from '../env.ts';

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

/** What a system says of an address that cannot be had, in our words. */
const refusals: Readonly<Record<string, (env: Pick<Env, 'host' | 'port'>) => string>> = {
  EADDRINUSE: ({ host, port }) =>
    `PORT: another process has port ${port} of ${host}: stop it, or set another one`,
  EACCES: ({ port }) =>
    `PORT: this user may not have port ${port}: set one of 1024 or more, and let a proxy have the lower one`,
  EADDRNOTAVAIL: ({ host }) =>
    `HOST: ${host} is no address of this machine: set one of its own, or 0.0.0.0 for all of them`,
  ENOTFOUND: ({ host }) =>
    `HOST: the name ${host} has no address: set an address of this machine, or 0.0.0.0 for all of them`,
};

/**
 * Listens where the environment says.
 * @returns the server, and the URL at which this machine finds it
 * @throws {Error} with a sentence that names the variable
 */
export async function listening(
  env: Pick<Env, 'host' | 'port' | 'localUrl'>,
  app: App,
): Promise<{ readonly server: Server; readonly address: string }> {
  const server = serverOf(app);
  server.listen(env.port, env.host);
  await once(server, 'listening').catch((error) => {
    throw new Error(refusals[error.code]?.(env) ?? `HOST, PORT: ${error.message}`);
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : env.port;
  return { server, address: env.localUrl.replace(/:\d+$/, `:${port}`) };
}
