// What stands before the service at Cloudflare.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readAwsSettings } from '../../functions/env.ts';
import { awsConnection } from '../../functions/worker/connection.ts';
import { cached, connectionFrom, refusal, warnOfPlainUrl } from '../../functions/worker/edge.ts';
import worker from '../../functions/worker.ts';
import { clientConfig } from '../../lib/adapters/aws/aws.ts';
import { subscriber } from '../../lib/http/client.ts';
import type { LogEntry } from '../../lib/ports/log.ts';

const from = (headers: Readonly<Record<string, string>>, url = 'https://scep.test/scep') =>
  new Request(url, { headers });

test('the client address is the one that Cloudflare gives, whatever the client says', () => {
  const cases: readonly (readonly [Record<string, string>, readonly string[]])[] = [
    [{}, []],
    [{ 'cf-connecting-ip': '192.0.2.1' }, ['192.0.2.1']],
    [{ 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '192.0.2.1' }, ['192.0.2.1']],
    [
      { 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '203.0.113.9, 192.0.2.1' },
      ['203.0.113.9', '192.0.2.1'],
    ],
    [
      { 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '203.0.113.9' },
      ['203.0.113.9', '192.0.2.1'],
    ],
  ];
  for (const [headers, hops] of cases) assert.deepEqual(connectionFrom(from(headers)).hops, hops);
});

test('a flood is counted by address, of IPv6 by the network of 64 bits', () => {
  const cases = {
    '192.0.2.1': '192.0.2.1',
    '': '',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2',
    '2001:db8:1:2::6': '2001:db8:1:2',
    '2001:db8::6': '2001:db8:0:0',
    '2001:db8::': '2001:db8:0:0',
    '::1': '0:0:0:0',
    '::': '0:0:0:0',
    '2001:db8:0:2::1:2:3': '2001:db8:0:2',
    '2001:0DB8:0:2:0::1%eth0': '2001:db8:0:2',
    '[2001:db8::1]:443': '2001:db8:0:0',
    '::ffff:192.0.2.1': '192.0.2.1',
    'not an address': '',
  };
  for (const [address, key] of Object.entries(cases)) assert.equal(subscriber(address), key);
});

describe('requests that come in', () => {
  const asked: string[] = [];
  const floods = {
    limit: async ({ key }: { key: string }) => {
      asked.push(key);
      return { success: !key.startsWith('198.51.100.') };
    },
  };
  const log: LogEntry[] = [];
  const guard = { floods, plainHttp: false, log: (entry: LogEntry) => void log.push(entry) };

  test('a flood is answered 429', async () => {
    assert.equal(await refusal(from({ 'cf-connecting-ip': '192.0.2.7' }), guard), undefined);
    const refused = await refusal(from({ 'cf-connecting-ip': '198.51.100.1' }), guard);
    assert.equal(refused?.status, 429);
    assert.equal(refused?.headers.get('retry-after'), '60', 'the longest window of the limit');
    assert.deepEqual(asked, ['192.0.2.7', '198.51.100.1']);
  });

  test('plain http is refused without being counted, except from this machine', async () => {
    asked.length = 0;
    for (const host of ['scep.test', '127.0.0.1.example.com', 'localhost.example.com']) {
      assert.equal((await refusal(from({}, `http://${host}/scep`), guard))?.status, 403);
    }
    assert.deepEqual(asked, []);
    for (const host of ['127.0.0.1:8787', 'localhost', '[::1]:8787']) {
      assert.equal(await refusal(from({}, `http://${host}/api/v1/status`), guard), undefined);
    }
  });

  test('every request comes in while the counter fails', async () => {
    const broken = { limit: () => Promise.reject(new Error('away')) };
    assert.equal(await refusal(from({}), { ...guard, floods: broken }), undefined);
    assert.deepEqual(log, [
      { event: 'http.uncounted', severity: 'warning', detail: 'Error: away' },
    ]);
  });
});

