// A secret of Secrets Manager, by our own reading of it over HTTP: how it asks, and its sentences when none comes; and
// the variables that name one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../functions/config/default-config.ts';
import {
  lookUpSecrets,
  readOriginSecrets,
  readStaticSecrets,
} from '../../functions/config/static-secrets.ts';
import { readEnv } from '../../functions/env.ts';
import { readSecret } from '../../lib/adapters/aws/secrets.ts';
import { type Config, checkConfig } from '../../lib/config/config.ts';
import { everySecret } from '../../lib/config/endpoint/endpoint.ts';

const usesOf = ({ endpoints }: Config) => [...endpoints.values()].flatMap(everySecret);

const arn = (name: string): string =>
  `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-AbCdEf`;
const connection = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'c2VjcmV0', sessionToken: 't0' },
  endpoints: { dynamodb: undefined, kms: undefined },
};

type Reply = readonly [status: number, body: object | string];
let replies: Reply[] = [];
const asked: { headers: IncomingHttpHeaders; body: string }[] = [];
const server = createServer(async (request, response) => {
  asked.push({ headers: request.headers, body: await text(request) });
  const [status, body] = (replies.length > 1 ? replies.shift() : replies[0]) ?? [500, ''];
  response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
});
let endpoint = '';
before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const reading = (name: string, ...answers: Reply[]): Promise<string> => {
  asked.length = 0;
  replies = answers;
  return readSecret(name, { connection, endpoint });
};

test('a secret is asked for by its ARN, signed for its own Region', async () => {
  const secret = await reading(arn('shared'), [200, { SecretString: 'correct horse' }]);
  assert.equal(secret, 'correct horse');
  const [{ headers, body } = assert.fail()] = asked;
  assert.deepEqual(JSON.parse(body), { SecretId: arn('shared') });
  assert.equal(headers['x-amz-target'], 'secretsmanager.GetSecretValue');
  assert.equal(headers['x-amz-security-token'], 't0');
  assert.match(headers.authorization ?? '', /\/eu-west-1\/secretsmanager\/aws4_request/);
});

test('what passes is asked again', async () => {
  const busy: Reply = [400, { __type: 'ThrottlingException', message: 'slow down' }];
  const got = await reading(arn('shared'), busy, [500, ''], [200, { SecretString: 'x' }]);
  assert.deepEqual([got, asked.length], ['x', 3]);
});

test('what does not come is a sentence with the ARN and what to do, and never the secret', async () => {
  const cases: readonly [Reply, RegExp][] = [
    [
      [400, { __type: 'AccessDeniedException', Message: 'not authorized' }],
      /AccessDeniedException: not authorized \(the policy of this role does not allow secretsmanager:GetSecretValue/,
    ],
    [
      [400, { __type: 'com.amazonaws#ResourceNotFoundException', message: 'none' }],
      /ResourceNotFoundException: none \(it was deleted, or is in another account or Region\)$/,
    ],
    [[200, { SecretBinary: 'c2VjcmV0' }], /is empty or has octets: store it as a text/],
    [[200, '"SecretString": "torn'], /is empty or has octets/],
    [[403, '<html>'], /HTTP 403/],
  ];
  for (const [reply, sentence] of cases) {
    const said = await reading(arn('shared'), reply).then(
      assert.fail,
      (error: Error) => error.message,
    );
    assert.match(said, sentence);
    assert.match(
      said,
      /^the secret "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shared-AbCdEf"/,
    );
    assert.doesNotMatch(said, /torn|c2VjcmV0/);
    assert.equal(asked.length, 1);
  }
  await assert.rejects(readSecret('shared'), {
    message: '"secretsmanager:shared" must be secretsmanager: and the ARN of a secret',
  });
});

test('a variable has the secret itself, or its ARN', async () => {
  const variables = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'c2VjcmV0',
    SHARED: `secretsmanager:${arn('shared')}`,
    OWN: 'a secret of this machine',
  };
  const before = { ...process.env };
  Object.assign(process.env, variables);
  const staticChallenge = (name: string) => ({
    authorize: ['staticChallenge'],
    staticChallenge: { secret: `env:${name}`, subject: { CN: ['cam-*'] } },
  });
  const config = checkConfig({
    publicUrl: 'http://scep.example',
    cas: { default: { subject: 'CN=CA' } },
    endpoints: {
      cams: { ca: 'default', enrol: staticChallenge('SHARED') },
      more: { ca: 'default', enrol: staticChallenge('SHARED') },
      own: { ca: 'default', enrol: staticChallenge('OWN') },
    },
  });
  asked.length = 0;
  replies = [[200, { SecretString: 'the cameras share this one' }]];
  const read = await lookUpSecrets(usesOf(config), connection);
  assert.deepEqual(
    [read('SHARED'), read('OWN'), asked.length],
    ['the cameras share this one', variables.OWN, 1],
  );
  assert.equal(readStaticSecrets(usesOf(config), read).size, 2);
  const env = readEnv({
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
    SCEPTER_ORIGIN_SECRETS: `secretsmanager:${arn('new')},plain`,
  });
  replies = [[200, { SecretString: 'shown' }]];
  assert.deepEqual(await readOriginSecrets(env), ['shown', 'plain']);
  for (const name of Object.keys(variables)) delete process.env[name];
  Object.assign(process.env, before);
});

test('with a table, a configuration is read without the secrets that it refers to: only whoever serves devices has them', async () => {
  const document = {
    publicUrl: 'http://scep.example',
    cas: { default: { subject: 'CN=CA' } },
    endpoints: {
      default: {
        ca: 'default',
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:NOBODY_SET_THIS', subject: { CN: ['cam-*'] } },
        },
      },
    },
  };
  const SCEPTER_CONFIG = JSON.stringify(document);
  await assert.rejects(loadConfig(readEnv({ SCEPTER_CONFIG })), /NOBODY_SET_THIS is not set/);
  const config = await loadConfig(readEnv({ SCEPTER_CONFIG, SCEPTER_TABLE: 'scepter' }));
  assert.throws(() => readStaticSecrets(usesOf(config)), /NOBODY_SET_THIS is not set/);
});
