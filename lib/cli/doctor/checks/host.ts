// What the host's facts mean: its name, TLS, plain http, old HTTP, half-closed connections, its clock.

import { CLOCK_SKEW_MS } from '../../../base/limits.ts';
import { isoSeconds } from '../../../base/text.ts';
import { spoken } from '../../text.ts';
import type { HostFacts, TlsFacts } from '../facts.ts';
import { fault, good, type Observation, orGood, warning } from '../observation.ts';
import { type Heard, hasAnswered } from '../wire/http.ts';

/** Milliseconds before its end at which a certificate of TLS is to be replaced: such as live 90 days are
 * replaced 30 days before. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** Whether the host answers at all: without that there is nothing more to look at. */
export const isReached = ({ caps }: HostFacts): boolean => hasAnswered(caps);

export function hostFindings(facts: HostFacts): Observation[] {
  if (!hasAnswered(facts.caps)) return [...dns(facts), ...tls(facts), ...silent(facts)];
  return [...dns(facts), ...tls(facts), ...plainHttp(facts), ...http10(facts), ...clock(facts)];
}

function dns({ addresses, url }: HostFacts): Observation[] {
  if (!addresses) return [];
  if (addresses.length === 0) {
    const fix = `make an A record for ${url.hostname}, or correct the URL`;
    return [fault('dns', `${url.hostname} does not resolve`, 'no client finds the server', fix)];
  }
  const trouble =
    addresses.some((address) => !address.includes(':')) || isLocal(url)
      ? undefined
      : warning(
          'dns',
          `${addresses.join(', ')}: no address of IPv4`,
          'printers, routers and phones that know no IPv6 do not reach it',
          'add an A record',
        );
  return orGood('dns', [trouble], addresses.join(', '));
}

const isLocal = ({ hostname }: URL): boolean => /^(?:localhost|.*\.localhost)$/.test(hostname);

function silent({ caps, url, tls: found, addresses }: HostFacts): Observation[] {
  if (hasAnswered(caps) || addresses?.length === 0) return [];
  if (found && 'silence' in found) return [];
  const fix = 'start the server, open the port for devices, or correct the URL';
  return [fault('caps', `${url.host}: ${caps.silence}`, 'no client reaches the server', fix)];
}

const untrusted: Readonly<Record<string, readonly [says: string, fix: string]>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'the certificate is sent without its issuers',
    'serve the certificate with its intermediates behind it ("fullchain.pem")',
  ],
  CERT_HAS_EXPIRED: ['a certificate of the chain has expired', 'renew it, and reload the server'],
  CERT_NOT_YET_VALID: ['a certificate of the chain is not valid yet', 'set the clocks right'],
};
const unknownRoot = [
  'the chain ends in a CA that this machine does not trust',
  'use a certificate of a public CA, or put the CA on each device; for this command: NODE_EXTRA_CA_CERTS=FILE',
] as const;

function tls({ tls: found, now, url }: HostFacts): Observation[] {
  if (!found) return [];
  if ('silence' in found) {
    const fix = 'let the server speak TLS 1.2 or 1.3 on that port, or say http://';
    return [fault('tls', `no TLS: ${found.silence}`, 'no client gets further', fix)];
  }
  const { problem, otherNames, notAfter, versions } = found;
  const ends = isoSeconds(notAfter);
  const [says, fix] = untrusted[problem ?? ''] ?? unknownRoot;
  const everyone = 'every client that checks the certificate stops here';
  return orGood(
    'tls',
    [
      problem !== undefined && fault('tls', `${says} (${problem})`, everyone, fix),
      otherNames !== undefined &&
        fault(
          'tls',
          `the certificate is for ${otherNames}, and not for ${url.hostname}`,
          everyone,
          'give the server a certificate for its name, or correct the URL',
        ),
      problem === undefined &&
        notAfter - now < SOON_MS &&
        warning(
          'tls',
          `the certificate ends ${ends}`,
          'every client stops then',
          'renew it now, and find out why nothing has',
        ),
      ...versionTroubles(found),
    ],
    `${versions.join(', ')}; chain and name are good, until ${ends}`,
  );
}

