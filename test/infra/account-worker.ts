// What an account has for whoever follows the guide of Workers: the access keys of the Worker's user, in moto's IAM,
// and one Worker at Cloudflare, with its secrets, to which devices come over TLS.

import { once } from 'node:events';
import { request as ask, type IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Tls } from '../support/lambda-bridge.ts';
import { startRolesAnywhere } from '../support/roles-anywhere.ts';
import { startWorker, type WorkerProcess } from '../support/wrangler-dev.ts';
import { anchorOf } from './roles-anywhere.ts';
import { type Aws, one } from './stack.ts';
import { at, listAt } from './templates.ts';

type Env = Readonly<Record<string, string>>;
type Backend = Pick<Aws, 'made' | 'gate'>;

/** What the stand-in of wrangler says of a Worker. */
export type Deployed = { readonly vars: Env; readonly required: readonly string[] };

const toMoto = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/${service}/aws4_request`,
});

/** The keys that are made with the stack, for whoever follows no guide: a user may have two. */
const cleared = new WeakSet<Backend>();

async function toIam({ made }: Backend, body: string): Promise<Response> {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return fetch(made.endpoint, { method: 'POST', body, headers: { ...toMoto('iam'), ...type } });
}

/** As IAM answers, about access keys: the gate knows them from then on, or no longer. */
export async function answerIam(stack: Backend, body: string): Promise<Response> {
  const { made, gate } = stack;
  const user = one(made.users, 'worker', 'user');
  if (!cleared.has(stack)) {
    cleared.add(stack);
    const AccessKeyId = user.credentials.AWS_ACCESS_KEY_ID ?? '';
    const UserName = user.arn.split('/').at(-1) ?? '';
    const asked = { Action: 'DeleteAccessKey', Version: '2010-05-08', UserName, AccessKeyId };
    await toIam(stack, String(new URLSearchParams(asked)));
    gate.callers.delete(AccessKeyId);
  }
  const response = await toIam(stack, body);
  const asked = new URLSearchParams(body);
  const action = asked.get('Action');
  if (action === 'CreateAccessKey') {
    const [, key = ''] = /<AccessKeyId>(\w+)</.exec(await response.clone().text()) ?? [];
    gate.callers.set(key, user);
  }
  const ended = action === 'DeleteAccessKey' || asked.get('Status') === 'Inactive';
  if (ended) gate.callers.delete(asked.get('AccessKeyId') ?? '');
  return response;
}

/**
 * Puts the configuration that another deployment of the same stack brings, as the CDK's function does.
 * @param create what that function is told
 * @returns what `SCEPTER_CONFIG` then is
 */
export async function putConfiguration({ made }: Backend, create: unknown): Promise<string> {
  const [, bucket = ''] = /^s3:([^/]+)\//.exec(made.outputs.Config ?? '') ?? [];
  const text = listAt(create, 'Fn::Join.1')
    .map((part) => (typeof part === 'string' ? part : bucket))
    .join('');
  const parameters = at(JSON.parse(text), 'parameters') as Env;
  const { Key = '', Body = '' } = parameters;
  const put = { method: 'PUT', body: Body, headers: toMoto('s3') };
  const { ok, status } = await fetch(`${made.endpoint}/${bucket}/${Key}`, put);
  if (!ok) throw new Error(`S3 answers ${status} to the configuration`);
  return `s3:${bucket}/${Key}`;
}

const settings = ['AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL_S3'];

/** @param stack what has been deployed at AWS */
export async function openCloudflare(tls: Tls, stack: () => Backend | undefined) {
  const secrets = new Map<string, string>();
  let deployed: Deployed | undefined;
  let running: WorkerProcess | undefined;
  let sessions: Awaited<ReturnType<typeof startRolesAnywhere>> | undefined;

  const serve = async (
    request: IncomingMessage,
  ): Promise<[status: number, headers: Env, Buffer]> => {
    const { method = 'GET', url = '/', headers } = request;
    const body = await buffer(request);
    if (!running) throw new Error('no Worker has been deployed');
    const sent = ask(new URL(url, running.url), { method, headers }).end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const { 'transfer-encoding': _, connection: __, ...said } = answer.headers as Env;
    return [answer.statusCode ?? 502, said, await buffer(answer)];
  };
  const front = createServer(tls, (request, response) => {
    serve(request).then(
      ([status, headers, body]) => response.writeHead(status, headers).end(body),
      () => response.writeHead(502).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const origin = `https://${tls.host}:${(front.address() as AddressInfo).port}`;

  async function restart(): Promise<void> {
    await running?.stop();
    running = undefined;
    const url = stack()?.gate.url;
    if (!deployed || url === undefined) return;
    const places = Object.fromEntries(settings.map((name) => [name, url]));
    if (sessions) places.AWS_ENDPOINT_URL_ROLESANYWHERE = sessions.url;
    const env = { ...deployed.vars, ...Object.fromEntries(secrets), ...places };
    running = await startWorker({ env });
    // Its first minute has gone by before anybody asks.
    await running.upkept();
  }

  const verbs: Readonly<Record<string, (body: unknown) => Promise<void>>> = {
    async secrets(body) {
      for (const [name, value] of Object.entries(body as Env)) secrets.set(name, value);
      if (deployed) await restart();
    },
    async deploy(body) {
      const asked = body as Deployed;
      const missing = asked.required.filter((name) => !secrets.has(name));
      if (missing.length > 0) throw new Error(`the Worker has no secret ${missing.join(', ')}`);
      deployed = asked;
      await restart();
    },
    async delete() {
      deployed = undefined;
      secrets.clear();
      await restart();
    },
  };
  return {
    /** Gives sessions of the Worker's role from now on, where the stack has one. */
    async trust(template: string, { made }: Backend): Promise<void> {
      const anchor = anchorOf(template, made.outputs);
      if (!anchor) return;
      const { credentials } = one(made.roles, 'worker', 'role');
      sessions?.stop();
      sessions = await startRolesAnywhere(anchor, () => ({
        accessKeyId: credentials.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY ?? '',
        sessionToken: credentials.AWS_SESSION_TOKEN ?? '',
      }));
    },
    /** How many sessions it has made. */
    sessions: (): number => sessions?.made.length ?? 0,
    /** @returns where the Worker is */
    asked: async (verb: string, body: unknown): Promise<string> => {
      const act = verbs[verb] ?? (() => Promise.reject(new Error(`wrangler ${verb}: unknown`)));
      await act(body);
      return origin;
    },
    stop: async (): Promise<void> => {
      front.closeAllConnections();
      front.close();
      sessions?.stop();
      await running?.stop();
    },
  };
}
