// A gate before DynamoDB Local, the KMS emulator and moto's S3, which check no permission: it
// recognizes callers by the access keys of their roles, and passes on only calls that the policies of the
// stack allow.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Asked, allowed, type Policy } from './iam.ts';

export type Caller = { readonly arn: string; readonly policies: readonly Policy[] };
export type Key = { readonly id: string; readonly arn: string; readonly policy: Policy };

export type Guarded = {
  /** Access key of whoever made the stack: what he asks for is passed on, and neither judged nor counted. */
  readonly deployer?: string | undefined;
  /** By access key. */
  readonly callers: ReadonlyMap<string, Caller>;
  readonly tableArn: string;
  /** Each by its id where it is kept. */
  readonly keys: ReadonlyMap<string, Key>;
  readonly dynamodb: string;
  readonly kms: string;
  readonly s3: string;
};

export type Gate = {
  readonly url: string;
  /** What was asked for, by `role action resource`. */
  readonly let: Set<string>;
  readonly refused: string[];
  /** What DynamoDB has counted so far, and the requests of S3. */
  readonly units: { read: number; write: number; get: number; put: number };
  /** By access key: whoever is taken out is nobody. */
  readonly callers: Map<string, Caller>;
  stop(): void;
};

/** By what their targets begin with. */
const places = { DynamoDB_20120810: 'dynamodb', TrentService: 'kms' } as const;

/** Of S3, which is asked by method and path. */
const methods: Readonly<Record<string, string>> = {
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  DELETE: 's3:DeleteObject',
};

type Answer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly reply: string | Buffer;
};

/** Those of a request, for whoever is asked in its stead. */
export function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers(request.headers as Record<string, string>);
  for (const name of ['host', 'connection', 'content-length', 'expect']) headers.delete(name);
  return headers;
}

type Request = Pick<Asked, 'action' | 'resource' | 'context'>;

type Keyed = { readonly pk: { readonly S: string } };
type ReadKeys = { readonly Keys: readonly Keyed[] };
type WriteRequest =
  | { readonly PutRequest: { readonly Item: Keyed } }
  | { readonly DeleteRequest: { readonly Key: Keyed } };
/** What is looked at of the JSON of both protocols. */
type Body = {
  readonly RequestItems?: Readonly<Record<string, ReadKeys | readonly WriteRequest[]>>;
  readonly Item?: Keyed;
  readonly Key?: Keyed;
  readonly IndexName?: string;
  readonly ExpressionAttributeValues?: Readonly<Record<string, { readonly S: string }>>;
  readonly TransactItems?: readonly Readonly<
    Partial<Record<'Put' | 'Update' | 'Delete' | 'ConditionCheck', { Item?: Keyed; Key?: Keyed }>>
  >[];
  readonly KeyId?: string;
  readonly MessageType?: string;
  readonly SigningAlgorithm?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
};

const actionOf = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
} as const;

/** Of a batch, keys of what it reads, puts or deletes. */
const keysIn = (asked: ReadKeys | readonly WriteRequest[]): readonly Keyed[] =>
  'Keys' in asked
    ? asked.Keys
    : asked.map((one) => ('PutRequest' in one ? one.PutRequest.Item : one.DeleteRequest.Key));

/** What a call of DynamoDB has to be allowed. */
export function ofDynamoDb(action: string, body: Body, tableArn: string): Request[] {
  const about = (name: string, keys: readonly string[], resource = tableArn): Request => ({
    action: `dynamodb:${name}`,
    resource,
    context: { 'dynamodb:LeadingKeys': keys },
  });
  const pkOf = ({ Item, Key }: { Item?: Keyed; Key?: Keyed }): string => (Item ?? Key)?.pk.S ?? '';
  switch (action) {
    case 'DescribeTable':
      return [about(action, [])];
    case 'BatchGetItem':
    case 'BatchWriteItem':
      return Object.values(body.RequestItems ?? {}).map((asked) =>
        about(
          action,
          keysIn(asked).map(({ pk }) => pk.S),
        ),
      );
    case 'PutItem':
    case 'UpdateItem':
    case 'DeleteItem':
      return [about(action, [pkOf(body)])];
    case 'Query': {
      const place = body.ExpressionAttributeValues?.[':place']?.S ?? '';
      return [about(action, [place], `${tableArn}/index/${body.IndexName}`)];
    }
    case 'TransactWriteItems':
      return (body.TransactItems ?? []).flatMap((item) =>
        Object.entries(item).map(([kind, one]) =>
          about(actionOf[kind as keyof typeof actionOf], [pkOf(one)]),
        ),
      );
    default:
      throw new Error(`nothing of ours calls ${action}`);
  }
}

function ofKms(action: string, body: Body, key: Key): Request {
  const { MessageType, SigningAlgorithm, EncryptionContext = {} } = body;
  const sealed = Object.entries(EncryptionContext).map(([name, value]) => [
    `kms:EncryptionContext:${name}`,
    [value],
  ]);
  return {
    action: `kms:${action}`,
    resource: key.arn,
    context: {
      ...(MessageType ? { 'kms:MessageType': [MessageType] } : {}),
      ...(SigningAlgorithm ? { 'kms:SigningAlgorithm': [SigningAlgorithm] } : {}),
      ...Object.fromEntries(sealed),
    },
  };
}

type Consumed = { readonly CapacityUnits: number };

