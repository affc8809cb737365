// What GetCACaps and GetCACert mean as answers of HTTP, and to each client that reads them.

import { fromLatin1 } from '../../../base/bytes.ts';
import { mediaTypes } from '../../../protocol/scep/wire/registry.ts';
import { publicKeyOf } from '../../../x509/certificate.ts';
import { type Choice, clients } from '../clients.ts';
import type { EndpointFacts } from '../facts.ts';
import { fault, good, type Observation, orGood, warning } from '../observation.ts';
import { type Answer, type Heard, hasAnswered } from '../wire/http.ts';
import { isCaCertificate, listedUsages } from './certificates.ts';

const redirects = ({ status }: Answer): boolean => status >= 300 && status < 400;

/** What stands in the way of an answer; undefined: HTTP 200. */
export function httpTrouble(
  said: Heard,
): readonly [says: string, means: string, fix: string] | undefined {
  if (!hasAnswered(said)) {
    return [
      said.silence,
      'no client gets an answer',
      'see the log of the server, and of each proxy',
    ];
  }
  const { status, headers } = said;
  if (status === 200) return undefined;
  if (redirects(said)) {
    return [
      `HTTP ${status}, a redirect to ${headers.get('location') ?? 'nowhere'}`,
      'the body of a POST is lost on the way, and most clients do not follow at all',
      'answer at the address itself; give devices the one that it sends to',
    ];
  }
  return [
    `HTTP ${status}`,
    'clients report that the server is not there, or is no SCEP server',
    'correct the URL; look whether a proxy keeps the request from the server',
  ];
}

const typeOf = ({ headers }: Answer): string => headers.get('content-type') ?? '';

const KEYWORDS = [
  ...['AES', 'DES3', 'GetNextCACert', 'POSTPKIOperation', 'Renewal', 'SHA-1', 'SHA-256'],
  ...['SHA-384', 'SHA-512', 'SCEPStandard'],
];

export function capsFindings({ caps, next }: EndpointFacts): Observation[] {
  const trouble = httpTrouble(caps);
  if (trouble || !hasAnswered(caps)) {
    return [fault('caps', ...(trouble ?? ['no answer', 'no client gets further', 'see the log']))];
  }
  const body = fromLatin1(caps.body);
  const words = body.split(/[\r\n]+/).filter((word) => word !== '');
  const has = (word: string) => words.includes(word);
  const misspelt = KEYWORDS.filter(
    (word) => !has(word) && words.some((one) => one.toUpperCase() === word.toUpperCase()),
  );
  const isPage = /^\s*</.test(body);
  if (isPage) {
    return [
      fault(
        'caps',
        'it answers with a page of HTML',
        'clients read no keyword in it, and fall back to DES and MD5',
        'correct the URL: something else than a SCEP server answers',
      ),
    ];
  }
  const found: (Observation | false)[] = [
    misspelt.length > 0 &&
      fault(
        'caps',
        `${misspelt.join(', ')} is not spelt so`,
        'Apple, sscep, jscep and certmonger compare letter for letter',
        'spell keywords as RFC 8894 §3.5.2 does',
      ),
    body.includes('\r') &&
      fault(
        'caps',
        'lines end in CR LF',
        'Apple splits at LF only, and finds no keyword',
        'end lines in LF',
      ),
    body.length > 1024 &&
      fault('caps', `${body.length} octets`, 'certmonger takes 1,024', 'list keywords only'),
    /\bcharset\b|^text\/plain$|^$/i.test(typeOf(caps)) === false &&
      warning(
        'caps',
        `the Content-Type is ${typeOf(caps)}`,
        'RFC 8894 §3.5.2 has text/plain; no client is known that minds',
        'say text/plain',
      ),
    !has('POSTPKIOperation') &&
      fault(
        'caps',
        'POSTPKIOperation is not listed',
        'clients send their request in a GET, which is too long for many a proxy with keys of 4096 bits',
        'implement POST, which RFC 8894 §2.9 demands, and list it',
      ),
    !has('Renewal') &&
      warning(
        'caps',
        'Renewal is not listed',
        'strongSwan does not renew; certmonger signs with its new key, as if it were new',
        'implement RenewalReq, and list it',
      ),
    !has('SHA-256') &&
      warning(
        'caps',
        'SHA-256 is not listed',
        'clients that look for it sign with SHA-1 or MD5',
        'list SHA-256, which RFC 8894 §2.9 demands',
      ),
  ];
  return [...orGood('caps', found, words.join(', ')), ...nextFindings(has('GetNextCACert'), next)];
}

/** What is listed has to work (RFC 8894 §3.5.2). */
function nextFindings(isListed: boolean, next: Heard): Observation[] {
  if (!isListed || (hasAnswered(next) && next.status === 200)) return [];
  return [
    warning(
      'next',
      `it is listed, and answered with ${hasAnswered(next) ? `HTTP ${next.status}` : next.silence}`,
      'jscep and sscep ask for the next CA in vain, unless there is none yet',
      'list it only where it works (RFC 8894 §4.7)',
    ),
  ];
}

