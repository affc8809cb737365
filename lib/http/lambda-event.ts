// HTTP as AWS Lambda is given it, translated into Request and Response, octet for octet.
//
//   form                    path                     query          the address that connected
//   Function URL (2.0)      as sent                  as sent        sourceIp
//   HTTP API (2.0)          decoded, with the stage  as sent        sourceIp
//   HTTP API (1.0)          decoded, with the stage  decoded        sourceIp
//   REST API (1.0)          as sent                  decoded        sourceIp
//   ALB                     as sent                  as sent, split last of X-Forwarded-For
//
// Bodies come in base64 or, where the ingress takes them for text, as text. Nothing here goes by a
// Content-Type. The Host header is not used: nobody outside decides what the URL is.

import { base64, fromBase64, fromLatin1, utf8 } from '../bytes.ts';
import { type Connection, forwardedFor } from './client.ts';

type Headers1 = Readonly<Record<string, string | undefined>>;
type HeadersN = Readonly<Record<string, readonly string[] | undefined>>;

/** Payload 2.0: Function URL, HTTP API. */
export type EventV2 = {
  readonly version: '2.0';
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers?: Headers1;
  readonly requestContext: {
    readonly stage?: string;
    /** Who invokes the function without an ingress has no address. */
    readonly http: { readonly method: string; readonly sourceIp?: string };
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
};

/** Payload 1.0: REST API, HTTP API; and ALB, whose maps have one value or many, as it is set up. */
export type EventV1 = {
  readonly httpMethod: string;
  readonly path: string;
  readonly queryStringParameters?: Headers1 | null;
  readonly multiValueQueryStringParameters?: HeadersN | null;
  readonly headers?: Headers1 | null;
  readonly multiValueHeaders?: HeadersN | null;
  readonly requestContext: {
    readonly elb?: object;
    readonly stage?: string;
    readonly path?: string;
    readonly identity?: { readonly sourceIp: string };
  };
  readonly body?: string | null;
  readonly isBase64Encoded: boolean;
};

export type LambdaReply = {
  readonly statusCode: number;
  readonly isBase64Encoded: boolean;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
};

export type EventRequest = {
  readonly request: Request;
  readonly connection: Connection;
  /** The ingress took a body for text that was none: octets are lost. */
  readonly damaged: boolean;
};

/** @throws {TypeError} for what is no HTTP request, such as the console's test event */
export function requestOf(event: unknown): EventRequest {
  if (isV2(event)) {
    const { rawPath, rawQueryString: query, requestContext } = event;
    const { method, sourceIp: peer } = requestContext.http;
    const path = withoutStage(rawPath, requestContext.stage);
    return build(event, { method, path, query, entries: valuesOf(event.headers), peer });
  }
  if (!isV1(event)) {
    throw new TypeError(
      'the event is not one of a Function URL, an HTTP API, a REST API or an ALB',
    );
  }
  const { httpMethod: method, requestContext } = event;
  const { elb, stage, identity, path: wholePath = event.path } = requestContext;
  // A REST API's own path has no stage: then the whole one is another.
  const path = wholePath === event.path ? withoutStage(event.path, stage) : event.path;
  const parameters = valuesOf(event.queryStringParameters, event.multiValueQueryStringParameters);
  // An ALB splits the query and does not decode it.
  const encode = (text: string) => (elb ? text : encodeURIComponent(text.toWellFormed()));
  const query = parameters
    .flatMap(([name, values]) => values.map((value) => `${encode(name)}=${encode(value)}`))
    .join('&');
  const entries = valuesOf(event.headers, event.multiValueHeaders);
  return build(event, { method, path, query, entries, peer: identity?.sourceIp });
}

/** ASCII goes as text, which every ingress hands on as it is; everything else in base64. */
export async function replyOf(event: unknown, response: Response): Promise<LambdaReply> {
  const octets = new Uint8Array(await response.arrayBuffer());
  const isBase64Encoded = octets.some((octet) => octet > 0x7e);
  const body = isBase64Encoded ? base64(octets) : fromLatin1(octets);
  // The ingress counts what it sends; what a reply to HEAD says would be wrong there.
  const headers = [...response.headers].filter(([name]) => name !== 'content-length');
  const said = { statusCode: response.status, isBase64Encoded, body };
  // Where headers come with many values they are read with many values only.
  return isV1(event) && event.multiValueHeaders
    ? { ...said, multiValueHeaders: Object.fromEntries(headers.map(([n, value]) => [n, [value]])) }
    : { ...said, headers: Object.fromEntries(headers) };
}

type Parts = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly entries: readonly (readonly [string, readonly string[]])[];
  readonly peer: string | undefined;
};

function build(
  { body, isBase64Encoded }: EventV1 | EventV2,
  { method, path, query, entries, peer }: Parts,
): EventRequest {
  const headers = new Headers();
  for (const [name, values] of entries) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) continue;
    for (const value of values) if (!/[^\t\x20-\xff]/.test(value)) headers.append(name, value);
  }
  // No request of ours has a body with these methods, and Request takes none.
  const text = method === 'GET' || method === 'HEAD' ? '' : (body ?? '');
  const octets = isBase64Encoded ? fromBase64(text) : utf8(text);
  // Of the message on its way to the ingress: what is here is whole, and this long.
  headers.delete('transfer-encoding');
  headers.delete('content-length');
  if (octets.length > 0) headers.set('content-length', String(octets.length));
  // Whatever comes, it stays behind the host.
  const target = `/${escaped(path.replace(/^\//, ''), /[?#\\]/g)}${query && '?'}${escaped(query, /#/g)}`;
  const request = new Request(`https://lambda.invalid${target}`, {
    // Request takes no such method; nor does anybody here.
    method: /^(connect|trace|track)$/i.test(method) ? `NOT-${method}` : method,
    headers,
    ...(octets.length > 0 && { body: octets }),
  });
  // An ingress of AWS has put the address of who connected to it at the end already.
  const told = forwardedFor(headers.get('x-forwarded-for'));
  const hops = peer === undefined || told.at(-1) === peer ? told : [...told, peer];
  return { request, connection: { hops }, damaged: !isBase64Encoded && text.includes('\ufffd') };
}

/** What would end the path or the query in a URL: it can only stand there because it was decoded. */
const escaped = (text: string, characters: RegExp): string =>
  text.replace(characters, (one) => `%${one.charCodeAt(0).toString(16)}`);

function withoutStage(path: string, stage = '$default'): string {
  const prefix = `/${stage}`;
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

/** The map with many values where there is one. */
const valuesOf = (
  one: Headers1 | null | undefined,
  many?: HeadersN | null,
): (readonly [string, readonly string[]])[] =>
  many
    ? Object.entries(many).map(([name, values]) => [name, values ?? []])
    : Object.entries(one ?? {}).map(([name, value]) => [name, [value ?? '']]);

const isV2 = (event: unknown): event is EventV2 => {
  const { version, rawPath, requestContext } = Object(event);
  return version === '2.0' && typeof rawPath === 'string' && 'http' in Object(requestContext);
};

const isV1 = (event: unknown): event is EventV1 => {
  const { httpMethod, path, requestContext } = Object(event);
  return (
    typeof httpMethod === 'string' && typeof path === 'string' && typeof requestContext === 'object'
  );
};
