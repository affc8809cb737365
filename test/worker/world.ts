// A deployment for the Worker's bundle: a CA at AWS as it is on this machine, with faults on both of its
// wires, and isolates over it.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { awsWorld } from '../support/aws-world.ts';
import type { DynamoFault } from '../support/dynamodb-faults.ts';
import { type DynamoProxy, startDynamoProxy } from '../support/dynamodb-proxy.ts';
import type { KmsFault } from '../support/kms-emulator.ts';
import type { Sent } from '../support/messages.ts';
import { startWorkerd, type Workerd, type WorkerdOptions } from '../support/workerd.ts';

export type Fault = { readonly dynamodb?: DynamoFault; readonly kms?: KmsFault };
export type FaultAt = (call: string, at: number) => Fault | undefined;

const { AWS_ENDPOINT_URL_DYNAMODB: dynamodb = '', SCEPTER_TEST_BUNDLE: bundle = '' } = process.env;
if (!dynamodb || !bundle) throw new Error('run me with npm run test:worker');

const running = new Set<Workerd>();
const proxies = new Set<DynamoProxy>();
after(async () => {
  await Promise.all([...running].map((one) => one.stop()));
  for (const proxy of proxies) proxy.stop();
});

/** The configuration of `makeLab`, as a Worker gets it. */
const document = {
  publicUrl: 'http://scep.test',
  decisionUrl: 'https://approve.scep.test',
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' } },
  endpoints: {
    default: { ca: 'default' },
    legacy: { ca: 'default', legacy: { sha1: true, des3: true, des: true } },
    waits: { ca: 'default', approval: 'always' },
    other: { ca: 'default' },
  },
} as const;

export const adminToken = 'worker-test-'.padEnd(43, 'a');

export async function workerWorld() {
  const world = await awsWorld({ config: document });
  const { kms, s3, table } = world;
  const proxy = await startDynamoProxy(dynamodb);
  proxies.add(proxy);
  const env = {
    ...(await kms.env()),
    ...s3.env,
    AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    SCEPTER_TABLE: table,
    SCEPTER_CONFIG: JSON.stringify(document),
    SCEPTER_ADMIN_TOKEN: adminToken,
  };
  const calls: string[] = [];
  let fault: FaultAt = () => undefined;
  const next = (name: string): Fault => fault(name, calls.push(name) - 1) ?? {};
  proxy.arm(({ name }) => next(name).dynamodb);
  kms.emulator.arm(({ action }) => next(action.replace('kms:', '')).kms);
  const isolate = async (
    more: Readonly<Record<string, string>> = {},
    options: WorkerdOptions = {},
  ): Promise<Workerd> => {
    const started = await startWorkerd(bundle, { ...env, ...more }, options);
    running.add(started);
    return started;
  };
  const post = async ({ url }: Workerd, { message }: Sent, path = '/scep') => {
    const reply = await fetch(`${url}${path}?operation=PKIOperation`, {
      method: 'POST',
      body: message,
    });
    return {
      status: reply.status,
      retryAfter: reply.headers.get('retry-after'),
      body: new Uint8Array(await reply.arrayBuffer()),
    };
  };
  return {
    ...world,
    env,
    calls,
    isolate,
    post,
    /** From now on calls are counted from 0, and befallen by what this says. */
    arm: (faults: FaultAt = () => undefined): void => {
      fault = faults;
      calls.length = 0;
    },
    enrols: async (one: Workerd, sent: Sent): Promise<void> => {
      const reply = await post(one, sent);
      await world.enrolled(sent, reply, () => one.printed().slice(-1500));
    },
    discard: async (one: Workerd): Promise<void> => {
      running.delete(one);
      await one.stop();
    },
  };
}
export type WorkerWorld = Awaited<ReturnType<typeof workerWorld>>;

/** What the last outage in its log was about. */
export function outageOf(one: Workerd): string {
  const last = one.logged('http.outage').at(-1);
  assert.ok(last, one.printed().slice(-1500));
  return String(last.detail);
}
