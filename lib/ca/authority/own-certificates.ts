// The certificates that a CA makes for itself: its self-signed one, unless another CA certifies it, and those
// of its RA keys.

import { attributeTypes, extKeyUsages } from '../../asn1/oids.ts';
import { oid, raw, scan } from '../../asn1/reader.ts';
import { sequence } from '../../asn1/writer.ts';
import { type Bytes, base64, fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { BACKDATE_MS, RA_LIFETIME_MS, SERIAL_OCTETS } from '../../base/limits.ts';
import type { EventType } from '../../base/words.ts';
import { digests } from '../../crypto/algorithms.ts';
import type { RaKeys } from '../../ports/ra-keys.ts';
import type { RaGenerationRecord } from '../../ports/records/registry.ts';
import type { Signer, SignRequests } from '../../ports/signer.ts';
import {
  encodeTbsCertificate,
  fingerprint,
  readCertificate,
  subjectPublicKeyOf,
  type TbsCertificate,
  validity,
} from '../../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  caBasicConstraints,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  subjectKeyIdentifier,
} from '../../x509/extensions.ts';
import type { LintContext } from '../../x509/lint/rule.ts';
import { parseName } from '../../x509/names/name.ts';
import { readPublicKey } from '../../x509/public-key.ts';
import type { EnrolDeps } from '../deps.ts';
import { statusPointers } from '../policy/build-certificate.ts';
import { crlUrl } from '../revoke/partitions.ts';
import { type Issuer, openGeneration, signingAlgorithm } from './ca-certificates.ts';
import {
  type CaKey,
  drawSerial,
  lintedCertificate,
  requireClean,
  type Signed,
  sign,
} from './sign.ts';

type OwnDeps = Pick<EnrolDeps, 'config' | 'signer' | 'random' | 'log'> & {
  readonly raKeys: RaKeys;
};

/** The signing algorithm of a CA with this key. @throws {Outage} for a key that no CA may have */
export async function signingKeyOf(
  signer: Pick<Signer, 'publicKey'>,
  keyReference: string,
): Promise<CaKey> {
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

/** The extensions of a CA certificate here: such a CA certifies devices, and no other CA. */
export const caExtensions = ({ key }: CaKey): Bytes[] => [
  caBasicConstraints(0),
  keyUsage(['keyCertSign', 'cRLSign']),
  subjectKeyIdentifier(identifierOf(key.spki)),
];

const identifierOf = (spki: Bytes): Bytes => keyIdentifier(subjectPublicKeyOf(scan(spki)));

type SelfSigned = Pick<Issuer, 'id' | 'partitions'> & {
  /** Name, DER. */
  readonly subject: Bytes;
  readonly now: number;
  /** Milliseconds since 1970. */
  readonly until: number;
};

/** The CA's certificate by its own key. */
export async function selfSignedCa(
  deps: OwnDeps,
  caKey: CaKey,
  { id, partitions, subject, now, until }: SelfSigned,
): Promise<{ readonly issuer: Issuer; readonly requests: SignRequests }> {
  const { spki } = caKey.key;
  const window = validity(now - BACKDATE_MS, until);
  const tbs = { issuer: subject, subject, spki, ...window, extensions: caExtensions(caKey) };
  const identifier = identifierOf(spki);
  const { der, requests } = await certify(deps, caKey, tbs, {
    role: 'ca',
    issuer: subject,
    issuerKeyIdentifier: identifier,
    // It bounds itself.
    issuerNotBefore: window.notBefore,
    issuerNotAfter: window.notAfter,
  });
  const certificate = readCertificate(der);
  const issuer = { id, ...caKey, certificate, keyIdentifier: identifier, partitions };
  return { issuer, requests };
}

/**
 * A new RA key pair, sealed, with its certificate. It has been opened once, so that the record can be used.
 */
export async function makeGeneration(
  deps: OwnDeps,
  issuer: Issuer,
  { id, state }: Pick<RaGenerationRecord, 'id' | 'state'>,
  now: number,
): Promise<{ readonly generation: RaGenerationRecord; readonly requests: SignRequests }> {
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
      ...statusPointers(deps.config, issuer),
    ],
  };
  const { der, requests } = await certify(deps, issuer, tbs, {
    role: 'endEntity',
    issuer: ca.subject,
    issuerKeyIdentifier: identifier,
    issuerNotBefore: ca.notBefore,
    issuerNotAfter: ca.notAfter,
    crlUrl: crlUrl(issuer, deps.config.filesUrl, issuer.id),
  });
  const certificate = base64(der);
  const generation = { id, state, since: now, certificate, sealedKey: base64(sealed) };
  await openGeneration(deps.raKeys, issuer.id, generation);
  return { generation, requests };
}

/** The note of an event about a generation. */
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
): Promise<Signed> {
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  const encoded = encodeTbsCertificate({ ...tbs, serial, scheme: caKey.scheme });
  const linted = await lintedCertificate(encoded, caKey.scheme, context);
  const made = await sign(deps, caKey, requireClean('certificate', linted));
  readCertificate(made.der);
  return made;
}

/** The CA's subject with `SCEP RA` for its common name. */
function raSubject(caSubject: Bytes): Bytes {
  const others = scan(caSubject).children.filter(
    (rdn) =>
      !rdn.children.some(({ children: [type] }) => type && oid(type) === attributeTypes.commonName),
  );
  return sequence(...[...others, ...scan(parseName('CN=SCEP RA')).children].map(raw));
}
