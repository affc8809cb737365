// Lint of a TBSCertificate before it is signed: RFC 5280 §4 as a table. What our own writer built is
// read back by pkijs, a parser we did not write; where pkijs takes an encoding away (times, defaults,
// sets), the rule is asked of the octets. A finding says whether the requester's names are to blame
// or we are.

import { fromBER } from 'asn1js';
import { Certificate } from 'pkijs';
import { curveOf, digests, oids } from '../algorithms.ts';
import { type Bytes, equal } from '../bytes.ts';
import { contextPrimitive, type Element, oid, raw, scan, tag } from '../cms/der.ts';
import { bits, objectIdentifier, sequence } from '../cms/der-writer.ts';
import { Malformed } from '../errors.ts';
import { type SignatureScheme, signatureAlgorithm } from './algorithm.ts';
import { encodeTbsCertificate } from './certificate.ts';
import { extensionRules } from './lint-extensions.ts';
import { alternativeRules, subjectRules } from './lint-names.ts';
import {
  type CertificateSubject,
  type Finding,
  firstFinding,
  type LintContext,
  ours,
  type ReadExtension,
  type Rule,
  timeIsEncoded,
} from './lint-rule.ts';

const reparse = ours<CertificateSubject>(
  'reparse',
  'X.690 §10',
  ({ certificate, tbs, extensions }) => {
    const values = [...extensions.values()].every(({ value }) => value.der);
    return equal(certificate.tbsView, raw(tbs)) && tbs.der && values;
  },
);

const fieldRules: readonly Rule<CertificateSubject>[] = [
  reparse,
  ours('version', 'RFC 5280 §4.1.2.1', ({ certificate }) => certificate.version === 2),
  ours('serial', 'RFC 5280 §4.1.2.2', ({ certificate: { serialNumber } }) => {
    const octets = serialNumber.valueBlock.valueHexView;
    return octets.length >= 9 && octets.length <= 20 && (octets[0] ?? 0x80) < 0x80;
  }),
  ours('signature-parameters', 'RFC 4055 §5, RFC 5758 §3.2', ({ tbs, scheme }) => {
    const [, parameters, ...more] = tbs.children[2]?.children ?? [];
    const wanted = scheme.kind === 'RSASSA-PKCS1-v1_5' ? tag.null : undefined;
    return parameters?.tag === wanted && more.length === 0;
  }),
  // The outer field is written from the scheme, so that its octets are what this one must have.
  ours('signature', 'RFC 5280 §4.1.2.3', ({ certificate, tbs, scheme }) => {
    const [, , inner] = tbs.children;
    const same = certificate.signature.algorithmId === certificate.signatureAlgorithm.algorithmId;
    return same && inner !== undefined && equal(raw(inner), signatureAlgorithm(scheme));
  }),
  ours('issuer', 'RFC 5280 §4.1.2.4', ({ certificate, context }) =>
    equal(new Uint8Array(certificate.issuer.valueBeforeDecode), context.issuer),
  ),
  ours('time-encoding', 'RFC 5280 §4.1.2.5', ({ tbs }) => {
    const [from, to, ...more] = tbs.children[4]?.children ?? [];
    return timeIsEncoded(from) && timeIsEncoded(to) && more.length === 0;
  }),
  ours('validity', 'RFC 5280 §4.1.2.5', ({ certificate, context }) => {
    const from = certificate.notBefore.value.getTime();
    const to = certificate.notAfter.value.getTime();
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

/**
 * The first rule that does not hold, or undefined.
 * @param tbs TBSCertificate, DER
 * @param scheme what it is about to be signed with
 */
export function lintTbsCertificate(
  tbs: Bytes,
  scheme: SignatureScheme,
  context: LintContext,
): Finding | undefined {
  const unsigned = sequence(tbs, signatureAlgorithm(scheme), bits(new Uint8Array(1)));
  const read = readTwice(unsigned, tbs);
  return read ? firstFinding(certificateRules, { ...read, scheme, context }) : reparse;
}

/** What RFC 5280 leaves to who builds a certificate, and we decide for ours. */
const ownChoices = new Set([
  ...['serial', 'issuer', 'subject-key-identifier', 'authority-key-identifier'],
  ...['crl-distribution-points', 'authority-info-access', 'critical'],
]);

/** The same of the certificate of a CA that somebody else has built and signed. */
export function lintForeignCa(
  tbs: Bytes,
  scheme: SignatureScheme,
  context: Omit<LintContext, 'role' | 'issuerKeyIdentifier'>,
): Finding | undefined {
  const unsigned = sequence(tbs, signatureAlgorithm(scheme), bits(new Uint8Array(1)));
  const read = readTwice(unsigned, tbs);
  if (!read) return reparse;
  const rules = certificateRules.filter(({ id }) => !ownChoices.has(id));
  const own = { ...context, role: 'ca', issuerKeyIdentifier: new Uint8Array(0) } as const;
  return firstFinding(rules, { ...read, scheme, context: own });
}

/** The first rule for subjects that a Name does not keep, wherever it is to stand. @param name DER */
export function lintSubject(name: Bytes): Finding | undefined {
  const scheme = { kind: 'Ed25519', digest: digests['SHA-512'] } as const;
  const key = sequence(sequence(objectIdentifier(oids.ed25519)), bits(new Uint8Array(32)));
  const validity = { notBefore: 0, notAfter: 0 };
  const plain = { serial: Uint8Array.of(1), issuer: name, spki: key, ...validity, extensions: [] };
  const tbs = encodeTbsCertificate({ ...plain, subject: name, scheme });
  const read = readTwice(sequence(tbs, signatureAlgorithm(scheme), bits(new Uint8Array(1))), tbs);
  const issuer = { issuer: name, issuerKeyIdentifier: name, issuerNotBefore: 0, issuerNotAfter: 0 };
  const context = { role: 'ca', ...issuer } as const;
  return read ? firstFinding(subjectRules, { ...read, scheme, context }) : reparse;
}

function readTwice(unsigned: Bytes, tbs: Bytes) {
  try {
    const certificate = readByPkijs(unsigned);
    const extensions = (certificate.extensions ?? []).map(
      ({ extnID, critical, extnValue }): [string, ReadExtension] => {
        return [extnID, { critical, value: scan(new Uint8Array(extnValue.getValue())) }];
      },
    );
    return { certificate, extensions: new Map(extensions), tbs: scan(tbs) };
  } catch {
    return undefined; // whatever kept either parser from reading it, it is not to be signed
  }
}

/**
 * `Certificate.fromBER` by its two steps, so that nothing is looked for inside octet and bit strings: no
 * rule asks pkijs for what it would find there, and it takes a fifth of its time.
 * @throws when pkijs cannot read it
 */
function readByPkijs(octets: Bytes): Certificate {
  const { offset, result } = fromBER(octets, { parseEmbedded: false, copyInput: false });
  if (offset !== octets.length) throw new Malformed('not one encoding');
  return new Certificate({ schema: result });
}
