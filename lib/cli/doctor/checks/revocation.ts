// Whether what is said of revocations is there, is the issuer's, and is fresh.

import { elementsIn } from '../../../asn1/elements.ts';
import { bitString, scan } from '../../../asn1/reader.ts';
import { fromLatin1, hex } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { CLOCK_SKEW_MS } from '../../../base/limits.ts';
import { isoSeconds } from '../../../base/text.ts';
import { readSignatureAlgorithm } from '../../../x509/algorithm.ts';
import { publicKeyOf } from '../../../x509/certificate.ts';
import { type DescribedCrl, describeCrl } from '../../../x509/describe/describe.ts';
import { printName } from '../../../x509/names/name.ts';
import { type OcspStatus, readOcspResponse } from '../../../x509/ocsp.ts';
import { verifySignature } from '../../../x509/public-key.ts';
import type { EndpointFacts, Fetched } from '../facts.ts';
import { fault, type Observation, orGood, warning } from '../observation.ts';
import { hasAnswered } from '../wire/http.ts';

const means = 'whoever checks certificates refuses those of this CA, or takes revoked ones';

export async function revocationFindings({
  lists,
  statuses,
  bag,
  now,
  unasked,
}: EndpointFacts): Promise<Observation[]> {
  if (bag.length === 0) return [];
  if (lists.length + statuses.length === 0) {
    return [
      warning(
        'crl',
        'no certificate seen here names a CRL or an OCSP responder',
        'relying parties do not learn of revocations',
        'put the URL of a CRL into certificates; --challenge shows what is in those of devices',
      ),
    ];
  }
  const found: Observation[] = [];
  for (const list of lists) found.push(...(await listFindings(list, now)));
  for (const one of statuses) found.push(...(await statusFindings(one, now)));
  if (unasked > 0) {
    found.push(
      warning(
        'crl',
        `the certificates name ${unasked} more CRLs and OCSP responders, which were not asked`,
        'whoever checks certificates asks them all, or none',
        'name one CRL, and one responder, in each certificate',
      ),
    );
  }
  return found;
}

export async function listFindings(fetched: Fetched, now: number): Promise<Observation[]> {
  const { url, said, issuer } = fetched;
  if (!hasAnswered(said) || said.status !== 200) {
    const seen = hasAnswered(said) ? `HTTP ${said.status}` : said.silence;
    return [
      fault('crl', `${url}: ${seen}`, means, 'serve the CRL at the URL that certificates name'),
    ];
  }
  const { body } = said;
  if (/^\s*-----BEGIN/.test(fromLatin1(body.subarray(0, 100)))) {
    const fix = 'serve it in DER';
    return [fault('crl', `${url} is in PEM, and RFC 5280 §4.2.1.13 has DER`, means, fix)];
  }
  const crl = attempt(() => describeCrl(body));
  const listed = { url, of: fetched.of };
  if (!crl) return [fault('crl', `${url} is no CRL`, means, 'serve the CRL there, in DER')];
  const trusted = await attempt(() => isSigned(body, fetched));
  return orGood(
    'crl',
    [
      trusted !== true &&
        fault(
          'crl',
          `${url} is not signed by ${printName(issuer.subject)}`,
          means,
          'serve the CRL of the CA that issued the certificate',
        ),
      ...freshness('crl', url, { ...datesOf(crl), now }),
      ...listedTroubles(crl, listed),
      /^https:/i.test(url) &&
        warning(
          'crl',
          `${url} is https`,
          'whoever needs the CRL to check the certificate of that server goes in a circle (RFC 5280 §8)',
          'name an http URL in certificates',
        ),
    ],
    `${url}: ${crl.revoked.length} revoked, next by ${crl.nextUpdate}`,
  );
}

const datesOf = (crl: DescribedCrl) => ({
  thisUpdate: Date.parse(crl.thisUpdate),
  nextUpdate: crl.nextUpdate === undefined ? undefined : Date.parse(crl.nextUpdate),
});

function listedTroubles(
  { revoked }: DescribedCrl,
  { url, of }: Pick<Fetched, 'url' | 'of'>,
): Observation[] {
  if (!revoked.some(({ serial }) => serial === hex(of.serial))) return [];
  const fix = 'replace it at once';
  return [fault('crl', `${url} lists ${printName(of.subject)} itself`, 'it is revoked', fix)];
}

type Dates = {
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  readonly now: number;
};

function freshness(
  check: 'crl' | 'ocsp',
  url: string,
  { thisUpdate, nextUpdate, now }: Dates,
): (Observation | false)[] {
  return [
    nextUpdate !== undefined &&
      nextUpdate <= now &&
      fault(
        check,
        `${url} ended on ${isoSeconds(nextUpdate)}`,
        means,
        'find out why no newer one is made; a cache before it must not keep it longer than that',
      ),
    nextUpdate === undefined &&
      warning(
        check,
        `${url} does not say when the next one comes`,
        'nobody can tell whether it is stale',
        'say nextUpdate (RFC 5280 §5.1.2.5)',
      ),
    thisUpdate > now + CLOCK_SKEW_MS &&
      fault(
        check,
        `${url} is of the future: ${isoSeconds(thisUpdate)}`,
        means,
        'set the clock of the CA right, and make it anew',
      ),
  ];
}

function isSigned(body: Fetched['of']['der'], { issuer }: Fetched): Promise<boolean> {
  const [tbs, algorithm, signature] = [...elementsIn(body)];
  const scheme = algorithm && readSignatureAlgorithm(scan(algorithm));
  const key = publicKeyOf(issuer);
  if (!tbs || !signature || !scheme || !key) return Promise.resolve(false);
  return verifySignature(key, scheme, tbs, bitString(scan(signature)));
}

async function statusFindings(fetched: Fetched, now: number): Promise<Observation[]> {
  const { url, of, issuer, said } = fetched;
  const name = printName(of.subject);
  if (!hasAnswered(said) || said.status !== 200) {
    const seen = hasAnswered(said) ? `HTTP ${said.status}` : said.silence;
    return [
      fault('ocsp', `${url}: ${seen}`, means, 'let the responder answer POST (RFC 6960 A.1)'),
    ];
  }
  let status: OcspStatus | string;
  try {
    status = await readOcspResponse(said.body, of, { issuer, now });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const fix = 'correct the URL in certificates, or the responder';
    return [fault('ocsp', `${url}: ${error.message}`, means, fix)];
  }
  if (typeof status === 'string') {
    const fix = 'let the responder know the certificates of this CA';
    return [fault('ocsp', `${url} answers with ${status}`, means, fix)];
  }
  return orGood(
    'ocsp',
    [
      !status.trusted &&
        fault(
          'ocsp',
          `${url} is signed neither by ${printName(issuer.subject)} nor by a responder of it whose certificate is valid`,
          means,
          'sign with the key of the CA, or with one that it has certified for OCSPSigning',
        ),
      status.status !== 'good' &&
        fault(
          'ocsp',
          `${url} says that ${name} is ${status.status}`,
          means,
          'replace it, or correct the responder',
        ),
      ...freshness('ocsp', url, { ...status, now }),
    ],
    `${url}: ${name} is ${status.status}`,
  );
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
