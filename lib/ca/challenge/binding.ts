// The binding of a challenge, in the form in which it is stored and compared. A binding that no certificate
// of the endpoint could have is refused when it is made, by the profile's rules and the lint that the
// certificate would have to pass (RFC 5280 §4.1.2.6, §4.2.1.6).

import { Malformed } from '../../base/errors.ts';
import { type Profile, usagesOf } from '../../config/profile.ts';
import { purposeName, purposeOid } from '../../config/purposes.ts';
import type { Binding } from '../../ports/records/records.ts';
import { shortened } from '../../refusal/evidence.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { serves } from '../../x509/lint/extensions.ts';
import {
  isEndpointManagerUri,
  parseGeneralName,
  parseIpRange,
  printGeneralName,
  printIpRange,
} from '../../x509/names/general-name.ts';
import { parseName } from '../../x509/names/name.ts';
import { requireLintFree } from '../../x509/names/subject-names.ts';
import type { KeyKind } from '../../x509/public-key.ts';
import { narrowed } from '../policy/bound.ts';
import {
  alternativeNames,
  type CertifiedNames,
  certifiedNames,
  requireName,
  requireOneSid,
} from '../policy/policy.ts';
import { ofField, subjectPatterns, Unusable } from '../policy/wanted.ts';

const noSubject = parseName('');

/** As it was asked for. */
export type WantedBinding = {
  /** RFC 4514. */
  readonly subject?: string | undefined;
  readonly subjectPattern?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** `TYPE:VALUE` */
  readonly san?: readonly string[];
  /** By name or dotted OID. */
  readonly extKeyUsage?: readonly string[] | undefined;
  readonly key?: string | undefined;
  readonly keyHash?: string | undefined;
  readonly device?: string | undefined;
  readonly sources?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  /** Milliseconds. */
  readonly validity?: number | undefined;
};

/** @throws {Unusable} also for what the profile never certifies */
export function normalBinding(profile: Profile, wanted: WantedBinding): Binding {
  const { subject, subjectPattern, device } = wanted;
  const narrow = narrowedBy(profile, wanted);
  const names = ofField('san', () => namesOf(narrow.profile, wanted.san ?? []));
  if (subject !== undefined && subjectPattern !== undefined) {
    const said = 'a subject is bound exactly, by "subject", or by patterns: leave one of them out';
    throw new Unusable('subjectPattern', said);
  }
  if (subject !== undefined)
    ofField('subject', () => requireSubject(narrow.profile, subject, names));
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(subjectPattern
      ? { subjectPattern: ofField('subjectPattern', () => subjectPatterns(subjectPattern)) }
      : {}),
    names,
    ...ofField('key', () => keyOf(profile, wanted.key)),
    ...ofField('keyHash', () => keyHashOf(wanted.keyHash)),
    ...ofField('sources', () => rangesOf(wanted.sources)),
    ...narrow.binding,
    ...(device === undefined ? {} : { device }),
  };
}

/** What makes the certificate less than the profile has it, and the profile as that leaves it. */
function narrowedBy(profile: Profile, { extKeyUsage, validity, profile: named }: WantedBinding) {
  const refuse = (field: keyof WantedBinding, said: string): never => {
    throw new Unusable(field, said);
  };
  if (named !== undefined && named !== profile.id) {
    refuse('profile', `the endpoint has the profile "${profile.id}"`);
  }
  if (validity !== undefined && validity > profile.validityMs) {
    refuse('validity', `a challenge shortens it only: the profile "${profile.id}" has less`);
  }
  const purposes = extKeyUsage && [...new Set(extKeyUsage.map(purposeOid))];
  const missing = purposes?.find((purpose) => !profile.extKeyUsage.includes(purpose));
  const all = profile.extKeyUsage.map(purposeName).join(', ');
  if (missing !== undefined) {
    refuse('extKeyUsage', `the profile "${profile.id}" has ${all}, and not "${missing}"`);
  }
  if (purposes?.length === 0) refuse('extKeyUsage', 'must name at least one purpose');
  const usable = (kind: KeyKind['type']): boolean =>
    serves(purposes ?? [], usagesOf(profile.keyUsage, kind));
  if (purposes && !keyKinds(profile).every(usable)) {
    refuse('extKeyUsage', `the key usages of the profile "${profile.id}" serve none of them`);
  }
  const narrowing = {
    ...(purposes ? { extKeyUsage: purposes } : {}),
    ...(validity === undefined ? {} : { validityMs: validity }),
  };
  const binding = { ...(named === undefined ? {} : { profile: named }), ...narrowing };
  return { profile: narrowed(profile, narrowing), binding };
}

