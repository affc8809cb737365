// What a certificate will say: decided from the profile and the challenge's binding. The CSR
// supplies the key, and a subject that must match and is then copied byte for byte; no extension is
// in a certificate because a CSR asked for it (shared design 4.7).
//
// What becomes of a hostile request, by one rule each (test/ca-hostile-csr.test.ts has them all):
// - an extension other than subjectAltName and the SID has no effect, whatever it asks for: CA:TRUE,
//   usages, purposes, policies, constraints, addresses;
// - a name that no parser reads, or that the lint finds fault with, is refused (requestLint): controls,
//   NUL, line breaks, bidirectional and invisible characters, wrong string types and lengths, two
//   common names, more than MAX_NAMES names, host names that are none, addresses as host names;
// - a name of a kind that is never certified (directoryName, registeredID, ...) is refused (nameNotBound);
// - a wildcard is certified only where a challenge is bound to it: to a device it is the names of others;
// - a subjectAltName that stands twice stands once, a host name is in lower case; nothing else is
//   changed, and characters that only look alike are other characters.

import type { Bytes } from '../bytes.ts';
import { scan } from '../cms/der.ts';
import type { Config } from '../config.ts';
import { Malformed, ScepFailure } from '../errors.ts';
import { BACKDATE_MS } from '../limits.ts';
import { matchesPattern } from '../pattern.ts';
import type { Binding } from '../ports/records.ts';
import { type NameRule, type Profile, type SubjectRules, usagesOf } from '../profile.ts';
import type { ProvenRequest } from '../scep/request.ts';
import { encodeTbsCertificate, subjectPublicKeyOf, validity } from '../x509/certificate.ts';
import type { CertificationRequest } from '../x509/csr.ts';
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
} from '../x509/extensions.ts';
import {
  type GeneralName,
  inRange,
  parseGeneralName,
  printGeneralName,
  printIpRange,
  readGeneralNames,
  readSecurityIdentifier,
} from '../x509/general-name.ts';
import {
  attributeName,
  type Name,
  type NameAttribute,
  nameOf,
  parseName,
  printName,
  sameAttributes,
} from '../x509/name.ts';
import { type KeyKind, keyName } from '../x509/public-key.ts';
import type { Ca } from './ca-certificates.ts';

export type CertifiedNames = {
  /** Name, DER, as it stands in the CSR. */
  readonly subject: Bytes;
  readonly names: readonly GeneralName[];
};

/** The names that the CSR asks for: subjectAltName, and Microsoft's SID. @throws {Malformed} */
export function askedNames({
  subjectAltName: names,
  securityIdentifier: sid,
}: Pick<CertificationRequest, 'subjectAltName' | 'securityIdentifier'>): GeneralName[] {
  return [
    ...(names ? readGeneralNames(scan(names)) : []),
    ...(sid ? [readSecurityIdentifier(scan(sid))] : []),
  ];
}

/**
 * What a binding gives and the profile allows. A binding that names anything names all: the CSR may
 * ask for no other. One that names nothing leaves it to the profile whether the CSR names itself.
 * @throws {ScepFailure} subjectNotBound, nameNotBound, nameNotAllowed, subjectNotAllowed, ...
 */
export function certifiedNames(
  profile: Profile,
  csr: ProvenRequest,
  binding: Binding,
): CertifiedNames {
  const bound = binding.names.map(parseGeneralName);
  const boundSubject = binding.subject ? nameOf(parseName(binding.subject)) : undefined;
  const certified = new Map(bound.map((name) => [printGeneralName(name), name]));
  try {
    const subject = nameOf(csr.subject);
    if (boundSubject && !sameAttributes(subject, boundSubject)) {
      const value = printName(csr.subject);
      throw new ScepFailure('subjectNotBound', { value, allowed: binding.subject ?? '' });
    }
    const mails = mailsOf(subject);
    // Bound with the subject that they stand in.
    if (boundSubject) for (const name of mails) certified.set(printGeneralName(name), name);
    for (const name of [...mails, ...askedNames(csr)]) {
      const text = printGeneralName(name);
      if (certified.has(text)) continue;
      if (bound.length > 0 || !namesItself(profile, name)) {
        throw new ScepFailure('nameNotBound', {
          rule: ruleOf(profile, name),
          value: text,
          allowed: bound.length > 0 ? binding.names.join(', ') : allowedNames(profile, name),
        });
      }
      certified.set(text, name);
    }
    const names = { subject: csr.subject, names: [...certified.values()] };
    requireProfile(profile, csr.publicKey.kind, names);
    if (subject.length === 0 && names.names.length === 0) throw new ScepFailure('subjectMissing');
    return names;
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) {
      throw new ScepFailure('requestLint', { lint: error.message });
    }
    throw error;
  }
}

