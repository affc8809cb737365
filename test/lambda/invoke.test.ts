// The command line where the admin function has no URL: it invokes the function, the bundle of a release
// at work, with the AWS credentials of who asks; every way that this can fail is a sentence.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Deployment, deploy } from '../support/lambda-deployment.ts';
import { toEvent } from '../support/lambda-ingress.ts';
import type { LambdaFunction } from '../support/lambda-runtime.ts';
import { type LambdaService, startLambdaService } from '../support/lambda-service.ts';
import { type Finished, run, temporary } from '../support/process.ts';

let deployment: Deployment;
let service: LambdaService;
let admin: LambdaFunction;

before(async () => {
  deployment = await deploy();
  admin = await deployment.start('admin-lambda');
  const scep = await deployment.start('scep-lambda');
  const maintenance = await deployment.start('maintenance-lambda');
  const broken = {
    invoke: () => Promise.reject(new Error('Sandbox.Timedout: Task timed out after 29.00 seconds')),
  };
  let turnedAway = 0;
  const busy: Pick<LambdaFunction, 'invoke'> = {
    invoke: async (event) =>
      turnedAway++ === 0
        ? { statusCode: 503, headers: { 'Retry-After': '1' }, body: 'busy', isBase64Encoded: false }
        : admin.invoke(event),
  };
  service = await startLambdaService({ admin, scep, maintenance, broken, busy });
});
after(async () => {
  service?.stop();
  await deployment?.stop();
});

type Env = Readonly<Record<string, string | undefined>>;

async function scepter(args: readonly string[], more: Env = {}): Promise<Finished> {
  const env = {
    // No profile of whoever runs this, and no virtual machine's metadata.
    HOME: temporary('no-home'),
    AWS_PROFILE: undefined,
    AWS_DEFAULT_REGION: undefined,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...service.env,
    SCEPTER_URL: 'lambda:admin',
    SCEPTER_TOKEN: deployment.adminToken,
    ...more,
  };
  return run('bin/scepter.js', args, { env });
}

test('every kind of command reaches the admin function by its name, GET, POST and DELETE', async () => {
  const made = await scepter(['challenge', 'create', '--endpoint', 'default', '--json']);
  assert.equal(made.code, 0, made.err);
  const { id, challenge } = JSON.parse(made.out);
  assert.match(challenge, /^\w{26}$/);
  const listed = await scepter(['challenge', 'list', '--state', 'open', '--limit', '5', '--json']);
  assert.equal(listed.code, 0, listed.err);
  assert.ok(JSON.parse(listed.out).challenges.some((one: { id: string }) => one.id === id));
  const revoked = await scepter(['challenge', 'revoke', id]);
  assert.equal(revoked.code, 0, revoked.err);
  const exported = await scepter(['log', 'export', '--format', 'jsonl']);
  assert.equal(exported.code, 0, exported.err);
  assert.match(exported.out, /"challenge\.created"/);
  assert.deepEqual(new Set(service.calls.splice(0)), new Set(['AKIAOPERATOR admin']));
});

test('a function that is busy and says for how long is invoked again', async () => {
  const asked = ['ca', 'show', '--url', 'lambda:busy'];
  const other = await scepter(asked);
  assert.deepEqual([other.code, service.calls], [4, []], 'the token is of lambda:admin');
  const { code, err } = await scepter(asked, { SCEPTER_URL: undefined });
  assert.equal(code, 0, err);
  assert.match(err, /^lambda:busy is busy \(HTTP 503\): asking again in 1s \(waited 0s of 5m\)\n$/);
  assert.equal(service.calls.splice(0).length, 2);
});

test('a function is asked by its ARN, whose region counts, and with --url', async () => {
  const arn = service.arnOf('admin');
  const { code, err } = await scepter(['ca', 'show', '--url', `lambda:${arn}`], {
    SCEPTER_URL: undefined,
    AWS_REGION: 'us-west-2',
  });
  assert.equal(code, 0, err);
  assert.deepEqual(service.calls.splice(0), [`AKIAOPERATOR ${arn}`]);
});

test('credentials and region come from a profile, as with any tool of AWS', async () => {
  const home = temporary('aws-home');
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: region } = service.env;
  const [config, credentials] = [join(home, 'config'), join(home, 'credentials')];
  writeFileSync(config, `[profile ops]\nregion = ${region}\n`);
  writeFileSync(
    credentials,
    `[ops]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`,
  );
  const { code, err } = await scepter(['status'], {
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_REGION: undefined,
    AWS_PROFILE: 'ops',
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: credentials,
  });
  // There is no CRL yet, which is trouble: exit 1, and an answer.
  assert.ok(code === 0 || code === 1, err);
});

test('what the API refuses is said as over HTTP: the token, what is not there, what is wrong', async () => {
  const wrong = await scepter(['ca', 'show'], { SCEPTER_TOKEN: 'x'.repeat(43) });
  assert.deepEqual(
    [wrong.code, wrong.err],
    [
      4,
      "scepter: lambda:admin: a valid bearer token is required: the token of SCEPTER_TOKEN is another server's, or was revoked\n",
    ],
  );
  assert.equal((await scepter(['ca', 'show', 'nobody'])).code, 3);
  assert.equal((await scepter(['challenge', 'create', '--endpoint', 'nowhere'])).code, 2);
});

