// Names, settings and permissions of the template fit the release's functions: loaded into CloudFormation,
// run with what it made and may do, by a real client from the first command to a certificate.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  DeleteItemCommand,
  PutItemCommand,
  paginateScan,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DecryptCommand, SignCommand } from '@aws-sdk/client-kms';
import { makeDynamoDbClient as dynamoClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import type { Item } from '../../lib/adapters/aws/dynamodb/items.ts';
import { makeKmsClient as kmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { readNamedObject } from '../../lib/adapters/aws/s3/s3.ts';
import { macPurposes } from '../../lib/base/words.ts';
import { measured } from '../../lib/cli/plan/prices.ts';
import type { LambdaReply } from '../../lib/http/lambda-event.ts';
import * as strongswan from '../interop/clients/strongswan.ts';
import { openssl, verify } from '../interop/openssl.ts';
import { type Bridge, bridge } from '../support/lambda-bridge.ts';
import { fromReply, toEvent } from '../support/lambda-ingress.ts';
import type { LambdaFunction } from '../support/lambda-runtime.ts';
import { run, temporary } from '../support/process.ts';
import { answered } from '../support/server-process.ts';
import { allowed } from './iam.ts';
import { finds } from './metric-filter.ts';
import { keyOf, type Name, type Stack, startStack } from './stack.ts';
import { at, ofType, templateOf } from './templates.ts';

let stack: Stack;
let scep: LambdaFunction;
let admin: LambdaFunction;
let maintenance: LambdaFunction;
let sequencer: LambdaFunction;
let api: Bridge;
let device: Bridge;
let token: string;

/** A command of the operator, who has the functions' settings and his own role. */
async function operator(args: readonly string[], stdin = ''): Promise<Record<string, unknown>> {
  const env = { ...stack.settingsOf('scep'), ...stack.as('operator') };
  const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env, stdin });
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

async function newToken(name: string): Promise<string> {
  const flags = ['--name', name, '--role', 'admin'];
  return String((await operator(['token', 'create', ...flags])).token);
}

async function cli(...args: readonly string[]): Promise<Record<string, unknown>> {
  const env = { SCEPTER_URL: api.origin, SCEPTER_TOKEN: token };
  const { code, out, err } = await run('bin/scepter.js', [...args, '--json'], { env });
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

before(async () => {
  const started = await startStack();
  assert.ok(started, 'Java 17 is missing');
  stack = started;
});
after(async () => {
  device?.stop();
  api?.stop();
  await stack?.stop();
});

test("moto's CloudFormation makes the stack, but for types that it does not know", () => {
  assert.equal(stack.made.status, 'CREATE_COMPLETE');
  assert.deepEqual(stack.made.leftOut, [
    'AWS::ApiGatewayV2::Api',
    'AWS::ApiGatewayV2::Integration',
    'AWS::ApiGatewayV2::Route',
    'AWS::ApiGatewayV2::Stage',
    'AWS::CloudWatch::Alarm',
    'AWS::Lambda::EventInvokeConfig',
    'AWS::Lambda::Permission',
    'AWS::Lambda::Url',
    'AWS::Logs::MetricFilter',
    'AWS::S3::BucketPolicy',
    'Custom::ScepterConfig',
  ]);
});

test('the operator makes the CA with the key of the stack, and the first token', async () => {
  const { CaKeydefault: key = '' } = stack.made.outputs;
  const made = await operator(['ca', 'init', 'default', '--key', key]);
  assert.equal(made.key, key);
  assert.deepEqual(made.warnings, []);
  token = await newToken('first');
});

test('the operator revokes a token, and prepares the next key of the RA', async () => {
  await operator(['token', 'revoke'], await newToken('second'));
  const { ra } = await operator(['ca', 'rotate-ra', '--prepare']);
  const states = (ra as readonly { readonly state: string }[]).map(({ state }) => state);
  assert.deepEqual(states.toSorted(), ['current', 'prepared']);
});

test('a real client enrols over the HTTP API with a challenge from the admin function', async () => {
  scep = await stack.start('scep');
  admin = await stack.start('admin');
  api = await bridge('http-api', admin);
  device = await bridge('http-api', scep);
  const { challenge } = await cli('challenge', 'create', '--endpoint', 'default');
  const folder = temporary('infra-client');
  const url = `${device.origin}/scep`;
  const ca = await strongswan.fetchCa(url, folder);
  const dn = 'C=US, O=Interop, CN=cloud';
  const enrolment = { url, ca, folder, dn, password: String(challenge) };
  const { ran, certificate } = await strongswan.enrol(enrolment);
  assert.equal(ran.code, 0, ran.stderr);
  await verify(certificate, ca.ca);
});

test('maintenance publishes a CRL, which has a certificate that an operator has revoked', async () => {
  maintenance = await stack.start('maintenance');
  const { certificates } = await cli('cert', 'list');
  const [issued] = certificates as readonly { readonly serial: string }[];
  assert.ok(issued);
  for (const reason of ['certificateHold', 'superseded']) {
    await cli('cert', 'revoke', issued.serial, '--reason', reason);
  }
  await maintenance.invoke({});
  const http = { method: 'GET', target: '/crl/default.crl' };
  const reply = fromReply(
    'http-api',
    (await scep.invoke(toEvent('http-api', http))) as LambdaReply,
  );
  assert.equal(reply.status, 200);
  const file = join(temporary('infra-crl'), 'default.crl');
  await writeFile(file, reply.body);
  const crl = await openssl(['crl', '-inform', 'DER', '-in', file, '-noout', '-text']);
  const serials = [...crl.toString().matchAll(/Serial Number: (\w+)/g)].map(([, serial]) => serial);
  assert.deepEqual(serials, [issued.serial.toUpperCase()]);
});

test('the sequencer puts what has happened into the logs, and an auditor verifies them', async () => {
  sequencer = await stack.start('sequencer');
  await sequencer.invoke({});
  const http = { method: 'GET', target: '/log/default/checkpoint' };
  const reply = fromReply(
    'http-api',
    (await scep.invoke(toEvent('http-api', http))) as LambdaReply,
  );
  assert.equal(reply.status, 200);
  const folder = temporary('infra-log');
  const { logs } = await cli('log', 'key', 'default');
  await writeFile(join(folder, 'key'), `${keyOf(logs, 'default')}\n`);
  const verified = await cli(
    ...['log', 'verify', `${api.origin}/log/default`, '--key', join(folder, 'key'), '--records'],
  );
  assert.ok(Number(verified.size) > 3, JSON.stringify(verified));
});

test('what has been put into the logs cannot be ended, whoever has the credentials of the deployment', async () => {
  const { outputs, endpoint, roles } = stack.made;
  const bucket = outputs.Logs ?? assert.fail('no bucket of the logs');
  // As an administrator of the account, whom no policy keeps from anything: it is the lock that does.
  const ask = (method: string, query: string, headers = {}) =>
    fetch(`${endpoint}/${bucket}${query}`, {
      method,
      headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x/x/eu-central-1/s3/x', ...headers },
    });
  const versions = async () => {
    const [, ...all] = (await (await ask('GET', '?versions')).text()).split('<Version>');
    return all.map((one) => {
      const [, key = ''] = /<Key>(.*?)<\/Key>/.exec(one) ?? [];
      const [, id = ''] = /<VersionId>(.*?)<\/VersionId>/.exec(one) ?? [];
      return `/${key}?versionId=${id}`;
    });
  };
  const before = await versions();
  assert.ok(
    before.some((one) => one.startsWith('/log/default/checkpoint?')),
    before.join('\n'),
  );
  for (const one of before) assert.equal((await ask('DELETE', one)).status, 403, one);
  // The object is gone for whoever asks for it, and each of its versions is there.
  const [first = ''] = before;
  const [path = ''] = first.split('?');
  const marker = (await ask('DELETE', path)).headers.get('x-amz-version-id');
  assert.equal((await ask('GET', path)).status, 404);
  assert.equal((await ask('DELETE', `${path}?versionId=${marker}`)).status, 204);
  assert.deepEqual(await versions(), before);
  assert.equal((await ask('GET', path)).status, 200);
  // Who would be let by the lock: nobody whom the deployment has made.
  const resource = `arn:aws:s3:::${bucket}${path}`;
  const bypassing = ['DeleteObjectVersion', 'BypassGovernanceRetention', 'PutObjectRetention'];
  for (const { arn, policies } of Object.values(roles)) {
    for (const action of bypassing) {
      const asked = { principal: arn, action: `s3:${action}`, resource, context: {} };
      assert.equal(allowed([policies], asked), false, `${arn} ${action}`);
    }
  }
});

test('the metrics count what the functions log: one issued, one refused, the life of a CRL', async () => {
  const folder = temporary('infra-refused');
  const url = `${device.origin}/scep`;
  const ca = await strongswan.fetchCa(url, folder);
  const enrolment = { url, ca, folder, dn: 'C=US, O=Interop, CN=guess', password: 'guessed' };
  assert.notEqual((await strongswan.enrol(enrolment)).ran.code, 0);
  const found: Record<string, unknown[]> = {};
  for (const filter of ofType(templateOf('httpApi'), 'AWS::Logs::MetricFilter')) {
    const [, name = ''] = /Service(\w+?)log/.exec(String(at(filter, 'LogGroupName.Ref'))) ?? [];
    // What the API and EventBridge write is not here.
    if (['api', 'keys'].includes(name)) continue;
    const log = { scep, admin, maintenance, sequencer }[name]?.log() ?? assert.fail(name);
    const lines = log.split('\n').filter((line) => line.startsWith('{'));
    const transformation = at(filter, 'MetricTransformations.0');
    const value = String(at(transformation, 'MetricValue'));
    const values = lines
      .map((line) => JSON.parse(line))
      .filter((line) => finds(String(at(filter, 'FilterPattern')), line))
      .map((line) => (value === '1' ? 1 : line[value.replace('$.', '')]));
    found[String(at(transformation, 'MetricName'))] ??= [];
    found[String(at(transformation, 'MetricName'))]?.push(...values);
  }
  const { CrlHoursLeft, CaWarning, ...rest } = found;
  const quiet = [
    ...['Rejected', 'Outages', 'KmsTrouble', 'Tampered', 'ChallengeFailing'],
    ...['LogLate', 'LogRefused'],
  ].map((name) => [name, []] as const);
  assert.deepEqual(rest, { Issued: [1], Refused: [1], ...Object.fromEntries(quiet) });
  // The first look at the CA may come before its first CRL.
  const warned = maintenance.logged('ca.warning').map(({ detail }) => detail);
  assert.deepEqual(
    CaWarning,
    warned.map(() => 1),
  );
  assert.deepEqual(
    warned.filter((detail) => detail !== 'its CRL is missing'),
    [],
  );
  // Ten days, less the moment that it took.
  assert.deepEqual(new Set(CrlHoursLeft), new Set([239]));
});

test('an upkeep that finds nothing to do costs what the guide says', async (t) => {
  const { units } = stack.gate;
  // As if a minute had gone by: none of them may delete a lease.
  const client = dynamoClient(stack.database);
  const { TableName } = stack.made.table;
  const makeDue = async (...tasks: string[]): Promise<void> => {
    for (const task of tasks) {
      const Key = { pk: { S: `lease#${task}` } };
      await client.send(new DeleteItemCommand({ TableName, Key }));
    }
  };
  // All that has happened so far has settled, and is in the index of searches.
  await answered(async () => {
    await makeDue('search');
    await maintenance.invoke({});
    const all: Item[] = [];
    const pages = paginateScan({ client }, { TableName, ConsistentRead: true });
    for await (const { Items = [] } of pages) all.push(...Items);
    const last = all
      .flatMap(({ pk }) => /^event#(.*)$/.exec(pk?.S ?? '')?.[1] ?? [])
      .sort()
      .at(-1);
    const cursor = all.find(({ pk }) => pk?.S === 'indexed#fresh')?.record?.S ?? '{}';
    assert.equal(JSON.parse(cursor).upTo, last);
  });
  await makeDue('sweep', 'search', 'crl default');
  client.destroy();
  const before = { ...units };
  await maintenance.invoke({});
  const writeUnits = units.write - before.write;
  const readUnits = units.read - before.read;
  const gets = units.get - before.get;
  t.diagnostic(`${writeUnits} write units, ${readUnits} read units, ${gets} GETs of S3`);
  assert.deepEqual({ writeUnits, readUnits, gets }, measured.upkeep);
  assert.equal(units.put, before.put);
});

test('a run of the sequencer costs what the guide says, whether something waits or not', async (t) => {
  const { units } = stack.gate;
  const cost = async () => {
    const before = { ...units };
    await sequencer.invoke({});
    return {
      writeUnits: units.write - before.write,
      readUnits: units.read - before.read,
      gets: units.get - before.get,
      puts: units.put - before.put,
    };
  };
  // What has happened so far.
  await cost();
  const idle = await cost();
  await cli('challenge', 'create', '--endpoint', 'default');
  const busy = await cost();
  t.diagnostic(`nothing waits: ${JSON.stringify(idle)}; something does: ${JSON.stringify(busy)}`);
  assert.deepEqual(idle, { ...measured.sequencer.idle, puts: 0 });
  for (const [name, most] of Object.entries(measured.sequencer.busy)) {
    const took = busy[name as keyof typeof busy];
    assert.ok(took <= most && took > most / 3, `${name}: ${took}`);
  }
});

test('no call of the functions was refused by a policy or caused an outage', () => {
  assert.deepEqual(stack.gate.refused, []);
  for (const each of [scep, maintenance, sequencer]) {
    for (const event of ['http.outage', 'start.failed', 'upkeep.failed']) {
      assert.deepEqual(each.logged(event), []);
    }
  }
});

/** Permitted actions that are rare and were not taken here: the code that takes them, and when. */
const seldom = {
  // A voided attempt deletes the owner of a key that had none before. A CRL that is not there is asked for before the
  // first has been published.
  scep: ['dynamodb:DeleteItem', 's3:ListBucket'],
  // The key of the logs, of a log whose files have no verifier key.
  admin: ['kms:GetPublicKey'],
  // A CRL that was asked for is asked for no longer; the sweeper gives a challenge its use back, and
  // releases a certificate on condition that its key is not blocked.
  maintenance: ['dynamodb:ConditionCheckItem', 'dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
  sequencer: [],
} as const;

test('every permitted action of a function was taken here, or is listed as taken elsewhere', () => {
  for (const [name, rest] of Object.entries(seldom)) {
    const { arn, policies } = stack.roleOf(name as Name);
    const may = policies
      .flatMap(({ Statement }) => Statement)
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Action }) => Action)
      // What the Lambda service does in the function's name.
      .filter((action) => !/^(?:logs|xray):|Stream|ShardIterator|GetRecords/.test(action));
    const took = [...stack.gate.let]
      .filter((line) => line.startsWith(`${arn} `))
      .map((line) => line.split(' ')[1]);
    assert.deepEqual(
      [...new Set(may)].filter((action) => !took.includes(action)).sort(),
      rest,
      name,
    );
  }
});

const config = (name: Name, service: 'DYNAMODB' | 'KMS') => {
  const env = stack.as(name);
  return {
    region: stack.region,
    endpoint: env[`AWS_ENDPOINT_URL_${service}`] ?? '',
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
      sessionToken: env.AWS_SESSION_TOKEN ?? '',
    },
  };
};
const denied = { name: 'AccessDeniedException' };

