// The bundles at work as Lambda runs them, over DynamoDB Local and keys in the KMS emulator: real
// clients enrol through every form of event; each function serves its routes with its keys.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTable } from '../../lib/adapters/aws/dynamodb/table.ts';
import type { LambdaReply } from '../../lib/http/lambda-event.ts';
import * as micromdm from '../interop/clients/micromdm.ts';
import * as strongswan from '../interop/clients/strongswan.ts';
import { openssl, verify } from '../interop/openssl.ts';
import { onlyMisplaced } from '../support/doctor.ts';
import { outside } from '../support/dynamodb.ts';
import { type Bridge, bridge } from '../support/lambda-bridge.ts';
import { type Deployment, deploy, document } from '../support/lambda-deployment.ts';
import { type Form, forms, fromReply, type Http, toEvent } from '../support/lambda-ingress.ts';
import { type LambdaFunction, startUnderRie } from '../support/lambda-runtime.ts';
import { run, temporary } from '../support/process.ts';

let deployment: Deployment;
let scep: LambdaFunction;
let admin: LambdaFunction;
let maintenance: LambdaFunction;
let api: Bridge;
/** KMS calls before there were functions. */
let begun: number;

before(async () => {
  deployment = await deploy();
  begun = deployment.kms.calls.length;
  scep = await deployment.start('scep-lambda');
  admin = await deployment.start('admin-lambda');
  maintenance = await deployment.start('maintenance-lambda');
  api = await bridge('http-api', admin);
});
after(async () => {
  api.stop();
  await deployment.stop();
});

async function ask(to: LambdaFunction, http: Http, form: Form = 'function-url') {
  return fromReply(form, (await to.invoke(toEvent(form, http))) as LambdaReply);
}
const get = (to: LambdaFunction, target: string) => ask(to, { method: 'GET', target });

/** Our own CLI against the admin function. */
async function cli(...args: readonly string[]): Promise<Record<string, unknown>> {
  const env = { SCEPTER_URL: api.origin, SCEPTER_TOKEN: deployment.adminToken };
  const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env });
  assert.equal(code, 0, err);
  return JSON.parse(out);
}
const challenge = async (endpoint: string): Promise<string> =>
  String((await cli('challenge', 'create', '--endpoint', endpoint)).challenge);

/** strongSwan's client fetches the CA and enrols a new key. */
async function strongswanEnrols(origin: string, cn: string): Promise<void> {
  const folder = temporary('lambda-client');
  const url = `${origin}/scep`;
  const ca = await strongswan.fetchCa(url, folder);
  const password = await challenge('default');
  const dn = `C=US, O=Interop, CN=${cn}`;
  const { ran, certificate } = await strongswan.enrol({ url, ca, folder, dn, password });
  assert.equal(ran.code, 0, ran.stderr);
  await verify(certificate, ca.ca);
  assert.match(await readFile(certificate, 'utf8'), /BEGIN CERTIFICATE/);
}

describe('a SCEP client enrols through', () => {
  for (const form of forms) {
    test(`${form}: strongSwan`, async () => {
      const ingress = await bridge(form, scep);
      try {
        await strongswanEnrols(ingress.origin, form.replaceAll(/\W/g, '-'));
      } finally {
        ingress.stop();
      }
    });
  }

  for (const form of ['function-url', 'rest', 'alb'] as const) {
    test(`${form}: micromdm scepclient, SHA-1 and DES at the endpoint for them`, async () => {
      const ingress = await bridge(form, scep);
      const folder = temporary('lambda-client');
      try {
        const url = `${ingress.origin}/scep/legacy`;
        const wanted = { url, folder, cn: `mdm-${form}`, challenge: await challenge('legacy') };
        const { ran, certificate } = await micromdm.enrol(wanted);
        assert.equal(ran.code, 0, ran.stderr);
        const ca = await strongswan.fetchCa(url, folder);
        await verify(certificate, ca.ca);
      } finally {
        ingress.stop();
      }
    });
  }

  test('each certificate took one signature, each key was opened once; none of it was an outage', () => {
    const operations = scep.logged('scep.pkiOperation');
    const calls = deployment.since(begun);
    const count = (action: string) => calls.filter((call) => call === action).length;
    assert.equal(count('kms:Sign'), operations.length);
    assert.equal(count('kms:Decrypt ra'), 2); // of two CAs
    assert.equal(count('kms:Decrypt mac-challenge'), 2); // by admin and by SCEP
    assert.equal(operations.length, forms.length + 3);
    assert.ok(operations.every(({ client, pkiStatus }) => client && pkiStatus === 'SUCCESS'));
    const requestIds = new Set(operations.map(({ requestId }) => requestId));
    assert.equal(requestIds.size, operations.length);
    assert.ok(!requestIds.has(undefined), "each line has Lambda's request id");
    assert.deepEqual(scep.logged('http.outage'), []);
  });
});

