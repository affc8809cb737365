// The key usages and extended key usages that a request asks for, where a validator outside has judged them as part of
// the request: the certificate has them, and no others.

import { extensionOids } from '../../asn1/oids.ts';
import { oid, scan, strictly, tag } from '../../asn1/reader.ts';
import type { Bytes } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { type Profile, usagesOf } from '../../config/profile.ts';
import { purposeName } from '../../config/purposes.ts';
import type { Narrowing } from '../../ports/records/certificate.ts';
import { Refusal } from '../../refusal/reasons.ts';
import type { ProvenRequest } from '../../x509/csr.ts';
import { readKeyUsage } from '../../x509/extensions.ts';
import { serves } from '../../x509/lint/extensions.ts';

/**
 * What a request leaves out stays as the profile has it.
 * @throws {Refusal} usageNotAllowed, where the profile has not all of them, or the usages serve none of the purposes
 */
export function askedUsage(
  profile: Profile,
  {
    requestedExtensions: asked,
    publicKey,
  }: Pick<ProvenRequest, 'requestedExtensions' | 'publicKey'>,
): Narrowing | undefined {
  const usageValue = asked.get(extensionOids.keyUsage)?.value;
  const purposeValue = asked.get(extensionOids.extKeyUsage)?.value;
  if (!usageValue && !purposeValue) return undefined;
  try {
    const allowed = usagesOf(profile.keyUsage, publicKey.kind.type);
    const usages = usageValue && readKeyUsage(strictly(scan(usageValue), 'KeyUsage'));
    const keyUsage = usages && allowed.filter((usage) => usages.includes(usage));
    if (usages && keyUsage && keyUsage.length < usages.length) {
      throw refused(profile, 'keyUsage', usages, allowed);
    }
    const purposes = purposeValue && readPurposes(purposeValue);
    const extKeyUsage = purposes && profile.extKeyUsage.filter((one) => purposes.includes(one));
    if (purposes && extKeyUsage && extKeyUsage.length < new Set(purposes).size) {
      const names = [purposes, profile.extKeyUsage].map((list) => list.map(purposeName));
      throw refused(profile, 'extKeyUsage', names[0] ?? [], names[1] ?? []);
    }
    if (!serves(extKeyUsage ?? profile.extKeyUsage, keyUsage ?? allowed)) {
      throw refused(profile, 'keyUsage', usages ?? allowed, allowed);
    }
    return { ...(keyUsage ? { keyUsage } : {}), ...(extKeyUsage ? { extKeyUsage } : {}) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const rule = `profiles.${profile.id}.keyUsage`;
    throw new Refusal('usageNotAllowed', { rule, value: error.message });
  }
}

/** RFC 5280 §4.2.1.12. @throws {Malformed} */
function readPurposes(value: Bytes): string[] {
  const { tag: shape, children } = strictly(scan(value), 'ExtKeyUsageSyntax');
  if (shape !== tag.sequence || children.length === 0) throw new Malformed('no ExtKeyUsageSyntax');
  return children.map(oid);
}

function refused(
  { id }: Profile,
  field: 'keyUsage' | 'extKeyUsage',
  asked: readonly string[],
  allowed: readonly string[],
): Refusal {
  const rule = `profiles.${id}.${field}`;
  return new Refusal('usageNotAllowed', {
    rule,
    value: asked.join(', '),
    allowed: allowed.join(', '),
  });
}
