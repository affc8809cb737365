// What a CA certifies of its own: itself, where nobody else does, and the keys of its RA.

import { digests } from '../algorithms.ts';
import { type Bytes, base64, fromBase64, hex } from '../bytes.ts';
import { oid, raw, scan } from '../cms/der.ts';
import { sequence } from '../cms/der-writer.ts';
import { hash } from '../cms/native.ts';
import { Outage } from '../errors.ts';
import { BACKDATE_MS, RA_LIFETIME_MS, SERIAL_OCTETS } from '../limits.ts';
import type { EventType } from '../log/event.ts';
import type { RaGenerationRecord } from '../ports/records.ts';
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
import type { LintContext } from '../x509/lint-rule.ts';
import { parseName } from '../x509/name.ts';
import { readPublicKey } from '../x509/public-key.ts';
import { type Issuer, openGeneration, signingAlgorithm } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { type CaKey, drawSerial, requireClean, sign } from './issue.ts';
import { statusPointers } from './policy.ts';

type OwnDeps = Pick<Deps, 'config' | 'signer' | 'raKeys' | 'random' | 'log'>;

/** What a CA with this key signs with. @throws {Outage} for a key that no CA may have */
export async function caKeyOf(signer: Deps['signer'], keyReference: string): Promise<CaKey> {
  const key = readPublicKey(scan(await signer.publicKey(keyReference)));
  if (!key) throw new Outage('the CA key is of a type that cannot be used');
  const algorithm = signingAlgorithm(key.kind);
  return {
    keyReference,
    algorithm,
    scheme: { ...algorithm, digest: digests[algorithm.digest] },
    key,
  };
}

/** The extensions that say what a CA here is: it certifies devices, and no other CA. */
export const caExtensions = ({ key }: CaKey): Bytes[] => [
  caBasicConstraints(0),
  keyUsage(['keyCertSign', 'cRLSign']),
  subjectKeyIdentifier(identifierOf(key.spki)),
];

const identifierOf = (spki: Bytes): Bytes => keyIdentifier(subjectPublicKeyOf(scan(spki)));

/**
 * The CA's certificate by its own key.
 * @param subject Name, DER
 * @param until milliseconds since 1970
 */
export async function selfSigned(
  deps: OwnDeps,
  id: string,
  caKey: CaKey,
  subject: Bytes,
  now: number,
  until: number,
): Promise<Issuer> {
  const { spki } = caKey.key;
  const window = validity(now - BACKDATE_MS, until);
  const tbs = { issuer: subject, subject, spki, ...window, extensions: caExtensions(caKey) };
  const identifier = identifierOf(spki);
  const der = await certify(deps, caKey, tbs, {
    role: 'ca',
    issuer: subject,
    issuerKeyIdentifier: identifier,
    // It bounds itself.
    issuerNotBefore: window.notBefore,
    issuerNotAfter: window.notAfter,
  });
  return { id, ...caKey, certificate: readCertificate(der), keyIdentifier: identifier };
}

/**
 * A new RA key pair, sealed, with its certificate. It has been opened once: what is put on record can
 * be used.
 */
export async function makeGeneration(
  deps: OwnDeps,
  issuer: Issuer,
  { id, state }: Pick<RaGenerationRecord, 'id' | 'state'>,
  now: number,
): Promise<RaGenerationRecord> {
  const { certificate: ca, keyIdentifier: identifier } = issuer;
  if (now >= ca.notAfter) throw new Outage(`the CA "${issuer.id}" has expired`);
  const { spki, sealed } = await deps.raKeys.generate({ ca: issuer.id, purpose: 'ra' });
  const window = validity(
    Math.max(ca.notBefore, now - BACKDATE_MS),
    Math.min(ca.notAfter, now + RA_LIFETIME_MS),
  );
  const tbs = {
    issuer: ca.subject,
    subject: raSubject(ca.subject),
    spki,
    ...window,
    extensions: [
      keyUsage(['digitalSignature', 'keyEncipherment']),
      extKeyUsage([extKeyUsages.certificateRequestAgent]),
      subjectKeyIdentifier(identifierOf(spki)),
      authorityKeyIdentifier(identifier),
      ...statusPointers(deps.config, issuer.id),
    ],
  };
  const der = await certify(deps, issuer, tbs, {
    role: 'endEntity',
    issuer: ca.subject,
    issuerKeyIdentifier: identifier,
    issuerNotBefore: ca.notBefore,
    issuerNotAfter: ca.notAfter,
  });
  const certificate = base64(der);
  const made = { id, state, since: now, certificate, sealedKey: base64(sealed) };
  await openGeneration(deps.raKeys, issuer.id, made);
  return made;
}

/** SHA-256, hexadecimal. */
export const fingerprint = (der: Bytes): string => hex(hash('SHA-256', der));

/** What an event about a generation says of it. */
export const raEvent = <T extends EventType>(type: T, { id, certificate }: RaGenerationRecord) => ({
  type,
  number: id,
  certificateHash: fingerprint(fromBase64(certificate)),
});

async function certify(
  deps: OwnDeps,
  caKey: CaKey,
  tbs: Omit<TbsCertificate, 'serial' | 'scheme'>,
  context: LintContext,
): Promise<Bytes> {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  const encoded = encodeTbsCertificate({ ...tbs, serial, scheme: caKey.scheme });
  requireClean('certificate', lintTbsCertificate(encoded, caKey.scheme, context));
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
