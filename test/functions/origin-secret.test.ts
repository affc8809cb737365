// Requests that go around CloudFront: a function with an origin secret refuses every request without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnv } from '../../functions/env.ts';
import { serveEvents } from '../../functions/lambda/instance.ts';

const event = (headers: Readonly<Record<string, string>> = {}) => ({
  version: '2.0',
  rawPath: '/scep',
  rawQueryString: 'operation=GetCACaps',
  headers,
  requestContext: { http: { method: 'GET', sourceIp: '192.0.2.1' } },
  isBase64Encoded: false,
});

/** Status of the reply, and whether the service was asked. */
async function asked(secrets: readonly string[] | undefined, shown?: string) {
  let served = false;
  const app = async () => ({
    fetch: () => {
      served = true;
      return new Response('ok');
    },
  });
  const handler = serveEvents(app, () => {}, secrets && (async () => secrets));
  const { statusCode, body } = await handler(
    event(shown === undefined ? {} : { 'X-Scepter-Origin': shown }),
  );
  return { statusCode, body, served };
}

const ok = { statusCode: 200, body: 'ok', served: true };
const refused = { statusCode: 403, body: 'forbidden\n', served: false };

test('a request without the secret, or with a wrong one, is a 403 with a fixed body, and the service is not asked', async () => {
  for (const secrets of [['true'], ['true', 'last']]) {
    for (const shown of [undefined, '', 'fals', 'false', 'trues', 'true,last']) {
      assert.deepEqual(await asked(secrets, shown), refused, `${shown} for ${secrets}`);
    }
  }
});

test('a request with one of the secrets is served, also with the previous one during a rotation', async () => {
  for (const shown of ['true', 'last']) assert.deepEqual(await asked(['true', 'last'], shown), ok);
  assert.deepEqual(await asked(['true'], 'true'), ok);
});

test('a function without a secret asks for none', async () => {
  for (const secrets of [undefined, []]) assert.deepEqual(await asked(secrets), ok);
});

test('while its secrets cannot be read a function answers 503 and serves nobody', async () => {
  let served = false;
  const app = async () => ({
    fetch: () => {
      served = true;
      return new Response('ok');
    },
  });
  const away = () => Promise.reject(new Error('Secrets Manager is away'));
  const { statusCode } = await serveEvents(app, () => {}, away)(event());
  assert.deepEqual([statusCode, served], [503, false]);
});

test('SCEPTER_ORIGIN_SECRETS is a list with commas, and an empty one has no secret', () => {
  const secretsOf = (text?: string) =>
    readEnv(text === undefined ? {} : { SCEPTER_ORIGIN_SECRETS: text }).originSecrets;
  assert.deepEqual(
    [secretsOf(), secretsOf(''), secretsOf('a'), secretsOf('a,b')],
    [[], [], ['a'], ['a', 'b']],
  );
});