test('no function may write tokens, CAs or MAC keys, or change an event', async () => {
  for (const name of ['scep', 'admin', 'maintenance'] as const) {
    const client = dynamoClient(config(name, 'DYNAMODB'));
    const put = (pk: string) =>
      client.send(
        new PutItemCommand({ TableName: stack.made.table.TableName, Item: { pk: { S: pk } } }),
      );
    for (const kind of ['token', 'authority', 'macKeys']) {
      await assert.rejects(put(`${kind}#x`), denied, `${name} ${kind}`);
    }
    // An event is written, and neither changed nor deleted.
    const [TableName, Key] = [stack.made.table.TableName, { pk: { S: 'event#x' } }];
    await put('event#x');
    await assert.rejects(client.send(new DeleteItemCommand({ TableName, Key })), denied, name);
    await assert.rejects(client.send(new UpdateItemCommand({ TableName, Key })), denied, name);
    await put('certificate#x');
    client.destroy();
  }
});

const sign = (KeyId: string, more: object = {}) =>
  new SignCommand({
    KeyId,
    Message: new Uint8Array(32),
    MessageType: 'DIGEST',
    SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256',
    ...more,
  });

test("the admin function may sign nothing, the sequencer checkpoints alone; the others may sign digests, with the CA's algorithm only", async () => {
  const { CaKeydefault: key = '', LogKey: log = '' } = stack.made.outputs;
  const checkpoint = { SigningAlgorithm: 'ECDSA_SHA_256' } as const;
  for (const name of ['scep', 'maintenance', 'admin', 'sequencer', 'operator'] as const) {
    const client = kmsClient(config(name, 'KMS'));
    const signed = client.send(sign(key));
    const may = name !== 'admin' && name !== 'sequencer';
    await (may ? signed : assert.rejects(signed, denied, name));
    const logged = client.send(sign(log, checkpoint));
    await (name === 'sequencer' ? logged : assert.rejects(logged, denied, name));
    await assert.rejects(client.send(sign(log, { ...checkpoint, MessageType: 'RAW' })), denied);
    for (const more of [{ MessageType: 'RAW' }, { SigningAlgorithm: 'RSASSA_PSS_SHA_256' }]) {
      await assert.rejects(client.send(sign(key, more)), denied, name);
    }
    client.destroy();
  }
});

