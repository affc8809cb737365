// SCEP over HTTP for the commands that are clients: what a server is and can do, and a request until
// its certificate is there. A request that has to wait for an approver is polled for (RFC 8894 §4.4).

import { Option } from 'commander';
import { type Bytes, equal, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import { Malformed } from '../errors.ts';
import {
  type Algorithms,
  buildPkiMessage,
  type CaCertificates,
  type CertRepResult,
  type ClientKey,
  chooseAlgorithms,
  issuerAndSubject,
  type PkiRequest,
  readCaCertificates,
  readCapabilities,
  readCertRep,
} from '../scep/client.ts';
import { mediaTypes } from '../scep/registry.ts';
import { parseDuration } from '../schema.ts';
import { type Certificate, isIssuedBy, publicKeyOf, readCertificate } from '../x509/certificate.ts';
import { CliError, type Io, send } from './io.ts';
import { spoken } from './text.ts';

export type Server = CaCertificates &
  Algorithms & { readonly url: string; readonly post: boolean; readonly renewal: boolean };

export const random = (octets: number): Bytes => crypto.getRandomValues(new Uint8Array(octets));

export const fingerprint = (der: Bytes): string => hex(hash('SHA-256', der));

/** As people copy them: with colons or spaces, in either case. */
export const plainFingerprint = (text: string): string => text.replace(/[:\s]/g, '').toLowerCase();

/**
 * GetCACert and GetCACaps.
 * @param trusted SHA-256 fingerprints of CA certificates, one of which must have issued the RA's;
 *   undefined: whatever the server announces
 */
export async function discover(
  url: string,
  trusted: readonly string[] | undefined,
): Promise<Server> {
  const { origin, pathname } = syntax(() => new URL(url));
  const base = origin + pathname;
  const bag = await octetsOf(await send(`${base}?operation=GetCACert`), base);
  const announced = await verified(async () => readCaCertificates(bag));
  const certificates = trusted ? await restricted(announced, trusted) : announced;
  const caps = await send(`${base}?operation=GetCACaps`);
  const capabilities = caps.ok ? readCapabilities(await caps.text()) : [];
  const offers = (...words: string[]) => words.some((word) => capabilities.includes(word));
  return {
    ...certificates,
    ...chooseAlgorithms(capabilities),
    url: base,
    post: offers('POSTPKIOPERATION', 'SCEPSTANDARD'),
    renewal: offers('RENEWAL', 'SCEPSTANDARD'),
  };
}

/** What leads to a trusted CA certificate; anybody can add others to an unsigned list. */
async function restricted(
  { ra, chain }: CaCertificates,
  trusted: readonly string[],
): Promise<CaCertificates> {
  const anchors = chain.filter(({ der }) => trusted.includes(fingerprint(der)));
  if (anchors.length === 0) {
    const found = chain.map(({ der }) => fingerprint(der)).join(' or ');
    throw new CliError('verification', `the CA's SHA-256 is ${found}, not ${trusted.join(' or ')}`);
  }
  if (!(await leadsTo(anchors, ra, chain))) {
    throw new CliError('verification', 'the RA certificate was not issued by the CA');
  }
  const good = await Promise.all(chain.map((ca) => leadsTo(anchors, ca, chain)));
  return { ra, chain: chain.filter((_, at) => good[at]) };
}

async function leadsTo(
  anchors: readonly Certificate[],
  certificate: Certificate,
  others: readonly Certificate[],
): Promise<boolean> {
  if (anchors.some(({ der }) => equal(der, certificate.der))) return true;
  for (const ca of others) {
    const issuer = { subject: ca.subject, key: publicKeyOf(ca) };
    if (!(await isIssuedBy(certificate, issuer))) continue;
    const rest = others.filter((other) => other !== ca);
    if (await leadsTo(anchors, ca, rest)) return true;
  }
  return false;
}

/** A request for a certificate, and what it takes to poll for it and to open its reply. */
export type Ask = Pick<PkiRequest, 'messageType' | 'transactionID' | 'plaintext' | 'signer'> & {
  /** Name, DER. */
  readonly subject: Bytes;
  /** Of the certificate that is asked for. */
  readonly key: ClientKey;
  /** The challengePassword of the request. */
  readonly password: string | undefined;
};

/** Milliseconds. */
export type Waiting = { readonly pollInterval: number; readonly maxWait: number };

const MAX_POLL_INTERVAL_MS = 5 * 60_000;

export const waitOptions = (): Option[] => [
  new Option(
    '--poll-interval <duration>',
    'until the first poll of a pending request; then twice as long each time, up to 5m',
  )
    .argParser(durationOf)
    .default(5000, '5s'),
  new Option('--max-wait <duration>', 'how long to wait for an approver; 0: not at all')
    .argParser((text) => (text === '0' ? 0 : durationOf(text)))
    .default(3_600_000, '1h'),
];

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw new CliError('usage', `"${text}" is not a duration such as 30s, 15m, 1h or 7d`);
  }
  return ms;
}

