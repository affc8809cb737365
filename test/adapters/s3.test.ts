// The configuration as an object of S3, by our own reading of it over HTTP: how it asks, what it believes, and its
// sentences when the object does not come or is another.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { readNamedObject, targetOf } from '../../lib/adapters/aws/s3/s3.ts';
import { MAX_CONFIG_OCTETS } from '../../lib/base/limits.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const credentials = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'c2VjcmV0/+',
  sessionToken: 't0',
};
const connection = {
  region: 'eu-central-1',
  credentials,
  endpoints: { dynamodb: undefined, kms: undefined },
};
const document = '{"publicUrl":"https://scep.example","cas":{}}';
const key = `config/${sha256(document)}.json`;

let answer: (request: IncomingMessage, response: ServerResponse) => void;
const asked: IncomingMessage[] = [];
const server = createServer((request, response) => {
  asked.push(request);
  answer(request, response);
});
before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** What it comes to with those answers, one after the other, and how often it asked. */
async function reading(name: string, ...answers: (typeof answer)[]) {
  asked.length = 0;
  answer = (request, response) => {
    const next = answers[Math.min(asked.length, answers.length) - 1];
    next?.(request, response);
  };
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const read = readNamedObject(name, { connection, endpoint });
  const text = await read.catch((error: Error) => error.message);
  return { text, times: asked.length };
}

const gives = (status: number, body: string) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body);
};
const fault = (code: string, message: string): string =>
  `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;

/** As S3 computes it: what was signed is what was asked. */
function signatureOf({ method, url, headers }: IncomingMessage): string {
  const [, date = '', region = '', names = ''] =
    /Credential=\w+\/(\d{8})\/([\w-]+)\/s3\/aws4_request, SignedHeaders=([\w;-]+), /.exec(
      headers.authorization ?? '',
    ) ?? [];
  const lines = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const payload = headers['x-amz-content-sha256'];
  const canonical = [method, url, '', lines.join(''), names, payload].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const keyed = [date, region, 's3', 'aws4_request'].reduce<Buffer | string>(
    (one, part) => createHmac('sha256', one).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  return createHmac('sha256', keyed).update(text).digest('hex');
}

test('the object is asked for by one signed request, and is what its name says', async () => {
  assert.deepEqual(await reading(`bucket-1/${key}`, gives(200, document)), {
    text: document,
    times: 1,
  });
  const [request = assert.fail()] = asked;
  assert.deepEqual([request.method, request.url], ['GET', `/bucket-1/${key}`]);
  const { authorization = '' } = request.headers;
  assert.match(authorization, /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\//);
  assert.match(authorization, /SignedHeaders=[\w;-]*host[\w;-]*x-amz-security-token/);
  assert.equal(request.headers['x-amz-content-sha256'], sha256(''));
  assert.ok(authorization.endsWith(`Signature=${signatureOf(request)}`), authorization);
});

test('a name without a folder or without .json will do', async () => {
  for (const name of [sha256(document), `${sha256(document)}.json`, `a/b/${sha256(document)}`]) {
    assert.equal((await reading(`bucket-1/${name}`, gives(200, document))).text, document);
  }
});

test('other octets than the name says are refused', async () => {
  const other = document.replace('https:', 'http:');
  assert.deepEqual(await reading(`bucket-1/${key}`, gives(200, other)), {
    text: `the object "${key}" of the bucket "bucket-1" has other octets than its name says (their SHA-256 is ${sha256(other)}): somebody has written over it; delete it, and deploy again`,
    times: 1,
  });
});

test('a name without a SHA-256 is refused, and nothing is asked', async () => {
  const upper = sha256(document).toUpperCase();
  const short = sha256(document).slice(1);
  const cases = ['', 'bucket-1', 'bucket-1/', `bucket-1/${short}.json`, `bucket-1/${upper}`];
  for (const name of [...cases, 'bucket-1/my.json', `${key}`, `b.1/${key}`, `bucket-1/${key}x`]) {
    // A folder is a good name of a bucket, too, where the rest is right.
    if (name === key) continue;
    const { text, times } = await reading(name, gives(200, document));
    assert.equal(times, 0, name);
    assert.match(text, /^"s3:.*" must be s3:BUCKET\/KEY, and the last part of KEY the SHA-256 of/);
  }
});

test('what S3 refuses is said in its words and with what to do, and not asked again', async () => {
  const cases = [
    [403, 'AccessDenied', 'Access Denied', / \(it is not there, or the policy of this role does/],
    [404, 'NoSuchBucket', 'no', / \(it was deleted, or is in another region\)$/],
    [403, 'InvalidAccessKeyId', 'The key does not exist', /exist$/],
  ] as const;
  for (const [status, code, message, advice] of cases) {
    const { text, times } = await reading(`b-1/${key}`, gives(status, fault(code, message)));
    assert.ok(
      text.startsWith(`the object "${key}" of the bucket "b-1": ${code}: ${message}`),
      text,
    );
    assert.match(text, advice);
    assert.equal(times, 1);
  }
  assert.match((await reading(`b-1/${key}`, gives(404, 'gone'))).text, /: HTTP 404$/);
});

test('what passes is asked again', async () => {
  const slow = gives(503, fault('SlowDown', 'Please reduce your request rate.'));
  const lost = (request: IncomingMessage) => request.destroy();
  const half = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': document.length });
    response.write(document.slice(0, 9), () => response.destroy());
  };
  const { text, times } = await reading(`b-1/${key}`, slow, lost, half, gives(200, document));
  assert.deepEqual({ text, times }, { text: document, times: 4 });
});

test('an object that is no configuration is not read to its end', async () => {
  const length = MAX_CONFIG_OCTETS + 1;
  const huge = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': length }).write('{');
  };
  const { text, times } = await reading(`b-1/${key}`, huge);
  assert.match(text, /: TooLong: it has more than 131072 octets$/);
  assert.equal(times, 1);
});

test('a bucket is at its own name, in the domain of its partition', () => {
  const hosts = [
    ['eu-central-1', 'b-1.s3.eu-central-1.amazonaws.com'],
    ['us-gov-west-1', 'b-1.s3.us-gov-west-1.amazonaws.com'],
    ['cn-north-1', 'b-1.s3.cn-north-1.amazonaws.com.cn'],
    ['eusc-de-east-1', 'b-1.s3.eusc-de-east-1.amazonaws.eu'],
  ] as const;
  for (const [Region, hostname] of hosts) {
    const client = new DynamoDBClient({ region: Region });
    const { url } = client.config.endpointProvider({ Region });
    const target = targetOf({ bucket: 'b-1', key: 'k' }, url);
    const { protocol, path, headers } = target;
    assert.deepEqual(
      { protocol, path, hostname: target.hostname, headers },
      { protocol: 'https:', path: '/k', hostname, headers: { host: hostname } },
    );
    client.destroy();
  }
});
