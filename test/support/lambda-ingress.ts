// What stands before a Lambda function, as far as it changes anything: HTTP into the event of each
// form, and the function's reply into HTTP, by the rules that AWS documents and clients have met.

import type { LambdaReply } from '../../lib/http/lambda-event.ts';

export const forms = [
  'function-url',
  'http-api',
  'http-api stage',
  'http-api 1.0',
  'rest',
  'rest mapped',
  'alb',
  'alb multi-value',
] as const;
export type Form = (typeof forms)[number];

export type Http = {
  readonly method: string;
  /** Path and query as in the request line. */
  readonly target: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
  /** Whose connection it is. */
  readonly peer?: string;
};

export type HttpReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

const stage = 'prod';
const domainName = 'scep.example.com';
/** All ingresses but a REST API that was told otherwise take these for text. */
const textual = /^(?:text\/|application\/(?:json|javascript|xml)\b)/i;

export function toEvent(form: Form, http: Http): object {
  const { method, target, body = new Uint8Array(0), peer = '198.51.100.7' } = http;
  const [path = '', ...rest] = target.split('?');
  const query = rest.join('?');
  const sent = [...(http.headers ?? []), ['Host', domainName] as const];
  const forwarded = sent.filter(([name]) => /^x-forwarded-for$/i.test(name)).map(([, to]) => to);
  const headers: [string, string][] = sent
    .filter(([name]) => !/^x-forwarded-for$/i.test(name))
    .map(([name, value]) => [form.startsWith('rest') ? name : name.toLowerCase(), value]);
  headers.push(['x-forwarded-for', [...forwarded, peer].join(', ')]);
  const type = sent.find(([name]) => /^content-type$/i.test(name))?.[1] ?? '';
  const isBase64Encoded = body.length > 0 && (form.startsWith('rest') || !textual.test(type));
  const payload = {
    body:
      body.length === 0 ? null : Buffer.from(body).toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
  const one = (entries: readonly (readonly [string, string])[]) => Object.fromEntries(entries);
  const many = (entries: readonly (readonly [string, string])[]) =>
    Object.fromEntries(
      entries.map(([name]) => [
        name,
        entries.filter(([other]) => other === name).map(([, value]) => value),
      ]),
    );
  if (form === 'function-url' || form === 'http-api' || form === 'http-api stage') {
    const byName = many(headers);
    const own = form === 'http-api stage' ? stage : '$default';
    const rawPath = form === 'function-url' ? path : decodeURIComponent(path);
    return {
      version: '2.0',
      routeKey: '$default',
      rawPath: own === stage ? `/${stage}${rawPath}` : rawPath,
      rawQueryString: query,
      headers: Object.fromEntries(Object.entries(byName).map(([k, all]) => [k, all.join(',')])),
      requestContext: {
        accountId: 'anonymous',
        apiId: 'abc123',
        domainName,
        http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: peer, userAgent: '' },
        requestId: '0',
        routeKey: '$default',
        stage: own,
        time: '22/Nov/2026:12:00:00 +0000',
        timeEpoch: 1_795_348_800_000,
      },
      ...(body.length > 0 ? payload : { isBase64Encoded: false }),
    };
  }
  const pairs = (query === '' ? [] : query.split('&')).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [name, value.join('=')];
  });
  if (form.startsWith('alb')) {
    const maps =
      form === 'alb multi-value'
        ? { multiValueHeaders: many(headers), multiValueQueryStringParameters: many(pairs) }
        : { headers: one(headers), queryStringParameters: one(pairs) };
    const requestContext = {
      elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:::targetgroup' },
    };
    return {
      requestContext,
      httpMethod: method,
      path,
      ...maps,
      ...payload,
      body: payload.body ?? '',
    };
  }
  const decoded = pairs.map((pair) => pair.map(formDecoded) as [string, string]);
  const none = decoded.length === 0;
  const plain = form === 'http-api 1.0' ? decodeURIComponent(path) : path;
  return {
    version: '1.0',
    resource: '/{proxy+}',
    path: form === 'http-api 1.0' ? `/${stage}${plain}` : plain,
    httpMethod: method,
    headers: one(headers),
    multiValueHeaders: many(headers),
    queryStringParameters: none ? null : one(decoded),
    multiValueQueryStringParameters: none ? null : many(decoded),
    requestContext: {
      stage,
      path: form === 'rest mapped' ? plain : `/${stage}${plain}`,
      httpMethod: method,
      identity: { sourceIp: peer },
      domainName,
    },
    pathParameters: { proxy: plain.slice(1) },
    stageVariables: null,
    ...payload,
  };
}

const formDecoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));

/** @throws {Error} where the ingress would answer 502 itself */
export function fromReply(form: Form, reply: LambdaReply): HttpReply {
  const many = form === 'alb multi-value';
  const { statusCode, isBase64Encoded, body, multiValueHeaders, headers } = reply;
  const given = many ? multiValueHeaders : (headers ?? multiValueHeaders);
  if (typeof statusCode !== 'number' || typeof body !== 'string' || !given) {
    throw new Error(`malformed reply: ${JSON.stringify(reply).slice(0, 200)}`);
  }
  const octets = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const named = Object.entries(given).map(([name, value]) => [name, [value].flat().join(', ')]);
  return { status: statusCode, headers: Object.fromEntries(named), body: octets };
}