test('a command that is throttled asks again, and says so when that does not end', async () => {
  service.throttle(2);
  assert.equal((await scepter(['ca', 'show'])).code, 0);
  service.throttle(10_000);
  const { code, err } = await scepter(['ca', 'show']);
  service.throttle(0);
  assert.equal(code, 5);
  assert.match(err, /^scepter: lambda:admin: as much of it runs as may, ask again in a moment: /);
});

const failures: readonly (readonly [what: string, env: Env, code: number, says: RegExp])[] = [
  [
    'no credentials',
    { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
    4,
    /: no AWS credentials: log in, or set AWS_PROFILE \(.+\)\n$/,
  ],
  ['no region', { AWS_REGION: undefined }, 2, /: no AWS region: set AWS_REGION, or name .* ARN\n$/],
  [
    'credentials that AWS does not know',
    { AWS_ACCESS_KEY_ID: 'AKIANOBODY' },
    4,
    /: AWS does not accept these credentials: The security token .* invalid\.\n$/,
  ],
  [
    'no such function',
    { SCEPTER_URL: 'lambda:admim' },
    3,
    /^scepter: lambda:admim: there is no such function in this account and region: Function not found: arn:/,
  ],
  [
    'a function that fails',
    { SCEPTER_URL: 'lambda:broken' },
    5,
    /: the function failed, see its log: Sandbox\.Timedout: Task timed out after 29\.00 seconds\n$/,
  ],
  [
    'a function that is no HTTP function',
    { SCEPTER_URL: 'lambda:maintenance' },
    5,
    /: it answered as no HTTP function does: is it the admin function\?\n$/,
  ],
  ['another function of the deployment', { SCEPTER_URL: 'lambda:scep' }, 3, /: no such path\n$/],
  [
    'nobody there',
    { AWS_ENDPOINT_URL_LAMBDA: 'http://127.0.0.1:9' },
    5,
    /: AWS Lambda did not answer: .*ECONNREFUSED/,
  ],
  [
    'a name that is none',
    { SCEPTER_URL: 'lambda:' },
    2,
    /^scepter: SCEPTER_URL: "" is neither the name nor the ARN/,
  ],
];

for (const [what, env, code, says] of failures) {
  test(`a sentence and exit ${code}: ${what}`, async () => {
    const done = await scepter(['ca', 'show'], env);
    assert.match(done.err, says);
    assert.equal(done.err.split('\n').length, 2, done.err);
    assert.equal(done.code, code, done.err);
    assert.equal(done.out, '');
  });
}

test('whoever may not invoke it gets exit 4 and a sentence with the permission that AWS misses', async () => {
  const done = await scepter(['ca', 'show'], service.stranger);
  assert.match(
    done.err,
    /^scepter: lambda:admin: these AWS credentials may not invoke it: User: arn:.* lambda:InvokeFunction/,
  );
  assert.equal(done.code, 4);
});

test('a sentence and exit 4: whose profile has a role that STS does not let him take', async () => {
  const home = temporary('aws-role');
  const config = join(home, 'config');
  const [role, keys] = ['role_arn = arn:aws:iam::111122223333:role/x', 'source_profile = me'];
  const me = '[profile me]\naws_access_key_id = AKIAOPERATOR\naws_secret_access_key = secret\n';
  writeFileSync(config, `${me}[profile ops]\n${role}\n${keys}\n`);
  const said = [
    ['AccessDenied', 'the role of the AWS profile cannot be taken: not so'],
    ['ExpiredToken', 'AWS does not accept these credentials: not so'],
    ['InvalidClientTokenId', 'AWS does not accept these credentials: not so'],
    ['SignatureDoesNotMatch', 'AWS does not accept these credentials: not so'],
  ] as const;
  const codes = said.map(([code]) => code);
  const sts = createServer((_, response) => {
    const error = `<Error><Type>Sender</Type><Code>${codes.shift()}</Code><Message>not so</Message></Error>`;
    const body = `<ErrorResponse>${error}<RequestId>1</RequestId></ErrorResponse>`;
    response.writeHead(403, { 'content-type': 'text/xml' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(sts, 'listening');
  const { port } = sts.address() as AddressInfo;
  try {
    for (const [, sentence] of said) {
      const done = await scepter(['ca', 'show'], {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_PROFILE: 'ops',
        AWS_CONFIG_FILE: config,
        AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
      });
      assert.deepEqual([done.err, done.code], [`scepter: lambda:admin: ${sentence}\n`, 4]);
    }
  } finally {
    sts.closeAllConnections();
    sts.close();
  }
});

test('behind an ingress that has its own in Authorization, the token in X-Scepter-Token is good', async () => {
  for (const authorization of [
    'Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln',
    'AWS4-HMAC-SHA256 Credential=A/20261122/x/lambda/aws4_request',
  ]) {
    const event = toEvent('function-url', {
      method: 'GET',
      target: '/api/v1/cas',
      headers: [
        ['Authorization', authorization],
        ['X-Scepter-Token', deployment.adminToken],
      ],
    });
    const { statusCode } = Object(await admin.invoke(event));
    assert.equal(statusCode, 200, authorization);
  }
});
