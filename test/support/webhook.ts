// A webhook as a real HTTPS server on a port of this machine, to which the adapter comes by a resolver and a connection of
// the test's: what it looks up and what it connects to are recorded.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../lib/adapters/system.ts';
import { type Network, pinnedHttps } from '../../lib/adapters/webhook/pinned-https.ts';
import type { WebhookSettings } from '../../lib/adapters/webhook/style.ts';
import { makeWebhook } from '../../lib/adapters/webhook/webhook.ts';

import { buildRequest } from '../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from './keys.ts';

export type Taken = {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** SNI. */
  readonly servername: string | false | undefined;
};

/** What the server does with a request. */
export type Handler = (response: ServerResponse, taken: Taken) => void;

export const publicAddress = '1.1.1.1';
export const hookHost = 'hooks.example.com';
export const hookSecret = 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0';

/** A root, and a server's certificate of it for these names, as files. @param openssl runs it in the folder */
export async function serverCertificate(
  folder: string,
  openssl: (...args: readonly string[]) => unknown,
  names: string,
) {
  const path = (name: string) => join(folder, name);
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  const root = ['-keyout', path('root.key'), '-out', path('root.pem'), '-subj', '/CN=root'];
  await openssl('req', '-x509', ...key, ...root);
  await openssl('req', ...key, '-keyout', path('key'), '-out', path('csr'), '-subj', '/CN=hook');
  writeFileSync(path('extensions'), `subjectAltName=${names}\n`);
  const by = ['-CA', path('root.pem'), '-CAkey', path('root.key'), '-CAcreateserial'];
  const files = ['-extfile', path('extensions'), '-out', path('pem')];
  await openssl('x509', '-req', '-in', path('csr'), ...by, ...files);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  return { folder, key: read('key'), cert: read('pem'), root: read('root.pem') };
}

type Identity = Awaited<ReturnType<typeof serverCertificate>>;

const defaults: WebhookSettings = {
  ...({ id: 'hook', style: 'scepter', url: `https://${hookHost}/scep?a=b` } as const),
  ...{ secret: hookSecret, networks: [], notify: true },
};

/** The adapter, before a webhook that a program is, on a port of this machine. */
export const hookAt = (port: number, root: string, settings: Partial<WebhookSettings> = {}) =>
  makeWebhook(
    { ...defaults, ...settings },
    {
      clock: systemClock,
      limit: () => new AbortController().signal,
      send: pinnedHttps({
        roots: [root],
        resolve: async () => [{ address: publicAddress, family: 4 }],
        connect: () => connect({ host: '127.0.0.1', port }),
      }),
    },
  );

export async function startHook({ key, cert, root }: Identity) {
  const taken: Taken[] = [];
  const looked: string[] = [];
  const connected: string[] = [];
  const slept: number[] = [];
  const limits: { readonly ms: number; readonly end: AbortController }[] = [];
  let handler: Handler = (response) => response.end();
  let addresses: readonly string[][] = [[publicAddress]];
  const server = createServer({ key, cert }, async (request, response) => {
    const { method, url, headers, socket } = request;
    const { servername } = socket as typeof socket & { servername?: string | false };
    const one = { method, url, headers, servername, body: await text(request) };
    taken.push(one);
    handler(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const network: Network = {
    roots: [root],
    resolve: async (name) => {
      const found = addresses[Math.min(looked.length, addresses.length - 1)] ?? [];
      looked.push(name);
      return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    },
    connect: (_, asked, found) => {
      connected.push(...found.map(({ address }) => `${address} ${asked}`));
      return connect({ host: '127.0.0.1', port });
    },
  };
  const clock = {
    at: Date.parse('2026-11-30T12:00:00Z'),
    now: () => clock.at,
    sleep: async (ms: number) => {
      slept.push(ms);
      clock.at += ms;
    },
  };
  return {
    ...{ taken, looked, connected, slept, limits, clock, network },
    /** @param wanted what the server does from now on @param found what the name has, at each look-up */
    answer(wanted: Handler, found: readonly string[][] = [[publicAddress]]) {
      handler = wanted;
      addresses = found;
      for (const list of [taken, looked, connected, slept, limits]) list.length = 0;
    },
    hook(settings: Partial<WebhookSettings> = {}, send = pinnedHttps(network)) {
      return makeWebhook(
        { ...defaults, ...settings },
        {
          ...{ clock, send },
          limit: (ms) => {
            const end = new AbortController();
            limits.push({ ms, end });
            return end.signal;
          },
        },
      );
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Those that programs of the documents are started with. */
export const knownSubject = 'CN=phone-17,O=Example';

/** A webhook of style scepter that lets `knownSubject` in: what it answers, and to whom. */
export async function requireAnswers(port: number, root: string): Promise<void> {
  const key = await deviceKey('webhook');
  const asking = async (subject: string) => ({
    ...{ requestHash: 'ab'.repeat(32), endpoint: 'mdm', transactionID: 'T-1' },
    csr: await buildRequest(key, { subject: parseName(subject), names: [] }, 'a challenge'),
    until: Date.now() + 60_000,
  });
  const hook = hookAt(port, root);
  const known = await asking(knownSubject);
  assert.deepEqual(await hook.validate(known), { allow: true });
  const stranger = { allow: false, note: 'not one of ours' };
  assert.deepEqual(await hook.validate(await asking('CN=phone-18')), stranger);
  const refused = { reason: 'badChallenge' as never, text: 'the challenge is not known' };
  await hook.refused?.({ ...known, ...refused });
  const unknown = hookAt(port, root, { secret: hookSecret.replace('M', 'N') });
  await assert.rejects(unknown.validate(known), { name: 'Outage', message: /answered 401/ });
}
