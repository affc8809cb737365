// HTTP as the doctor speaks it: redirects are seen instead of followed, a bad certificate of TLS does not end the
// look at the rest, targets go out as they are written, and all of it is bounded in time and in octets.

import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP, connect as plainConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { type Bytes, concat, fromLatin1, latin1 } from '../../../base/bytes.ts';
import { spoken } from '../../text.ts';
import { isNear, lookupElsewhere, nearby } from './near.ts';

/** Octets of an answer, unless more are asked for: the longest is GetCACert with a long chain. */
const MAX_OCTETS = 1024 * 1024;

export type Answer = {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Bytes;
};
/** What became of a request; `silence` says in words for people why there is no answer. */
export type Heard = Answer | { readonly silence: string };
export const hasAnswered = (said: Heard | undefined): said is Answer =>
  said !== undefined && 'status' in said;

export type Asked = {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes;
  /** Of the answer. */
  readonly maxOctets?: number;
  /** A stranger has named the place: it is asked only where others reach it too. */
  readonly isGuarded?: boolean;
};

/** Asks for exactly this target. */
export function ask(
  { protocol, hostname, port }: URL,
  path: string,
  { method = 'GET', headers = {}, body, maxOctets = MAX_OCTETS, isGuarded = false }: Asked,
  limitMs: number,
): Promise<Heard> {
  if (isGuarded && isNear(unbracketed(hostname))) return Promise.resolve({ silence: nearby });
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const send = protocol === 'https:' ? tlsRequest : plainRequest;
  const options = {
    ...{ hostname: unbracketed(hostname), port, path, method, agent: false },
    ...{ rejectUnauthorized: false, signal: AbortSignal.timeout(limitMs) },
    ...(isGuarded ? { lookup: lookupElsewhere } : {}),
    headers: { ...headers, ...(body ? { 'content-length': String(body.length) } : {}) },
  };
  const request = send(options, (response) => {
    const parts: Bytes[] = [];
    let octets = 0;
    response.on('data', (part: Buffer) => {
      octets += part.length;
      if (octets > maxOctets) request.destroy(new Error('the answer does not end'));
      parts.push(new Uint8Array(part));
    });
    response.once('error', (error) => resolve(silenceOf(error, limitMs)));
    response.once('end', () => {
      const named = Object.entries(response.headers).map(([name, value = '']): [string, string] => [
        name,
        [value].flat().join(', '),
      ]);
      resolve({
        status: response.statusCode ?? 0,
        headers: new Map(named),
        body: concat(parts),
      });
    });
  });
  request.once('error', (error) => resolve(silenceOf(error, limitMs)));
  // Without an answer and without an error: it has gone over to another protocol (101). Errors are told after this.
  request.once('close', () => setImmediate(() => resolve({ silence: broken })));
  request.end(body);
  return promise;
}

export const unbracketed = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');

export const portOf = ({ protocol, port }: URL): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);

/** A server's name for TLS, which an address is not. */
export const nameFor = ({ hostname }: URL) =>
  isIP(unbracketed(hostname)) === 0 ? { servername: hostname } : {};

type RawAsked = {
  /** Request line and headers. */
  readonly lines: readonly string[];
  readonly body?: Bytes;
  /** The connection's own half is closed behind the request. */
  readonly halfClosed?: true;
};

/** Octets of the answer as they came, until the server closes the connection or the answer is complete. */
export async function askRaw(
  url: URL,
  { lines, body = new Uint8Array(0), halfClosed }: RawAsked,
  limitMs: number,
): Promise<Heard> {
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const to = { host: unbracketed(url.hostname), port: portOf(url), allowHalfOpen: true };
  const socket: Socket =
    url.protocol === 'https:'
      ? tlsConnect({ ...to, ...nameFor(url), rejectUnauthorized: false })
      : plainConnect(to);
  const timer = setTimeout(() => resolve(silenceOf(new Error('timeout'), limitMs)), limitMs);
  let received: Bytes = new Uint8Array(0);
  const said = (ended: boolean): void => {
    const answer = answerIn(received, ended);
    if (answer) resolve(answer);
    else if (ended) resolve({ silence: 'it closed the connection without an answer' });
  };
  socket.on('data', (part: Buffer) => {
    received = concat([received, part]);
    if (received.length <= MAX_OCTETS) said(false);
    else resolve({ silence: 'the answer does not end' });
  });
  socket.once('end', () => said(true));
  socket.once('close', () => said(true));
  socket.once('error', (error) => resolve(silenceOf(error, limitMs)));
  const octets = concat([latin1(`${lines.join('\r\n')}\r\n\r\n`), body]);
  if (halfClosed) socket.end(octets);
  else socket.write(octets);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** @returns undefined while something is missing */
function answerIn(octets: Bytes, ended: boolean): Answer | undefined {
  const text = fromLatin1(octets.subarray(0, 64 * 1024));
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...fields] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(first) ?? [];
  if (end < 0 || !status) return undefined;
  const headers = new Map(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = octets.slice(end + 4);
  if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) {
    const whole = joined(body);
    return whole && { status: Number(status), headers, body: whole };
  }
  const length = headers.get('content-length');
  const complete = length !== undefined && body.length >= Number(length);
  return ended || complete ? { status: Number(status), headers, body } : undefined;
}

/** The chunks of RFC 9112 §7.1. @returns undefined while the last one is missing */
function joined(body: Bytes): Bytes | undefined {
  const parts: Bytes[] = [];
  for (let at = 0; ; ) {
    const [line = '', size] = /^([0-9a-f]{1,8})[^\r\n]*\r\n/i.exec(
      fromLatin1(body.subarray(at, at + 256)),
    ) ?? [''];
    const octets = Number.parseInt(size ?? '', 16);
    const from = at + line.length;
    if (Number.isNaN(octets) || from + octets > body.length) return undefined;
    if (octets === 0) return concat(parts);
    parts.push(body.slice(from, from + octets));
    at = from + octets + 2;
  }
}

const broken = 'it broke the connection off without an answer';

const known: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (the connection was refused)',
  ECONNRESET: broken,
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  EPROTO: 'it speaks no TLS there, or a version that is not spoken any more',
};

function silenceOf(error: Error, limitMs: number): { silence: string } {
  const { code = '', name, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'TimeoutError' || message === 'timeout') {
    return { silence: `no answer within ${spoken(limitMs)}` };
  }
  const [, ...rest] = message.split('Parse Error: ');
  const strange = rest.length > 0 ? `it answers with what is no HTTP (${rest.join('')})` : message;
  return { silence: known[code] ?? strange };
}
