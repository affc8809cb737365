// AWS Lambda's Invoke as its callers meet it: functions of this machine by their names and ARNs, for
// whose access keys may invoke them; refusals and errors in AWS's own words.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { LambdaFunction } from './lambda-runtime.ts';

type Env = Readonly<Record<string, string>>;
type Reply = { readonly status: number; readonly headers?: Env; readonly body: string };

export type LambdaService = {
  /** Where it is, for whoever may invoke, and for somebody who may not. */
  readonly env: Env;
  readonly stranger: Env;
  /** ARN of a function of that name. */
  arnOf(name: string): string;
  /** How many of the next calls are throttled. */
  throttle(calls: number): void;
  /** Calls so far: the access key, and what was invoked. */
  readonly calls: string[];
  stop(): void;
};

const refusal = (status: number, type: string, message: string): Reply => ({
  status,
  headers: { 'x-amzn-errortype': type },
  body: JSON.stringify({ Type: 'User', message, Message: message }),
});

const me = 'AKIAOPERATOR';
const stranger = 'AKIASTRANGER';

export async function startLambdaService(
  functions: Readonly<Record<string, Pick<LambdaFunction, 'invoke'>>>,
  { region = 'eu-central-1', account = '111122223333' } = {},
): Promise<LambdaService> {
  const calls: string[] = [];
  let throttled = 0;
  const arnOf = (name: string): string => `arn:aws:lambda:${region}:${account}:function:${name}`;

  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const sent = await text(request);
    const [, target = ''] =
      /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? '') ?? [];
    const { authorization = '' } = request.headers;
    const [, key = '', where = ''] =
      /Credential=(\w+)\/\d{8}\/([\w-]+)\/lambda\/aws4_request/.exec(authorization) ?? [];
    const [name = ''] = /[\w-]+$/.exec(decodeURIComponent(target)) ?? [];
    const arn = arnOf(name);
    calls.push(`${key} ${decodeURIComponent(target)}`);
    if (key !== me && key !== stranger) {
      const message = 'The security token included in the request is invalid.';
      return refusal(403, 'UnrecognizedClientException', message);
    }
    if (key === stranger) {
      const who = `arn:aws:iam::${account}:user/stranger`;
      const message = `User: ${who} is not authorized to perform: lambda:InvokeFunction on resource: ${arn} because no identity-based policy allows the lambda:InvokeFunction action`;
      return refusal(403, 'AccessDeniedException', message);
    }
    const found = where === region ? functions[name] : undefined;
    if (!found) return refusal(404, 'ResourceNotFoundException', `Function not found: ${arn}`);
    if (throttled > 0) {
      throttled -= 1;
      return refusal(429, 'TooManyRequestsException', 'Rate Exceeded.');
    }
    try {
      return { status: 200, body: JSON.stringify((await found.invoke(JSON.parse(sent))) ?? null) };
    } catch (error) {
      const [errorType, ...errorMessage] = (error as Error).message.split(': ');
      const headers = { 'x-amz-function-error': 'Unhandled' };
      const body = JSON.stringify({ errorType, errorMessage: errorMessage.join(': '), trace: [] });
      return { status: 200, headers, body };
    }
  };

  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      (error) => response.destroy(error),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const env = (key: string): Env => ({
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: key,
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: region,
  });
  return {
    env: env(me),
    stranger: env(stranger),
    arnOf,
    throttle: (count) => {
      throttled = count;
    },
    calls,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
