// The life of a CA beside its enrolments: making one, with its first RA generation and its first
// CRL, and keeping a valid CRL published.

import { digests } from '../algorithms.ts';
import type { Bytes } from '../bytes.ts';
import { oid, raw, scan } from '../cms/der.ts';
import { sequence } from '../cms/der-writer.ts';
import type { Authority } from '../config.ts';
import { Outage } from '../errors.ts';
import { BACKDATE_MS, CRL_LIFETIME_MS, RA_LIFETIME_MS, SERIAL_OCTETS } from '../limits.ts';
import {
  encodeTbsCertificate,
  readCertificate,
  signed,
  subjectPublicKeyOf,
  type TbsCertificate,
  validity,
} from '../x509/certificate.ts';
import { encodeTbsCertList } from '../x509/crl.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  extKeyUsage,
  extKeyUsages,
  keyIdentifier,
  keyUsage,
  subjectKeyIdentifier,
} from '../x509/extensions.ts';
import { parseName } from '../x509/name.ts';
import { readPublicKey } from '../x509/public-key.ts';
import { type Ca, signingAlgorithm } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { type CaKey, drawSerial, sign } from './issue.ts';
import { statusPointers } from './policy.ts';

type LifecycleDeps = Pick<
  Deps,
  'config' | 'authorities' | 'signer' | 'raKeys' | 'clock' | 'random' | 'log'
>;

/**
 * Makes the CA: key, self-signed certificate, one RA generation, which is current at once.
 * @returns `exists` when there is one under this id; nothing was changed then
 */
export async function initCa(
  deps: LifecycleDeps,
  authority: Authority,
): Promise<'done' | 'exists'> {
  if (await deps.authorities.find(authority.id)) return 'exists';
  const now = deps.clock.now();
  const { subject } = authority;
  const keyReference = await deps.signer.create(authority.id, authority.key);
  const spki = await deps.signer.publicKey(keyReference);
  const key = readPublicKey(scan(spki));
  if (!key) throw new Outage('the new CA key is of a type that cannot be used');
  const algorithm = signingAlgorithm(key.kind);
  const scheme = { kind: algorithm.kind, digest: digests[algorithm.digest] };
  const caKey: CaKey = { keyReference, algorithm, scheme, key };
  const identifier = keyIdentifier(subjectPublicKeyOf(scan(spki)));
  const window = { from: now - BACKDATE_MS, to: now + authority.validityMs };
  const certificate = await certify(deps, caKey, {
    issuer: subject,
    subject,
    spki,
    ...validity(window.from, window.to),
    extensions: [
      caBasicConstraints(0),
      keyUsage(['keyCertSign', 'cRLSign']),
      subjectKeyIdentifier(identifier),
    ],
  });
  const ra = await deps.raKeys.generate({ ca: authority.id, purpose: 'ra' });
  const raCertificate = await certify(deps, caKey, {
    issuer: subject,
    subject: raSubject(subject),
    spki: ra.spki,
    ...validity(window.from, Math.min(window.to, now + RA_LIFETIME_MS)),
    extensions: [
      keyUsage(['digitalSignature', 'keyEncipherment']),
      extKeyUsage([extKeyUsages.certificateRequestAgent]),
      subjectKeyIdentifier(keyIdentifier(subjectPublicKeyOf(scan(ra.spki)))),
      authorityKeyIdentifier(identifier),
      ...statusPointers(deps.config, authority.id),
    ],
  });
  return deps.authorities.create({
    ca: authority.id,
    keyReference,
    chain: [certificate],
    generations: [{ id: 1, state: 'current', certificate: raCertificate, sealedKey: ra.sealed }],
  });
}

async function certify(
  deps: LifecycleDeps,
  caKey: CaKey,
  tbs: Omit<TbsCertificate, 'serial' | 'scheme'>,
): Promise<Bytes> {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  const encoded = encodeTbsCertificate({ ...tbs, serial, scheme: caKey.scheme });
  const der = signed(encoded, caKey.scheme, await sign(deps, caKey, encoded));
  readCertificate(der);
  return der;
}

const commonName = '2.5.4.3';

/** The CA's subject with `SCEP RA` for its common name. */
function raSubject(caSubject: Bytes): Bytes {
  const others = scan(caSubject).children.filter(
    (rdn) => !rdn.children.some(({ children: [type] }) => type && oid(type) === commonName),
  );
  return sequence(...[...others, ...scan(parseName('CN=SCEP RA')).children].map(raw));
}

/** Publishes a new CRL when there is none or half of the last one's life is over. */
export async function keepCrl(deps: LifecycleDeps, ca: Ca): Promise<void> {
  const now = deps.clock.now();
  const last = await deps.authorities.crl(ca.id);
  if (last && now < last.thisUpdate + CRL_LIFETIME_MS / 2) return;
  const number = (last?.number ?? 0) + 1;
  const update = validity(now, now + CRL_LIFETIME_MS);
  const tbs = encodeTbsCertList({
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
    thisUpdate: update.notBefore,
    nextUpdate: update.notAfter,
    number,
    revoked: [],
  });
  const der = signed(tbs, ca.scheme, await sign(deps, ca, tbs));
  const published = await deps.authorities.publishCrl(ca.id, {
    number,
    der,
    thisUpdate: update.notBefore,
    nextUpdate: update.notAfter,
  });
  deps.log({ event: 'crl.published', severity: 'info', ca: ca.id, number, outcome: published });
}
