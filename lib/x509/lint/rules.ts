// Lint of a certificate: RFC 5280 §4 as a table. A rule asks what a parser reads (`Reading`), or, where
// that takes an encoding away (times, defaults, sets), the octets. A finding says whether the requester's
// names are to blame or we are.

import { contextPrimitive, type Element, oid, raw, tag } from '../../asn1/reader.ts';
import { bits, objectIdentifier, sequence } from '../../asn1/writer.ts';
import { type Bytes, equal } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { curveOf, digests, oids } from '../../crypto/algorithms.ts';
import { signatureAlgorithm } from '../algorithm.ts';
import { encodeTbsCertificate, signed } from '../certificate.ts';
import { extensionRules } from './extensions.ts';
import { alternativeRules, subjectRules } from './names.ts';
import { readOwn } from './reading.ts';
import {
  type CertificateSubject,
  type Finding,
  firstFinding,
  type LintContext,
  ours,
  type Rule,
  timeIsEncoded,
} from './rule.ts';

/** What a certificate that one of the parsers cannot read is found to be. */
export const reparse = ours<CertificateSubject>('reparse', 'X.690 §10', ({ tbs, certificate }) => {
  return tbs.der && [...certificate.extensions.values()].every(({ value }) => value.der);
});

const fieldRules: readonly Rule<CertificateSubject>[] = [
  reparse,
  ours('version', 'RFC 5280 §4.1.2.1', ({ certificate }) => certificate.version === 2),
  ours('serial', 'RFC 5280 §4.1.2.2', ({ certificate: { serial } }) => {
    return serial.length >= 9 && serial.length <= 20 && (serial[0] ?? 0x80) < 0x80;
  }),
  ours('signature-parameters', 'RFC 4055 §5, RFC 5758 §3.2', ({ tbs, scheme }) => {
    const [, parameters, ...more] = tbs.children[2]?.children ?? [];
    const wanted = scheme.kind === 'RSASSA-PKCS1-v1_5' ? tag.null : undefined;
    return parameters?.tag === wanted && more.length === 0;
  }),
  // The outer field is written from the scheme, so that its octets are what this one must have.
  ours('signature', 'RFC 5280 §4.1.2.3', ({ certificate, tbs, scheme }) => {
    const [, , inner] = tbs.children;
    const [type] = inner?.children ?? [];
    const same = type !== undefined && certificate.signature === oid(type);
    return same && inner !== undefined && equal(raw(inner), signatureAlgorithm(scheme));
  }),
  ours('issuer', 'RFC 5280 §4.1.2.4', ({ certificate, context }) =>
    equal(certificate.issuer, context.issuer),
  ),
  ours('time-encoding', 'RFC 5280 §4.1.2.5', ({ tbs }) => {
    const [from, to, ...more] = tbs.children[4]?.children ?? [];
    return timeIsEncoded(from) && timeIsEncoded(to) && more.length === 0;
  }),
  ours('validity', 'RFC 5280 §4.1.2.5', ({ certificate, context }) => {
    const { notBefore: from, notAfter: to } = certificate;
    return from < to && from >= context.issuerNotBefore && to <= context.issuerNotAfter;
  }),
  ours('key-parameters', 'RFC 3279 §2.3.1, RFC 5480 §2.1.1, RFC 8410 §3', ({ tbs }) =>
    keyParametersFit(tbs.children[6]?.children[0]),
  ),
  ours('unique-identifiers', 'RFC 5280 §4.1.2.8', ({ tbs }) =>
    tbs.children.every((field) => ![contextPrimitive(1), contextPrimitive(2)].includes(field.tag)),
  ),
];

function keyParametersFit(algorithm: Element | undefined): boolean {
  const [type, parameters, ...more] = algorithm?.children ?? [];
  if (type?.tag !== tag.oid || more.length > 0) return false;
  switch (oid(type)) {
    case oids.rsaEncryption:
      return parameters?.tag === tag.null;
    case oids.ecPublicKey:
      return parameters?.tag === tag.oid && curveOf(oid(parameters)) !== undefined;
    case oids.ed25519:
      return parameters === undefined;
    default:
      return false;
  }
}

/** All rules, in the order in which they are asked. */
export const certificateRules: readonly Rule<CertificateSubject>[] = [
  ...fieldRules,
  ...extensionRules,
  ...subjectRules,
  ...alternativeRules,
];

/** The first rule for subjects that a Name of a CA does not keep. @param name DER */
export const lintSubject = (name: Bytes): Finding | undefined => lintNames('ca', name, []);

/**
 * The first rule for names that a subject and a subjectAltName do not keep, before there is a
 * certificate for them to stand in. Only our own parser reads them here: what is signed is read
 * by another, too.
 * @param subject Name, DER
 * @param extensions whole Extensions, DER: subjectAltName, and extKeyUsage, which some rules look at
 */
export function lintNames(
  role: LintContext['role'],
  subject: Bytes,
  extensions: readonly Bytes[],
): Finding | undefined {
  const scheme = { kind: 'Ed25519', digest: digests['SHA-512'] } as const;
  const key = sequence(sequence(objectIdentifier(oids.ed25519)), bits(new Uint8Array(32)));
  const validity = { notBefore: 0, notAfter: 0 };
  const plain = { serial: Uint8Array.of(1), issuer: subject, spki: key, ...validity, extensions };
  const tbs = encodeTbsCertificate({ ...plain, subject, scheme });
  const issuer = { issuer: subject, issuerKeyIdentifier: subject };
  const context = { role, ...issuer, issuerNotBefore: 0, issuerNotAfter: 0 };
  try {
    const read = readOwn(signed(tbs, scheme, new Uint8Array(0)));
    return firstFinding([...subjectRules, ...alternativeRules], { ...read, scheme, context });
  } catch (error) {
    if (error instanceof Malformed) return reparse;
    throw error;
  }
}