/**
 * The mail addresses of a subject. They are names like any other: allowed by a binding or by the
 * profile, and in subjectAltName too, as RFC 5280 §4.1.2.6 demands. @throws {SyntaxError}
 */
function mailsOf(subject: Name): GeneralName[] {
  const mails = subject.flat().filter(({ type }) => type === emailAddress);
  return mails.map(({ value = '' }) => parseGeneralName(`email:${value}`));
}

const emailAddress = '1.2.840.113549.1.9.1';

/** Whether a request may give itself this name, with nothing but the profile to allow it. */
function namesItself({ names }: Profile, { kind, value }: GeneralName): boolean {
  if (kind === 'dns' && value.includes('*')) return false;
  const rule: NameRule = kind === 'other' ? { rule: 'none' } : names[kind];
  switch (rule.rule) {
    case 'copy':
      return true;
    case 'pattern':
      return rule.patterns.some((pattern) =>
        matchesPattern(pattern, value, separators[kind] ?? ''),
      );
    case 'range':
      return rule.ranges.some((range) => inRange(value, range));
    case 'none':
    case 'bound':
      return false;
  }
}

/** Where the configuration says which names of this kind are certified. */
const ruleOf = ({ id }: Profile, { kind }: GeneralName): string =>
  kind === 'sid'
    ? `profiles.${id}.sid`
    : `profiles.${id}.names${kind === 'other' ? '' : `.${kind}`}`;

/** What a request may ask for itself, in words. */
function allowedNames({ names }: Profile, { kind }: GeneralName): string {
  const rule: NameRule = kind === 'other' ? { rule: 'none' } : names[kind];
  switch (rule.rule) {
    case 'pattern':
      return rule.patterns.join(', ');
    case 'range':
      return rule.ranges.map(printIpRange).join(', ');
    default:
      return rule.rule === 'bound' ? 'what the challenge is bound to' : rule.rule;
  }
}

function allowedKeys({ keys: { rsa, ec, ed25519 } }: Profile): string {
  const kinds = [...(rsa ? [`RSA ${rsa.min} to ${rsa.max}`] : []), ...ec];
  return [...kinds, ...(ed25519 ? ['Ed25519'] : [])].join(', ');
}

/** What `*` in a pattern does not cross. A host in a URI ends at any of three. */
const separators: Readonly<Record<string, string>> = { dns: '.', email: '@', upn: '@', uri: '/?#' };

/**
 * Whether the profile certifies this key for these names at all, whoever gave them. Asked of every
 * certificate: of an enrolment, a renewal, and again when an approval is redeemed.
 * @throws {ScepFailure} keyRefused, nameNotAllowed, subjectNotAllowed @throws {Malformed}
 */
