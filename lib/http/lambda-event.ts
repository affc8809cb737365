// Translates the events of AWS Lambda into a Request, and a Response into a reply, octet for octet.
//
//   form                    path                     query          the address that connected
//   Function URL (2.0)      as sent                  as sent        sourceIp
//   HTTP API (2.0)          decoded, with the stage  as sent        sourceIp
//   HTTP API (1.0)          decoded, with the stage  decoded        sourceIp
//   REST API (1.0)          as sent                  decoded        sourceIp
//   ALB                     as sent                  as sent, split last of X-Forwarded-For
//
// The ALB must keep the mode `append` for X-Forwarded-For: in other modes a client chooses its last address.
// Bodies come in base64 or, where the ingress takes them for text, as text; the Content-Type is ignored. The
// Host header is not used for the URL, because a client can choose it.

import { base64, fromBase64, fromLatin1, utf8 } from '../base/bytes.ts';
import { isTexts, visible } from '../base/text.ts';
import { type Connection, forwardedFor } from './client.ts';

type Headers1 = Readonly<Record<string, string | undefined>>;
type HeadersN = Readonly<Record<string, readonly string[] | undefined>>;

/** Payload 2.0: Function URL, HTTP API. */
type EventV2 = {
  readonly version: '2.0';
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers?: Headers1;
  readonly requestContext: {
    readonly stage?: string;
    /** Absent when the function is invoked without an ingress. */
    readonly http: { readonly method: string; readonly sourceIp?: string };
    /** Of a Function URL with IAM, of an HTTP API with a JWT authorizer. */
    readonly authorizer?: unknown;
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
};

/** Payload 1.0: REST API, HTTP API; and ALB, whose maps have one value or many, as it is set up. */
type EventV1 = {
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

type EventRequest = {
  readonly request: Request;
  readonly connection: Connection;
  /** The ingress took a binary body for text, so that octets are lost. */
  readonly damaged: boolean;
};

/** @throws {TypeError} for an event that is not an HTTP request, such as the console's test event */
export function requestOf(event: unknown): EventRequest {
  if (isV2(event)) {
    const { rawPath, rawQueryString: query, requestContext } = event;
    const { method, sourceIp: peer } = requestContext.http;
    const path = withoutStage(rawPath, requestContext.stage);
    const identity = identityIn(requestContext.authorizer);
    return build(event, { method, path, query, entries: valuesOf(event.headers), peer, identity });
  }
  if (!isV1(event)) {
    throw new TypeError(
      'the event is not one of a Function URL, an HTTP API, a REST API or an ALB',
    );
  }
  const { httpMethod: method, requestContext } = event;
  const { elb, stage, identity, path: wholePath = event.path } = requestContext;
  // A REST API's `path` has no stage, and differs from the whole path in the context.
  const path = wholePath === event.path ? withoutStage(event.path, stage) : event.path;
  const parameters = valuesOf(event.queryStringParameters, event.multiValueQueryStringParameters);
  // An ALB splits the query and does not decode it.
  const encode = (text: string) => (elb ? text : encodeURIComponent(text.toWellFormed()));
  const query = parameters
    .flatMap(([name, values]) => values.map((value) => `${encode(name)}=${encode(value)}`))
    .join('&');
  const entries = valuesOf(event.headers, event.multiValueHeaders);
  const peer = identity?.sourceIp;
  return build(event, { method, path, query, entries, peer, peerIsTold: elb !== undefined });
}

/** ASCII goes as text, which every ingress hands on as it is; everything else in base64. */
export async function replyOf(event: unknown, response: Response): Promise<LambdaReply> {
  const octets = new Uint8Array(await response.arrayBuffer());
  const isBase64Encoded = octets.some((octet) => octet > 0x7e);
  const body = isBase64Encoded ? base64(octets) : fromLatin1(octets);
  // The ingress sets Content-Length itself; the one of a reply to HEAD would be wrong.
  const headers = [...response.headers].filter(([name]) => name !== 'content-length');
  const said = { statusCode: response.status, isBase64Encoded, body };
  // An ingress that sends headers with many values reads only such headers.
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
  /** It is the last in X-Forwarded-For. */
  readonly peerIsTold?: boolean;
  readonly identity?: string | undefined;
};

/** Characters of an identity that are kept. */
const MAX_IDENTITY = 200;

/** Whom AWS has authenticated. */
function identityIn(authorizer: unknown): string | undefined {
  const { iam, jwt } = Object(authorizer);
  const { userArn } = Object(iam);
  const { iss, sub } = Object(Object(jwt).claims);
  const said = isTexts([userArn]) ? `iam ${userArn}` : isTexts([iss, sub]) && `jwt ${iss} ${sub}`;
  return said ? visible(said).slice(0, MAX_IDENTITY) : undefined;
}

function build(
  { body, isBase64Encoded }: EventV1 | EventV2,
  { method, path, query, entries, peer, peerIsTold = false, identity }: Parts,
): EventRequest {
  const headers = new Headers();
  for (const [name, values] of entries) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) continue;
    for (const value of values) if (!/[^\t\x20-\xff]/.test(value)) headers.append(name, value);
  }
  // SCEP and the API use no body with these methods, and Request accepts none.
  const text = method === 'GET' || method === 'HEAD' ? '' : (body ?? '');
  const octets = isBase64Encoded ? fromBase64(text) : utf8(text);
  // These headers are about the transfer to the ingress; here the body is complete.
  headers.delete('transfer-encoding');
  headers.delete('content-length');
  if (octets.length > 0) headers.set('content-length', String(octets.length));
  // A path or query of any content stays behind the host.
  const target = `/${escaped(path.replace(/^\//, ''), /[?#\\]/g)}${query && '?'}${escaped(query, /#/g)}`;
  const request = new Request(`https://lambda.invalid${target}`, {
    // Request accepts none of these methods, and no route has one: it answers 405.
    method: /^(connect|trace|track)$/i.test(method) ? `NOT-${method}` : method,
    headers,
    ...(octets.length > 0 && { body: octets }),
  });
  // An ingress of AWS has appended the address of the connection to X-Forwarded-For already, and a load
  // balancer gives it nowhere else. Without an ingress the caller has written all of the header.
  const told = forwardedFor(headers.get('x-forwarded-for'));
  const whole = peerIsTold || told.at(-1) === peer;
  const hops = whole ? told : peer === undefined ? [] : [...told, peer];
  const arrived = {
    hops,
    path,
    host: headers.get('host') ?? '',
    invoked: !peerIsTold && peer === undefined,
    ...(identity === undefined ? {} : { identity }),
  };
  return { request, connection: arrived, damaged: !isBase64Encoded && text.includes('\ufffd') };
}

/** Escapes the characters that would end the path or query in a URL: the ingress has decoded them. */
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
