// The Worker beside plain Node, over the same table and keys: the CPU of an enrolment in each, by what the
// system counts for the process; and how long an isolate takes until it answers, beside an empty one.
//   node test/bench/worker.ts 400
// with DynamoDB Local in the environment, as the SDK reads it. Prints one JSON object.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../../lib/base/bytes.ts';
import { awsWorld } from '../support/aws-world.ts';
import { deviceKey } from '../support/keys.ts';
import { freePort, startServer, temporary } from '../support/process.ts';
import { bundleWorker, startWorkerd } from '../support/workerd.ts';
import { cpuMs } from './usage.ts';

export type BesideNode = {
  /** What wrangler says of the bundle. */
  readonly size: string;
  /** CPU microseconds of one enrolment. */
  readonly worker: number;
  readonly node: number;
  /** Milliseconds from the start of workerd to the first answer. */
  readonly first: number;
  readonly firstOfEmpty: number;
};

const document = {
  publicUrl: 'http://scep.test',
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' } },
  endpoints: { default: { ca: 'default' } },
} as const;

async function besideNode(count: number): Promise<BesideNode> {
  const { path: bundle, said } = await bundleWorker();
  const world = await awsWorld({ config: document });
  const PORT = String(await freePort());
  const env = {
    ...(await world.kms.env()),
    ...world.s3.env,
    AWS_ENDPOINT_URL_DYNAMODB: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '',
    SCEPTER_TABLE: world.table,
    SCEPTER_CONFIG: JSON.stringify(document),
  };
  const key = await deviceKey('bench');
  const messages = (): Promise<Bytes[]> =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const challenge = await world.lab.challenge();
        return (await world.message({ challenge, key, transactionID: challenge })).message;
      }),
    );
  const spent = async (url: string, pid: number): Promise<number> => {
    const enrol = async (all: readonly Bytes[]): Promise<void> => {
      for (const body of all) {
        const sent = await fetch(`${url}/scep?operation=PKIOperation`, { method: 'POST', body });
        const reply = await sent.arrayBuffer();
        if (reply.byteLength < 2000) throw new Error('an enrolment was refused');
      }
    };
    const [warmUp, measured] = [await messages(), await messages()];
    await enrol(warmUp);
    const before = cpuMs(pid);
    await enrol(measured);
    return ((cpuMs(pid) - before) * 1000) / count;
  };
  const server = await startServer({ ...env, PORT, SCEPTER_DATA_DIR: temporary('bench') });
  const isolate = await startWorkerd(bundle, env);
  try {
    return {
      size: /Total Upload: .*/.exec(said)?.[0] ?? said,
      node: await spent(`http://127.0.0.1:${PORT}`, server.child.pid ?? 0),
      worker: await spent(isolate.url, isolate.pid),
      ...(await firstAnswers(bundle)),
    };
  } finally {
    await Promise.all([server.stop(), isolate.stop(), world.kms.stop()]);
  }
}

/** It answers that it has not been told where AWS is: nothing is waited for but the module. */
async function firstAnswers(bundle: string) {
  const empty = join(temporary('bench'), 'empty.js');
  writeFileSync(empty, "export default { fetch: () => new Response('') };\n");
  const timed = async (module: string): Promise<number> => {
    const from = performance.now();
    const started = await startWorkerd(module, {});
    await (await fetch(started.url)).text();
    const took = performance.now() - from;
    await started.stop();
    return took;
  };
  const [ours, empties]: [number[], number[]] = [[], []];
  for (let round = 0; round < 7; round++) {
    ours.push(await timed(bundle));
    empties.push(await timed(empty));
  }
  // On a busy machine the fastest is the one to go by.
  return { first: Math.min(...ours), firstOfEmpty: Math.min(...empties) };
}

const result = await besideNode(Number(process.argv[2] ?? 400));
process.stdout.write(`${JSON.stringify(result)}\n`);
