// Calls an AWS Lambda function that has no URL, with the caller's own AWS credentials: an HTTP request goes
// out as the event that a Function URL would make of it.

import { InvokeCommand, type InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import { repeated, systemTimer, type Timer, told } from './aws.ts';

type FunctionRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};
type FunctionAnswer = {
  readonly status: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
};

type Kind = 'usage' | 'notAllowed' | 'notFound' | 'remote';

/** The function gave no answer; the message is a sentence about it. */
export class FunctionFailure extends Error {
  override readonly name = 'FunctionFailure';
  readonly kind: Kind;
  constructor(kind: Kind, target: string, sentence: string) {
    super(`lambda:${target}: ${sentence}`);
    this.kind = kind;
  }
}

/** The admin function's own limit of time, and the time of a cold start. */
const TIMEOUT_MS = 35_000;
/** A throttled call was not begun, so it may be repeated; not for long, because a person is waiting. */
const THROTTLED_MS = 5_000;

const regionOf = (target: string): string | undefined =>
  /^arn:[^:]+:lambda:([^:]+):/.exec(target)?.[1];

/**
 * @param target a function's name or ARN
 * @throws {FunctionFailure} with a sentence
 */
export async function invokeFunction(
  target: string,
  request: FunctionRequest,
  timer: Timer = systemTimer,
): Promise<FunctionAnswer> {
  const region = regionOf(target);
  const client = new LambdaClient({ maxAttempts: 1, ...(region ? { region } : {}) });
  const deadline = timer.now() + THROTTLED_MS;
  const command = new InvokeCommand({
    FunctionName: target,
    Payload: new TextEncoder().encode(JSON.stringify(eventOf(request))),
  });
  const isThrottled = (error: unknown) => told(error).name === 'TooManyRequestsException';
  try {
    const output = await repeated(timer, deadline, isThrottled, () =>
      client.send(command, { abortSignal: timer.limit(TIMEOUT_MS) }),
    );
    return answerOf(target, output);
  } catch (error) {
    throw failureOf(target, error);
  } finally {
    client.destroy();
  }
}

/** Payload 2.0. The caller connects to AWS, not to an ingress, so the event has no client address. */
function eventOf({ method, path, headers, body }: FunctionRequest): object {
  const [rawPath = '', ...query] = path.split('?');
  return {
    version: '2.0',
    rawPath,
    rawQueryString: query.join('?'),
    headers,
    requestContext: { http: { method } },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  };
}

function answerOf(target: string, { FunctionError, Payload }: InvokeCommandOutput): FunctionAnswer {
  const said = parsed(Payload);
  if (FunctionError !== undefined) {
    const { errorType, errorMessage = 'it does not say why' } = said;
    const why = [errorType, errorMessage].filter((one) => one !== undefined).join(': ');
    throw new FunctionFailure('remote', target, `the function failed, see its log: ${why}`);
  }
  const { statusCode, body, isBase64Encoded, headers } = said;
  if (typeof statusCode !== 'number' || typeof body !== 'string') {
    throw new FunctionFailure(
      'remote',
      target,
      'it answered as no HTTP function does: is it the admin function?',
    );
  }
  const encoding = isBase64Encoded ? 'base64' : 'utf8';
  const text = Buffer.from(body, encoding).toString('utf8');
  const [, retryAfter] =
    Object.entries(Object(headers)).find(([name]) => name.toLowerCase() === 'retry-after') ?? [];
  return {
    status: statusCode,
    text,
    ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
  };
}

function parsed(payload: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(payload)));
  } catch {
    return {};
  }
}

/** Errors of AWS and the SDK, by name, in words for the user of the command. */
function failureOf(target: string, error: unknown): Error {
  if (error instanceof FunctionFailure) return error;
  const { name, message, status, unanswered } = told(error);
  const fail = (kind: Kind, sentence: string) => new FunctionFailure(kind, target, sentence);
  if (message === 'Region is missing') {
    return fail('usage', 'no AWS region: set AWS_REGION, or name the function by its ARN');
  }
  switch (name) {
    case 'CredentialsProviderError':
      return fail('notAllowed', `no AWS credentials: log in, or set AWS_PROFILE (${message})`);
    case 'AccessDeniedException':
      return fail('notAllowed', `these AWS credentials may not invoke it: ${message}`);
    // Names without "Exception" come from STS, when the AWS profile assumes a role.
    case 'AccessDenied':
      return fail('notAllowed', `the role of the AWS profile cannot be taken: ${message}`);
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidClientTokenId':
    case 'InvalidSignatureException':
    case 'SignatureDoesNotMatch':
    case 'UnrecognizedClientException':
      return fail('notAllowed', `AWS does not accept these credentials: ${message}`);
    case 'ResourceNotFoundException':
      return fail('notFound', `there is no such function in this account and region: ${message}`);
    case 'TooManyRequestsException':
      return fail('remote', `as much of it runs as may, ask again in a moment: ${message}`);
    case 'AbortError':
    case 'TimeoutError':
      return fail('remote', `it did not answer within ${TIMEOUT_MS / 1000} s`);
    default:
      return fail(
        'remote',
        status === undefined && unanswered
          ? `AWS Lambda did not answer: ${message || name}`
          : `${name}: ${message}`,
      );
  }
}
