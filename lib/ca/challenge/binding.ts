// The binding of a challenge, in the form in which it is stored and compared. A binding that no certificate
// of the endpoint could have is refused when it is made, by the profile's rules and the lint that the
// certificate would have to pass (RFC 5280 §4.1.2.6, §4.2.1.6).

import { Malformed } from '../../base/errors.ts';
import type { Profile } from '../../config/profile.ts';
import type { Binding } from '../../ports/records/records.ts';
import { shortened } from '../../refusal/evidence.ts';
import { Refusal } from '../../refusal/reasons.ts';
import {
  isEndpointManagerUri,
  parseGeneralName,
  printGeneralName,
} from '../../x509/names/general-name.ts';
import { parseName } from '../../x509/names/name.ts';
import { requireLintFree } from '../../x509/names/subject-names.ts';
import {
  alternativeNames,
  type CertifiedNames,
  certifiedNames,
  requireName,
  requireOneSid,
} from '../authorize/policy.ts';

const noSubject = parseName('');

/**
 * @param subject RFC 4514 @param names `TYPE:VALUE`
 * @throws {SyntaxError} with a sentence, also for names that the profile never certifies
 */
export function normalBinding(
  profile: Profile,
  subject: string | undefined,
  names: readonly string[],
): Binding {
  const distinct = new Set(
    names.map((text) => {
      const name = parseGeneralName(text);
      requireCertifiable(profile, text, () => {
        requireName(profile, name);
        return { subject: noSubject, names: [name] };
      });
      return printGeneralName(name);
    }),
  );
  const binding = { names: [...distinct] };
  requireCertifiable(profile, binding.names.join(', '), () => {
    requireOneSid(profile, binding.names.map(parseGeneralName));
    return { subject: noSubject, names: [] };
  });
  if (subject === undefined) return binding;
  const der = parseName(subject);
  if (der.length === noSubject.length) throw new SyntaxError('the subject is empty');
  requireCertifiable(profile, subject, () => {
    const asked = { subject: der, subjectAltName: undefined, securityIdentifier: undefined };
    return certifiedNames(profile, asked, { subject, ...binding });
  });
  return { subject, ...binding };
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