test('scepter doctor finds nothing to mend', async () => {
  const ingress = await bridge('http-api', scep);
  try {
    await onlyMisplaced(`${ingress.origin}/scep`, document.publicUrl);
  } finally {
    ingress.stop();
  }
});

describe("AWS's Runtime Interface Emulator", () => {
  const [rie] = spawnSync('sh', ['-c', 'command -v aws-lambda-rie']).stdout.toString().split('\n');
  const [ric] = spawnSync('sh', ['-c', 'command -v aws-lambda-ric']).stdout.toString().split('\n');
  const skip = rie ? false : 'aws-lambda-rie is not in PATH';
  test('a SCEP client enrols through it', { skip }, async () => {
    const bootstrap = ric ? [process.execPath, ric] : undefined;
    const start = (options: Parameters<typeof startUnderRie>[1]) =>
      startUnderRie(rie ?? '', options, bootstrap);
    const emulated = await deployment.start('scep-lambda', {}, start);
    const ingress = await bridge('http-api', emulated);
    try {
      await strongswanEnrols(ingress.origin, 'emulated');
    } finally {
      ingress.stop();
    }
  });
});

describe('each function serves its own routes', () => {
  test('SCEP, status and probes; nothing of the API', async () => {
    for (const target of ['/healthz', '/readyz', '/scep?operation=GetCACert', '/aia/second.cer']) {
      assert.equal((await get(scep, target)).status, 200, target);
    }
    for (const target of ['/api/v1/status', '/openapi.json', '/nothing']) {
      assert.equal((await get(scep, target)).status, 404, target);
    }
  });

  test('the API and its documentation; nothing of SCEP', async () => {
    assert.equal((await get(admin, '/openapi.json')).status, 200);
    assert.equal((await get(admin, '/api/v1/status')).status, 401);
    for (const target of ['/scep?operation=GetCACaps', '/crl/default.crl', '/healthz', '/readyz']) {
      assert.equal((await get(admin, target)).status, 404, target);
    }
  });

  test('the bundle of SCEP has nothing of the API in it', async () => {
    const module = await readFile(
      join(await deployment.folderOf('scep-lambda'), 'index.mjs'),
      'utf8',
    );
    for (const word of ['/api/v1', 'openapi', 'a valid bearer token'])
      assert.ok(!module.includes(word), word);
  });
});

