// How a server speaks TLS: whom it shows to be, in which versions, and whether it asks for a client's certificate.

import { connect as plainConnect } from 'node:net';
import { Duplex } from 'node:stream';
import {
  type ConnectionOptions,
  checkServerIdentity,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import type { TlsFacts } from '../facts.ts';
import { nameFor, portOf, unbracketed } from './http.ts';

type Handshake = {
  readonly version: string;
  readonly problem: string | undefined;
  readonly otherNames: string | undefined;
  readonly notAfter: number;
};

/** OpenSSL refuses TLS 1.1 and what it needs, unless it is told to. */
const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;

export async function tlsFacts(
  url: URL,
  limitMs: number,
): Promise<TlsFacts | { readonly silence: string }> {
  const newest = await handshake(url, {}, limitMs);
  if ('silence' in newest) return newest;
  const asked = await handshakeInClear(url, limitMs);
  const [tls12, before] = [
    asked.version,
    newest.version === 'TLSv1.3' || newest.version === 'TLSv1.2'
      ? await handshake(url, old, limitMs)
      : newest,
  ];
  const versions = [
    newest.version,
    ...(tls12 === undefined || tls12 === newest.version ? [] : [tls12]),
    ...('silence' in before || before === newest ? [] : [before.version]),
  ];
  const { problem, otherNames, notAfter } = newest;
  return { problem, otherNames, notAfter, versions, asksForCertificate: asked.forCertificate };
}

function handshake(
  url: URL,
  versions: ConnectionOptions,
  limitMs: number,
): Promise<Handshake | { readonly silence: string }> {
  const options = { host: unbracketed(url.hostname), port: portOf(url), ...nameFor(url) };
  const socket = tlsConnect({ ...options, ...versions, rejectUnauthorized: false });
  return ended(socket, limitMs, () => {
    const certificate = socket.getPeerCertificate();
    const misnamed = checkServerIdentity(unbracketed(url.hostname), certificate);
    // OpenSSL's code; its type says Error.
    const problem = String(socket.authorizationError);
    return {
      version: socket.getProtocol() ?? '',
      problem: socket.authorized || problem === misnamedCode ? undefined : problem,
      otherNames: misnamed ? (certificate.subjectaltname ?? 'no name at all') : undefined,
      notAfter: Date.parse(certificate.valid_to),
    };
  });
}

const misnamedCode = 'ERR_TLS_CERT_ALTNAME_INVALID';

async function ended<T>(
  socket: TLSSocket,
  limitMs: number,
  read: () => T,
): Promise<T | { readonly silence: string }> {
  const { promise, resolve } = Promise.withResolvers<T | { readonly silence: string }>();
  const timer = setTimeout(() => resolve({ silence: 'no answer in time' }), limitMs);
  socket.once('secureConnect', () => resolve(read()));
  socket.once('error', ({ message }) => resolve({ silence: message.trim() }));
  socket.once('close', () => resolve({ silence: 'it closed the connection' }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

/** In TLS 1.2 the server's half of the handshake is in clear: also whether it asks for a certificate. */
async function handshakeInClear(
  url: URL,
  limitMs: number,
): Promise<{ readonly version: string | undefined; readonly forCertificate: boolean }> {
  const socket = plainConnect({ host: unbracketed(url.hostname), port: portOf(url) });
  const seen: Buffer[] = [];
  const tapped = new Duplex({
    read: () => undefined,
    write: (octets: Buffer, _encoding, done) => socket.write(octets, () => done()),
    destroy: (_error, done) => {
      socket.destroy();
      done(null);
    },
  });
  socket.on('data', (octets: Buffer) => {
    seen.push(octets);
    tapped.push(octets);
  });
  socket.once('end', () => tapped.push(null));
  socket.on('error', (error) => tapped.destroy(error));
  const tls = tlsConnect({
    ...{ socket: tapped, ...nameFor(url), rejectUnauthorized: false },
    ...{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
  });
  const version = await ended(tls, limitMs, () => tls.getProtocol() ?? undefined);
  return {
    version: typeof version === 'string' ? version : undefined,
    forCertificate: handshakeTypes(Buffer.concat(seen)).includes(CERTIFICATE_REQUEST),
  };
}

/** RFC 5246 §7.4.4, §6.2.1. */
const CERTIFICATE_REQUEST = 13;
const HANDSHAKE = 22;

/** The types of the handshake messages before anything is encrypted. */
function handshakeTypes(records: Buffer): number[] {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= records.length && records[at] === HANDSHAKE; ) {
    const length = records.readUInt16BE(at + 3);
    parts.push(records.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  const messages = Buffer.concat(parts);
  const types: number[] = [];
  for (let at = 0; at + 4 <= messages.length; at += 4 + messages.readUIntBE(at + 1, 3)) {
    types.push(messages[at] ?? 0);
  }
  return types;
}
