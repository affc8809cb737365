// The beginning of a CA: its key, its certificate, its first RA generation.

import { digests } from '../algorithms.ts';
import { type Bytes, base64, equal, hex } from '../bytes.ts';
import { oid, raw, scan } from '../cms/der.ts';
import { sequence } from '../cms/der-writer.ts';
import { hash } from '../cms/native.ts';
import type { Authority } from '../config.ts';
import { Outage } from '../errors.ts';
import { BACKDATE_MS, RA_LIFETIME_MS, SERIAL_OCTETS } from '../limits.ts';
import {
  encodeTbsCertificate,
  readCertificate,
  signed,
  subjectPublicKeyOf,
  type TbsCertificate,
  validity,
} from '../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  extKeyUsage,
  extKeyUsages,
  keyIdentifier,
  keyUsage,
  subjectKeyIdentifier,
} from '../x509/extensions.ts';
import { lintTbsCertificate } from '../x509/lint.ts';
import { parseName, printName } from '../x509/name.ts';
import { readPublicKey } from '../x509/public-key.ts';
import { signingAlgorithm } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { type CaKey, drawSerial, requireClean, sign } from './issue.ts';
import { statusPointers } from './policy.ts';
import { Draft, View } from './view.ts';

type LifecycleDeps = Pick<
  Deps,
  'config' | 'store' | 'signer' | 'raKeys' | 'clock' | 'random' | 'log'
>;

/**
 * Makes the CA: key, self-signed certificate, one RA generation, which is current at once.
 * @returns `exists` when there is one under this id; nothing was changed then
 */
export async function initCa(
  deps: LifecycleDeps,
  authority: Authority,
): Promise<'done' | 'exists'> {
  const view = new View(deps.store);
  await view.load([{ kind: 'authority', key: authority.id }]);
  if (view.get('authority', authority.id)) return 'exists';
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
  const draft = new Draft(view);
  draft.put('authority', authority.id, {
    ca: authority.id,
    keyReference,
    chain: [base64(certificate)],
    generations: [
      {
        id: 1,
        state: 'current',
        certificate: base64(raCertificate),
        sealedKey: base64(ra.sealed),
      },
    ],
  });
  const about = { actor: { kind: 'system' }, ca: authority.id } as const;
  const hashOf = (der: Bytes): string => hex(hash('SHA-256', der));
  draft.event(now, deps.random, { ...about, type: 'ca.key.created', key: keyReference });
  draft.event(now, deps.random, {
    ...about,
    type: 'ca.created',
    subject: printName(subject),
    certificateHash: hashOf(certificate),
  });
  draft.event(now, deps.random, {
    ...about,
    type: 'ca.ra.current',
    number: 1,
    certificateHash: hashOf(raCertificate),
  });
  return (await deps.store.write(draft.actions)) === 'done' ? 'done' : 'exists';
}

async function certify(
  deps: LifecycleDeps,
  caKey: CaKey,
  tbs: Omit<TbsCertificate, 'serial' | 'scheme'>,
): Promise<Bytes> {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  const encoded = encodeTbsCertificate({ ...tbs, serial, scheme: caKey.scheme });
  const finding = lintTbsCertificate(encoded, caKey.scheme, {
    role: equal(tbs.issuer, tbs.subject) ? 'ca' : 'endEntity',
    issuer: tbs.issuer,
    issuerKeyIdentifier: keyIdentifier(subjectPublicKeyOf(scan(caKey.key.spki))),
    // The CA's certificate bounds itself, and the RA's was cut to fit it.
    issuerNotBefore: tbs.notBefore,
    issuerNotAfter: tbs.notAfter,
  });
  requireClean('certificate', finding);
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