/** DynamoDB Local counts for nothing what was not found, and transactions twice too often. */
function capacityOf(
  action: string,
  { RequestItems = {} }: Body,
  { ConsumedCapacity = [] }: { ConsumedCapacity?: Consumed | Consumed[] },
): number {
  const said = [ConsumedCapacity].flat().reduce((sum, one) => sum + one.CapacityUnits, 0);
  if (action === 'TransactWriteItems') return said / 2;
  if (action === 'Query') return Math.max(0.5, said);
  const keys = Object.values(RequestItems).flatMap(keysIn);
  return Math.max(keys.length, said);
}

export async function openGate(guarded: Guarded): Promise<Gate> {
  const let_ = new Set<string>();
  const refused: string[] = [];
  const units = { read: 0, write: 0, get: 0, put: 0 };
  const { keys, tableArn } = guarded;
  const callers = new Map(guarded.callers);

  const judge = (caller: Caller, requests: readonly Request[], key?: Key): boolean =>
    requests.every((request) => {
      const line = `${caller.arn} ${request.action} ${request.resource}`;
      const policies = [caller.policies, ...(key ? [[key.policy]] : [])];
      const good = allowed(policies, { ...request, principal: caller.arn });
      if (good) let_.add(line);
      else refused.push(line);
      return good;
    });

  /** The text with the ids that are known there. */
  const renamed = (body: string, there: boolean): string =>
    [...keys].reduce(
      (all, [kept, { id }]) => (there ? all.replaceAll(id, kept) : all.replaceAll(kept, id)),
      body,
    );

  const requestsOf = (service: string, action: string, body: Body, key?: Key): Request[] => {
    if (service === 'DynamoDB_20120810') return ofDynamoDb(action, body, tableArn);
    if (service === 'TrentService' && key) return [ofKms(action, body, key)];
    throw new Error(`${service} ${action}: nothing of the stack`);
  };

  const ofS3 = async (request: IncomingMessage, caller: Caller, body: Buffer): Promise<Answer> => {
    const { method = '', url = '' } = request;
    const resource = `arn:aws:s3::${url.replace(/^\//, ':')}`;
    const denied = { status: 403, reply: '<Error><Code>AccessDenied</Code></Error>' };
    if (!judge(caller, [{ action: methods[method] ?? method, resource, context: {} }])) {
      return denied;
    }
    units[method === 'PUT' ? 'put' : 'get']++;
    const response = await fetch(guarded.s3 + url, {
      ...{ method, headers: headersOf(request) },
      ...(method === 'PUT' ? { body: Uint8Array.from(body) } : {}),
    });
    // Only whoever may list a bucket is told that an object is not there.
    const [bucket = ''] = resource.split('/');
    const list = { action: 's3:ListBucket', resource: bucket, context: {} };
    if (response.status === 404 && !judge(caller, [list])) return denied;
    const headers = Object.fromEntries(response.headers);
    for (const name of ['connection', 'content-encoding', 'transfer-encoding'])
      delete headers[name];
    return { status: response.status, headers, reply: Buffer.from(await response.arrayBuffer()) };
  };

  const passOn = async (
    request: IncomingMessage,
    service: string,
    accessKey: string,
    body: string,
  ) => {
    const headers = headersOf(request);
    // DynamoDB Local has a database for each access key.
    const authorization = request.headers.authorization ?? '';
    headers.set('authorization', authorization.replace(accessKey, 'local'));
    const response = await fetch(guarded[places[service as keyof typeof places]], {
      method: 'POST',
      headers,
      body: renamed(body, true),
    });
    return { status: response.status, reply: renamed(await response.text(), false) };
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const octets = await buffer(request);
    const sent = octets.toString();
    const authorization = request.headers.authorization ?? '';
    const [, accessKey = ''] = /Credential=(\w+)\//.exec(authorization) ?? [];
    const [service = '', action = ''] = String(request.headers['x-amz-target']).split('.');
    if (accessKey === guarded.deployer) return passOn(request, service, accessKey, sent);
    const caller = callers.get(accessKey);
    if (!caller) throw new Error(`nobody has the access key ${accessKey}`);
    if (request.headers['x-amz-target'] === undefined) return ofS3(request, caller, octets);
    const body: Body = JSON.parse(sent);
    const key = [...keys.values()].find(({ id, arn }) => body.KeyId === id || body.KeyId === arn);
    const requests = requestsOf(service, action, body, key);
    if (!judge(caller, requests, key)) {
      const said = { __type: 'AccessDeniedException', message: 'not authorized' };
      return { status: 400, reply: JSON.stringify(said) };
    }
    const counted = service === 'DynamoDB_20120810' && action !== 'DescribeTable';
    const passed = counted ? JSON.stringify({ ...body, ReturnConsumedCapacity: 'TOTAL' }) : sent;
    const { status, reply } = await passOn(request, service, accessKey, passed);
    if (counted) {
      const kind = /^(BatchGet|Query)/.test(action) ? 'read' : 'write';
      units[kind] += capacityOf(action, body, JSON.parse(reply));
    }
    return { status, reply };
  };

  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, headers = { 'content-type': 'application/x-amz-json-1.0' }, reply }) => {
        response.writeHead(status, headers).end(reply);
      },
      (error) => response.destroy(error),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    let: let_,
    refused,
    units,
    callers,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
