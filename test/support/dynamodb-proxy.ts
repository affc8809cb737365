// The faults of `dynamodb-faults.ts` on the wire itself, for a client that is in another process.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { newAttempt } from '../../lib/adapters/aws/dynamodb/items.ts';
import { type DynamoCall, type DynamoFault, halved, refusals } from './dynamodb-faults.ts';

type FaultOf = (call: DynamoCall) => DynamoFault | undefined;

export type DynamoProxy = {
  readonly url: string;
  /** From now on each call is befallen by what this says. */
  arm(fault: FaultOf): void;
  stop(): void;
};

/** @param behind where DynamoDB is */
export async function startDynamoProxy(behind: string): Promise<DynamoProxy> {
  let faultOf: FaultOf = () => undefined;
  const forgotten = new Set<unknown>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = await text(request);
    const body = JSON.parse(sent);
    const name = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const headers = new Headers(request.headers as Record<string, string>);
    for (const own of ['host', 'connection', 'content-length']) headers.delete(own);
    const pass = async () => {
      const token = forgotten.has(body.ClientRequestToken) && newAttempt();
      const made = token ? JSON.stringify({ ...body, ClientRequestToken: token }) : sent;
      const reply = await fetch(behind, { method: 'POST', headers, body: made });
      return { status: reply.status, said: await reply.text() };
    };
    const send = (status: number, said: string, date = new Date()): void => {
      response.writeHead(status, {
        'content-type': 'application/x-amz-json-1.0',
        date: date.toUTCString(),
      });
      response.end(said);
    };
    const refuse = (kind: keyof typeof refusals): void => {
      const [status, type, fields] = refusals[kind];
      const said = { __type: `com.amazonaws.dynamodb.v20120810#${type}`, ...fields };
      const ahead = kind === 'clock late' ? 60 * 60 * 1000 : 0;
      send(status, JSON.stringify(said), new Date(Date.now() + ahead));
    };
    const kind = faultOf({ name, body });
    if (kind && kind in refusals) return refuse(kind as keyof typeof refusals);
    if (kind === 'silent before') return;
    if (kind === 'lost before') return void request.socket.destroy();
    const { status, said } = await pass();
    if (kind === undefined) return send(status, said);
    if (kind === 'unprocessed') return send(200, JSON.stringify(halved(body, JSON.parse(said))));
    if (kind === 'internal error after') return refuse('internal error');
    if (kind === 'silent after') return;
    if (kind === 'lost after, token forgotten') forgotten.add(body.ClientRequestToken);
    if (kind === 'cut after') {
      response.writeHead(200, { 'content-length': '4096' });
      response.write('{', () => request.socket.destroy());
      return;
    }
    request.socket.destroy();
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arm: (fault) => {
      faultOf = fault;
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
