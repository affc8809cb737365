// What comes before the service in a Worker: settings and secrets that are missing or wrong, plain http,
// and what several requests wait for that one of them has begun.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { build } from 'esbuild';
import { root } from '../support/installed.ts';
import { freePort, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';
import { startWorkerd, type Workerd } from '../support/workerd.ts';
import { adminToken, workerWorld } from './world.ts';

/** As somebody asks it under a name of its own; `proto` is what Cloudflare was asked over. */
const asked = ({ url }: Workerd, path: string, host: string, proto: 'http' | 'https') =>
  new Promise<number>((resolve, reject) => {
    const headers = { host, 'x-forwarded-proto': proto, authorization: `Bearer ${adminToken}` };
    request(`${url}${path}`, { headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    })
      .once('error', reject)
      .end();
  });

describe('a failed start is a 503 with a sentence in the log, and the next request starts anew', () => {
  const unreachable = freePort().then((port) => `http://127.0.0.1:${port}`);
  const cases: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ['no region', { AWS_REGION: '' }, /^AWS_REGION must be set$/],
    ['no such region', { AWS_REGION: 'Frankfurt' }, /^AWS_REGION must be a region, such as/],
    ['another region', { AWS_REGION: 'eu-west-1' }, /does not exist in eu-west-1 for these cred/],
    [
      'no access key',
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
      /^AWS_ACCESS_KEY_ID must be set\nAWS_SECRET_ACCESS_KEY must be set$/,
    ],
    ['a secret with a line end', { AWS_SECRET_ACCESS_KEY: 'a\nb' }, /must be a secret without sp/],
    ['no table', { SCEPTER_TABLE: '' }, /^SCEPTER_TABLE must be set$/],
    ['no sealing key', { SCEPTER_SEALING_KEY: '' }, /^SCEPTER_SEALING_KEY must be set$/],
    ['no logs', { SCEPTER_LOGS: '' }, /^SCEPTER_LOGS must be set: the S3 bucket that has the logs/],
    [
      'no key of them',
      { SCEPTER_LOG_KEY: '' },
      /^SCEPTER_LOG_KEY must be set: the ARN of the ECC_/,
    ],
    ['no deployment', { SCEPTER_DEPLOYMENT: '' }, /^SCEPTER_DEPLOYMENT must be set$/],
    ['no configuration', { SCEPTER_CONFIG: '' }, /^SCEPTER_CONFIG must be set$/],
    ['half a configuration', { SCEPTER_CONFIG: '{"cas"' }, /^SCEPTER_CONFIG is not JSON: /],
    ['a wrong one', { SCEPTER_CONFIG: '{"cas": 1}' }, /^cas: must be an object$/m],
    ['a file', { SCEPTER_CONFIG: 'my.json' }, /^SCEPTER_CONFIG cannot be read: /],
    [
      'a short token',
      { SCEPTER_ADMIN_TOKEN: 'short' },
      /^SCEPTER_ADMIN_TOKEN must have at least 32/,
    ],
    [
      'a token that no header can have',
      { SCEPTER_ADMIN_TOKEN: 'a'.repeat(257) },
      /letters, digits and signs, and no more than 256$/,
    ],
  ];
  const atOnce = async (more: Record<string, string>, said: RegExp): Promise<void> => {
    const { isolate } = await world;
    const one = await isolate(more);
    for (const path of ['/healthz', '/scep?operation=GetCACaps', '/api/v1/status']) {
      const response = await fetch(`${one.url}${path}`);
      assert.equal(response.status, 503);
      assert.equal(response.headers.get('retry-after'), '30');
      assert.equal(await response.text(), 'service unavailable, try again later\n');
    }
    const sentences = one.logged('start.failed').map(({ detail }) => String(detail));
    assert.equal(sentences.length, 3);
    for (const sentence of sentences) assert.match(sentence, said);
  };
  const world = workerWorld();
  for (const [name, more, said] of cases) test(name, () => atOnce(more, said));

  test('a start fails when AWS cannot be reached', async () => {
    const said = /^the DynamoDB table ".*" cannot be reached in eu-central-1: /;
    await atOnce({ AWS_ENDPOINT_URL_DYNAMODB: await unreachable }, said);
  });

  test('a start fails when the object with the configuration does not come', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const { isolate } = await world;
    const AWS_ENDPOINT_URL_S3 = `http://127.0.0.1:${port}`;
    const SCEPTER_CONFIG = `s3:bucket/config/${'0'.repeat(64)}.json`;
    const one = await isolate({ SCEPTER_CONFIG, AWS_ENDPOINT_URL_S3 }, { hurried: true });
    try {
      assert.equal((await fetch(`${one.url}/healthz`)).status, 503);
      const [{ detail } = {}] = one.logged('start.failed');
      assert.match(
        String(detail),
        /^SCEPTER_CONFIG cannot be read: the object "config\/0+\.json" of the bucket "bucket": TimeoutError/,
      );
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  test('a missing sealing key is an outage of SCEP, and the log has the refusal of KMS', async () => {
    const { isolate } = await world;
    const one = await isolate({ SCEPTER_SEALING_KEY: 'alias/nothing' });
    assert.equal((await fetch(`${one.url}/scep?operation=GetCACert`)).status, 503);
    const [outage] = one.logged('http.outage');
    assert.match(String(outage?.detail), /^KMS Decrypt .* NotFoundException/);
  });

  test('a start fails without the rate limit binding', async () => {
    const { env } = await world;
    const one = await startWorkerd(process.env.SCEPTER_TEST_BUNDLE ?? '', env, { floods: 'none' });
    try {
      assert.equal((await fetch(`${one.url}/healthz`)).status, 503);
      const [{ detail } = {}] = one.logged('start.failed');
      assert.equal(detail, 'the binding FLOODS is missing in wrangler.jsonc');
    } finally {
      await one.stop();
    }
  });

  test('the next request succeeds once the cause is gone', async () => {
    const { isolate, arm, calls } = await world;
    const one = await isolate();
    arm(() => ({ dynamodb: 'forbidden' }));
    assert.equal((await fetch(`${one.url}/readyz`)).status, 503);
    assert.match(String(one.logged('start.failed')[0]?.detail), /may not be used with these AWS/);
    arm();
    assert.equal((await fetch(`${one.url}/readyz`)).status, 200);
    assert.ok(calls.length > 0);
  });
});

test('the log has the client address that Cloudflare gives', async () => {
  const one = await (await workerWorld()).isolate();
  const headers = { 'cf-connecting-ip': '192.0.2.7', 'x-forwarded-for': '203.0.113.9' };
  assert.equal((await fetch(`${one.url}/scep/nobody`, { headers })).status, 404);
  assert.equal(one.logged('http.refused')[0]?.client, '192.0.2.7');
});

test('an invalid URL is answered 503 by the Worker itself', async () => {
  const { isolate } = await workerWorld();
  const one = await isolate();
  assert.equal(await asked(one, '/scep?operation=GetCACaps', 'a b', 'https'), 503);
  assert.equal(one.logged('http.outage').length, 1);
});

test('a request of a flood begins no start, because each failed start asks AWS anew', async () => {
  const { env, calls, arm } = await workerWorld();
  const bundle = process.env.SCEPTER_TEST_BUNDLE ?? '';
  const one = await startWorkerd(bundle, env, { floods: 'keep out' });
  arm(() => ({ dynamodb: 'forbidden' }));
  try {
    assert.equal((await fetch(`${one.url}/scep?operation=GetCACaps`)).status, 429);
    assert.deepEqual(calls, []);
    assert.deepEqual(one.logged('start.failed'), []);
  } finally {
    await one.stop();
  }
});

test('requests come in while the counter fails', async () => {
  const { env } = await workerWorld();
  const one = await startWorkerd(process.env.SCEPTER_TEST_BUNDLE ?? '', env, { floods: 'broken' });
  try {
    assert.equal((await fetch(`${one.url}/healthz`)).status, 200);
    assert.equal(one.logged('http.uncounted').length, 1);
  } finally {
    await one.stop();
  }
});

test('plain http is refused, or answered for SCEP, CRLs and CA certificates where the setting says so', async () => {
  const { isolate } = await workerWorld();
  // As wrangler.jsonc has it, and as it says.
  const strict = await isolate({ SCEPTER_PLAIN_HTTP: '0' });
  const open = await isolate({ SCEPTER_PLAIN_HTTP: '1' });
  const host = 'scep.example.com';
  const rows = [
    ['/scep?operation=GetCACaps', 403, 200],
    ['/SCEP/DEFAULT/pkiclient.exe?operation=GetCACaps', 403, 200],
    ['/cgi-bin/pkiclient.exe?operation=GetCACaps', 403, 200],
    ['/crl/default.crl', 403, 200],
    ['/aia/default.cer', 403, 200],
    ['//scep//pkiclient.exe?operation=GetCACaps', 403, 200],
    ['/scep??operation=GetCACaps', 403, 200],
    ['/scep/%2e%2e%2fapi/v1/status', 403, 400],
    ['/scep/../api/v1/status', 403, 403],
    ['/healthz', 403, 200],
    ['/readyz', 403, 200],
    ['/api/v1/challenges', 403, 403],
    ['/API/v1/challenges', 403, 403],
    ['//api/v1/challenges', 403, 403],
    ['/scepter', 403, 403],
    ['/certsrv/mscep/mscep.dll?operation=GetCACaps', 403, 200],
    ['/certsrv/mscep_admin/', 403, 403],
    ['/openapi.json', 403, 403],
  ] as const;
  for (const [path, strictly, openly] of rows) {
    assert.equal(await asked(strict, path, host, 'http'), strictly, `strict ${path}`);
    assert.equal(await asked(open, path, host, 'http'), openly, `open ${path}`);
    assert.notEqual(await asked(strict, path, host, 'https'), 403, `https ${path}`);
  }
  // An authority that a URL reads otherwise than the router.
  assert.equal(await asked(open, '/api/v1/challenges', `${host}\\x`, 'http'), 403);
  // The configuration's publicUrl is such a one.
  assert.equal(strict.logged('start.plainUrl').length, 1);
  assert.deepEqual(open.logged('start.plainUrl'), []);
});

test('a path with dot segments is resolved by Cloudflare or a 400; adminHost is the Host of the URL', async () => {
  const { isolate, env } = await workerWorld();
  const config = { ...JSON.parse(env.SCEPTER_CONFIG), adminHost: 'admin.example.com' };
  const one = await isolate({ SCEPTER_CONFIG: JSON.stringify(config) });
  const rows = [
    ['/api/v1/status', 'admin.example.com', 200],
    ['/openapi.json', 'admin.example.com', 200],
    ['/api/v1/status', 'scep.example.com', 404],
    ['/openapi.json', 'scep.example.com', 404],
    ['/scep/../api/v1/status', 'scep.example.com', 404],
    ['/scep/%2e%2e/api/v1/status', 'scep.example.com', 404],
    ['/scep/%2e%2e%2fapi/v1/status', 'scep.example.com', 400],
    ['/scep/%252e%252e/api/v1/status', 'admin.example.com', 400],
    ['/scep?operation=GetCACaps', 'scep.example.com', 200],
  ] as const;
  for (const [path, host, status] of rows) {
    assert.equal(await asked(one, path, host, 'https'), status, `${host}${path}`);
  }
});

/**
 * A Worker of our `SingleFlight` alone: `/begin` begins what takes an hour, and leaves when three others
 * wait for it; whoever makes it after that has it at once. `/begun` tells how often it was begun.
 */
const flights = `
  import { SingleFlight } from './lib/base/single-flight.ts';
  const flight = new SingleFlight();
  let made = 0;
  let waiting = 0;
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const make = async () => {
    const number = ++made;
    await sleep(number === 1 ? 3_600_000 : 100);
    return number;
  };
  export default {
    async fetch({ url }) {
      if (url.endsWith('/begun')) return new Response(String(made));
      const asked = flight.get('one', make);
      if (!url.endsWith('/begin')) {
        waiting++;
        return new Response(String(await asked));
      }
      asked.catch(() => undefined);
      while (waiting < 3) await sleep(10);
      return new Response('left');
    },
  };
`;

test('a request that waits for the work of another gets it in workerd, also when the other one leaves', async () => {
  const path = join(temporary('flights'), 'worker.js');
  await build({
    stdin: { contents: flights, resolveDir: root, loader: 'ts' },
    ...{ bundle: true, format: 'esm', outfile: path, logLevel: 'warning' },
  });
  const one = await startWorkerd(path, {});
  try {
    const get = async (name: string) => (await fetch(`${one.url}/${name}`)).text();
    const left = get('begin');
    await answered(async () => assert.equal(await get('begun'), '1'));
    const waiting = Promise.all([get('a'), get('b'), get('c')]);
    assert.equal(await left, 'left');
    // The second one that was made: the first was given up with its request.
    assert.deepEqual(await waiting, ['2', '2', '2']);
    assert.equal(await get('later'), '2');
  } finally {
    await one.stop();
  }
});
