// The load generator for SCEP servers in processes of their own: messages that are built before, so many in
// flight over kept connections, and a look at every reply after the clock has stopped.

import { Agent, request } from 'node:http';
import { tag } from '../../lib/asn1/reader.ts';
import { fromLatin1 } from '../../lib/base/bytes.ts';
import { readSignedData, singleAttribute } from '../../lib/cms/signed-data.ts';
import {
  buildPkiMessage,
  buildRequest,
  type CaCertResponse,
  type ClientKey,
  generateKey,
  readCaCertificates,
  selfSigned,
} from '../../lib/protocol/scep/client/client.ts';
import { attributeOids, pkiStatus } from '../../lib/protocol/scep/wire/registry.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { random } from '../support/messages.ts';
import { cpuMs } from './usage.ts';

export type Server = {
  readonly pid: number;
  readonly port: number;
  /** Of the SCEP service. */
  readonly path: string;
  /** A challenge that the next message may use. */
  readonly challenge: () => Promise<string>;
  readonly stop: () => Promise<void>;
};

export type Device = { readonly key: ClientKey; readonly subject: string };
export type Message = { readonly transactionID: string; readonly body: Uint8Array };

export type Round = {
  /** CPU milliseconds of the server process for a message. */
  readonly cpu: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Messages that got no CertRep with SUCCESS for their transactionID. */
  readonly lost: number;
};

/** RSA keys are slow to make, so messages share them; two in flight never have the same one. */
export async function makeDevices(count: number): Promise<readonly Device[]> {
  const devices: Device[] = [];
  for (let i = 0; i < count; i++) {
    devices.push({ key: await generateKey({ type: 'RSA', bits: 2048 }), subject: `CN=bench-${i}` });
  }
  return devices;
}

export async function announced(port: number, path: string): Promise<CaCertResponse['ra']> {
  const bag = await fetch(`http://127.0.0.1:${port}${path}?operation=GetCACert`);
  return readCaCertificates(new Uint8Array(await bag.arrayBuffer())).ra;
}

let made = 0;

/** PKCSReqs, each with a transactionID and a subject of its own. */
export async function buildMessages(
  server: Server,
  devices: readonly Device[],
  count: number,
): Promise<readonly Message[]> {
  const ra = await announced(server.port, server.path);
  const messages: Message[] = [];
  for (let i = 0; i < count; i++) {
    const device = devices[i % devices.length];
    if (!device) throw new Error('no device');
    const { key } = device;
    const transactionID = `bench-${made++}`;
    const subject = parseName(`${device.subject}-${transactionID}`);
    const certificate = await selfSigned(key, subject, Date.now(), random);
    const plaintext = await buildRequest(key, { subject, names: [] }, await server.challenge());
    const request = {
      messageType: 'PKCSReq',
      transactionID,
      senderNonce: random(16),
      plaintext,
      ra,
      signer: { certificate, key },
      digest: 'SHA-256',
      cipher: 'AES-128',
    } as const;
    messages.push({ transactionID, body: await buildPkiMessage(request, random) });
  }
  return messages;
}

/** Sends every message once. */
export async function send(
  { pid, port, path }: Server,
  messages: readonly Message[],
  inFlight: number,
): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const target = { port, path: `${path}?operation=PKIOperation`, method: 'POST', agent };
  const headers = { 'content-type': 'application/x-pki-message' };
  const post = (body: Uint8Array) =>
    new Promise<Buffer | undefined>((resolve) => {
      const sent = request({ ...target, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part) => parts.push(part));
        response.on('error', () => resolve(undefined));
        response.on('end', () =>
          resolve(response.statusCode === 200 ? Buffer.concat(parts) : undefined),
        );
      });
      sent.on('error', () => resolve(undefined)).end(body);
    });
  const times: number[] = [];
  const replies: (Buffer | undefined)[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < messages.length; i = next++) {
      const from = performance.now();
      replies[i] = await post(messages[i]?.body ?? new Uint8Array(0));
      times.push(performance.now() - from);
    }
  };
  const cpu = cpuMs(pid);
  const from = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - from) / 1000;
  const spent = cpuMs(pid) - cpu;
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    cpu: spent / messages.length,
    perSecond: messages.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    lost: messages.filter((message, i) => !succeeded(replies[i], message)).length,
  };
}

function succeeded(reply: Buffer | undefined, { transactionID }: Message): boolean {
  if (!reply) return false;
  try {
    const { attributes } = readSignedData(new Uint8Array(reply));
    const text = (type: string) => {
      const value = singleAttribute(attributes, type, tag.printableString);
      return value && fromLatin1(value);
    };
    return (
      text(attributeOids.pkiStatus) === pkiStatus.SUCCESS &&
      text(attributeOids.transactionID) === transactionID
    );
  } catch {
    return false;
  }
}
