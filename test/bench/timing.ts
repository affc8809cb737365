// Whether time says what came out of an envelope: `npm run bench -- timing`. Messages that
// differ only in that are sent by turns, over one connection, to a server in another process, and what each
// class takes longer than the first is printed with its 95 % interval. It decides no run: machines are
// busy. What decides is test/protocol/scep/rfc8894-uniform-work.test.ts, which counts the work.

import { Agent, request } from 'node:http';
import { type Bytes, concat, hex } from '../../lib/base/bytes.ts';
import type { ConfigDocument } from '../../lib/config/config.ts';
import {
  buildRequest,
  type CaCertResponse,
  type ClientKey,
  generateKey,
  readCaCertificates,
} from '../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { startDynamoDbLocal } from '../support/dynamodb-local.ts';
import { enrolment, random, seal } from '../support/messages.ts';
import { rsa8192 } from '../support/other-keys.ts';
import { freePort, startServer, temporary } from '../support/process.ts';
import { bundleWorker, startWorkerd } from '../support/workerd.ts';

const document: ConfigDocument = {
  publicUrl: 'http://scep.test',
  // Each request is from an address of its own: whose messages do not open is held back otherwise.
  trustedProxies: 1,
  cas: { default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' } },
  endpoints: {
    default: { ca: 'default' },
    any: { ca: 'default', enrol: { authorize: ['challenge'], signer: 'any' } },
  },
};

/** What comes out of an envelope: the first is what whoever decrypts by asking wants to tell from the
 * others. */
const classes: Readonly<Record<string, (csr: Bytes, ra: CaCertResponse['ra']) => Bytes>> = {
  'a readable PKCS#10 of another key': (csr, ra) => seal(csr, ra),
  'a wrong padding of the content': (csr, ra) =>
    seal(csr, ra, { blocks: (padded) => concat([padded.subarray(0, -1), Uint8Array.of(0)]) }),
  'another content key': (csr, ra) => seal(csr, ra, { contentKey: random(8) }),
};
/** Of one that can succeed where keys may differ, its signature is changed: it is to be refused. */
const refused = (csr: Bytes): Bytes => {
  const bent = csr.slice();
  bent[bent.length - 3] = (bent.at(-3) ?? 0) ^ 1;
  return bent;
};

/** Messages of each class, sent by turns. */
const VARIETY = 200;

type Say = (line: string) => void;
type Post = (path: string, body: Uint8Array) => Promise<number>;

const poster =
  (agent: Agent, port: string): Post =>
  (path, body) =>
    new Promise((resolve, reject) => {
      const address = `2001:db8:${hex(random(2))}:${hex(random(2))}::1`;
      const headers = { 'x-forwarded-for': address, 'cf-connecting-ip': address };
      const from = performance.now();
      const sent = request({ port, path, method: 'POST', agent, headers }, (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode === 200) resolve(performance.now() - from);
          else reject(new Error(`HTTP ${response.statusCode}`));
        });
      });
      sent.on('error', reject).end(body);
    });

/** The median, and the ranks around it between which it is in 95 of 100 samples (order statistics). */
function medianOf(values: readonly number[]): readonly [low: number, median: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b);
  const half = 0.98 * Math.sqrt(sorted.length);
  const at = (rank: number): number =>
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(rank)))] ?? Number.NaN;
  return [at(sorted.length / 2 - half), at(sorted.length / 2), at(sorted.length / 2 + half)];
}

type Plan = { readonly count: number; readonly endpoints: readonly string[] };

