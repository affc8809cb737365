// Enrolments over HTTP against a real server process with software keys and a fresh folder: records in
// SQLite, or wherever the environment that it is given says.

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import {
  buildPkiMessage,
  buildRequest,
  generateKey,
  readCaCertificates,
  selfSigned,
} from '../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { random } from '../support/messages.ts';
import { freePort, startServer, temporary } from '../support/process.ts';

export type Throughput = { readonly perSecond: number; readonly p50: number; readonly p99: number };

export async function overHttp(
  count: number,
  inFlight: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Throughput> {
  const dataDir = temporary('bench');
  const port = await freePort();
  const server = await startServer({ ...env, SCEPTER_DATA_DIR: dataDir, PORT: String(port) });
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const post = (path: string, body: Uint8Array, headers: Record<string, string>) =>
    new Promise<Buffer>((resolve, reject) => {
      const sent = request({ port, path, method: 'POST', agent, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () =>
          response.statusCode === 200 || response.statusCode === 201
            ? resolve(Buffer.concat(parts))
            : reject(new Error(`HTTP ${response.statusCode}`)),
        );
      });
      sent.on('error', reject).end(body);
    });
  try {
    const bag = await fetch(`${server.url}/scep?operation=GetCACert`);
    const { ra } = readCaCertificates(new Uint8Array(await bag.arrayBuffer()));
    const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();
    const subject = parseName('CN=bench');
    // A device each: two requests for one key wait for each other.
    const devices = await Promise.all(
      Array.from({ length: inFlight }, async () => {
        const key = await generateKey({ type: 'RSA', bits: 2048 });
        return { key, certificate: await selfSigned(key, subject, Date.now(), random) };
      }),
    );
    const message = async ({ key, certificate }: (typeof devices)[number]) => {
      const made = await post('/api/v1/challenges', Buffer.from('{}'), {
        authorization: `Bearer ${token}`,
      });
      const { challenge } = JSON.parse(made.toString()) as { challenge: string };
      return buildPkiMessage(
        {
          messageType: 'PKCSReq',
          transactionID: challenge,
          senderNonce: random(16),
          plaintext: await buildRequest(key, { subject, names: [] }, challenge),
          ra,
          signer: { certificate, key },
          digest: 'SHA-256',
          cipher: 'AES-128',
        },
        random,
      );
    };
    const each = Math.ceil(count / inFlight);
    const made = async (device: (typeof devices)[number], all: number) => {
      const messages: Uint8Array[] = [];
      for (let i = 0; i < all; i++) messages.push(await message(device));
      return messages;
    };
    const queues: Uint8Array[][] = [];
    for (const device of devices) queues.push(await made(device, each));
    const [first] = devices;
    const warmUp = first ? await made(first, 50) : [];
    const operate = async (body: Uint8Array) => {
      const from = performance.now();
      const reply = await post('/scep?operation=PKIOperation', body, {});
      if (reply.length < 2000) throw new Error('an enrolment was refused');
      return performance.now() - from;
    };
    for (const body of warmUp) await operate(body);
    const times: number[] = [];
    const from = performance.now();
    await Promise.all(
      queues.map(async (messages) => {
        for (const body of messages) times.push(await operate(body));
      }),
    );
    const perSecond = times.length / ((performance.now() - from) / 1000);
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
    return { perSecond, p50: at(0.5), p99: at(0.99) };
  } finally {
    agent.destroy();
    await server.stop();
  }
}
