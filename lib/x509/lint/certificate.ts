// Lint of a TBSCertificate before it is signed. What our own writer built is read back by pkijs, a parser
// we did not write, and asked every rule. Of what a CA issues by the hundred, `issued.ts` reads only one
// of each kind this way.

import { scan } from '../../asn1/reader.ts';
import type { Bytes } from '../../base/bytes.ts';
import type { SignatureScheme } from '../algorithm.ts';
import { signed } from '../certificate.ts';
import { readByPkijs } from './pkijs.ts';
import {
  type CertificateSubject,
  type Finding,
  firstFinding,
  type LintContext,
  type Rule,
} from './rule.ts';
import { certificateRules, reparse } from './rules.ts';

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
  return firstOf(certificateRules, tbs, scheme, context);
}

/** Rules for the choices that RFC 5280 leaves to the issuer. */
const ownChoices = new Set([
  ...['serial', 'issuer', 'subject-key-identifier', 'authority-key-identifier'],
  ...['crl-distribution-points', 'authority-info-access', 'critical'],
]);

/** The same for a certificate of a CA that another CA has built and signed. */
export function lintForeignCa(
  tbs: Bytes,
  scheme: SignatureScheme,
  context: Omit<LintContext, 'role' | 'issuerKeyIdentifier'>,
): Finding | undefined {
  const rules = certificateRules.filter(({ id }) => !ownChoices.has(id));
  const own = { ...context, role: 'ca', issuerKeyIdentifier: new Uint8Array(0) } as const;
  return firstOf(rules, tbs, scheme, own);
}

function firstOf(
  rules: readonly Rule<CertificateSubject>[],
  tbs: Bytes,
  scheme: SignatureScheme,
  context: LintContext,
): Finding | undefined {
  const read = readTwice(signed(tbs, scheme, new Uint8Array(1)), tbs);
  return read ? firstFinding(rules, { ...read, scheme, context }) : reparse;
}

function readTwice(unsigned: Bytes, tbs: Bytes) {
  try {
    return { certificate: readByPkijs(unsigned, tbs), tbs: scan(tbs) };
  } catch {
    return undefined; // whatever kept either parser from reading it, it is not to be signed
  }
}
