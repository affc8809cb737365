// Serves the service with node:http, or with node:https and files in PEM.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { errorText } from '../../lib/base/errors.ts';
import {
  MAX_REQUEST_LINE_OCTETS,
  STANDSTILL_MS,
  STOP_GRACE_MS,
  STOP_LIMIT_MS,
} from '../../lib/base/limits.ts';
import { type Connection, connectionOf } from '../../lib/http/client.ts';
import { forbidden } from '../../lib/http/respond.ts';
import { isForDevices } from '../../lib/http/target.ts';
import type { Log } from '../../lib/ports/log.ts';
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

type TlsFiles = { readonly cert: Buffer; readonly key: Buffer };

/** A server that does not listen yet. */
export function serverOf(app: App, tls?: TlsFiles): Server | TlsServer {
  const connections = new WeakMap<IncomingMessage, Omit<Connection, 'hops'>>();
  const listener = getRequestListener(async (request, { incoming, outgoing }) => {
    const connection = connectionOf(request, incoming.socket.remoteAddress);
    const asked = { ...connection, ...connections.get(incoming as IncomingMessage) };
    const response = await app.fetch(request, asked);
    // RFC 9112 §9.6: a server that ends says so, before the client sends more on this connection.
    if (!server.listening) Object.assign(outgoing, { shouldKeepAlive: false });
    return brokenOff(response, outgoing);
  });
  const answer: RequestListener = (incoming, outgoing) => {
    const { target, host } = targetOf(incoming);
    connections.set(incoming, { path: target.replace(/[?#].*$/s, ''), host });
    // The client's Host, which HTTP/1.0 does not have, is not used for the URL.
    incoming.url = target;
    incoming.headers.host = 'localhost';
    return listener(incoming, outgoing);
  };
  const options = { maxHeaderSize: MAX_REQUEST_LINE_OCTETS };
  const server = tls
    ? createTlsServer({ ...options, ...tls }, answer)
    : createServer(options, answer);
  // Whoever reads nothing holds a connection, and all that waits to be sent on it, for as long as he likes.
  server.setTimeout(STANDSTILL_MS);
  // RFC 9112 §9.6: a client that has sent its request may say that no more will come, and waits.
  return Object.assign(server, { httpAllowHalfOpen: true });
}

/**
 * A reply whose content fails on the way ends with its connection: what is sent then is a part, and the adapter would
 * end it like a whole, with the text of the error.
 */
export function brokenOff(response: Response, outgoing: { destroy(): unknown }): Response {
  const { body, headers, status } = response;
  if (!body || headers.has('content-length')) return response;
  const reader = body.getReader();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const part = await reader.read().catch(() => undefined);
      if (part?.value) return controller.enqueue(part.value);
      if (!part) outgoing.destroy();
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(stream, { status, headers });
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
 * @returns the servers, and the URL at which this machine finds the first
 * @throws {Error} with a sentence that names the variable
 */
export async function listening(
  env: Pick<Env, 'host' | 'port' | 'localUrl' | 'tls' | 'httpPort'>,
  app: App,
): Promise<Listening> {
  const { host, port: wanted, tls, httpPort } = env;
  const server = serverOf(app, tls && (await readTls(tls)));
  const port = await listen(server, { host, port: wanted });
  const servers = [server];
  if (httpPort !== undefined) {
    const plain = serverOf({
      fetch: (request, connection) =>
        isForDevices(connection.path ?? '') ? app.fetch(request, connection) : forbidden(),
    });
    await listen(plain, { host, port: httpPort });
    servers.push(plain);
  }
  const reloadTls = async (log: Log): Promise<void> => {
    if (!tls || !('setSecureContext' in server)) return;
    try {
      server.setSecureContext(await readTls(tls));
      log({ event: 'tls.reloaded', severity: 'info', detail: tls.cert });
    } catch (error) {
      const why = errorText(error);
      const detail = `${why} (the certificate that was in force stays)`;
      log({ event: 'tls.notReloaded', severity: 'error', detail });
    }
  };
  return { servers, address: env.localUrl.replace(/:\d+$/, `:${port}`), reloadTls };
}

type Listening = {
  readonly servers: readonly (Server | TlsServer)[];
  readonly address: string;
  /** Connections from now on get the certificate that is in the files, or the log says why not. */
  readonly reloadTls: (log: Log) => Promise<void>;
};

/**
 * Takes no more requests. Those that have begun are answered; whoever is still sending after a while is cut off.
 * @param upkeep resolves when other work has ended
 * @param cutOff ends the process, and with it what has not ended by then: an end as by a power failure loses nothing
 */
export async function closed(
  servers: readonly Pick<Server, 'close' | 'closeAllConnections'>[],
  upkeep: Promise<void>,
  cutOff: () => void,
): Promise<void> {
  const hangUp = () => servers.map((server) => server.closeAllConnections());
  setTimeout(hangUp, STOP_GRACE_MS).unref();
  setTimeout(cutOff, STOP_LIMIT_MS).unref();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  await upkeep;
}

async function listen(server: Server | TlsServer, at: Pick<Env, 'host' | 'port'>): Promise<number> {
  server.listen(at.port, at.host);
  await once(server, 'listening').catch((error) => {
    throw new Error(refusals[error.code]?.(at) ?? `HOST, PORT: ${error.message}`);
  });
  const bound = server.address();
  return typeof bound === 'object' && bound ? bound.port : at.port;
}

/** @throws {Error} with a sentence that names the variable and the file */
async function readTls({ cert, key }: NonNullable<Env['tls']>): Promise<TlsFiles> {
  const read = async (name: string, path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new Error(`${name}: ${errorText(error)}`);
    }
  };
  const files = {
    cert: await read('SCEPTER_TLS_CERT', cert),
    key: await read('SCEPTER_TLS_KEY', key),
  };
  const certificate = asPem(
    `SCEPTER_TLS_CERT: ${cert} must be a certificate and its issuers, in PEM, that of the server first`,
    () => new X509Certificate(files.cert),
  );
  const privateKey = asPem(
    `SCEPTER_TLS_KEY: ${key} must be a private key in PEM, without a passphrase`,
    () => createPrivateKey(files.key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`SCEPTER_TLS_KEY: ${key} is not the key of the certificate in ${cert}`);
  }
  return files;
}

function asPem<T>(sentence: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new Error(sentence);
  }
}
