// An account of AWS on this machine, for whoever follows a guide: STS knows one person, who deploys; what the CDK
// would deploy is made as far as moto can make it, Terraform makes it in moto itself, and its functions run; devices
// reach them over TLS.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { bridge, type Tls } from '../support/lambda-bridge.ts';
import type { LambdaFunction } from '../support/lambda-runtime.ts';
import { type LambdaService, startLambdaService } from '../support/lambda-service.ts';
import { patiently, temporary } from '../support/process.ts';
import { answerIam, openCloudflare, putConfiguration } from './account-worker.ts';
import { contexts } from './contexts.ts';
import { headersOf } from './gate.ts';
import { onlySigned } from './signed-url.ts';
import { type Aws, type Made, one, type Stack, startAws, startMoto, startStack } from './stack.ts';
import { at, templateAt } from './templates.ts';

type Env = Readonly<Record<string, string>>;
type Answer = { readonly status: number; readonly headers: Env; readonly body: string | Buffer };
export type Account = Awaited<ReturnType<typeof openAccount>>;

const { account, region } = contexts.httpApi.context;
/** The one that may invoke functions, too (`lambda-service.ts`). */
const deployer = { id: 'AKIAOPERATOR', secret: 'secret', arn: `arn:aws:iam::${account}:user/me` };

/** A certificate for this machine, and the folder that it is in. */
function ownTls(): Tls & { readonly file: string } {
  const folder = temporary('guide-tls');
  const [keyFile, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '30'],
    ...['-keyout', keyFile, '-out', file],
  ]);
  const [key, cert] = [readFileSync(keyFile, 'utf8'), readFileSync(file, 'utf8')];
  return { key, cert, host: 'localhost', file };
}

const xml = (action: string, result: string): string =>
  `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${result}</${action}Result></${action}Response>`;
const element = (name: string, value = ''): string => `<${name}>${value}</${name}>`;