export function requireProfile(profile: Profile, key: KeyKind, names: CertifiedNames): void {
  const { id, keys, names: rules, subject } = profile;
  const allowed =
    key.type === 'RSA'
      ? keys.rsa !== undefined && key.bits >= keys.rsa.min && key.bits <= keys.rsa.max
      : key.type === 'EC'
        ? keys.ec.includes(key.curve)
        : keys.ed25519;
  if (!allowed) {
    const rule = `profiles.${id}.keys`;
    throw new ScepFailure('keyRefused', {
      rule,
      value: keyName(key),
      allowed: allowedKeys(profile),
    });
  }
  for (const name of names.names) {
    if (name.kind === 'other' || rules[name.kind].rule === 'none') {
      const value = printGeneralName(name);
      throw new ScepFailure('nameNotAllowed', {
        rule: ruleOf(profile, name),
        value,
        allowed: 'none',
      });
    }
  }
  const attributes = nameOf(names.subject).flat();
  if (attributes.some(({ value }) => value === undefined)) {
    throw new ScepFailure('requestLint', { lint: 'a subject attribute that is no string' });
  }
  const valuesOf = (wanted: string) => attributes.filter(({ type }) => type === wanted);
  const refuse = (field: keyof SubjectRules, type: string, allowed: string): never => {
    const attribute = attributeName(type);
    const value = valuesOf(type)
      .map((found) => found.value)
      .join(', ');
    const rule = `profiles.${id}.subject.${field}`;
    throw new ScepFailure('subjectNotAllowed', { rule, attribute, value, allowed });
  };
  for (const [type, text] of subject.fixed) {
    const [value, ...more] = valuesOf(type);
    if (value?.value !== text || more.length > 0) refuse('fixed', type, text);
  }
  for (const [type, patterns] of subject.pattern) {
    requirePattern(`profiles.${id}.subject.pattern`, type, patterns, attributes);
  }
  for (const type of subject.required) {
    if (valuesOf(type).length === 0) refuse('required', type, 'any value');
  }
  for (const type of subject.forbidden) {
    if (valuesOf(type).length > 0) refuse('forbidden', type, 'none');
  }
}

/**
 * @param rule where the configuration says so
 * @throws {ScepFailure} subjectNotAllowed, where a value of this type matches none of the patterns
 */
export function requirePattern(
  rule: string,
  type: string,
  patterns: readonly string[],
  attributes: readonly NameAttribute[],
): void {
  for (const { type: found, value = '' } of attributes) {
    if (found !== type || patterns.some((pattern) => matchesPattern(pattern, value, ''))) continue;
    const attribute = attributeName(type);
    throw new ScepFailure('subjectNotAllowed', {
      rule,
      attribute,
      value,
      allowed: patterns.join(', '),
    });
  }
}

/**
 * A binding in the form in which it is stored and compared.
 * @throws {SyntaxError} with a sentence, also for a name that the profile certifies for nobody
 */
export function normalBinding(
  profile: Profile,
  subject: string | undefined,
  names: readonly string[],
): Binding {
  const distinct = new Set(
    names.map((text) => {
      const name = parseGeneralName(text);
      if (name.kind === 'other' || profile.names[name.kind].rule === 'none') {
        throw new SyntaxError(
          `"${text}": the profile "${profile.id}" certifies no names of type ${name.kind}`,
        );
      }
      return printGeneralName(name);
    }),
  );
  if (subject === undefined) return { names: [...distinct] };
  const name = nameOf(parseName(subject));
  if (name.length === 0) throw new SyntaxError('the subject is empty');
  if (profile.names.email.rule === 'none' && mailsOf(name).length > 0) {
    throw new SyntaxError(
      `"${subject}": the profile "${profile.id}" certifies no names of type email`,
    );
  }
  return { subject, names: [...distinct] };
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
  const { sid: form } = profile;
  const inNames = names.filter(({ kind }) => kind !== 'sid' || form === 'uri' || form === 'both');
  const sids = form === 'extension' || form === 'both' ? names : [];
  const tbs = encodeTbsCertificate({
    serial,
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    subject,
    spki: csr.publicKey.spki,
    notBefore,
    notAfter,
    extensions: [
      keyUsage(usagesOf(profile.keyUsage, csr.publicKey.kind.type)),
      extKeyUsage(profile.extKeyUsage),
      subjectKeyIdentifier(keyIdentifier(subjectPublicKeyOf(csr.spki))),
      authorityKeyIdentifier(ca.keyIdentifier),
      ...(inNames.length > 0 ? [subjectAltName(inNames, subject.length === 2)] : []),
      ...sids.filter(({ kind }) => kind === 'sid').map(({ value }) => securityIdentifier(value)),
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
