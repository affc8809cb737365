// SCEP over HTTP for the client commands: reads a server's certificates and capabilities, and takes a
// request to its certificate. A request that waits for an approver is polled for (RFC 8894 §4.4).

import { Option } from 'commander';
import { type Bytes, equal } from '../../base/bytes.ts';
import { errorText, Malformed } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import {
  type Algorithms,
  buildPkiMessage,
  type CaCertResponse,
  type CertRepResult,
  type ClientKey,
  chooseAlgorithms,
  issuerAndSubject,
  type PkiRequest,
  readCaCertificates,
  readCapabilities,
  readCertRep,
} from '../../protocol/scep/client/client.ts';
import { mediaTypes } from '../../protocol/scep/wire/registry.ts';
import {
  type Certificate,
  fingerprint,
  isIssuedBy,
  publicKeyOf,
  readCertificate,
} from '../../x509/certificate.ts';
import { Busy, durationOf, isBusy, type Patience, retryOption, wait, waitOf } from '../busy.ts';
import { type Answered, CliError, type Io, isGood, saidText, send, webAddress } from '../io.ts';
import { reasonOf } from '../request/refusal.ts';
import { spoken } from '../text.ts';

type Server = CaCertResponse &
  Algorithms & { readonly url: string; readonly post: boolean; readonly renewal: boolean };

export const random = (octets: number): Bytes => crypto.getRandomValues(new Uint8Array(octets));

/** Fingerprints as people copy them: with colons or spaces, in either case. */
export const plainFingerprint = (text: string): string => text.replace(/[:\s]/g, '').toLowerCase();

/**
 * GetCACert and GetCACaps.
 * @param trusted SHA-256 fingerprints of CA certificates, one of which must have issued the RA's;
 *   undefined: whatever the server announces
 */
export async function discover(
  patience: Patience,
  url: string,
  trusted: readonly string[] | undefined,
): Promise<Server> {
  const { origin, pathname } = new URL(webAddress('--url', url));
  const base = origin + pathname;
  const get = (operation: string) => asked(patience, `${base}?operation=${operation}`);
  const bag = octetsOf(await get('GetCACert'), base);
  const announced = await verified(async () => readCaCertificates(bag));
  const certificates = trusted ? await restricted(announced, trusted) : announced;
  const caps = await get('GetCACaps');
  // Of a server that is busy nothing is known: it is not taken for an old one.
  if (isBusy(caps.status)) octetsOf(caps, base);
  const capabilities = isGood(caps) ? readCapabilities(saidText(caps)) : [];
  const offers = (...words: string[]) => words.some((word) => capabilities.includes(word));
  return {
    ...certificates,
    ...chooseAlgorithms(capabilities),
    url: base,
    post: offers('POSTPKIOPERATION', 'SCEPSTANDARD'),
    renewal: offers('RENEWAL', 'SCEPSTANDARD'),
  };
}

/** The same request goes out again while the server is busy and says when to come. */
async function asked(
  patience: Patience | undefined,
  url: string,
  init?: RequestInit,
): Promise<Answered> {
  const { origin } = new URL(url);
  const ask = () => send(url, init, { maxOctets: MAX_SCEP_OCTETS });
  return patience ? patience.until(origin, ask) : ask();
}

/** The longest are GetCACert with a long chain, and GetCACaps has no end of its own. */
const MAX_SCEP_OCTETS = 1024 * 1024;

/** The chain to a trusted CA certificate; the list is unsigned, so anybody can add other certificates. */
async function restricted(
  { ra, chain }: CaCertResponse,
  trusted: readonly string[],
): Promise<CaCertResponse> {
  const anchors = chain.filter(({ der }) => trusted.includes(fingerprint(der)));
  if (anchors.length === 0) {
    const found = chain.map(({ der }) => fingerprint(der)).join(' or ');
    throw new CliError('verification', `the CA's SHA-256 is ${found}, not ${trusted.join(' or ')}`);
  }
  const good = await leadingTo(anchors, chain);
  const issued = await Promise.all([...good].map((ca) => issues(ca, ra)));
  if (!good.has(ra) && !issued.includes(true)) {
    throw new CliError('verification', 'the RA certificate was not issued by the CA');
  }
  return { ra, chain: chain.filter((ca) => good.has(ca)) };
}

/**
 * The anchors, and what they have issued, directly or through each other. Signatures are verified under keys that
 * are trusted already: of others, a list could have as many ways through it as it has orders.
 */
async function leadingTo(
  anchors: readonly Certificate[],
  chain: readonly Certificate[],
): Promise<ReadonlySet<Certificate>> {
  const good = new Set(anchors);
  // What is added on the way is come to as well.
  for (const ca of good) {
    for (const one of chain) if (!good.has(one) && (await issues(ca, one))) good.add(one);
  }
  return good;
}

