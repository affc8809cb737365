// HTTP for a function on this machine: what an ingress does, for any client that speaks HTTP.

import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { LambdaReply } from '../../lib/http/lambda-event.ts';
import { type Form, fromReply, toEvent } from './lambda-ingress.ts';
import type { LambdaFunction } from './lambda-runtime.ts';

/** PEM, and the name that it is for. */
export type Tls = { readonly key: string; readonly cert: string; readonly host: string };
export type Bridge = { readonly origin: string; stop(): void };

export async function bridge(
  form: Form,
  { invoke }: Pick<LambdaFunction, 'invoke'>,
  tls?: Tls,
): Promise<Bridge> {
  const listener: RequestListener = async (request, response) => {
    const { method = 'GET', url: target = '/', rawHeaders, socket } = request;
    const headers = Array.from({ length: rawHeaders.length / 2 }, (_, i) => {
      const [name = '', value = ''] = rawHeaders.slice(2 * i, 2 * i + 2);
      return [name, value] as const;
    });
    const body = await buffer(request);
    const peer = socket.remoteAddress ?? '';
    try {
      const sent = headers.filter(([name]) => !/^host$/i.test(name));
      const event = toEvent(form, { method, target, headers: sent, body, peer });
      const reply = fromReply(form, (await invoke(event)) as LambdaReply);
      response.writeHead(reply.status, reply.headers).end(reply.body);
    } catch {
      response.writeHead(502).end();
    }
  };
  const server = tls ? createTlsServer(tls, listener) : createHttpServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: tls ? `https://${tls.host}:${port}` : `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
