// For Node and AWS Lambda: the name is looked up once for each POST, every address that it has is checked, and one of
// these is connected to, so that a name cannot lead elsewhere between check and connection. SNI, the Host header and the
// check of the server's certificate go by the name.

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import { addressProblem, literalOf } from './addresses.ts';
import { type Post, readHookReply, type Send, Unanswerable } from './send.ts';

/** The machine's resolver and network. */
export type Network = {
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** @returns a TCP connection to one of the addresses, which may be yet to be made */
  readonly connect: (host: string, port: number, addresses: readonly LookupAddress[]) => Socket;
  /** PEM of the CAs that are trusted; by default the platform's, and those of NODE_EXTRA_CA_CERTS. */
  readonly roots?: readonly string[];
};

export const systemNetwork: Network = {
  resolve: (hostname) => lookup(hostname, { all: true }),
  connect: (host, port, addresses) =>
    connect({
      ...{ host, port },
      lookup: (_, __, found) => found(null, [...addresses]),
      // Of two families, the one that answers first (RFC 8305).
      autoSelectFamily: true,
    }),
};

export const pinnedHttps =
  (network: Network): Send =>
  async (post) => {
    const { url, networks, signal } = post;
    const literal = literalOf(url.hostname);
    const addresses =
      literal === undefined
        ? await unlessAborted(signal, network.resolve(url.hostname))
        : [{ address: literal, family: literal.includes(':') ? 6 : 4 }];
    if (addresses.length === 0) throw new Error(`${url.hostname} has no address`);
    for (const { address } of addresses) {
      const problem = addressProblem(address, networks);
      if (problem === undefined) continue;
      throw new Unanswerable(`it is at ${address}, which is not connected to: ${problem}`);
    }
    const response = await responseTo(post, () => {
      const host = literal ?? url.hostname;
      const socket = network.connect(host, Number(url.port || 443), addresses);
      const ca = network.roots ? { ca: [...network.roots] } : {};
      const secured = secure({ socket, host, ...ca, ...(literal ? {} : { servername: host }) });
      // One that is still being made would go on.
      secured.once('close', () => socket.destroy());
      return secured;
    });
    try {
      return await readHookReply({
        status: response.statusCode ?? 0,
        contentEncoding: response.headers['content-encoding'],
        body: response,
      });
    } finally {
      response.destroy();
    }
  };

function responseTo(
  { url, headers, body, signal }: Post,
  createConnection: () => Socket,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      ...{ method: 'POST', headers, signal, createConnection },
      // Else the Host header has a port.
      defaultPort: 443,
    });
    sent.once('response', resolve);
    sent.on('error', reject);
    // What answers 101 ends so, without a response and without an error.
    sent.once('close', () => reject(new Error('it ended the connection without an answer')));
    sent.end(body);
  });
}

/** A look-up in the DNS cannot be ended; nobody waits for it. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
