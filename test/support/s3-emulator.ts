// As much of Amazon S3 as S3Files and S3LogFiles use, in memory: GetObject, HeadObject, PutObject and DeleteObject by
// path, with the conditions of a PUT, and ListObjectsV2. `npm run test:infra` holds the adapter to an S3 that is not ours.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Timer } from '../../lib/adapters/aws/aws.ts';
import { S3Files } from '../../lib/adapters/aws/s3/files.ts';
import { S3LogFiles } from '../../lib/adapters/aws/s3/log-files.ts';

/** `after`: it has been done, and its answer does not come. */
export type S3Fault =
  | 'lost before'
  | 'lost after'
  | 'internal error'
  | 'internal error after'
  | 'slow down'
  | 'conflicting'
  | 'truncated'
  | 'silent'
  | 'forbidden'
  | 'no bucket'
  | 'key disabled';

type Headers = Readonly<Record<string, string>>;
export type S3Object = { readonly headers: Headers; readonly body: Buffer };
export type S3Call = { readonly method: string; readonly key: string };
type FaultAt = (call: S3Call, at: number) => S3Fault | undefined | Promise<S3Fault | undefined>;

export type S3Emulator = {
  readonly url: string;
  /** What a process needs to keep its files in it. */
  readonly env: Readonly<Record<string, string>>;
  /** @param bucket default: that of `env` */
  files(timer?: Timer, bucket?: string): S3Files;
  logFiles(timer?: Timer, bucket?: string): S3LogFiles;
  /** By bucket and key. */
  readonly objects: Map<string, S3Object>;
  /** Since it was last armed. */
  readonly calls: string[];
  arm(fault?: FaultAt): void;
  stop(): Promise<void>;
};

const refusals: Partial<Record<S3Fault, readonly [number, string]>> = {
  'internal error': [500, 'InternalError'],
  'internal error after': [500, 'InternalError'],
  'slow down': [503, 'SlowDown'],
  conflicting: [409, 'ConditionalRequestConflict'],
  forbidden: [403, 'AccessDenied'],
  'no bucket': [404, 'NoSuchBucket'],
  'key disabled': [400, 'KMS.DisabledException'],
};

const connection = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local', sessionToken: undefined },
  endpoints: { dynamodb: undefined, kms: undefined },
};
const ownBucket = 'scepter-files';
const logBucket = 'scepter-logs';

/** It keeps no process running. */
export async function startS3Emulator(): Promise<S3Emulator> {
  const objects = new Map<string, S3Object>();
  const calls: string[] = [];
  let faultAt: FaultAt = () => undefined;
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const { pathname, searchParams } = new URL(url, 'http://s3');
    const key = pathname.slice(1);
    const prefix = searchParams.get('prefix');
    const body = Buffer.concat(await request.toArray());
    const fault = await faultAt({ method, key }, calls.push(method) - 1);
    const refuse = (status: number, code: string): void => {
      const xml = `<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
      response.writeHead(status).end(method === 'HEAD' ? undefined : xml);
    };
    if (fault === 'silent') return;
    if (fault === 'lost before') return void response.destroy();
    const [status, code] = (fault && refusals[fault]) || [];
    if (status && code && fault !== 'internal error after') return refuse(status, code);
    if (method === 'GET' && prefix !== null) {
      const keys = [...objects.keys()].filter((one) => one.startsWith(key + prefix));
      const contents = keys.map(
        (one) => `<Contents><Key>${one.slice(key.length)}</Key></Contents>`,
      );
      return void response.end(`<ListBucketResult>${contents.join('')}</ListBucketResult>`);
    }
    const found = objects.get(key);
    if (method === 'DELETE') objects.delete(key);
    if (method === 'PUT') {
      const { 'if-match': match, 'if-none-match': none } = headers;
      if (none === '*' && found) return refuse(412, 'PreconditionFailed');
      if (match !== undefined && !found) return refuse(404, 'NoSuchKey');
      if (match !== undefined && found?.headers.etag !== match) {
        return refuse(412, 'PreconditionFailed');
      }
      const kept = Object.entries(headers).filter(([name]) =>
        /^(?:x-amz-meta-.*|content-type|expires|cache-control)$/.test(name),
      );
      const sum = createHash('sha256').update(body).digest('base64');
      const isNamed = headers['x-amz-sdk-checksum-algorithm'] === 'SHA256';
      if (!isNamed || headers['x-amz-checksum-sha256'] !== sum) return refuse(400, 'BadDigest');
      const etag = `"${createHash('md5').update(body).digest('hex')}"`;
      objects.set(key, { body, headers: { ...Object.fromEntries(kept), etag } as Headers });
    }
    if (fault === 'lost after') return void response.destroy();
    if (status && code) return refuse(status, code);
    if (method === 'PUT') return void response.writeHead(200).end();
    if (method === 'DELETE') return void response.writeHead(204).end();
    if (!found) return refuse(404, 'NoSuchKey');
    response.writeHead(200, { ...found.headers, 'content-length': found.body.length });
    if (method === 'HEAD') return void response.end();
    if (fault !== 'truncated') return void response.end(found.body);
    response.write(found.body.subarray(0, found.body.length >> 1), () => response.destroy());
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ objects, calls, url },
    env: { AWS_ENDPOINT_URL_S3: url, SCEPTER_FILES: ownBucket, SCEPTER_LOGS: logBucket },
    files: (timer, bucket = ownBucket) => new S3Files(bucket, { connection, endpoint: url }, timer),
    logFiles: (timer, bucket = logBucket) =>
      new S3LogFiles(bucket, { connection, endpoint: url }, timer),
    arm: (fault = () => undefined) => {
      faultAt = fault;
      calls.length = 0;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
