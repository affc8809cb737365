// A SCEP server with one fault at a time: a whole service in this process, and what a server, or a proxy
// before it, may do wrong to its requests and answers.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Lab, makeLab } from './lab.ts';

export type Asked = {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly operation: string;
  readonly body: Buffer;
  readonly incoming: IncomingMessage;
};
export type Answered = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type Fault = {
  /** What the service gets in place of what was asked; an answer if it gets nothing. */
  readonly before?: (asked: Asked) => Partial<Asked> | Answered | undefined;
  /** What the client gets in place of the service's answer; undefined: as it is. */
  readonly after?: (
    answered: Answered,
    asked: Asked,
  ) => Partial<Answered> | 'closed' | undefined | Promise<Partial<Answered> | undefined>;
};

export type BrokenServer = {
  readonly url: string;
  readonly lab: Lab;
  /** From now on, until the next. */
  arm(fault: Fault): void;
  close(): Promise<void>;
};

/** @param labOptions beside the publicUrl, which is that of the server */
export async function startBrokenServer(
  labOptions: Parameters<typeof makeLab>[0] = {},
): Promise<BrokenServer> {
  let fault: Fault = {};
  let lab: Lab | undefined;
  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url: target = '/' } = incoming;
    const [, operation = ''] = /[?&]operation=(\w+)/.exec(target) ?? [];
    const asked = { method, target, operation, body: await buffer(incoming), incoming };
    const changed = fault.before?.(asked) ?? {};
    const answered = 'status' in changed ? changed : await serve({ ...asked, ...changed });
    const after = await fault.after?.(answered, asked);
    if (after === 'closed') {
      outgoing.destroy();
      return;
    }
    const { status, headers, body } = { ...answered, ...after };
    outgoing.writeHead(status, headers).end(body);
  });
  const serve = async ({ method, target, body, incoming }: Asked): Promise<Answered> => {
    const type = incoming.headers['content-type'];
    const response = await lab?.fetch(target, {
      method,
      headers: type === undefined ? {} : { 'content-type': type },
      ...(method === 'POST' ? { body: new Uint8Array(body) } : {}),
    });
    // Its length is that of the body that is sent.
    response?.headers.delete('content-length');
    return {
      status: response?.status ?? 503,
      headers: Object.fromEntries(response?.headers ?? []),
      body: Buffer.from((await response?.arrayBuffer()) ?? new ArrayBuffer(0)),
    };
  };
  Object.assign(server, { httpAllowHalfOpen: true, maxHeaderSize: 32_768 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { config, ...more } = labOptions;
  lab = await makeLab({ ...more, config: { publicUrl: url, ...config } });
  return {
    url,
    lab,
    arm: (next) => {
      fault = next;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
