// What a certificate will say: decided from the profile and the challenge's binding. The CSR
// supplies the key, and a subject that must match and is then copied byte for byte; no extension is
// in a certificate because a CSR asked for it (shared design 4.7).

import type { Bytes } from '../bytes.ts';
import { scan } from '../cms/der.ts';
import type { Config, Profile } from '../config.ts';
import { Malformed, ScepFailure } from '../errors.ts';
import { BACKDATE_MS } from '../limits.ts';
import type { Binding } from '../ports/records.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { encodeTbsCertificate, subjectPublicKeyOf, validity } from '../x509/certificate.ts';
import type { CertificationRequest } from '../x509/csr.ts';
import {
  authorityKeyIdentifier,
  caIssuers,
  crlDistributionPoint,
  extKeyUsage,
  extKeyUsages,
  type KeyUsage,
  keyIdentifier,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extensions.ts';
import {
  type GeneralName,
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
} from '../x509/general-name.ts';
import { nameOf, parseName, sameAttributes } from '../x509/name.ts';
import type { KeyKind } from '../x509/public-key.ts';
import type { Ca } from './ca-certificates.ts';

export type CertifiedNames = {
  /** Name, DER, as it stands in the CSR. */
  readonly subject: Bytes;
  readonly names: readonly GeneralName[];
};

/** The names that the binding gives and the CSR does not contradict. @throws {ScepFailure} */
export function certifiedNames(csr: CertificationRequest, binding: Binding): CertifiedNames {
  const names = binding.names.map(parseGeneralName);
  const bound = new Set(binding.names);
  try {
    const subject = nameOf(csr.subject);
    if (binding.subject && !sameAttributes(subject, nameOf(parseName(binding.subject)))) {
      throw new ScepFailure('subjectNotBound');
    }
    const requested = csr.subjectAltName ? readGeneralNames(scan(csr.subjectAltName)) : [];
    for (const name of requested.map(printGeneralName)) {
      if (!bound.has(name)) throw new ScepFailure('nameNotBound', { name });
    }
    if (subject.length === 0 && names.length === 0) throw new ScepFailure('subjectMissing');
  } catch (error) {
    if (error instanceof Malformed) throw new ScepFailure('requestLint', { lint: error.message });
    throw error;
  }
  return { subject: csr.subject, names };
}

/** A binding in the form in which it is stored and compared. @throws {SyntaxError} */
export function normalBinding(subject: string | undefined, names: readonly string[]): Binding {
  const distinct = [...new Set(names.map((name) => printGeneralName(parseGeneralName(name))))];
  if (subject === undefined) return { names: distinct };
  if (nameOf(parseName(subject)).length === 0) throw new SyntaxError('the subject is empty');
  return { subject, names: distinct };
}

/** A TBSCertificate, DER, for an end entity. @param serial magnitude @param now ms since 1970 */
export function buildTbsCertificate(
  config: Config,
  ca: Ca,
  profile: Profile,
  { subject, names }: CertifiedNames,
  csr: ProvenRequest,
  serial: Bytes,
  now: number,
): { readonly tbs: Bytes; readonly notBefore: number; readonly notAfter: number } {
  const { notBefore, notAfter } = validity(
    Math.max(now - BACKDATE_MS, ca.certificate.notBefore),
    Math.min(now + profile.validityMs, ca.certificate.notAfter),
  );
  const purposes = profile.extKeyUsage.map(
    (purpose) => extKeyUsages[purpose as keyof typeof extKeyUsages] ?? purpose,
  );
  const tbs = encodeTbsCertificate({
    serial,
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    subject,
    spki: csr.publicKey.spki,
    notBefore,
    notAfter,
    extensions: [
      keyUsage(usagesFor(profile, csr.publicKey.kind)),
      extKeyUsage(purposes),
      subjectKeyIdentifier(keyIdentifier(subjectPublicKeyOf(csr.spki))),
      authorityKeyIdentifier(ca.keyIdentifier),
      ...(names.length > 0 ? [subjectAltName(names, subject.length === 2)] : []),
      ...statusPointers(config, ca.id),
    ],
  });
  return { tbs, notBefore, notAfter };
}

/** Where relying parties find the CRL and the issuer of what this CA signs. */
export const statusPointers = ({ publicUrl }: Config, ca: string): Bytes[] => [
  crlDistributionPoint(`${publicUrl}/crl/${ca}.crl`),
  caIssuers(`${publicUrl}/aia/${ca}.cer`),
];

/** Only RSA keys encipher (RFC 3279 §2.3); a key that may do nothing else signs. */
function usagesFor({ keyUsage: usages }: Profile, kind: KeyKind): readonly KeyUsage[] {
  const possible = usages.filter((usage) => kind.type === 'RSA' || usage !== 'keyEncipherment');
  return possible.length > 0 ? possible : ['digitalSignature'];
}
