// The parts of a subject that relying parties take for names of its holder, as they take a subjectAltName:
// mail addresses (RFC 5280 §4.1.2.6), and in a certificate for TLS servers a common name that is a host or
// an address (RFC 2818 §3.1, RFC 6125 §6.4.4). Policy treats them like subjectAltNames.

import { attributeTypes } from '../../asn1/oids.ts';
import type { Bytes } from '../../base/bytes.ts';
import { extKeyUsage, isForTlsServers, subjectAltName } from '../extensions.ts';
import { isDnsName } from '../lint/names.ts';
import { lintNames } from '../lint/rules.ts';
import { lintTexts } from '../lint/text.ts';
import { type GeneralName, parseGeneralName } from './general-name.ts';
import { inStringTypes, type Name, nameOf } from './name.ts';

/** @param purposes extended key usages of the certificate, dotted OIDs @throws {SyntaxError} */
export function namesInSubject(subject: Name, purposes: readonly string[]): GeneralName[] {
  const forServers = isForTlsServers(purposes);
  return subject.flat().flatMap(({ type, value = '' }) => {
    if (type === attributeTypes.emailAddress) return [parseGeneralName(`email:${value}`)];
    const host = type === attributeTypes.commonName && forServers ? hostOf(value) : undefined;
    return host ? [host] : [];
  });
}

/**
 * A text as clients look a host up in it: an address, or a host name of two labels or more, of which the
 * first may be `*` and the last may end with the dot of the root. Other texts name no host.
 */
export function hostOf(text: string): GeneralName | undefined {
  try {
    return parseGeneralName(`ip:${text}`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const name = text.replace(/\.$/, '');
  return name.includes('.') && isDnsName(name) ? parseGeneralName(`dns:${name}`) : undefined;
}

/**
 * Whether an end entity's certificate can say this at all.
 * @param subject Name, DER @param names of its subjectAltName, which may be none
 * @param purposes extended key usages, dotted OIDs
 * @throws {SyntaxError} with the sentence of the lint @throws {Malformed} for a subject that cannot be read
 */
export function requireLintFree(
  subject: Bytes,
  names: readonly GeneralName[],
  purposes: readonly string[],
): void {
  const isEmpty = nameOf(subject).length === 0;
  const alternative = names.length > 0 ? [subjectAltName(names, isEmpty)] : [];
  const extensions = [extKeyUsage(purposes), ...alternative];
  const finding = lintNames('endEntity', inStringTypes(subject), extensions);
  if (!finding) return;
  throw new SyntaxError(`no certificate can have it: ${lintTexts[finding.id] ?? finding.citation}`);
}