export function certFindings({ cert, bag, named, pathClient }: EndpointFacts): Observation[] {
  const trouble = httpTrouble(cert);
  if (trouble || !hasAnswered(cert)) {
    return [fault('cert', ...(trouble ?? ['no answer', 'no client gets further', 'see the log']))];
  }
  const type = typeOf(cert);
  const [bare = ''] = type.split(';');
  const known: readonly string[] = [mediaTypes.caRaCert, caCert];
  const single = cert.body[4] === 0x30 && bag.length === 1;
  const found = [
    bag.length === 0 &&
      fault(
        'cert',
        `no certificate can be read in it (${cert.body.length} octets of ${type || 'no type'})`,
        'no client gets further',
        'answer with one certificate in DER, or with a certs-only PKCS#7 in DER',
      ),
    type !== bare &&
      fault(
        'cert',
        `the Content-Type is ${type}`,
        'Apple, micromdm and certmonger compare it as a whole, and do not enrol',
        `say ${bare}, and nothing behind it`,
      ),
    !known.includes(bare) &&
      fault(
        'cert',
        `the Content-Type is ${type || 'missing'}`,
        'clients tell by it what they have got, and do not enrol',
        `say ${bag.length > 1 ? mediaTypes.caRaCert : caCert}`,
      ),
    bag.length > 0 &&
      known.includes(bare) &&
      single !== (bare === caCert) &&
      fault(
        'cert',
        single ? `a bare certificate as ${bare}` : `a PKCS#7 as ${bare}`,
        'clients parse it as what the Content-Type says, and fail',
        `say ${single ? caCert : mediaTypes.caRaCert}`,
      ),
    cert.headers.has('content-encoding') &&
      fault(
        'cert',
        `it is compressed (${cert.headers.get('content-encoding')}) though the request did not accept that`,
        'devices do not decompress',
        'compress no answer of SCEP',
      ),
  ];
  const said = `${bag.length} certificate${bag.length === 1 ? '' : 's'}, ${bare}`;
  return [...orGood('cert', found, said), ...nameFindings(named), ...pathFindings(pathClient)];
}

const caCert = 'application/x-x509-ca-cert';

function nameFindings(named: EndpointFacts['named']): Observation[] {
  const other = [...named].filter(([, said]) => !hasAnswered(said) || said.status !== 200);
  const names = other.map(([message]) => `"${message}"`).join(', ');
  const trouble =
    other.length > 0 &&
    fault(
      'message',
      `GetCACert is not answered with message=${names}`,
      'Windows says "default", sscep "CAIdentifier", certmonger "0", Cisco its trustpoint',
      'ignore a message that names no CA (RFC 8894 §4.2)',
    );
  return orGood('message', [trouble], 'whatever CA a client names, it gets these');
}

function pathFindings(said: Heard | undefined): Observation[] {
  if (!said) return [];
  const trouble =
    !(hasAnswered(said) && said.status === 200) &&
    fault(
      'path',
      `/pkiclient.exe behind the path is answered with ${hasAnswered(said) ? `HTTP ${said.status}` : said.silence}`,
      'Windows and Cisco IOS append it',
      'serve SCEP at every path below this one',
    );
  return orGood(
    'path',
    [trouble],
    '/pkiclient.exe behind it is answered, as Windows and Cisco ask',
  );
}

const spoken = ({ cipher, digest, by }: Choice): string => `${cipher}, ${digest}, ${by}`;

/** As each client reads both. */
export function clientFindings({ caps, cert, bag }: EndpointFacts): Observation[] {
  if (bag.length === 0) return [];
  const body = hasAnswered(caps) && caps.status === 200 ? fromLatin1(caps.body) : '';
  const type = hasAnswered(cert) ? typeOf(cert) : '';
  const listed = bag.map((one) => ({
    isCa: isCaCertificate(one),
    usages: listedUsages(one),
    isRsa: publicKeyOf(one)?.kind.type === 'RSA',
  }));
  const choices = new Map<string, string[]>();
  const stopped: Observation[] = [];
  for (const { name, isRare, caps: read, bag: pick } of clients) {
    const choice = read?.(body);
    const why = choice && 'why' in choice ? choice.why : undefined;
    const stops = pick?.({ type, listed });
    for (const one of [why, stops]) {
      if (one === undefined) continue;
      const fix =
        one === why
          ? 'list AES, SHA-256, SHA-384, SHA-512 and POSTPKIOperation, each on a line'
          : bagFix;
      stopped.push(
        (isRare ? warning : fault)('clients', `${name}: ${one}`, `${name} does not enrol`, fix),
      );
    }
    if (!choice || 'why' in choice || stops) continue;
    const said = spoken(choice);
    choices.set(said, [...(choices.get(said) ?? []), name]);
  }
  const can = [...choices].map(([said, names]) => `${said}: ${names.join(', ')}`);
  return [...can.map((said) => good('clients', said)), ...stopped];
}

const bagFix =
  'announce an RA with an RSA key and the keyUsage digitalSignature and keyEncipherment first, then its CA, as application/x-x509-ca-ra-cert';