describe('keys', () => {
  test('SCEP opens each RA key once, when it starts', async () => {
    const fresh = await deploy();
    try {
      const from = fresh.kms.calls.length;
      const started = await fresh.start('scep-lambda');
      assert.equal((await get(started, '/readyz')).status, 200);
      assert.equal((await get(started, '/readyz')).status, 200);
      const opened = fresh.since(from).toSorted();
      // The records of the CAs hold under the key of the registry.
      const ofTwoCas = ['kms:Decrypt ra', 'kms:Decrypt ra', 'kms:GetPublicKey', 'kms:GetPublicKey'];
      assert.deepEqual(opened, ['kms:Decrypt mac-registry', ...ofTwoCas]);
    } finally {
      await fresh.stop();
    }
  });

  test('admin makes challenges and asks for CRLs with no key of a CA or RA', async () => {
    await challenge('default');
    const from = deployment.kms.calls.length;
    await challenge('default');
    assert.deepEqual(deployment.since(from), []);
    await maintenance.invoke({});
    const { cas } = await cli('status');
    assert.ok(Array.isArray(cas) && cas.length === 2);
    const before = deployment.kms.calls.length;
    const published = await cli('crl', 'publish', 'default');
    assert.equal(published.pending, true);
    assert.deepEqual(deployment.since(before), []);
    const env = { SCEPTER_URL: api.origin, SCEPTER_TOKEN: deployment.adminToken };
    const { out } = await run('bin/scepter.js', ['crl', 'publish'], { env });
    assert.match(out, /^asked for, within a minute comes the one after CRL \d+ of /);
    const opened = deployment.since(0).filter((action) => action.startsWith('kms:Decrypt mac'));
    assert.ok(opened.includes('kms:Decrypt mac-challenge'));
    const number = Number(published.number);
    await soon(maintenance);
    const crl = await cli('crl', 'show', 'default');
    assert.equal(Number(crl.number), number + 1);
  });

  test('admin says what would become of a request, and no key of a CA or RA is asked', async () => {
    const folder = temporary('lambda-csr');
    const [key, csr] = [join(folder, 'key.pem'), join(folder, 'csr.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await openssl(['req', '-new', ...curve, '-keyout', key, '-subj', '/CN=tried', '-out', csr]);
    const from = deployment.kms.calls.length;
    const { decision } = await cli('policy', 'test', '--csr', csr);
    assert.equal(decision, 'grant');
    assert.deepEqual(deployment.since(from), []);
  });

  test('maintenance signs CRLs and opens no more than what its records hold under', async () => {
    const fresh = await deploy();
    try {
      const from = fresh.kms.calls.length;
      const started = await fresh.start('maintenance-lambda');
      await started.invoke({ source: 'aws.scheduler' });
      const actions = new Set(fresh.since(from));
      const macs = ['kms:Decrypt mac-record', 'kms:Decrypt mac-registry'];
      assert.deepEqual([...actions].toSorted(), [...macs, 'kms:GetPublicKey', 'kms:Sign']);
      const done = started.logged('upkeep.done').map(({ task }) => task);
      const each = ['crl', 'expiry', 'lint'].flatMap((job) => [`${job} default`, `${job} second`]);
      const all = [...each, 'search', 'search late', 'sweep'];
      assert.deepEqual(done.toSorted(), all);
      const requestIds = started.logged('upkeep.done').map(({ requestId }) => requestId);
      assert.equal(new Set(requestIds).size, 1);
      assert.equal(typeof requestIds[0], 'string');
      const scepOfIt = await fresh.start('scep-lambda');
      for (const ca of ['default', 'second']) {
        assert.equal((await get(scepOfIt, `/crl/${ca}.crl`)).status, 200);
      }
    } finally {
      await fresh.stop();
    }
  });
});

test('what SCEP has written is under a checkpoint when the sequencer has run, and an auditor verifies it', async () => {
  const sequencer = await deployment.start('sequencer-lambda');
  const before = deployment.kms.calls.length;
  await sequencer.invoke({ Records: [] });
  assert.deepEqual(sequencer.logged('upkeep.failed'), []);
  // The key of the logs, and none of a CA or RA.
  const used = deployment.kms.calls.slice(before).filter(({ action }) => action === 'kms:Sign');
  assert.deepEqual(
    [...new Set(used.map(({ resource }) => resource))],
    [deployment.env.SCEPTER_LOG_KEY],
  );
  const served = await get(scep, '/log/default/checkpoint');
  assert.equal(served.status, 200);
  const { logs } = await cli('log', 'key', 'default');
  const [{ verifierKey } = assert.fail('no log')] = (
    logs as readonly { readonly log: string; readonly verifierKey: string }[]
  ).filter(({ log }) => log === 'default');
  const verified = await cli(
    ...['log', 'verify', `${api.origin}/log/default`, '--key', verifierKey, '--records'],
  );
  assert.equal(served.body.toString().split('\n')[1], String(verified.size));
  const env = { SCEPTER_URL: api.origin, SCEPTER_TOKEN: deployment.adminToken };
  const issued = await run('bin/scepter.js', ['log', 'export', '--type', 'certificate.issued'], {
    env,
  });
  const { id, ca } = JSON.parse(issued.out.split('\n', 1)[0] ?? '');
  assert.equal(ca, 'default');
  const out = join(temporary('lambda-proof'), 'issued');
  await cli('log', 'proof', id, '--out', out);
  await cli('log', 'check', out, '--key', verifierKey);
});

describe('a start', () => {
  test('a start that fails is answered 503 and logged, and the next request starts again', async () => {
    const table = `${deployment.table}-later`;
    const started = await deployment.start('scep-lambda', { SCEPTER_TABLE: table });
    for (let request = 0; request < 2; request++) {
      const reply = await get(started, '/healthz');
      assert.equal(reply.status, 503);
      assert.equal(reply.headers['retry-after'], '30');
      assert.equal(reply.body.toString(), 'service unavailable, try again later\n');
    }
    const failures = started.logged('start.failed');
    assert.match(String(failures[0]?.detail), new RegExp(`the DynamoDB table "${table}" does not`));
    await createTable(outside, table);
    assert.equal((await get(started, '/healthz')).status, 200);
    assert.equal(started.logged('start.failed').length, failures.length);
  });

  test('a setting that is missing or wrong is named', async () => {
    const wrong: [Record<string, string>, RegExp][] = [
      [{ SCEPTER_TABLE: '' }, /^SCEPTER_TABLE must be set$/],
      [{ SCEPTER_DEPLOYMENT: '' }, /^SCEPTER_DEPLOYMENT must be set$/],
      [{ SCEPTER_SEALING_KEY: '' }, /^SCEPTER_SEALING_KEY must be set$/],
      [{ SCEPTER_LOGS: '' }, /^SCEPTER_LOGS must be set: the S3 bucket that has the logs/],
      [{ SCEPTER_LOG_KEY: '' }, /^SCEPTER_LOG_KEY must be set: the ARN of the ECC_NIST_P256 key/],
      [{ SCEPTER_CONFIG: '' }, /^SCEPTER_CONFIG must be set$/],
      [{ SCEPTER_CONFIG: '{' }, /^SCEPTER_CONFIG is not JSON: /],
      [{ SCEPTER_CONFIG: 'nowhere.json' }, /^SCEPTER_CONFIG cannot be read: ENOENT/],
    ];
    for (const [env, said] of wrong) {
      const started = await deployment.start('admin-lambda', env);
      assert.equal((await get(started, '/openapi.json')).status, 503);
      assert.match(String(started.logged('start.failed')[0]?.detail), said);
      await started.stop();
    }
  });

  test('an endpoint with a static challenge is warned of at each start', async () => {
    const staticChallenge = { secret: 'env:SHARED', subject: { CN: 'printer-*' } };
    const shared = { ca: 'default', enrol: { authorize: ['staticChallenge'], staticChallenge } };
    const endpoints = { ...document.endpoints, shared };
    const started = await deployment.start('scep-lambda', {
      SCEPTER_CONFIG: JSON.stringify({ ...document, endpoints }),
      SHARED: 'a secret that many know',
    });
    assert.equal((await get(started, '/readyz')).status, 200);
    const warned = started.logged('staticChallenge.enabled');
    assert.deepEqual(
      warned.map(({ endpoint, severity }) => [endpoint, severity]),
      [['shared', 'warning']],
    );
    await started.stop();
  });

  test('the function for MDMs gives challenges that the SCEP function takes, and opens the MAC keys of these and of records alone', async () => {
    const account = { user: 'mdm', password: 'env:PAGE', subject: { CN: 'device-*' } };
    const pages = { ca: 'default', ndes: { accounts: [account] } };
    const config = JSON.stringify({ ...document, endpoints: { default: pages } });
    // It puts the certificate of the CA where the function for MDMs reads it.
    await maintenance.invoke({});
    const from = deployment.kms.calls.length;
    const started = await deployment.start('challenges-lambda', {
      SCEPTER_CONFIG: config,
      PAGE: 'a password of 16 octets',
    });
    const target = '/certsrv/mscep_admin?charset=utf-8';
    const headers = [
      ['authorization', `Basic ${Buffer.from('mdm:a password of 16 octets').toString('base64')}`],
    ] as const;
    assert.equal((await get(started, target)).status, 401);
    const page = await ask(started, { method: 'GET', target, headers });
    assert.equal(page.status, 200);
    const [, password = ''] = /password is: <B> ([0-9A-F]{16}) /.exec(String(page.body)) ?? [];
    assert.deepEqual(
      new Set(deployment.since(from)),
      new Set(['kms:Decrypt mac-challenge', 'kms:Decrypt mac-record']),
    );
    assert.equal((await get(started, '/scep?operation=GetCACaps')).status, 404);
    await started.stop();
    const ingress = await bridge('http-api', scep);
    try {
      const folder = temporary('lambda-client');
      const url = `${ingress.origin}/scep`;
      const ca = await strongswan.fetchCa(url, folder);
      const done = await strongswan.enrol({ url, ca, folder, dn: 'CN=device-9', password });
      assert.equal(done.ran.code, 0, done.ran.stderr);
      await verify(done.certificate, ca.ca);
    } finally {
      ingress.stop();
    }
  });

  test('maintenance that cannot start fails, and says why', async () => {
    const started = await deployment.start('maintenance-lambda', { SCEPTER_TABLE: '' });
    await assert.rejects(started.invoke({}), /ConfigError: SCEPTER_TABLE must be set/);
  });

  test('an event that is no HTTP request is an error of the invocation, not of the process', async () => {
    await assert.rejects(scep.invoke({ key1: 'value1' }), /the event is not one of/);
    assert.equal((await get(scep, '/healthz')).status, 200);
  });
});

describe('a configuration in S3', () => {
  /** As much of S3 as GetObject is. */
  const objects = createServer((request, response) => {
    const found = request.url === `/bucket/${key}`;
    const refused = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
    response.writeHead(found ? 200 : 403).end(found ? text : refused);
  });
  const text = JSON.stringify(document);
  const digest = createHash('sha256').update(text).digest('hex');
  const key = `config/${digest}.json`;
  before(async () => {
    objects.listen(0, '127.0.0.1');
    await once(objects, 'listening');
  });
  after(() => {
    objects.closeAllConnections();
    objects.close();
  });
  const env = (name: string) => ({
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(objects.address() as AddressInfo).port}`,
    SCEPTER_CONFIG: `s3:bucket/${name}`,
  });

  test('a configuration in S3 is fetched when the function starts', async () => {
    const started = await deployment.start('scep-lambda', env(key));
    assert.equal((await get(started, '/readyz')).status, 200);
  });

  test('a configuration that is not in S3 is named', async () => {
    const other = key.replaceAll(/[0-9]/g, 'a');
    const started = await deployment.start('scep-lambda', env(other));
    assert.equal((await get(started, '/readyz')).status, 503);
    assert.match(
      String(started.logged('start.failed')[0]?.detail),
      new RegExp(
        `^SCEPTER_CONFIG cannot be read: the object "${other}" of the bucket "bucket": AccessDenied`,
      ),
    );
  });
});

/** A run of maintenance that is due: the last one was a moment ago. */
async function soon(at: LambdaFunction): Promise<void> {
  const key = { kind: 'lease', key: 'crl default' } as const;
  const [row] = await deployment.store.read([key]);
  await deployment.store.write([{ do: 'delete', ...key, rev: row?.rev ?? 0 }]);
  await at.invoke({});
}