test('certificates that point to plain http are warned of, where nothing answers it', () => {
  const cases: readonly (readonly [string, boolean, number])[] = [
    ['http://scep.example.com', false, 1],
    ['http://scep.example.com', true, 0],
    ['https://scep.example.com', false, 0],
    ['http://127.0.0.1:8787', false, 0],
  ];
  for (const [publicUrl, plainHttp, warnings] of cases) {
    const log: LogEntry[] = [];
    warnOfPlainUrl({ publicUrl }, plainHttp, (entry) => void log.push(entry));
    assert.equal(log.length, warnings, publicUrl);
  }
});

describe('the cache', () => {
  type Kept = Map<string, Response>;
  let lastHeld = 0;
  const cacheOf = (kept: Kept) => ({
    match: async ({ url }: Request) => kept.get(url)?.clone(),
    put: async ({ url }: Request, response: Response) => void kept.set(url, response),
  });
  const ask = async (kept: Kept, url: string, status = 200, method = 'GET'): Promise<boolean> => {
    const held: Promise<void>[] = [];
    let asked = false;
    const hold = (work: Promise<void>) => void held.push(work);
    await cached(new Request(url, { method }), cacheOf(kept), hold, () => {
      asked = true;
      return new Response('octets', { status });
    });
    lastHeld = held.length;
    await Promise.all(held);
    return asked;
  };

  test('the cache keeps CRLs and certificates of CAs, by their path alone', async () => {
    const kept: Kept = new Map();
    assert.ok(await ask(kept, 'https://scep.test/crl/default.crl?a'));
    assert.equal(lastHeld, 1, 'what is not held may end with the answer');
    assert.ok(!(await ask(kept, 'https://scep.test/crl/default.crl?b')));
    assert.ok(await ask(kept, 'https://scep.test/aia/default.cer'));
    assert.ok(!(await ask(kept, 'https://scep.test/aia/default.cer')));
    assert.ok(await ask(kept, 'http://scep.test/aia/default.cer'), 'of another origin');
  });

  test('the cache keeps nothing else, no failure, and nothing of another method', async () => {
    const kept: Kept = new Map();
    for (const path of ['/scep?operation=GetCACert', '/api/v1/cas', '/readyz', '/x/crl/a.crl']) {
      assert.ok(await ask(kept, `https://scep.test${path}`));
    }
    assert.ok(await ask(kept, 'https://scep.test/crl/default.crl', 503));
    assert.ok(await ask(kept, 'https://scep.test/crl/default.crl', 200, 'HEAD'));
    assert.equal(kept.size, 0);
  });

  test('conditional requests are answered from the cache, which keeps the file itself unconditionally', async () => {
    const headers = { 'if-none-match': '"1"', 'if-modified-since': 'now', range: 'bytes=0-9' };
    const seen: (readonly [string, Record<string, string>])[] = [];
    const note = (what: string, { headers: sent }: Request) =>
      void seen.push([what, Object.fromEntries(sent)]);
    const held: Promise<void>[] = [];
    await cached(
      new Request('https://scep.test/crl/default.crl', { headers }),
      { match: async (request) => note('match', request), put: async (file) => note('put', file) },
      (work) => void held.push(work),
      () => new Response('octets'),
    );
    await Promise.all(held);
    const { range: _, ...conditions } = headers;
    assert.deepEqual(seen, [
      ['match', conditions],
      ['put', {}],
    ]);
  });

  test('a cache that fails does not prevent the answer', async () => {
    const away = () => Promise.reject(new Error('away'));
    const held: Promise<void>[] = [];
    const response = await cached(
      new Request('https://scep.test/crl/default.crl'),
      { match: away, put: away },
      (work) => void held.push(work),
      () => new Response('octets'),
    );
    await Promise.all(held);
    assert.equal(await response.text(), 'octets');
  });
});

