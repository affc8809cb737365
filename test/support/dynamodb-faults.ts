// Faults below the adapter, in the HTTP between the SDK and DynamoDB Local: requests that are lost on
// the way there, replies that are lost on the way back, and everything that DynamoDB may answer
// instead of doing what it was asked.

import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { newAttempt } from '../../lib/adapters/aws/dynamodb/items.ts';
import { fromUtf8, utf8 } from '../../lib/base/bytes.ts';

/** Status, type and further fields of what DynamoDB says. */
export const refusals = {
  'internal error': [500, 'InternalServerError', {}],
  throttled: [400, 'ThrottlingException', {}],
  'over capacity': [400, 'ProvisionedThroughputExceededException', {}],
  'in progress': [400, 'TransactionInProgressException', {}],
  conflicting: [
    400,
    'TransactionCanceledException',
    { CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }] },
  ],
  'throttled inside': [
    400,
    'TransactionCanceledException',
    { CancellationReasons: [{ Code: 'None' }, { Code: 'ThrottlingError' }] },
  ],
  /** What our own clock brings about when it is an hour late; the SDK learns the time from it. */
  'clock late': [400, 'InvalidSignatureException', {}],
  mismatch: [400, 'IdempotentParameterMismatchException', {}],
  forbidden: [400, 'AccessDeniedException', { message: 'not authorized' }],
} as const;

/** `after`: DynamoDB has done its work, and nobody hears of it. */
export type DynamoFault =
  | keyof typeof refusals
  | 'lost before'
  | 'lost after'
  /** The connection is lost in the middle of the reply. */
  | 'cut after'
  | 'silent before'
  | 'silent after'
  | 'internal error after'
  /** As when ten minutes have passed: the next try is not known to be one. */
  | 'lost after, token forgotten'
  /** A batch that leaves out the second half of what it was asked for, at least one key or item. */
  | 'unprocessed';

/** What may befall which call without any sign of it above the adapter. */
const anyCall: readonly DynamoFault[] = [
  ...([
    'lost before',
    'lost after',
    'cut after',
    'internal error',
    'internal error after',
  ] as const),
  ...(['throttled', 'over capacity', 'clock late'] as const),
];
export const faultsOf = (name: string): readonly DynamoFault[] => [
  ...anyCall,
  ...(/^Batch/.test(name) ? (['unprocessed'] as const) : []),
  ...(name === 'TransactWriteItems'
    ? (['in progress', 'conflicting', 'throttled inside', 'lost after, token forgotten'] as const)
    : []),
];

export type DynamoCall = { readonly name: string; readonly body: Record<string, unknown> };

type Request = { readonly headers: Record<string, string>; body?: unknown };
type Reply = { readonly statusCode: number; readonly headers: object; readonly body: unknown };
type Options = { readonly abortSignal?: AbortSignal };
type Handler = { handle(request: Request, options?: Options): Promise<{ response: Reply }> };

/**
 * Real calls wait for their answer as long as it takes, so that a busy machine adds none.
 * @param fault asked at every call, in the order in which they are made
 */
export function faultyClient(
  fault: (call: DynamoCall) => DynamoFault | undefined | Promise<undefined>,
): DynamoDBClient {
  const real = makeDynamoDbClient().config.requestHandler as unknown as Handler;
  const forgotten = new Set<unknown>();
  const handle: Handler['handle'] = async (request, { abortSignal } = {}) => {
    const name = request.headers['x-amz-target']?.split('.')[1] ?? '';
    const body = JSON.parse(
      request.body instanceof Uint8Array ? fromUtf8(request.body) : String(request.body),
    );
    const pass = () => {
      if (!forgotten.has(body.ClientRequestToken)) return real.handle(request);
      const changed = { ...body, ClientRequestToken: newAttempt() };
      return real.handle({ ...request, body: JSON.stringify(changed) });
    };
    const kind = await fault({ name, body });
    if (kind === undefined) return pass();
    if (kind in refusals) return refused(kind as keyof typeof refusals);
    if (kind === 'unprocessed' && name === 'BatchWriteItem') {
      const { done, left } = halves(body);
      if (done) {
        const headers = { ...request.headers, 'content-length': String(utf8(done).length) };
        await text((await real.handle({ ...request, headers, body: done })).response.body as never);
      }
      return { response: replyOf(200, { UnprocessedItems: left }) };
    }
    if (kind === 'unprocessed') {
      const reply = await text((await pass()).response.body as AsyncIterable<string>);
      return { response: replyOf(200, halved(body, JSON.parse(reply))) };
    }
    if (kind.includes('after')) await text((await pass()).response.body as AsyncIterable<string>);
    if (kind === 'lost after, token forgotten') forgotten.add(body.ClientRequestToken);
    if (kind === 'internal error after') return refused('internal error');
    if (kind === 'cut after')
      return { response: { ...replyOf(200, {}), body: Readable.from(cut()) } };
    if (kind.startsWith('silent')) await aborted(abortSignal);
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  };
  return makeDynamoDbClient({ requestHandler: { handle } as never });
}

function refused(kind: keyof typeof refusals): { response: Reply } {
  const [statusCode, type, fields] = refusals[kind];
  const body = { __type: `com.amazonaws.dynamodb.v20120810#${type}`, ...fields };
  const ahead = kind === 'clock late' ? 60 * 60 * 1000 : 0;
  const date = new Date(Date.now() + ahead).toUTCString();
  return { response: replyOf(statusCode, body, { date }) };
}

const replyOf = (statusCode: number, body: object, headers: object = {}): Reply => ({
  statusCode,
  headers: { 'content-type': 'application/x-amz-json-1.0', ...headers },
  body: utf8(JSON.stringify(body)),
});

type Keyed = { pk: { S: string } };
type ReadBody = { RequestItems: Record<string, { Keys: Keyed[] }> };
type ReadReply = { Responses: Record<string, Keyed[]>; UnprocessedKeys: object };

/** The reply without the second half of what was asked for, which it names as left unread. */
export function halved({ RequestItems }: ReadBody, reply: ReadReply): object {
  const left = Object.entries(RequestItems).map(([table, { Keys, ...rest }]) => {
    const keys = Keys.slice(Math.floor(Keys.length / 2));
    return [table, { Keys: keys, ...rest }] as const;
  });
  const unread = new Set(left.flatMap(([, { Keys }]) => Keys.map(({ pk }) => pk.S)));
  const read = Object.entries(reply.Responses).map(([table, items]) => [
    table,
    items.filter(({ pk }) => !unread.has(pk.S)),
  ]);
  return {
    ...reply,
    Responses: Object.fromEntries(read),
    UnprocessedKeys: Object.fromEntries(left),
  };
}

type WriteBody = { readonly RequestItems: Readonly<Record<string, readonly object[]>> };

/** The first half of what was to be put, as a body of its own unless it is nothing, and the rest. */
function halves({ RequestItems }: WriteBody): { readonly done?: string; readonly left: object } {
  const [[table = '', puts = []] = []] = Object.entries(RequestItems);
  const half = Math.floor(puts.length / 2);
  const left = { [table]: puts.slice(half) };
  const body = { RequestItems: { [table]: puts.slice(0, half) } };
  return half === 0 ? { left } : { done: JSON.stringify(body), left };
}

async function* cut(): AsyncGenerator<Uint8Array> {
  yield utf8('{');
  throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
}

const aborted = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    const abort = (): void =>
      reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
  });
