// Lint of the extensions of a certificate but for its names: RFC 5280 §4.2, in its order.

import { accessMethods, extensionOids, extKeyUsages, otherPurposes } from '../../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  octetString,
  oid,
  raw,
  tag,
} from '../../asn1/reader.ts';
import { sequence, tlv } from '../../asn1/writer.ts';
import { equal, fromLatin1 } from '../../base/bytes.ts';
import { oids } from '../../crypto/algorithms.ts';
import { distributionPoints, type KeyUsage, keyIdentifier } from '../extensions.ts';
import { isAbsoluteUri } from './names.ts';
import {
  type CertificateSubject,
  extensionOf,
  extensionsAreDer,
  extensionsAreDistinct,
  ours,
  type Rule,
} from './rule.ts';

/** RFC 5280 §4.2.1.3: the bits, from the first octet's top bit on. */
const usage = {
  digitalSignature: 0x8000,
  nonRepudiation: 0x4000,
  keyEncipherment: 0x2000,
  dataEncipherment: 0x1000,
  keyAgreement: 0x0800,
  keyCertSign: 0x0400,
  cRLSign: 0x0200,
  encipherOnly: 0x0100,
  decipherOnly: 0x0080,
} as const;
const { keyEncipherment, dataEncipherment, keyAgreement, encipherOnly, decipherOnly } = usage;
const forSigning =
  usage.digitalSignature | usage.nonRepudiation | usage.keyCertSign | usage.cRLSign;

const knownMethods: readonly string[] = Object.values(accessMethods);

/** What a key can do at all: RFC 3279 §2.3.1, RFC 5480 §3, RFC 8410 §5. */
const usagesOfKeys: Readonly<Record<string, number>> = {
  [oids.rsaEncryption]: forSigning | keyEncipherment | dataEncipherment,
  [oids.ecPublicKey]: forSigning | keyAgreement | encipherOnly | decipherOnly,
  [oids.ed25519]: forSigning,
};

/** RFC 5280 §4.2.1.12: usages of which a purpose needs one. Purposes that it does not know need none. */
const usagesOfPurposes: Readonly<Record<string, number>> = {
  [extKeyUsages.serverAuth]: usage.digitalSignature | keyEncipherment | keyAgreement,
  [extKeyUsages.clientAuth]: usage.digitalSignature | keyAgreement,
  [extKeyUsages.emailProtection]:
    usage.digitalSignature | usage.nonRepudiation | keyEncipherment | keyAgreement,
};

/** Whether a key with these usages can serve one of these purposes. */
export function serves(purposes: readonly string[], usages: readonly KeyUsage[]): boolean {
  const bits = usages.reduce((all, name) => all | usage[name], 0);
  return purposes.some((purpose) => ((usagesOfPurposes[purpose] ?? -1) & bits) !== 0);
}

function usageBits(subject: CertificateSubject): number {
  const value = extensionOf(subject, 'keyUsage')?.value;
  const [, first = 0, second = 0] = value?.tag === tag.bitString ? content(value) : [];
  return (first << 8) | second;
}

const purposesOf = (subject: CertificateSubject): readonly string[] =>
  (extensionOf(subject, 'extKeyUsage')?.value.children ?? []).map(oid);

/** The Extension elements as they stand. */
const extensionsOf = ({ tbs }: CertificateSubject): readonly Element[] =>
  tbs.children.find((field) => field.tag === context(3))?.children[0]?.children ?? [];

const isHttpUrl = (element: Element | undefined): boolean =>
  element?.tag === contextPrimitive(6) &&
  /^https?:\/\//.test(fromLatin1(content(element))) &&
  isAbsoluteUri(fromLatin1(content(element)));