test('an answer is held until it has ended, though the device may be gone', async () => {
  const held: Promise<unknown>[] = [];
  const answered = worker.fetch(from({}), {}, { waitUntil: (work) => void held.push(work) });
  assert.deepEqual(held, [answered]);
  assert.equal((await answered).status, 503);
});

test('a Worker is told where AWS is and who it is; the rest has defaults', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'c2VjcmV0/+' };
  const own = { AWS_REGION: 'us-gov-west-1', ...keys };
  assert.deepEqual(readAwsSettings(own), {
    region: 'us-gov-west-1',
    credentials: {
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: 'c2VjcmV0/+',
      sessionToken: undefined,
    },
    endpoints: { dynamodb: undefined, kms: undefined },
  });
  // Of AWS, AWS GovCloud, China, the European Sovereign Cloud.
  for (const region of ['ap-southeast-7', 'us-gov-east-1', 'cn-northwest-1', 'eusc-de-east-1']) {
    assert.equal(readAwsSettings({ ...keys, AWS_REGION: region }).region, region);
  }
  const temporary = readAwsSettings({ ...own, AWS_SESSION_TOKEN: 'c2Vzc2lvbg==' });
  assert.deepEqual(
    clientConfig(
      'kms',
      awsConnection(temporary, () => {}),
    ),
    {
      region: own.AWS_REGION,
      credentials: {
        accessKeyId: 'AKIAEXAMPLE',
        secretAccessKey: 'c2VjcmV0/+',
        sessionToken: 'c2Vzc2lvbg==',
      },
    },
  );
  assert.throws(() => readAwsSettings({ ...keys, AWS_REGION: 'eu-central-1 ' }), {
    name: 'ConfigError',
    message: 'AWS_REGION must be a region, such as eu-central-1',
  });
  const missing = Object.keys(own).map((name) => `${name} must be set`);
  assert.throws(() => readAwsSettings({}), { message: missing.join('\n') });
});

test('a Worker with a role for IAM Roles Anywhere wants all that it takes, and no access key', () => {
  const of = (kind: string) => `arn:aws:rolesanywhere:eu-central-1:111122223333:${kind}/1`;
  const own = {
    AWS_REGION: 'eu-central-1',
    ROLES_ANYWHERE_ROLE: 'arn:aws:iam::111122223333:role/worker',
    ROLES_ANYWHERE_PROFILE: of('profile'),
    ROLES_ANYWHERE_TRUST_ANCHOR: of('trust-anchor'),
    ROLES_ANYWHERE_CERTIFICATE: '-----BEGIN CERTIFICATE-----',
    ROLES_ANYWHERE_KEY: '-----BEGIN PRIVATE KEY-----',
  };
  const settings = readAwsSettings(own);
  assert.ok('rolesAnywhere' in settings);
  assert.equal(settings.rolesAnywhere.trustAnchor, of('trust-anchor'));
  const { credentials } = awsConnection(settings, () => {});
  assert.equal(typeof credentials, 'function');
  const { ROLES_ANYWHERE_ROLE, AWS_REGION } = own;
  assert.throws(() => readAwsSettings({ ROLES_ANYWHERE_ROLE, AWS_REGION }), {
    name: 'ConfigError',
    message: ['PROFILE', 'TRUST_ANCHOR', 'CERTIFICATE', 'KEY']
      .map((name) => `ROLES_ANYWHERE_${name} must be set`)
      .join('\n'),
  });
  const wrong = {
    ...own,
    ROLES_ANYWHERE_KEY: '-----BEGIN EC PRIVATE KEY-----',
    ROLES_ANYWHERE_ROLE: 'worker',
  };
  assert.throws(() => readAwsSettings(wrong), {
    message:
      'ROLES_ANYWHERE_ROLE must be the ARN of a role\nROLES_ANYWHERE_KEY must be PEM of PKCS #8: "openssl pkey" makes it of others',
  });
});