const issues = (ca: Certificate, one: Certificate): Promise<boolean> =>
  isIssuedBy(one, { subject: ca.subject, key: publicKeyOf(ca) });

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
export type Waiting = {
  readonly pollInterval: number;
  readonly maxWait: number;
  readonly retryFor: number;
};

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
  retryOption(),
];

/** The certificate, at once or after an approver has allowed it. @throws {CliError} */
export async function obtain(
  { io, patience }: { readonly io: Io; readonly patience: Patience },
  server: Server,
  ask: Ask,
  { pollInterval, maxWait }: Waiting,
): Promise<Certificate> {
  const first = { messageType: ask.messageType, plaintext: ask.plaintext };
  let result = await exchange(server, ask, first, patience);
  const began = io.clock.now();
  let pause = pollInterval;
  let leave = 0;
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
    const next = Math.min(Math.max(pause, leave), maxWait - waited);
    const so = `waited ${spoken(waited)} of ${spoken(maxWait)}`;
    await wait(io, next, (time) => `asking again in ${time} (${so})`);
    pause = Math.min(pause * 2, MAX_POLL_INTERVAL_MS);
    ({ result, leave } = await polled(io, server, ask));
  }
  if (result.pkiStatus === 'FAILURE') throw refusal(result.failInfo, result.text);
  const certificates = await verified(async () => result.certificates.map(readCertificate));
  const ours = certificates.find((certificate) => certifies(certificate, ask.key));
  if (!ours) throw new CliError('verification', 'the reply holds no certificate for this key');
  return ours;
}

/** The refusal as a device gets it; of a code of ours there is more to say. */
function refusal(failInfo: string, text = 'no further text'): CliError {
  const [code = ''] = /^SCEP-\d{3}(?=:)/.exec(text) ?? [];
  const more = reasonOf(code) ? `scepter explain ${code}` : undefined;
  return new CliError('failure', `refused: ${failInfo}: ${text}`, more);
}

/**
 * A server that fails to answer once has not decided, so it is asked again.
 * @returns also the milliseconds for which a busy one asks to be left alone
 */
async function polled(
  io: Io,
  server: Server,
  ask: Ask,
): Promise<{ readonly result: CertRepResult; readonly leave: number }> {
  try {
    const plaintext = issuerAndSubject(server, ask.subject);
    const result = await exchange(server, ask, { messageType: 'CertPoll', plaintext });
    return { result, leave: 0 };
  } catch (error) {
    if (!(error instanceof CliError) || error.exit !== 'remote') throw error;
    io.note(error.message);
    const leave = error instanceof Busy ? (waitOf(error.said, io.clock.now()) ?? 0) : 0;
    return { result: { pkiStatus: 'PENDING' }, leave };
  }
}

async function exchange(
  server: Server,
  { transactionID, signer, password }: Ask,
  { messageType, plaintext }: Pick<PkiRequest, 'messageType' | 'plaintext'>,
  patience?: Patience,
): Promise<CertRepResult> {
  const { ra, digest, cipher } = server;
  const senderNonce = random(16);
  const fields = { messageType, transactionID, senderNonce, plaintext, signer };
  const request: PkiRequest = { ...fields, ra, digest, cipher };
  const answer = await operate(server, await buildPkiMessage(request, random), patience);
  return verified(() => readCertRep(answer, request, password));
}

async function operate(
  { url, post }: Server,
  message: Bytes,
  patience: Patience | undefined,
): Promise<Bytes> {
  const target = `${url}?operation=PKIOperation`;
  const response = post
    ? await asked(patience, target, {
        method: 'POST',
        headers: { 'content-type': mediaTypes.pkiMessage },
        body: message,
      })
    : await asked(
        patience,
        `${target}&message=${encodeURIComponent(btoa(String.fromCharCode(...message)))}`,
      );
  return octetsOf(response, url);
}

/** Characters of what a server says of itself. */
const MAX_SAID = 120;

function octetsOf(answered: Answered, url: string): Bytes {
  const { octets, ...said } = answered;
  if (isBusy(said.status)) {
    const text = visible(saidText(answered).trim().slice(0, MAX_SAID));
    const own = said.status === 503 ? `: "${text}"; the server's log says why` : '';
    throw new Busy(`${url} is busy (HTTP ${said.status})${own}`, said);
  }
  if (isGood(said)) return octets;
  throw new CliError(
    'remote',
    `${url} answered with HTTP ${said.status}, which is not SCEP: check the URL`,
  );
}

export function certifies(certificate: Certificate, key: ClientKey): boolean {
  const { source, start, end } = certificate.spki;
  return equal(source.subarray(start, end), key.spki);
}

/** Parses the user's input. @throws {CliError} usage */
export function syntax<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CliError('usage', errorText(error));
  }
}

/** Parses the content of an answer or a file. @throws {CliError} verification */
export async function verified<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Malformed) throw new CliError('verification', error.message);
    throw error;
  }
}
