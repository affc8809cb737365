// An HTTP proxy that writes down what client and server said to each other, and can change the
// capabilities on the way. It adds no header and drops none.

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Server } from './server.ts';
import { attributeOf, parseAsn1 } from './wire.ts';

export type Exchange = {
  readonly method: string;
  /** Path and query as they came, nothing decoded. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly status: number;
  readonly replyHeaders: IncomingMessage['headers'];
  readonly reply: Buffer;
};

export type Recording = { readonly origin: string; readonly exchanges: readonly Exchange[] };

export type ProxyOptions = {
  /** Rewrites the body of a GetCACaps reply. */
  readonly capabilities?: (text: string) => string;
  /** The body of every GetCACert reply: what a client has that keeps its certificates. */
  readonly bag?: Buffer;
};

/** A proxy for as long as `use` runs. */
export async function throughProxy<T>(
  server: Pick<Server, 'port'>,
  use: (proxy: Recording) => Promise<T>,
  options: ProxyOptions = {},
): Promise<T> {
  const exchanges: Exchange[] = [];
  const listener = createServer((incoming, outgoing) => {
    forward(server, options, incoming, outgoing).then(
      (exchange) => exchanges.push(exchange),
      (error) => outgoing.destroy(error),
    );
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (typeof address !== 'object' || !address) throw new Error('the proxy has no port');
  try {
    return await use({ origin: `http://127.0.0.1:${address.port}`, exchanges });
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}

async function forward(
  { port }: Pick<Server, 'port'>,
  { capabilities, bag }: ProxyOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<Exchange> {
  const { method = '', url: target = '', headers, rawHeaders } = incoming;
  const body = await buffer(incoming);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, method, path: target, headers: rawHeaders, setDefaultHeaders: false }, resolve)
      .once('error', reject)
      .end(body);
  });
  const received = await buffer(answer);
  const replaced =
    capabilities && /operation=GetCACaps/i.test(target)
      ? Buffer.from(capabilities(received.toString()))
      : bag && /operation=GetCACert/i.test(target)
        ? bag
        : undefined;
  const reply = replaced ?? received;
  const status = answer.statusCode ?? 0;
  const replyHeaders = replaced
    ? answer.rawHeaders.map((field, at, all) =>
        at % 2 === 1 && /^content-length$/i.test(all[at - 1] ?? '') ? `${reply.length}` : field,
      )
    : answer.rawHeaders;
  const exchange = { method, target, headers, body, status, replyHeaders: answer.headers, reply };
  outgoing.writeHead(status, replyHeaders).end(reply);
  return exchange;
}

export const pkiOperations = ({ exchanges }: Recording): Exchange[] =>
  exchanges.filter(({ target }) => /operation=PKIOperation/i.test(target));

/** The one PKIOperation among the exchanges. */
export function pkiOperation(proxy: Recording): Exchange {
  const found = pkiOperations(proxy);
  const [exchange] = found;
  if (!exchange || found.length > 1) throw new Error(`${found.length} PKIOperations, not one`);
  return exchange;
}

/** `19:3 20:0`: messageType and pkiStatus of every PKIOperation, in their order. */
export async function conversation(proxy: Recording): Promise<string> {
  const parts: string[] = [];
  for (const exchange of pkiOperations(proxy)) {
    const asked = attributeOf(await parseAsn1(messageOf(exchange)), 'messageType');
    const said = attributeOf(await parseAsn1(exchange.reply), 'pkiStatus');
    parts.push(`${asked}:${said}`);
  }
  return parts.join(' ');
}

/** The pkiMessage of a request: the body, or the base64 of the query in whatever alphabet. */
export function messageOf({ method, target, body }: Exchange): Buffer {
  if (method === 'POST') return body;
  const [, message = ''] = /[?&]message=([^&]*)/.exec(target) ?? [];
  return Buffer.from(decodeURIComponent(message), 'base64url');
}