test('each role may open the sealed keys that it needs, of this deployment, and no others', async () => {
  const opens = {
    scep: ['ra', ...macPurposes.map((purpose) => `mac-${purpose}`)],
    admin: ['mac-challenge', 'mac-approval', 'mac-evidence', 'mac-record', 'mac-registry'],
    maintenance: ['mac-gate', 'mac-record', 'mac-registry'],
    sequencer: ['mac-record', 'mac-registry'],
  } as const;
  const { SealingKey: KeyId = '' } = stack.made.outputs;
  for (const [name, good] of Object.entries(opens)) {
    const client = kmsClient(config(name as Name, 'KMS'));
    for (const purpose of opens.scep) {
      for (const deployment of ['scepter', 'another']) {
        const EncryptionContext = { deployment, purpose, ca: 'default' };
        const command = new DecryptCommand({
          KeyId,
          CiphertextBlob: new Uint8Array(64),
          EncryptionContext,
        });
        // A text that is not a ciphertext is refused too, by the key and not by a policy.
        const may = deployment === 'scepter' && (good as readonly string[]).includes(purpose);
        const expected = may ? { name: 'InvalidCiphertextException' } : denied;
        await assert.rejects(client.send(command), expected, `${name} ${deployment} ${purpose}`);
      }
    }
    client.destroy();
  }
});

