// What a certificate will say: decided from the profile and the challenge's binding. The CSR
// supplies the key, and a subject that must match and is then copied byte for byte, but for the tag of a
// value in a string type that RFC 5280 does not give to its attribute (`inStringTypes`); no extension is
// in a certificate because a CSR asked for it (shared design 4.7).
//
// What becomes of a hostile request, by one rule each (`ca-hostile-csr.test.ts` has them all):
// - an extension other than subjectAltName and the SID has no effect, whatever it asks for: CA:TRUE,
//   usages, purposes, policies, constraints, addresses;
// - a name that no parser reads, or that the lint finds fault with, is refused (requestLint): controls,
//   NUL, line breaks, bidirectional and invisible characters, wrong string types and lengths, two
//   common names of a TLS server, more than MAX_NAMES names, malformed host names, addresses as host
//   names;
// - a mail address in the subject, and where certificates are for TLS servers a common name that is a
//   host or an address, is a name like any other: allowed by the binding or the profile, and put into
//   the subjectAltName (nameNotBound, hostNotBound);
// - a name of a kind that is never certified (directoryName, registeredID, ...) is refused (nameNotBound);
// - a wildcard is certified only where a challenge is bound to it: to a device it is the names of others;
// - a subjectAltName that stands twice stands once, a host name is in lower case; nothing else is
//   changed, and characters that only look alike are other characters.

import { scan } from '../../asn1/reader.ts';
import type { Bytes } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { MAX_NAMES } from '../../base/limits.ts';
import { matchesPattern } from '../../config/pattern.ts';
import type { NameRule, Profile, SubjectRules } from '../../config/profile.ts';
import type { Binding } from '../../ports/records/records.ts';
import { Refusal } from '../../refusal/reasons.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import {
  type GeneralName,
  inRange,
  isEndpointManagerUri,
  parseGeneralName,
  printGeneralName,
  printIpRange,
  readGeneralNames,
  readSecurityIdentifier,
} from '../../x509/names/general-name.ts';
import {
  attributeName,
  attributeType,
  type NameAttribute,
  nameOf,
  parseName,
  printName,
  sameAttributes,
} from '../../x509/names/name.ts';
import { namesInSubject } from '../../x509/names/subject-names.ts';
import { type KeyKind, keyName, type PublicKey } from '../../x509/public-key.ts';

export type CertifiedNames = {
  /** Name, DER, as it stands in the CSR. */
  readonly subject: Bytes;
  readonly names: readonly GeneralName[];
};

type AskedNames = Pick<CertificationRequest, 'subjectAltName' | 'securityIdentifier'>;
/** What is asked for; without a key where that is still open. */
type Asked = AskedNames & Pick<CertificationRequest, 'subject'> & { publicKey?: PublicKey };

/** The names that the CSR asks for: subjectAltName, and Microsoft's SID. @throws {Malformed} */
export function askedNames({ subjectAltName: names, securityIdentifier: sid }: AskedNames) {
  return [
    ...(names ? readGeneralNames(scan(names)) : []),
    ...(sid ? [readSecurityIdentifier(scan(sid))] : []),
  ];
}

/** The binding that a whole request is: its subject, and the names that it asks for. @throws {Refusal} requestLint */
export function asAsked(csr: Asked): Binding {
  try {
    return { subject: printName(csr.subject), names: askedNames(csr).map(printGeneralName) };
  } catch (error) {
    if (error instanceof Malformed) throw new Refusal('requestLint', { lint: error.message });
    throw error;
  }
}

/**
 * What a binding gives and the profile allows. A binding that names anything names all: the CSR may
 * ask for no other. One that names nothing leaves it to the profile whether the CSR names itself.
 * @throws {Refusal} subjectNotBound, nameNotBound, hostNotBound, nameNotAllowed, subjectNotAllowed, ...
 */
