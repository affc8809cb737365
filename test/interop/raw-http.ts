// HTTP by raw socket: exactly the octets given, no header that a library would add.

import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type Answer = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** @param lines the request line and the headers; the server must close the connection */
export async function exchangeRaw(
  port: number,
  lines: readonly string[],
  body: Uint8Array = new Uint8Array(0),
): Promise<Answer> {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(60_000, () => socket.destroy(new Error('the server kept the connection open')));
  // Not end(): a server may take a half-closed connection for one that is gone.
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
  return parse(await buffer(socket));
}

function parse(octets: Buffer): Answer {
  const end = octets.indexOf('\r\n\r\n');
  const [first = '', ...fields] = octets.subarray(0, end).toString('latin1').split('\r\n');
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(first) ?? [];
  if (end < 0 || !status) throw new Error(`no HTTP answer: "${octets.toString('latin1', 0, 80)}"`);
  const headers = new Map(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = octets.subarray(end + 4);
  const announced = headers.get('content-length');
  if (announced !== undefined && Number(announced) !== body.length) {
    throw new Error(`Content-Length is ${announced}, the body has ${body.length} octets`);
  }
  return { status: Number(status), headers, body };
}