const keyKinds = ({ keys }: Profile): KeyKind['type'][] => [
  ...(keys.rsa ? (['RSA'] as const) : []),
  ...(keys.ec.length > 0 ? (['EC'] as const) : []),
  ...(keys.ed25519 ? (['Ed25519'] as const) : []),
];

/** @throws {SyntaxError} */
function namesOf(profile: Profile, texts: readonly string[]): string[] {
  const distinct = new Set(
    texts.map((text) => {
      const name = parseGeneralName(text);
      requireCertifiable(profile, text, () => {
        requireName(profile, name);
        return { subject: noSubject, names: [name] };
      });
      return printGeneralName(name);
    }),
  );
  const names = [...distinct];
  requireCertifiable(profile, names.join(', '), () => {
    requireOneSid(profile, names.map(parseGeneralName));
    return { subject: noSubject, names: [] };
  });
  return names;
}

/** @throws {SyntaxError} */
function requireSubject(profile: Profile, subject: string, names: readonly string[]): void {
  const der = parseName(subject);
  if (der.length === noSubject.length) throw new SyntaxError('the subject is empty');
  requireCertifiable(profile, subject, () => {
    const asked = { subject: der, subjectAltName: undefined, securityIdentifier: undefined };
    return certifiedNames(profile, asked, { subject, names });
  });
}

/** @throws {SyntaxError} */
function keyOf({ id, keys: { rsa, ec, ed25519 } }: Profile, key: string | undefined) {
  if (key === undefined) return {};
  const [, bits] = /^rsa:([1-9]\d{3,4})$/.exec(key) ?? [];
  const [, named = ''] = /^ec:(.+)$/.exec(key) ?? [];
  const certified =
    (key === 'rsa' && rsa !== undefined) ||
    (bits !== undefined && rsa !== undefined && +bits >= rsa.min && +bits <= rsa.max) ||
    (key === 'ec' && ec.length > 0) ||
    ec.some((curve) => curve === named) ||
    (key === 'ed25519' && ed25519);
  if (certified) return { key };
  throw new SyntaxError(
    `"${shortened(key)}" is no kind of key that the profile "${id}" certifies: such as rsa, rsa:2048, ec, ec:P-256, ed25519`,
  );
}

/** @throws {SyntaxError} */
function keyHashOf(keyHash: string | undefined): Pick<Binding, 'keyHash'> {
  if (keyHash === undefined) return {};
  const digits = keyHash.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return { keyHash: digits };
  throw new SyntaxError('must be the SHA-256 of a SubjectPublicKeyInfo: 64 hexadecimal digits');
}

/** @throws {SyntaxError} */
function rangesOf(sources: readonly string[] | undefined): Pick<Binding, 'sources'> {
  if (!sources) return {};
  if (sources.length === 0) throw new SyntaxError('must name at least one address or range');
  return { sources: [...new Set(sources.map((text) => printIpRange(parseIpRange(text))))] };
}

/**
 * @param text as it was given @param certified what a certificate would say
 * @throws {SyntaxError} if no certificate could have it
 */
function requireCertifiable(profile: Profile, text: string, certified: () => CertifiedNames): void {
  try {
    const { subject, names } = certified();
    const inNames = alternativeNames(profile, names);
    // A SID in an extension of its own needs no lint.
    if (inNames.length === 0 && subject === noSubject) return;
    requireLintFree(subject, inNames, profile.extKeyUsage);
  } catch (error) {
    throw new SyntaxError(`"${shortened(text)}": ${sentenceOf(profile, error)}`);
  }
}

function sentenceOf({ id }: Profile, error: unknown): string {
  if (error instanceof SyntaxError) return error.message;
  if (error instanceof Malformed) return `no certificate can have it: ${error.message}`;
  if (!(error instanceof Refusal)) throw error;
  const { rule, value = '', attribute = '', allowed = '', lint } = error.evidence;
  switch (error.reason) {
    case 'nameNotAllowed': {
      if (allowed !== 'none') return `the profile "${id}" certifies ${allowed}`;
      const [kind = '', ...rest] = String(value).split(':');
      return isEndpointManagerUri(rest.join(':'))
        ? `a URI has no spaces; to certify this one, which Cisco ISE reads, set ${rule} to true`
        : `the profile "${id}" certifies no names of type ${kind}`;
    }
    case 'subjectNotAllowed': {
      const found = value === '' ? 'is not there' : `is "${value}"`;
      return `the profile "${id}" certifies no such subject: ${attribute} ${found}, and ${rule} allows ${allowed}`;
    }
    default:
      return `no certificate can have it: ${lint ?? error.message}`;
  }
}