async function compare(url: string, ra: CaCertResponse['ra'], plan: Plan, say: Say) {
  const { count, endpoints } = plan;
  const victim = await generateKey({ type: 'RSA', bits: 2048 });
  const names = { subject: parseName('CN=victim,O=Test'), names: [] };
  const csr = await buildRequest(victim, names, 'x'.repeat(26));
  const signers: Readonly<Record<string, ClientKey>> = {
    'RSA-2048': await generateKey({ type: 'RSA', bits: 2048 }),
    'RSA-8192': rsa8192(65_537n),
    'P-521': await generateKey({ type: 'EC', curve: 'P-521' }),
  };
  for (const endpoint of endpoints) {
    for (const [name, key] of Object.entries(signers)) {
      const plaintext = endpoint === 'any' ? refused(csr) : csr;
      const target = { announced: { ra, chain: [] }, clock: { now: () => Date.now() } };
      // Many of each class: how long one signature takes to verify depends on its numbers.
      const messages = await Promise.all(
        Object.values(classes).map((envelope) =>
          Promise.all(
            Array.from({ length: VARIETY }, async () => {
              const options = { key, plaintext, envelope: envelope(plaintext, ra) };
              return (await enrolment(target, { ...options, transactionID: 'timing' })).message;
            }),
          ),
        ),
      );
      const path = `/scep/${endpoint}?operation=PKIOperation`;
      // A connection of its own: making the messages takes longer than a server keeps an idle one.
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const post = poster(agent, new URL(url).port);
      const send = (i: number, round: number) =>
        post(path, messages[i]?.[round % VARIETY] ?? new Uint8Array(0));
      for (let i = 0; i < 50; i++) for (const each of messages.keys()) await send(each, i);
      const times: number[][] = messages.map(() => []);
      for (let round = 0; round < count; round++) {
        // The order of each round is another one.
        const order = messages.map((_, i) => (i + round) % messages.length);
        if (round % 2 === 1) order.reverse();
        for (const i of order) times[i]?.push(await send(i, round));
      }
      agent.destroy();
      const [wanted = [], ...others] = times;
      const [, typical] = medianOf(wanted);
      say(`  ${endpoint}, signer ${name}: ${typical.toFixed(3)} ms, ${count} a class`);
      for (const [i, other] of others.entries()) {
        const differences = wanted.map((ms, round) => (ms - (other[round] ?? 0)) * 1000);
        const [low, median, high] = medianOf(differences).map((us) => us.toFixed(1));
        say(
          `${(median ?? '').padStart(9)} µs [${low}, ${high}] than ${Object.keys(classes)[i + 1]}`,
        );
      }
    }
  }
}

/** @param count messages of each class, for each signer and endpoint */
export async function timing(count: number, endpoints: readonly string[], say: Say): Promise<void> {
  const plan = { count, endpoints };
  say(`How much longer ${Object.keys(classes)[0]} takes, median and its 95 % interval\n`);
  const PORT = String(await freePort());
  const settings = { SCEPTER_CONFIG: JSON.stringify(document), PORT };
  const server = await startServer({ ...settings, SCEPTER_DATA_DIR: temporary('timing') });
  try {
    const url = `http://127.0.0.1:${PORT}`;
    const bag = await fetch(`${url}/scep?operation=GetCACert`);
    const { ra } = readCaCertificates(new Uint8Array(await bag.arrayBuffer()));
    say(`Node ${process.version}`);
    await compare(url, ra, plan, say);
  } finally {
    await server.stop();
  }
  const local = await startDynamoDbLocal();
  if (!local) return say('NOT RUN: workerd (Java 17 is missing)');
  // Where the SDK finds it; set before the SDK is first used.
  Object.assign(process.env, local.env);
  const { awsWorld } = await import('../support/aws-world.ts');
  const { path: bundle } = await bundleWorker();
  const world = await awsWorld({ config: document });
  const isolate = await startWorkerd(bundle, {
    ...(await world.kms.env()),
    ...world.s3.env,
    AWS_ENDPOINT_URL_DYNAMODB: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '',
    SCEPTER_TABLE: world.table,
    SCEPTER_CONFIG: JSON.stringify(document),
  });
  try {
    say('workerd');
    await compare(isolate.url, world.announced.ra, plan, say);
  } finally {
    await Promise.all([isolate.stop(), world.kms.stop(), local.stop()]);
  }
}