/** @throws {Error} without Java for DynamoDB Local */
export async function openAccount(home: string) {
  const tls = ownTls();
  let stack: Omit<Aws, 'as'> | undefined;
  let lambda: LambdaService | undefined;
  let configuration: string | undefined;
  /** Outputs that are no longer those of the stack as it was made. */
  const changed: Record<string, string> = {};
  let answers: Pick<LambdaFunction, 'invoke'> | undefined;
  const nobody = () => Promise.reject(new Error('nothing has been deployed yet'));
  const invoke = (event: unknown) => (answers ? answers.invoke(event) : nobody());
  const device = await bridge('function-url', { invoke }, tls);
  const cloudflare = await openCloudflare(tls, () => stack);
  let admin: Pick<LambdaFunction, 'invoke'> | undefined;
  const judged = onlySigned(
    { invoke: (event) => (admin ? admin.invoke(event) : nobody()) },
    deployer,
    {
      region,
      host: () => new URL(person.origin).host,
    },
  );
  const person = await bridge('function-url', { invoke: judged }, tls);

  const operator = () => stack && one(stack.made.roles, 'operator', 'role');

  /** The answer of STS. */
  const sts = (request: IncomingMessage, body: string): string => {
    const asked = new URLSearchParams(body);
    const [, key = ''] = /Credential=(\w+)\//.exec(request.headers.authorization ?? '') ?? [];
    const role = operator();
    const isOperator = role !== undefined && role.credentials.AWS_ACCESS_KEY_ID === key;
    const user = stack?.gate.callers.get(key);
    if (key !== deployer.id && !user) throw new Error(`nobody has the access key ${key}`);
    const action = asked.get('Action');
    if (action === 'GetCallerIdentity') {
      const arn = isOperator
        ? `arn:aws:sts::${account}:assumed-role/${role.arn.split('/').at(-1)}/session`
        : (user?.arn ?? deployer.arn);
      return xml(action, element('Account', account) + element('Arn', arn));
    }
    if (action !== 'AssumeRole') throw new Error(`nothing of ours calls ${action}`);
    const wanted = asked.get('RoleArn');
    if (role?.arn !== wanted || key !== deployer.id)
      throw new Error(`${key} may not assume ${wanted}`);
    const { credentials } = role;
    const given = element('AccessKeyId', credentials.AWS_ACCESS_KEY_ID)
      .concat(element('SecretAccessKey', credentials.AWS_SECRET_ACCESS_KEY))
      .concat(element('SessionToken', credentials.AWS_SESSION_TOKEN))
      .concat(element('Expiration', '2100-01-01T00:00:00Z'));
    return xml(action, element('Credentials', given));
  };

  async function start({ start, made }: Stack): Promise<void> {
    answers = await start('scep');
    const [own, maintenance] = [await start('admin'), await start('maintenance')];
    admin = own;
    const { AdminFunction: name = '' } = made.outputs;
    // Whenever somebody asks, a minute has gone by.
    const invoke = async (event: unknown) => {
      await maintenance.invoke({});
      return own.invoke(event);
    };
    lambda?.stop();
    lambda = await startLambdaService({ [name]: { invoke } }, { region, account });
  }

  let moto: (Awaited<ReturnType<typeof startMoto>> & { readonly url: string }) | undefined;

  /** @returns where Terraform makes things */
  async function forTerraform(): Promise<string> {
    if (!moto) {
      const started = await startMoto('module.py', region, device.origin);
      moto = { ...started, url: await started.next<string>() };
    }
    return moto.url;
  }

  /** Of what Terraform has made, what `deploy` would make. */
  async function applied(): Promise<void> {
    if (!moto) throw new Error('Terraform has made nothing here');
    const made = await moto.ask<Made>();
    const asked = JSON.stringify(one(made.functions, 'scep', 'function').environment);
    if (stack && asked === configuration) return;
    await stack?.stop();
    const started = await startStack({ made, stop: async () => {} }, deployer.id);
    if (!started) throw new Error('Java 17 is missing');
    [stack, configuration] = [started, asked];
    await start(started);
  }

  /**
   * Makes all. With another configuration, which a guide gives it before there is a CA, all is made anew at the same
   * address; for a Worker, which is told of it later, it is put beside the one before. With other settings all stays
   * as it is. @returns the outputs of the stack
   */
  async function deploy(path: string): Promise<Env> {
    const resources = Object.values(templateAt(path).Resources);
    const upload = resources.find(({ Type }) => Type === 'Custom::ScepterConfig');
    const asked = JSON.stringify(at(upload?.Properties, 'Create'));
    const forWorker = !('AdminFunction' in templateAt(path).Outputs);
    if (stack && asked !== configuration && forWorker) {
      Object.assign(changed, { Config: await putConfiguration(stack, JSON.parse(asked)) });
      configuration = asked;
    } else if (!stack || asked !== configuration) {
      await stack?.stop();
      const made = await (forWorker ? startAws : startStack)(path, deployer.id);
      if (!made) throw new Error('Java 17 is missing');
      stack = made;
      configuration = asked;
      await cloudflare.trust(path, made);
      if ('start' in made) await start(made);
    }
    const urls = answers && { ScepUrl: `${device.origin}/scep`, AdminUrl: person.origin };
    return { ...stack.made.outputs, ...changed, ...urls };
  }

  const pass = async (request: IncomingMessage, sent: Buffer, to: string): Promise<Answer> => {
    const { url = '/', method = 'POST' } = request;
    const response = await fetch(to + url, {
      ...{ method, headers: headersOf(request) },
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: Uint8Array.from(sent) }),
    });
    const headers = Object.fromEntries(response.headers);
    for (const name of ['connection', 'content-encoding', 'transfer-encoding'])
      delete headers[name];
    const body = Buffer.from(await response.arrayBuffer());
    if (method !== 'HEAD') headers['content-length'] = String(body.length);
    return { status: response.status, headers, body };
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const sent = await buffer(request);
    const body = sent.toString();
    const said = (about: string): Answer => ({ status: 200, headers: {}, body: about });
    if (request.url === '/deploy') return said(JSON.stringify(await deploy(JSON.parse(body))));
    const [, verb] = /^\/cloudflare\/(\w+)$/.exec(request.url ?? '') ?? [];
    if (verb) return said(await cloudflare.asked(verb, JSON.parse(body)));
    const { authorization = '' } = request.headers;
    if (stack && authorization.includes('/iam/aws4_request')) {
      const response = await answerIam(stack, body);
      const type = { 'content-type': 'text/xml' };
      return { status: response.status, headers: type, body: await response.text() };
    }
    if (request.url === '/terraform') return said(await forTerraform());
    if (request.url === '/applied') return applied().then(() => said(''));
    const isInvoke = request.url?.startsWith('/2015-03-31/');
    const isS3 = authorization.includes('/s3/aws4_request');
    if (!isInvoke && !isS3 && !request.headers['x-amz-target']) return said(sts(request, body));
    const target = String(request.headers['x-amz-target']);
    const inMoto = /^(?:Logs_\d+|secretsmanager)\./.test(target);
    const inStack = isInvoke ? lambda?.env.AWS_ENDPOINT_URL_LAMBDA : stack?.gate.url;
    const to = inMoto ? await forTerraform() : inStack;
    if (to === undefined) throw new Error('nothing has been deployed yet');
    return pass(request, sent, to);
  };

  const errors: string[] = [];
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      (error: Error) => {
        errors.push(error.message);
        response.writeHead(400).end(error.message);
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await mkdir(join(home, '.aws'), { recursive: true });
  const profile = `[default]\naws_access_key_id = ${deployer.id}\naws_secret_access_key = ${deployer.secret}\n`;
  await writeFile(join(home, '.aws', 'credentials'), profile);
  return {
    region,
    errors,
    worker: cloudflare,
    refused: (): readonly string[] => stack?.gate.refused ?? [],
    calls: (): readonly string[] => lambda?.calls ?? [],
    /** What a shell has where this account is. */
    env: {
      HOME: home,
      AWS_ENDPOINT_URL: url,
      AWS_ENDPOINT_URL_S3: url,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...patiently,
      AWS_PAGER: '',
      // The AWS CLI of PyPI is the first, which does not read AWS_REGION.
      AWS_DEFAULT_REGION: region,
      NODE_EXTRA_CA_CERTS: tls.file,
      CURL_CA_BUNDLE: tls.file,
    },
    stop: async (): Promise<void> => {
      server.closeAllConnections();
      server.close();
      lambda?.stop();
      device.stop();
      await cloudflare.stop();
      person.stop();
      await stack?.stop();
      await moto?.stop();
    },
  };
}
