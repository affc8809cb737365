// A device's certificate, built from what was decided about it (`policy.ts`), and what the lint has to
// know of it.

import type { Bytes } from '../../base/bytes.ts';
import { BACKDATE_MS } from '../../base/limits.ts';
import type { Config } from '../../config/config.ts';
import { type Profile, usagesOf } from '../../config/profile.ts';
import { encodeTbsCertificate, subjectPublicKeyOf, validity } from '../../x509/certificate.ts';
import type { ProvenRequest } from '../../x509/csr.ts';
import {
  authorityKeyIdentifier,
  caIssuers,
  crlDistributionPoint,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  securityIdentifier,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../x509/extensions.ts';
import type { Issued } from '../../x509/lint/issued.ts';
import { inStringTypes } from '../../x509/names/name.ts';
import type { Ca } from '../authority/ca-certificates.ts';
import { crlName, crlUrl, partitionFor } from '../revoke/partitions.ts';
import { alternativeNames, type CertifiedNames } from './policy.ts';

/** Of a CA, what its certificates say of it. */
export type Certifier = Pick<Ca, 'id' | 'scheme' | 'keyIdentifier' | 'partitions'> & {
  readonly certificate: Pick<Ca['certificate'], 'subject' | 'notBefore' | 'notAfter'>;
};

type BuiltTbs = {
  /** TBSCertificate, DER. */
  readonly tbs: Bytes;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of the CRLs of its CA; undefined where that has none. */
  readonly partition: string | undefined;
  /** Profile, its usages and purposes, kind of key and kind of names: what decides all that is not of this certificate alone. */
  readonly shape: string;
};

/** What a certificate is built from. */
export type Contents = {
  readonly config: Pick<Config, 'filesUrl'>;
  readonly ca: Certifier;
  readonly profile: Profile;
  readonly names: CertifiedNames;
  readonly csr: Pick<ProvenRequest, 'publicKey' | 'spki'>;
};

/** For an end entity. @param serial magnitude @param now ms since 1970 */
export function buildTbsCertificate(contents: Contents, serial: Bytes, now: number): BuiltTbs {
  const { config, ca, profile, csr } = contents;
  const { subject, names } = contents.names;
  const { notBefore, notAfter } = validity(
    Math.max(now - BACKDATE_MS, ca.certificate.notBefore),
    Math.min(now + profile.validityMs, ca.certificate.notAfter),
  );
  const { sid: form } = profile;
  const inNames = alternativeNames(profile, names);
  const isNameless = subject.length === 2;
  const withExtension = form === 'extension' || form === 'both';
  const sids = withExtension ? names.filter(({ kind }) => kind === 'sid') : [];
  const partition = partitionFor(ca, serial);
  const tbs = encodeTbsCertificate({
    serial,
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    subject: inStringTypes(subject),
    spki: csr.publicKey.spki,
    notBefore,
    notAfter,
    extensions: [
      keyUsage(usagesOf(profile.keyUsage, csr.publicKey.kind.type)),
      extKeyUsage(profile.extKeyUsage),
      subjectKeyIdentifier(keyIdentifier(subjectPublicKeyOf(csr.spki))),
      authorityKeyIdentifier(ca.keyIdentifier),
      ...(inNames.length > 0 ? [subjectAltName(inNames, isNameless)] : []),
      ...sids.map(({ value }) => securityIdentifier(value)),
      ...statusPointers(config, ca, partition),
    ],
  });
  const kinds = [isNameless, inNames.length > 0, sids.length > 0];
  const usages = [...profile.keyUsage, ...profile.extKeyUsage];
  const shape = [profile.id, csr.publicKey.kind.type, ...kinds, ...usages].join('/');
  return { tbs, notBefore, notAfter, partition, shape };
}

/** Where relying parties find the CRL and the issuer of what this CA signs. */
export const statusPointers = (
  { filesUrl }: Pick<Config, 'filesUrl'>,
  ca: Pick<Ca, 'id' | 'partitions'>,
  partition?: string,
): Bytes[] => [
  crlDistributionPoint(crlUrl(ca, filesUrl, crlName(ca.id, partition))),
  caIssuers(`${filesUrl}/aia/${ca.id}.cer`),
];

/** The same for the lint. */
export const issuedOf = (
  { config, ca, csr }: Contents,
  { tbs, shape, partition }: BuiltTbs,
): Issued => ({
  tbs,
  shape,
  key: csr.publicKey,
  scheme: ca.scheme,
  context: {
    role: 'endEntity',
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
    issuerNotBefore: ca.certificate.notBefore,
    issuerNotAfter: ca.certificate.notAfter,
    crlUrl: crlUrl(ca, config.filesUrl, crlName(ca.id, partition)),
  },
});
