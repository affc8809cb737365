// What a challenge is bound to beside names: where the request comes from, its key, the profile; and the profile
// as the challenge has narrowed it.

import type { Profile } from '../../config/profile.ts';
import { purposeName } from '../../config/purposes.ts';
import type { Narrowing } from '../../ports/records/certificate.ts';
import type { Binding } from '../../ports/records/records.ts';
import { Refusal } from '../../refusal/reasons.ts';
import { inRange, parseIpRange } from '../../x509/names/general-name.ts';
import { type KeyKind, keyName } from '../../x509/public-key.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { keyHash } from '../record/keys.ts';

/**
 * The profile that the certificate gets; a purpose that the profile has no longer is left out.
 * @throws {Refusal} purposeNotBound, where it has none of the purposes any more
 */
export function narrowed(profile: Profile, narrowing: Narrowing | undefined): Profile {
  const { extKeyUsage: purposes, keyUsage: usages, ...given } = narrowing ?? {};
  const validityMs = Math.min(profile.validityMs, given.validityMs ?? profile.validityMs);
  const keyUsage = usages
    ? profile.keyUsage.filter((one) => usages.includes(one))
    : profile.keyUsage;
  const narrower = { ...profile, validityMs, keyUsage };
  if (!purposes) return narrower;
  const extKeyUsage = profile.extKeyUsage.filter((purpose) => purposes.includes(purpose));
  if (extKeyUsage.length === 0) throw purposesGone(profile, purposes);
  return { ...narrower, extKeyUsage };
}

/** What a certificate on this binding, and its renewals, keep of it. */
export const narrowingOf = ({ extKeyUsage, validityMs }: Binding): Narrowing | undefined =>
  extKeyUsage || validityMs !== undefined
    ? {
        ...(extKeyUsage ? { extKeyUsage } : {}),
        ...(validityMs === undefined ? {} : { validityMs }),
      }
    : undefined;

function purposesGone({ id, extKeyUsage }: Profile, purposes: readonly string[]): Refusal {
  return new Refusal('purposeNotBound', {
    rule: `profiles.${id}.extKeyUsage`,
    value: extKeyUsage.map(purposeName).join(', '),
    allowed: purposes.map(purposeName).join(', '),
  });
}

/**
 * What the binding demands beside the names of the certificate.
 * @throws {Refusal} profileNotBound, purposeNotBound, sourceNotBound, keyNotBound
 */
export function requireBound(
  { endpoint: { id, profile }, csr, kept }: EnrolmentRequest,
  { profile: bound = profile.id, extKeyUsage = [], sources, key, ...binding }: Binding,
): void {
  if (bound !== profile.id) {
    const rule = `endpoints.${id}.profile`;
    throw new Refusal('profileNotBound', { rule, value: profile.id, allowed: bound });
  }
  // All of them, or nothing: a renewal may have fewer.
  if (extKeyUsage.some((purpose) => !profile.extKeyUsage.includes(purpose))) {
    throw purposesGone(profile, extKeyUsage);
  }
  const from = kept.client?.from;
  if (sources && !(from && sources.some((range) => inRange(from, parseIpRange(range))))) {
    throw new Refusal('sourceNotBound', { allowed: sources.join(', ') });
  }
  const { kind, spki } = csr.publicKey;
  if (key !== undefined && !kindsOf(kind).includes(key)) {
    throw new Refusal('keyNotBound', { value: keyName(kind), allowed: key });
  }
  const sent = keyHash(spki);
  if (binding.keyHash !== undefined && binding.keyHash !== sent) {
    throw new Refusal('keyNotBound', { value: sent, allowed: binding.keyHash });
  }
}

/** What a binding may call it. */
const kindsOf = (kind: KeyKind): readonly string[] =>
  kind.type === 'RSA'
    ? ['rsa', `rsa:${kind.bits}`]
    : kind.type === 'EC'
      ? ['ec', `ec:${kind.curve}`]
      : ['ed25519'];