export function certifiedNames(profile: Profile, asked: Asked, binding: Binding): CertifiedNames {
  const bound = binding.names.map(parseGeneralName);
  const boundSubject = binding.subject ? nameOf(parseName(binding.subject)) : undefined;
  const certified = new Map(bound.map((name) => [printGeneralName(name), name]));
  try {
    const subject = nameOf(asked.subject);
    if (boundSubject && !sameAttributes(subject, boundSubject)) {
      const value = printName(asked.subject);
      throw new Refusal('subjectNotBound', { value, allowed: binding.subject ?? '' });
    }
    requireBoundPattern(asked.subject, subject.flat(), binding.subjectPattern ?? {});
    const inSubject = namesInSubject(subject, profile.extKeyUsage);
    // Bound with the subject that they stand in.
    if (boundSubject) for (const name of inSubject) certified.set(printGeneralName(name), name);
    for (const name of [...inSubject, ...askedNames(asked)]) {
      const text = printGeneralName(name);
      if (certified.has(text)) continue;
      requireForm(profile, name);
      if (bound.length > 0 || !namesItself(profile, name)) {
        throw notBound(profile, name, inSubject.includes(name), binding.names);
      }
      certified.set(text, name);
    }
    if (certified.size > MAX_NAMES) throw new Malformed(`more than ${MAX_NAMES} names`);
    const names = { subject: asked.subject, names: [...certified.values()] };
    requireProfile(profile, asked.publicKey?.kind, names);
    if (subject.length === 0 && names.names.length === 0) throw new Refusal('subjectMissing');
    return names;
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) {
      throw new Refusal('requestLint', { lint: error.message });
    }
    throw error;
  }
}

/** @throws {Refusal} subjectNotBound, where an attribute is missing, or a value of it fits no pattern */
export function requireBoundPattern(
  subject: Bytes,
  attributes: readonly NameAttribute[],
  bound: NonNullable<Binding['subjectPattern']>,
): void {
  for (const [name, patterns] of Object.entries(bound)) {
    const found = attributes.filter(({ type }) => type === attributeType(name));
    const fits = ({ value = '' }: NameAttribute): boolean =>
      patterns.some((pattern) => matchesPattern(pattern, value, ''));
    if (found.length > 0 && found.every(fits)) continue;
    const value = printName(subject);
    throw new Refusal('subjectNotBound', { value, allowed: `${name}=${patterns.join(', ')}` });
  }
}

function notBound(
  profile: Profile,
  name: GeneralName,
  inSubject: boolean,
  bound: readonly string[],
): Refusal {
  return new Refusal(inSubject && name.kind !== 'email' ? 'hostNotBound' : 'nameNotBound', {
    rule: ruleOf(profile, name),
    value: printGeneralName(name),
    allowed: bound.length > 0 ? bound.join(', ') : allowedNames(profile, name),
  });
}

/** Whether a request may give itself this name, with nothing but the profile to allow it. */
function namesItself({ names }: Profile, name: GeneralName): boolean {
  if (name.kind === 'other' || (name.kind === 'dns' && name.value.includes('*'))) return false;
  return fitsRule(names[name.kind], name);
}