/** The certificate, at once or after an approver has allowed it. @throws {CliError} */
export async function obtain(
  io: Io,
  server: Server,
  ask: Ask,
  { pollInterval, maxWait }: Waiting,
): Promise<Certificate> {
  let result = await exchange(server, ask, ask.messageType, ask.plaintext);
  const began = io.clock.now();
  let pause = pollInterval;
  if (result.pkiStatus === 'PENDING') {
    io.note(`PENDING: an approver has to allow transactionID ${ask.transactionID}`);
    io.note('it is safe to stop here: the same command goes on with the same request');
  }
  while (result.pkiStatus === 'PENDING') {
    const waited = io.clock.now() - began;
    if (waited >= maxWait) {
      const said = `still PENDING after ${spoken(waited)}; the same command asks again`;
      throw new CliError('failure', said);
    }
    const next = Math.min(pause, maxWait - waited);
    io.note(`asking again in ${spoken(next)} (waited ${spoken(waited)} of ${spoken(maxWait)})`);
    await io.clock.sleep(next);
    pause = Math.min(pause * 2, MAX_POLL_INTERVAL_MS);
    result = await polled(io, server, ask);
  }
  if (result.pkiStatus === 'FAILURE') {
    const text = result.text ?? 'no further text';
    throw new CliError('failure', `refused: ${result.failInfo}: ${text}`);
  }
  const certificates = await verified(async () => result.certificates.map(readCertificate));
  const ours = certificates.find((certificate) => certifies(certificate, ask.key));
  if (!ours) throw new CliError('verification', 'the reply holds no certificate for this key');
  return ours;
}

/** A server that does not answer for once has not decided either. */
async function polled(io: Io, server: Server, ask: Ask): Promise<CertRepResult> {
  try {
    return await exchange(server, ask, 'CertPoll', issuerAndSubject(server, ask.subject));
  } catch (error) {
    if (!(error instanceof CliError) || error.exit !== 'remote') throw error;
    io.note(error.message);
    return { pkiStatus: 'PENDING' };
  }
}

async function exchange(
  server: Server,
  { transactionID, signer, password }: Ask,
  messageType: PkiRequest['messageType'],
  plaintext: Bytes,
): Promise<CertRepResult> {
  const { ra, digest, cipher } = server;
  const senderNonce = random(16);
  const fields = { messageType, transactionID, senderNonce, plaintext, signer };
  const request: PkiRequest = { ...fields, ra, digest, cipher };
  const answer = await operate(server, await buildPkiMessage(request, random));
  return verified(() => readCertRep(answer, request, password));
}

async function operate({ url, post }: Server, message: Bytes): Promise<Bytes> {
  const target = `${url}?operation=PKIOperation`;
  const response = post
    ? await send(target, {
        method: 'POST',
        headers: { 'content-type': mediaTypes.pkiMessage },
        body: message,
      })
    : await send(`${target}&message=${encodeURIComponent(btoa(String.fromCharCode(...message)))}`);
  return octetsOf(response, url);
}

async function octetsOf(response: Response, url: string): Promise<Bytes> {
  if (!response.ok) {
    throw new CliError('remote', `${url} answered with HTTP ${response.status}, which is no SCEP`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

export function certifies(certificate: Certificate, key: ClientKey): boolean {
  const { source, start, end } = certificate.spki;
  return equal(source.subarray(start, end), key.spki);
}

/** What the user wrote. @throws {CliError} usage */
export function syntax<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CliError('usage', error instanceof Error ? error.message : String(error));
  }
}

/** What a server or a file says. @throws {CliError} verification */
export async function verified<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Malformed) throw new CliError('verification', error.message);
    throw error;
  }
}
