// Sends pkiMessages to a server by every way that clients have been seen to take.

import { type Bytes, base64, hex } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { hash } from '../../crypto/native.ts';
import {
  type Algorithms,
  buildRequest,
  type CaCertResponse,
  readCertRep,
} from '../../protocol/scep/client/client.ts';
import { mediaTypes } from '../../protocol/scep/wire/registry.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { parseName } from '../../x509/names/name.ts';
import { random } from '../device/scep.ts';
import { type Enrolled, type Sent, type Way, ways } from './facts.ts';
import {
  asMessage,
  makeSender,
  ofLength,
  ownSender,
  ungrantable,
  type Wanted,
} from './messages.ts';
import { readReply } from './reply.ts';
import { ask, askRaw, type Heard, hasAnswered } from './wire/http.ts';

/** What a question takes. */
export type Asking = {
  readonly now: () => number;
  /** Milliseconds for each. */
  readonly limitMs: number;
  /** Where plain http is expected beside TLS; undefined where nobody knows. */
  readonly plainPort: number | undefined;
  /** Says what is waited for. */
  readonly progress: (what: string) => void;
};

/** A certificate that is really asked for. */
export type Probe = { readonly challenge: string; readonly subject: string };

type Server = {
  readonly url: URL;
  readonly ca: CaCertResponse;
  readonly algorithms: Algorithms;
  /** GetCACaps lists POST. */
  readonly posts: boolean;
};

const operation = 'operation=PKIOperation';
const escaped = (octets: Bytes): string => encodeURIComponent(base64(octets));

/** The targets of a GET as clients write them (RFC 8894 §4.1). */
const queries = {
  get: (octets: Bytes) => `${operation}&message=${escaped(octets)}`,
  // macOS and jscep leave all three signs as they are.
  plus: (octets: Bytes) => `${operation}&message=${base64(octets)}`,
  // sscep, strongSwan and Cisco IOS.
  lines: (octets: Bytes) =>
    `${operation}&message=${encodeURIComponent(base64(octets).replace(/.{1,64}/g, '$&\n'))}`,
  // micromdm 2.1.0, which also turns the parameters around.
  urlSafe: (octets: Bytes) =>
    `message=${base64(octets).replaceAll('+', '-').replaceAll('/', '_')}&${operation}`,
} satisfies Partial<Record<Way, (octets: Bytes) => string>>;

/** Characters of the targets. */
const lengths: Readonly<Partial<Record<Way, number>>> = { get4: 4096, get6: 6144 };

/** All ways, with messages that cannot be granted. */
export async function exchanged(
  { url, ca, algorithms }: Server,
  { limitMs, progress, now }: Asking,
): Promise<ReadonlyMap<Way, Sent>> {
  const sender = await ownSender(now());
  const wanted: Wanted = { messageType: 'CertPoll', ca, algorithms, sender };
  const send = async (way: Way, asked: Wanted): Promise<Sent> => {
    progress(`${url.href}: ${ways[way]}`);
    const characters = lengths[way];
    const query = way in queries ? queries[way as keyof typeof queries] : queries.get;
    const target = (octets: Bytes): string => `${url.pathname}?${query(octets)}`;
    const message = await (characters === undefined
      ? ungrantable(asked)
      : ofLength(asked, characters, (one) => target(one.octets)));
    const { octets } = message;
    const sent = way.startsWith('cut') ? octets.slice(0, octets.length / 2) : octets;
    const said =
      way === 'halfClosed'
        ? await askRaw(url, half(url, sent), limitMs)
        : ['post', 'untyped', 'cut'].includes(way)
          ? await post(url, sent, { typed: way !== 'untyped', limitMs })
          : await ask(url, target(sent), {}, limitMs);
    return { message, said };
  };
  const exchanges = new Map<Way, Sent>();
  let kind = wanted;
  const first = await send('post', kind);
  exchanges.set('post', first);
  if (hasAnswered(first.said) && !readReply(first)) {
    const other: Wanted = { ...wanted, messageType: 'PKCSReq' };
    const second = await send('post', other);
    if (readReply(second)) {
      kind = other;
      exchanges.set('post', second);
    }
  }
  const halves: readonly Way[] = ['cut', 'cutGet'];
  // In TLS before 1.3 the end of one half is the end of both (RFC 5246 §7.2.1).
  const left: readonly Way[] = url.protocol === 'https:' ? ['halfClosed'] : [];
  const rest = (Object.keys(ways) as Way[]).filter(
    (way) => !['post', ...halves, ...left].includes(way),
  );
  for (const way of rest) exchanges.set(way, await send(way, kind));
  if ([...exchanges.values()].some(readReply)) return exchanges;
  for (const way of halves) exchanges.set(way, await send(way, kind));
  return exchanges;
}

/** A POST behind which the client ends its half of the connection. */
const half = ({ host, pathname }: URL, body: Bytes) => ({
  lines: [
    `POST ${pathname}?${operation} HTTP/1.1`,
    `Host: ${host}`,
    `Content-Type: ${mediaTypes.pkiMessage}`,
    `Content-Length: ${body.length}`,
    'Connection: close',
  ],
  body,
  halfClosed: true as const,
});

function post(
  url: URL,
  body: Bytes,
  { typed, limitMs }: { readonly typed: boolean; readonly limitMs: number },
): Promise<Heard> {
  const headers = typed ? { 'content-type': mediaTypes.pkiMessage } : {};
  const target = `${url.pathname}?${operation}`;
  return ask(url, target, { method: 'POST', headers, body }, limitMs);
}

/** A PKCSReq with a challenge that is right, so that a certificate comes of it. */
export async function enrolled(
  { url, ca, algorithms, posts }: Server,
  { limitMs, progress, now }: Asking,
  { challenge, subject }: Probe,
): Promise<Enrolled> {
  progress(`${url.href}: PKCSReq`);
  const sender = await makeSender(subject, now());
  const names = { subject: parseName(subject), names: [] };
  const message = await asMessage({
    ...algorithms,
    messageType: 'PKCSReq',
    transactionID: hex(hash('SHA-256', sender.key.spki)),
    senderNonce: random(16),
    plaintext: await buildRequest(sender.key, names, challenge),
    ra: ca.ra,
    signer: sender,
  });
  const { octets } = message;
  const said = posts
    ? await post(url, octets, { typed: true, limitMs })
    : await ask(url, `${url.pathname}?${queries.get(octets)}`, {}, limitMs);
  const exchange = { message, said };
  return { ...exchange, opened: await opened(exchange, challenge) };
}

async function opened({ message, said }: Sent, challenge: string): Promise<Enrolled['opened']> {
  if (!hasAnswered(said)) return said.silence;
  try {
    const result = await readCertRep(said.body, message.request, challenge);
    if (result.pkiStatus === 'SUCCESS') return result.certificates.map(readCertificate);
    if (result.pkiStatus === 'PENDING') return [];
    return `refused: ${result.failInfo}${result.text ? `: ${result.text}` : ''}`;
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}