export function fitsRule(rule: NameRule, { kind, value }: GeneralName): boolean {
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
const allowedNames = ({ names }: Profile, { kind }: GeneralName): string =>
  kind === 'other' ? 'none' : printRule(names[kind]);

export function printRule(rule: NameRule): string {
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
export const separators: Readonly<Record<string, string>> = {
  dns: '.',
  email: '@',
  upn: '@',
  uri: '/?#',
};

/** @throws {Refusal} keyRefused, where the profile does not certify such keys */
function requireKeyKind(profile: Profile, key: KeyKind): void {
  const { rsa, ec, ed25519 } = profile.keys;
  const allowed =
    key.type === 'RSA'
      ? rsa !== undefined && key.bits >= rsa.min && key.bits <= rsa.max
      : key.type === 'EC'
        ? ec.includes(key.curve)
        : ed25519;
  if (allowed) return;
  const rule = `profiles.${profile.id}.keys`;
  throw new Refusal('keyRefused', { rule, value: keyName(key), allowed: allowedKeys(profile) });
}

/** @throws {Refusal} nameNotAllowed, for a name in a form that a switch of the profile is for */
function requireForm({ id, endpointManagerUri }: Profile, name: GeneralName): void {
  if (endpointManagerUri || name.kind !== 'uri' || !isEndpointManagerUri(name.value)) return;
  const rule = `profiles.${id}.endpointManagerUri`;
  throw new Refusal('nameNotAllowed', { rule, value: printGeneralName(name), allowed: 'none' });
}

/** @throws {Refusal} nameNotAllowed, for a name that the profile never certifies */
export function requireName(profile: Profile, name: GeneralName): void {
  requireForm(profile, name);
  if (name.kind !== 'other' && profile.names[name.kind].rule !== 'none') return;
  const value = printGeneralName(name);
  throw new Refusal('nameNotAllowed', { rule: ruleOf(profile, name), value, allowed: 'none' });
}

/** @throws {Refusal} nameNotAllowed, for more SIDs than the extension holds, which stands once (RFC 5280 §4.2) */
export function requireOneSid({ id, sid }: Profile, names: readonly GeneralName[]): void {
  const sids = names.filter(({ kind }) => kind === 'sid').map(printGeneralName);
  if (sids.length < 2 || sid === 'uri') return;
  const allowed = 'one SID at most, because its extension stands once';
  throw new Refusal('nameNotAllowed', {
    rule: `profiles.${id}.sid`,
    value: sids.join(', '),
    allowed,
  });
}

/**
 * Whether the profile certifies this key for these names at all, whoever gave them. Asked of every
 * certificate: of an enrolment, a renewal, and again when an approval is redeemed.
 * @param key undefined where it is still open
 * @throws {Refusal} keyRefused, nameNotAllowed, hostNotBound, subjectNotAllowed, ...
 * @throws {Malformed | SyntaxError} for a subject that cannot be read
 */
export function requireProfile(
  profile: Profile,
  key: KeyKind | undefined,
  names: CertifiedNames,
): void {
  const { id, subject } = profile;
  if (key) requireKeyKind(profile, key);
  for (const name of names.names) requireName(profile, name);
  requireOneSid(profile, names.names);
  const name = nameOf(names.subject);
  const texts = names.names.map(printGeneralName);
  for (const inSubject of namesInSubject(name, profile.extKeyUsage)) {
    if (texts.includes(printGeneralName(inSubject))) continue;
    throw notBound(profile, inSubject, true, texts);
  }
  const attributes = name.flat();
  if (attributes.some(({ value }) => value === undefined)) {
    throw new Refusal('requestLint', { lint: 'a subject attribute that is no string' });
  }
  const valuesOf = (wanted: string) => attributes.filter(({ type }) => type === wanted);
  const refuse = (field: keyof SubjectRules, type: string, allowed: string): never => {
    const attribute = attributeName(type);
    const value = valuesOf(type)
      .map((found) => found.value)
      .join(', ');
    const rule = `profiles.${id}.subject.${field}`;
    throw new Refusal('subjectNotAllowed', { rule, attribute, value, allowed });
  };
  for (const [type, text] of subject.fixed) {
    const [value, ...more] = valuesOf(type);
    if (value?.value !== text || more.length > 0) refuse('fixed', type, text);
  }
  for (const [type, patterns] of subject.pattern) {
    requirePattern(`profiles.${id}.subject.pattern`, type, patterns, attributes);
  }
  for (const type of subject.once) {
    if (valuesOf(type).length > 1) refuse('once', type, 'one value');
  }
  for (const type of subject.required) {
    if (valuesOf(type).length === 0) refuse('required', type, 'any value');
  }
  for (const type of subject.forbidden) {
    if (valuesOf(type).length > 0) refuse('forbidden', type, 'none');
  }
}

/**
 * @param path where the configuration says so @param subject Name, DER
 * @param wanted by dotted OID: attributes that must be there, and patterns of which each value must match one
 * @throws {Refusal} subjectNotAllowed
 */
export function requireSubject(
  path: string,
  wanted: ReadonlyMap<string, readonly string[]>,
  subject: Bytes,
): void {
  const attributes = nameOf(subject).flat();
  for (const [type, patterns] of wanted) {
    const rule = `${path}.${attributeName(type)}`;
    requirePattern(rule, type, patterns, attributes);
    const none = !attributes.some((attribute) => attribute.type === type);
    if (none) throw new Refusal('subjectNotAllowed', { rule, allowed: patterns.join(', ') });
  }
}

/**
 * @param rule where the configuration says so
 * @throws {Refusal} subjectNotAllowed, where a value of this type matches none of the patterns
 */
function requirePattern(
  rule: string,
  type: string,
  patterns: readonly string[],
  attributes: readonly NameAttribute[],
): void {
  for (const { type: found, value = '' } of attributes) {
    if (found !== type || patterns.some((pattern) => matchesPattern(pattern, value, ''))) continue;
    const attribute = attributeName(type);
    throw new Refusal('subjectNotAllowed', {
      rule,
      attribute,
      value,
      allowed: patterns.join(', '),
    });
  }
}

/** Those of the names that stand in the subjectAltName: a SID does in some forms only. */
export const alternativeNames = (
  { sid }: Profile,
  names: readonly GeneralName[],
): readonly GeneralName[] =>
  names.filter(({ kind }) => kind !== 'sid' || sid === 'uri' || sid === 'both');