export const extensionRules: readonly Rule<CertificateSubject>[] = [
  ours('extension-repeated', 'RFC 5280 §4.2', (subject) =>
    extensionsAreDistinct(extensionsOf(subject)),
  ),
  ours('extension-encoding', 'X.690 §11.5', (subject) => extensionsAreDer(extensionsOf(subject))),
  ours('authority-key-identifier', 'RFC 5280 §4.2.1.1', (subject) => {
    const { role, issuerKeyIdentifier } = subject.context;
    const value = extensionOf(subject, 'authorityKeyIdentifier')?.value;
    // Only a self-signed certificate may do without.
    if (!value) return role === 'ca';
    return equal(raw(value), sequence(tlv(contextPrimitive(0), issuerKeyIdentifier)));
  }),
  // RFC 5280 lets a CA choose how it derives the identifier; ours is RFC 7093 §2 method 1.
  ours('subject-key-identifier', 'RFC 5280 §4.2.1.2', (subject) => {
    const wanted = keyIdentifier(subject.certificate.subjectPublicKey);
    const value = extensionOf(subject, 'subjectKeyIdentifier')?.value;
    return value !== undefined && equal(octetString(value), wanted);
  }),
  ours('key-usage', 'RFC 5280 §4.2.1.3', (subject) => {
    const extension = extensionOf(subject, 'keyUsage');
    return extension?.critical === true && usageBits(subject) !== 0;
  }),
  ours('key-usage-encoding', 'X.690 §11.2.2', (subject) => {
    const value = extensionOf(subject, 'keyUsage')?.value;
    const octets = value ? content(value) : new Uint8Array(0);
    const [unused = 0] = octets;
    // A list of named bits ends with a bit that is set.
    return octets.length <= 3 && ((octets.at(-1) ?? 0) >> unused) % 2 === 1;
  }),
  ours('key-usage-role', 'RFC 5280 §4.2.1.3', (subject) => {
    const certifies = (usageBits(subject) & usage.keyCertSign) !== 0;
    const lists = (usageBits(subject) & usage.cRLSign) !== 0;
    return subject.context.role === 'ca' ? certifies : !certifies && !lists;
  }),
  ours('key-usage-key', 'RFC 3279 §2.3, RFC 8410 §5', (subject) => {
    return (usageBits(subject) & ~(usagesOfKeys[subject.certificate.keyType] ?? 0)) === 0;
  }),
  ours('key-usage-only', 'RFC 5280 §4.2.1.3', (subject) => {
    const found = usageBits(subject);
    return (found & (encipherOnly | decipherOnly)) === 0 || (found & keyAgreement) !== 0;
  }),
  ours('basic-constraints', 'RFC 5280 §4.2.1.9', (subject) => {
    const constraints = extensionOf(subject, 'basicConstraints');
    const [ca, pathLength, ...more] = constraints?.value.children ?? [];
    if (subject.context.role === 'endEntity') return ca === undefined;
    const isCa = ca?.tag === tag.boolean && content(ca)[0] === 0xff;
    const fits =
      !pathLength || (pathLength.tag === tag.integer && (content(pathLength)[0] ?? 0x80) < 0x80);
    return constraints?.critical === true && isCa && fits && more.length === 0;
  }),
  ours('ext-key-usage', 'RFC 5280 §4.2.1.12', (subject) => {
    const purposes = purposesOf(subject);
    if (!extensionOf(subject, 'extKeyUsage')) return subject.context.role === 'ca';
    const distinct = new Set(purposes).size === purposes.length;
    return purposes.length > 0 && distinct && !purposes.includes(otherPurposes.anyExtendedKeyUsage);
  }),
  ours('no-purpose', 'RFC 5280 §4.2.1.12', (subject) => {
    const purposes = purposesOf(subject);
    const possible = (purpose: string): boolean => {
      return ((usagesOfPurposes[purpose] ?? -1) & usageBits(subject)) !== 0;
    };
    return purposes.length === 0 || purposes.some(possible);
  }),
  ours('crl-distribution-points', 'RFC 5280 §4.2.1.13', (subject) => {
    const value = extensionOf(subject, 'cRLDistributionPoints')?.value;
    if (!value) return true;
    return (
      value.children.length > 0 &&
      value.children.every(({ children: [point, ...more] }) => {
        const [fullName] = point?.tag === context(0) ? point.children : [];
        const urls = fullName?.tag === context(0) ? fullName.children : [];
        return more.length === 0 && urls.length > 0 && urls.every(isHttpUrl);
      })
    );
  }),
  ours('crl-url', 'RFC 5280 §4.2.1.13', (subject) => {
    const { crlUrl } = subject.context;
    const value = extensionOf(subject, 'cRLDistributionPoints')?.value;
    if (crlUrl === undefined) return true;
    return value !== undefined && equal(raw(value), distributionPoints(crlUrl));
  }),
  ours('authority-info-access', 'RFC 5280 §4.2.2.1', (subject) => {
    const value = extensionOf(subject, 'authorityInfoAccess')?.value;
    if (!value) return true;
    return (
      value.children.length > 0 &&
      value.children.every(({ children: [method, location, ...more] }) => {
        const known = method?.tag === tag.oid && knownMethods.includes(oid(method));
        return known && isHttpUrl(location) && more.length === 0;
      })
    );
  }),
  ours('critical', 'RFC 5280 §4.2', (subject) => {
    const {
      certificate,
      context: { role },
    } = subject;
    const { keyUsage, basicConstraints, subjectAltName } = extensionOids;
    const mayBe: readonly string[] = [keyUsage, role === 'ca' ? basicConstraints : subjectAltName];
    return [...certificate.extensions].every(([id, { critical }]) => {
      return !critical || mayBe.includes(id);
    });
  }),
];
