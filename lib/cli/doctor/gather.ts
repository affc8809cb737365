// The rim: asks a server one question after the other, each within a limit of time, and writes down what came.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { scan, tag } from '../../asn1/reader.ts';
import { type Bytes, equal, fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { readCertsOnly } from '../../cms/certs-only.ts';
import {
  chooseAlgorithms,
  readCaCertificates,
  readCapabilities,
} from '../../protocol/scep/client/client.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../x509/certificate.ts';
import { sameName } from '../../x509/names/same-name.ts';
import { encodeOcspRequest } from '../../x509/ocsp.ts';
import { MAX_ANSWER_OCTETS } from '../io.ts';
import { type Asking, enrolled, exchanged, type Probe } from './exchange.ts';
import type { EndpointFacts, Fetched, HostFacts, Sent, Way } from './facts.ts';
import { locationsOf } from './locations.ts';
import { type Asked, ask, askRaw, type Heard, hasAnswered, unbracketed } from './wire/http.ts';
import { isNear } from './wire/near.ts';
import { tlsFacts } from './wire/tls.ts';

const targetOf = ({ pathname }: URL, operation: string): string =>
  `${pathname}?operation=${operation}`;

export async function hostFacts(url: URL, asking: Asking): Promise<HostFacts> {
  const { limitMs, plainPort, progress, now } = asking;
  const say = (what: string) => progress(`${url.host}: ${what}`);
  say('DNS');
  const addresses = isIP(unbracketed(url.hostname)) ? undefined : await addressesOf(url, limitMs);
  say('GetCACaps');
  const target = targetOf(url, 'GetCACaps');
  const caps = addresses?.length === 0 ? unresolved : await ask(url, target, {}, limitMs);
  const secure = url.protocol === 'https:';
  const none = { ...{ url, addresses, caps, now: now() } };
  if (!hasAnswered(caps)) {
    const tls = secure && addresses?.length !== 0 ? await tlsFacts(url, limitMs) : undefined;
    return { ...none, tls, plain: undefined, http10: caps };
  }
  say('TLS');
  const tls = secure ? await tlsFacts(url, limitMs) : undefined;
  say('plain http');
  const plainUrl = new URL(url);
  plainUrl.protocol = 'http:';
  plainUrl.port = String(plainPort ?? '');
  const plain =
    secure && plainPort !== undefined ? await ask(plainUrl, target, {}, limitMs) : undefined;
  say('HTTP/1.0');
  const lines = [`GET ${target} HTTP/1.0`, `Host: ${url.host}`];
  const http10 = await askRaw(url, { lines }, limitMs);
  return { ...none, tls, plain, http10 };
}

const unresolved: Heard = { silence: 'its name does not resolve' };

async function addressesOf({ hostname }: URL, limitMs: number): Promise<readonly string[]> {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => resolve([]), limitMs);
  lookup(hostname, { all: true }).then(
    (all) => resolve(all.map(({ address }) => address)),
    () => resolve([]),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** CA identifiers that clients send: Windows, sscep, certmonger, and others an empty one. */
const identifiers = ['default', 'CAIdentifier', '0', ''];

export async function endpointFacts(
  url: URL,
  asking: Asking,
  enrolment?: Probe,
): Promise<EndpointFacts> {
  const { limitMs } = asking;
  const say = (what: string) => asking.progress(`${url.href}: ${what}`);
  const get = (operation: string, at = url): Promise<Heard> => {
    say(operation);
    return ask(at, targetOf(at, operation), {}, limitMs);
  };
  const caps = await get('GetCACaps');
  const cert = await get('GetCACert');
  const named = new Map<string, Heard>();
  for (const message of identifiers) {
    named.set(message, await get(`GetCACert&message=${message}`));
  }
  const longer = new URL(url);
  longer.pathname = `${url.pathname.replace(/\/$/, '')}/pkiclient.exe`;
  const pathClient = /\.(?:exe|dll)$/i.test(url.pathname)
    ? undefined
    : await get('GetCACaps', longer);
  const next = await get('GetNextCACert');
  const bag = hasAnswered(cert) ? (readable(() => certificatesIn(cert.body)) ?? []) : [];
  const ca = hasAnswered(cert) ? readable(() => readCaCertificates(cert.body)) : undefined;
  const listed = hasAnswered(caps) && caps.status === 200 ? fromLatin1(caps.body) : '';
  const words = readCapabilities(listed);
  const posts = words.includes('POSTPKIOPERATION') || words.includes('SCEPSTANDARD');
  // Without an RSA key there is nothing to encrypt to.
  const server =
    ca && publicKeyOf(ca.ra)?.kind.type === 'RSA'
      ? { url, ca, posts, algorithms: chooseAlgorithms(words) }
      : undefined;
  const exchanges = server ? await exchanged(server, asking) : new Map<Way, Sent>();
  const own = server && enrolment && (await enrolled(server, asking, enrolment));
  const certificates = [...bag, ...(typeof own?.opened === 'object' ? own.opened : [])];
  const places = placesIn(certificates);
  const isGuarded = !(await isNearby(url, limitMs));
  const lists: Fetched[] = [];
  const statuses: Fetched[] = [];
  for (const { kind, ...place } of places.slice(0, MAX_PLACES)) {
    say(place.url);
    if (kind === 'crl') {
      lists.push({
        ...place,
        said: await fetched(place.url, { isGuarded, maxOctets: MAX_ANSWER_OCTETS }, limitMs),
      });
      continue;
    }
    const headers = { 'content-type': 'application/ocsp-request' };
    const body = encodeOcspRequest(place.of, place.issuer);
    const asked: Asked = { method: 'POST', headers, body, isGuarded };
    statuses.push({ ...place, said: await fetched(place.url, asked, limitMs) });
  }
  const unasked = Math.max(0, places.length - MAX_PLACES);
  const now = asking.now();
  const asked = { caps, cert, named, pathClient, next };
  return { url, now, ...asked, ca, bag, exchanges, enrolled: own, lists, statuses, unasked };
}

/** Milliseconds for each question: a server that takes longer is none for a device either. */
export const QUESTION_MS = 10_000;

export type FilesOfCa = {
  readonly ca: string;
  readonly certificate: { readonly url: string; readonly said: Heard };
  readonly crl: { readonly url: string; readonly said: Heard };
};

/** What relying parties fetch where certificates name an address of its own, for each CA. */
export async function filesFacts(
  base: string,
  cas: readonly string[],
  { limitMs, progress: say = () => {} }: Pick<Asking, 'limitMs' | 'progress'>,
): Promise<readonly FilesOfCa[]> {
  const asked = { isGuarded: false, maxOctets: MAX_ANSWER_OCTETS };
  const at = async (url: string) => {
    say(url);
    return { url, said: await fetched(url, asked, limitMs) };
  };
  const all: FilesOfCa[] = [];
  for (const ca of cas) {
    const certificate = await at(`${base}/aia/${ca}.cer`);
    all.push({ ca, certificate, crl: await at(`${base}/crl/${ca}.crl`) });
  }
  return all;
}

/** Places that are asked, each for as long as a question takes: a certificate names one or two, and one that is meant to
 * hurt thousands. */
const MAX_PLACES = 16;

type NamedPlace = Omit<Fetched, 'said'> & { readonly kind: 'crl' | 'ocsp' };

/** Where certificates say that there are CRLs and OCSP responders; a CRL that several name stands once. */
function placesIn(certificates: readonly Certificate[]): NamedPlace[] {
  const known = new Set<string>();
  return certificates.flatMap((of): NamedPlace[] => {
    const issuer = issuerOf(of, certificates);
    if (!issuer) return [];
    const { crl, ocsp } = locationsOf(of);
    const lists = crl.filter((url) => !known.has(url) && known.add(url));
    return [
      ...lists.map((url) => ({ kind: 'crl', url, of, issuer }) as const),
      ...ocsp.map((url) => ({ kind: 'ocsp', url, of, issuer }) as const),
    ];
  });
}

/** The server itself is one that only this machine, or its link, reaches: then so may be what it names. */
async function isNearby(url: URL, limitMs: number): Promise<boolean> {
  const host = unbracketed(url.hostname);
  const addresses = isIP(host) ? [host] : await addressesOf(url, limitMs);
  return addresses.some(isNear);
}

async function fetched(at: string, asked: Asked, limitMs: number): Promise<Heard> {
  if (!/^https?:\/\//i.test(at) || !URL.canParse(at)) return { silence: 'it is no web address' };
  const url = new URL(at);
  return ask(url, url.pathname + url.search, asked, limitMs);
}

const issuerOf = (
  { issuer, der }: Certificate,
  certificates: readonly Certificate[],
): Certificate | undefined =>
  certificates.find((one) => !equal(one.der, der) && sameName(one.subject, issuer));

function certificatesIn(body: Bytes): readonly Certificate[] {
  const single = scan(body).children[0]?.tag === tag.sequence;
  return (single ? [body] : readCertsOnly(body).certificates).map(readCertificate);
}

/** @returns undefined for what no client could read either */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
