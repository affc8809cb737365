// What the certificates of GetCACert are good for: the RA's above all, to which every request is encrypted.

import { extensionOids } from '../../../asn1/oids.ts';
import { content, type Element, scan, tag } from '../../../asn1/reader.ts';
import { equal } from '../../../base/bytes.ts';
import { Malformed } from '../../../base/errors.ts';
import { CA_WARNING_MS, RA_WARNING_MS } from '../../../base/limits.ts';
import { isoSeconds } from '../../../base/text.ts';
import { readSignatureAlgorithm } from '../../../x509/algorithm.ts';
import { type Certificate, isIssuedBy, publicKeyOf } from '../../../x509/certificate.ts';
import { type KeyUsage, keyUsages } from '../../../x509/extensions.ts';
import { printName } from '../../../x509/names/name.ts';
import { keyName } from '../../../x509/public-key.ts';
import type { EndpointFacts } from '../facts.ts';
import { fault, type Observation, orGood, warning } from '../observation.ts';

function extensionIn({ extensions }: Certificate, id: string): Element | undefined {
  const found = extensions.get(id);
  if (!found) return undefined;
  try {
    return scan(found.value);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

export function isCaCertificate(certificate: Certificate): boolean {
  const [first] = extensionIn(certificate, extensionOids.basicConstraints)?.children ?? [];
  return first?.tag === tag.boolean && content(first)[0] !== 0;
}

/** Undefined: it has no keyUsage. */
export function listedUsages(certificate: Certificate): readonly KeyUsage[] | undefined {
  const value = extensionIn(certificate, extensionOids.keyUsage);
  if (!value) return undefined;
  const [, bits = 0] = content(value);
  return keyUsages.filter((_, at) => (bits & (0x80 >> at)) !== 0);
}

const named = ({ subject }: Certificate): string => printName(subject);
const signs = (issuer: Certificate, certificate: Certificate): Promise<boolean> =>
  isIssuedBy(certificate, { subject: issuer.subject, key: publicKeyOf(issuer) });

export async function certificateFindings(facts: EndpointFacts): Promise<Observation[]> {
  const { ca, bag } = facts;
  if (!ca) return [];
  const { ra } = ca;
  const found = [...keyTroubles(ra), ...dateTroubles(ra, facts.now)];
  const raIsCa = isCaCertificate(ra);
  const usages = listedUsages(ra);
  if (!raIsCa && !(await issued(ra, ca.chain))) {
    found.push(
      fault(
        'ra',
        `${named(ra)} was not issued by a CA that is announced with it`,
        'Apple, and whoever is given a fingerprint of the CA, does not trust it',
        'certify the RA directly by the CA that issues, and announce both',
      ),
    );
  }
  if (usages && !usages.includes('keyEncipherment')) {
    found.push(
      fault(
        'ra',
        `the keyUsage of ${named(ra)} is ${usages.join(', ')}, without keyEncipherment`,
        'clients that look at it have nobody to encrypt to',
        'give the RA the keyUsage digitalSignature and keyEncipherment',
      ),
    );
  }
  if (!raIsCa && bag[0] && !equal(bag[0].der, ra.der)) {
    found.push(
      warning(
        'ra',
        'the certificate of the RA does not stand first',
        'CertNanny takes the first',
        'announce the RA first, then the CA that issues, then its issuers',
      ),
    );
  }
  const key = publicKeyOf(ra);
  const said = `${named(ra)}, ${key ? keyName(key.kind) : 'no key'}, until ${isoSeconds(ra.notAfter)}`;
  return [...orGood('ra', found, said), ...(await chainFindings(facts))];
}

const issued = async (certificate: Certificate, by: readonly Certificate[]): Promise<boolean> =>
  (await Promise.all(by.map((one) => signs(one, certificate)))).includes(true);

function keyTroubles(ra: Certificate): Observation[] {
  const kind = publicKeyOf(ra)?.kind;
  if (kind?.type === 'RSA') return [];
  return [
    fault(
      'ra',
      `${named(ra)} has ${kind ? `a key of ${keyName(kind)}` : 'a key of an unknown kind or size'}`,
      'no client encrypts to anything but an RSA key of 2048 bits or more',
      'give the RA an RSA key',
    ),
  ];
}

function dateTroubles({ notBefore, notAfter, subject }: Certificate, now: number): Observation[] {
  const name = printName(subject);
  const means = 'clients that look at dates do not encrypt to it, nor believe its replies';
  if (notAfter <= now) {
    const fix = 'make a new certificate for the RA ("scepter ca rotate-ra", where it is ours)';
    return [fault('ra', `${name} expired on ${isoSeconds(notAfter)}`, means, fix)];
  }
  if (notBefore > now) {
    const fix = 'set the clock of whoever issued it right';
    return [fault('ra', `${name} is not valid before ${isoSeconds(notBefore)}`, means, fix)];
  }
  if (notAfter - now >= RA_WARNING_MS) return [];
  const fix = 'make the next one now: devices fetch it by themselves';
  return [warning('ra', `${name} expires on ${isoSeconds(notAfter)}`, means, fix)];
}

async function chainFindings({ ca, now }: EndpointFacts): Promise<Observation[]> {
  const chain = ca?.chain ?? [];
  if (chain.length === 0) {
    return [
      fault(
        'chain',
        'no certificate of a CA is announced',
        'clients that are given a fingerprint of the CA find nothing that has it (Apple needs it there)',
        'announce the CA that issues, and its issuers up to the root',
      ),
    ];
  }
  const roots = await Promise.all(chain.map((one) => signs(one, one)));
  const found = chain.flatMap((one, at) => [
    ...caTroubles(one, now),
    ...(roots[at] ? [] : signatureTroubles(one)),
  ]);
  if (!roots.includes(true)) {
    found.push(
      warning(
        'chain',
        'the root is not announced',
        'a client that trusts the root only, or takes the last one for it (Apple), finds no way to it',
        'announce all issuers up to the root (RFC 8894 §2.2)',
      ),
    );
  }
  const said = chain.map((one) => `${named(one)} until ${isoSeconds(one.notAfter)}`).join(' < ');
  return orGood('chain', found, said);
}

function caTroubles(one: Certificate, now: number): Observation[] {
  const found: Observation[] = [];
  const usages = listedUsages(one);
  if (one.notAfter <= now) {
    found.push(
      fault(
        'chain',
        `${named(one)} expired on ${isoSeconds(one.notAfter)}`,
        'nothing that it has issued is good any more',
        'make a new CA, and give its certificate to all who trust the old one',
      ),
    );
  } else if (one.notAfter - now < CA_WARNING_MS) {
    found.push(
      warning(
        'chain',
        `${named(one)} expires on ${isoSeconds(one.notAfter)}, and what it issues with it`,
        'certificates get shorter and shorter until then',
        'make the next CA, and begin to give it to all who trust this one',
      ),
    );
  }
  if (usages && !usages.includes('keyCertSign')) {
    found.push(
      fault(
        'chain',
        `the keyUsage of ${named(one)} is ${usages.join(', ')}, without keyCertSign`,
        'relying parties refuse what it has issued',
        'make its certificate anew with keyCertSign and cRLSign',
      ),
    );
  }
  return found;
}

/** Nobody looks at the signature of a root. */
function signatureTroubles(one: Certificate): Observation[] {
  const scheme = readSignatureAlgorithm(one.signatureAlgorithm);
  if (!scheme?.digest.legacy) return [];
  return [
    warning(
      'chain',
      `${named(one)} is signed with ${scheme.digest.name}`,
      'Apple, Windows and OpenSSL refuse it',
      'make its certificate anew with SHA-256',
    ),
  ];
}