test('every role may read the configuration, and none may change or delete it, or read anything else', async () => {
  const { SCEPTER_CONFIG: reference = '' } = stack.settingsOf('scep');
  const name = reference.replace(/^s3:/, '');
  for (const role of ['scep', 'admin', 'maintenance', 'sequencer', 'operator'] as const) {
    const { AWS_ACCESS_KEY_ID = '', AWS_ENDPOINT_URL_S3: endpoint = '', ...env } = stack.as(role);
    const credentials = {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
      sessionToken: env.AWS_SESSION_TOKEN,
    };
    const endpoints = { dynamodb: undefined, kms: undefined };
    const connection = { region: stack.region, credentials, endpoints };
    const text = await readNamedObject(name, { connection, endpoint });
    assert.equal(JSON.parse(text).cas.default.subject, 'CN=Example Device CA,O=Example');
    const asked = async (method: string, path: string): Promise<number> => {
      const authorization = `Credential=${AWS_ACCESS_KEY_ID}/`;
      return (await fetch(`${endpoint}/${path}`, { method, headers: { authorization } })).status;
    };
    for (const method of ['PUT', 'DELETE']) assert.equal(await asked(method, name), 403, role);
    assert.equal(await asked('GET', name.replace('config/', 'other/')), 403, role);
  }
});