function versionTroubles({ versions, asksForCertificate }: TlsFacts): (Observation | false)[] {
  const old = versions.filter((version) => /^TLSv1(?:\.1)?$/.test(version));
  const modern = versions.filter((version) => !old.includes(version));
  return [
    modern.length > 0 &&
      !modern.includes('TLSv1.2') &&
      warning(
        'tls',
        `it speaks ${modern.join(', ')} only`,
        'Windows 10, Cisco IOS and printers speak nothing newer than TLS 1.2',
        'allow TLS 1.2, too',
      ),
    old.length > 0 &&
      warning(
        'tls',
        `it speaks ${old.join(', ')}, which is broken (RFC 8996)`,
        'whoever is in between may read what devices send',
        'allow TLS 1.2 and 1.3 only',
      ),
    asksForCertificate &&
      fault(
        'tls',
        'it asks for a certificate of the client',
        'Windows ends with 0x80072f78; macOS sends the one that it is about to replace',
        'ask for no client certificate where SCEP is served',
      ),
  ];
}

const isCaps = (said: Heard): boolean => hasAnswered(said) && said.status === 200;

function plainHttp({ url, plain }: HostFacts): Observation[] {
  const who = 'sscep, IGEL OS and Canon printers speak http only, Cisco IOS most often';
  if (url.protocol === 'http:') return [good('http', `answered: ${who}`)];
  if (!plain) return [];
  if (isCaps(plain)) return [good('http', `answered beside TLS: ${who}`)];
  const seen = hasAnswered(plain)
    ? `beside TLS it answers with HTTP ${plain.status}${to(plain)}`
    : `nothing beside TLS: ${plain.silence}`;
  const fix = `serve SCEP, and nothing else, by http too, without a redirect (RFC 8894 §7.10 allows it); where no such client is, leave it`;
  return [warning('http', seen, `${who}: they do not enrol here`, fix)];
}

const to = (said: Heard): string => {
  const place = hasAnswered(said) ? said.headers.get('location') : undefined;
  return place ? ` to ${place}` : '';
};

function http10({ http10: said }: HostFacts): Observation[] {
  const who = 'Cisco IOS asks in HTTP/1.0 (and other old stacks)';
  const fix = 'let the server and each proxy before it answer HTTP/1.0';
  if (!hasAnswered(said)) return [fault('http10', said.silence, who, fix)];
  const { status, headers } = said;
  return orGood(
    'http10',
    [
      status !== 200 && fault('http10', `HTTP ${status}${to(said)}`, who, fix),
      /chunked/i.test(headers.get('transfer-encoding') ?? '') &&
        fault(
          'http10',
          'the answer is chunked, which HTTP/1.0 does not know',
          who,
          'send a Content-Length, or end the connection behind the answer',
        ),
    ],
    'answered',
  );
}

function clock({ caps, now }: HostFacts): Observation[] {
  const headers = hasAnswered(caps) ? caps.headers : new Map<string, string>();
  const date = Date.parse(headers.get('date') ?? '');
  const age = Number(headers.get('age') ?? 0) * 1000;
  if (Number.isNaN(date)) {
    const fix = 'let the server send the header Date (RFC 9110 §6.6.1)';
    return [warning('clock', 'it does not say what time it is', 'a wrong clock stays unseen', fix)];
  }
  const apart = Math.abs(date + (Number.isFinite(age) ? age : 0) - now);
  if (apart <= CLOCK_SKEW_MS)
    return [good('clock', `within ${spoken(CLOCK_SKEW_MS)} of the one here`)];
  return [
    fault(
      'clock',
      `its clock and the one here are ${spoken(apart)} apart`,
      'certificates begin in the future, or CRLs look stale: devices refuse both',
      'set both by NTP',
    ),
  ];
}
