// A PKCS#10 as step-ca describes one in JSON: `x509CertificateRequest` of its webhooks. What Go's encoder writes as null,
// or leaves out, is null or left out here.

import { attributeTypes, extensionOids, extKeyUsages, otherPurposes } from '../../asn1/oids.ts';
import {
  content,
  contextPrimitive,
  type Element,
  oid,
  raw,
  scan,
  smallInteger,
  tag,
} from '../../asn1/reader.ts';
import { type Bytes, base64, fromLatin1 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { oids } from '../../crypto/algorithms.ts';
import { readAlgorithm } from '../../x509/algorithm.ts';
import { readCertificationRequest } from '../../x509/csr.ts';
import type { Extensions } from '../../x509/extensions.ts';
import { readGeneralName } from '../../x509/names/general-name.ts';
import { nameOf } from '../../x509/names/name.ts';

/** @throws {Malformed} */
export function requestAsStepCa(der: Bytes) {
  const csr = readCertificationRequest(der);
  const { extraNames, ...known } = subjectOf(csr.subject);
  // As Go has it, which does not see the extra names here.
  const isNameless = Object.keys(known).length === 0;
  const extensions = csr.requestedExtensions;
  return {
    version: 0,
    subject: { ...known, ...(extraNames ? { extraNames } : {}) },
    rawSubject: base64(csr.subject),
    ...namesOf(csr.subjectAltName),
    sans: null,
    extensions: orNull(
      [...extensions].map(([id, { critical, value }]) => ({
        id,
        critical: critical || (isNameless && id === extensionOids.subjectAltName),
        value: base64(value),
      })),
    ),
    ...usagesOf(extensions),
    signatureAlgorithm: '',
    ...keyAsStepCa(csr.spki),
    raw: base64(der),
  };
}

const keyAlgorithms: Readonly<Record<string, string>> = {
  [oids.rsaEncryption]: 'RSA',
  [oids.ecPublicKey]: 'ECDSA',
  [oids.ed25519]: 'Ed25519',
};

/** @throws {Malformed} */
export function keyAsStepCa(spki: Element) {
  const [identifier] = spki.children;
  if (!identifier) throw new Malformed('not a SubjectPublicKeyInfo');
  return {
    publicKey: base64(raw(spki)),
    // Go's name for one that it does not know.
    publicKeyAlgorithm: keyAlgorithms[readAlgorithm(identifier).oid] ?? '0',
  };
}

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

const lists: readonly (readonly [string, string])[] = [
  ['country', attributeTypes.countryName],
  ['organization', attributeTypes.organizationName],
  ['organizationalUnit', attributeTypes.organizationalUnitName],
  ['locality', attributeTypes.localityName],
  ['province', attributeTypes.stateOrProvinceName],
  ['streetAddress', attributeTypes.streetAddress],
  ['postalCode', attributeTypes.postalCode],
];
/** Of which the last one counts. */
const singles: readonly (readonly [string, string])[] = [
  ['serialNumber', attributeTypes.serialNumber],
  ['commonName', attributeTypes.commonName],
];
const named = new Set([...lists, ...singles].map(([, type]) => type));

function subjectOf(der: Bytes) {
  const attributes = nameOf(der).flat();
  const valuesOf = (wanted: string): string[] =>
    attributes.flatMap(({ type, value }) =>
      type === wanted && value !== undefined ? [value] : [],
    );
  const known: Record<string, unknown> = {};
  for (const [name, type] of lists) known[name] = orNull(valuesOf(type)) ?? undefined;
  for (const [name, type] of singles) known[name] = valuesOf(type).at(-1);
  const extra = attributes.filter(({ type }) => !named.has(type));
  const extraNames = orNull(extra.map(({ type, value = null }) => ({ type, value })));
  const present = Object.entries(known).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(present), ...(extraNames ? { extraNames } : {}) } as {
    extraNames?: typeof extraNames;
  };
}

/** Kinds that step-ca does not name are in its `extensions` only. */
function namesOf(subjectAltName: Bytes | undefined) {
  const all = subjectAltName ? scan(subjectAltName).children : [];
  const texts = (form: number): readonly string[] | null =>
    orNull(
      all
        .filter(({ tag: shape }) => shape === contextPrimitive(form))
        .map((name) => (form === 7 ? readGeneralName(name).value : fromLatin1(content(name)))),
    );
  return {
    dnsNames: texts(2),
    emailAddresses: texts(1),
    ipAddresses: texts(7),
    uris: texts(6),
  };
}

const keyUsages = [
  ...['digitalSignature', 'contentCommitment', 'keyEncipherment', 'dataEncipherment'],
  ...['keyAgreement', 'certSign', 'crlSign', 'encipherOnly', 'decipherOnly'],
];
const { serverAuth, clientAuth, emailProtection } = extKeyUsages;
const { anyExtendedKeyUsage, OCSPSigning, ...others } = otherPurposes;
/** By OID: where its name is not that of the standard, step-ca's. */
const purposes = new Map<string, string>(
  Object.entries({
    ...{ serverAuth, clientAuth, emailProtection, ...others },
    ...{ any: anyExtendedKeyUsage, ocspSigning: OCSPSigning },
  }).map(([name, dotted]) => [dotted, name]),
);

function usagesOf(extensions: Extensions) {
  const usage = inside(extensions, extensionOids.keyUsage, (value) => {
    const [, ...octets] = content(value);
    return keyUsages.filter((_, bit) => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
  });
  const asked = inside(extensions, extensionOids.extKeyUsage, ({ children }) => children.map(oid));
  const basic = inside(extensions, extensionOids.basicConstraints, ({ children }) => {
    const length = children.find(({ tag: shape }) => shape === tag.integer);
    const [first] = children;
    return {
      isCA: first?.tag === tag.boolean && content(first)[0] !== 0,
      maxPathLen: length ? smallInteger(length) : -1,
    };
  });
  return {
    keyUsage: orNull(usage ?? []),
    extKeyUsage: (asked ?? []).flatMap((dotted) => purposes.get(dotted) ?? []),
    unknownExtKeyUsage: orNull((asked ?? []).filter((dotted) => !purposes.has(dotted))),
    basicConstraints: basic ?? null,
  };
}

/** What cannot be read is as if it were not there. */
function inside<T>(extensions: Extensions, id: string, read: (value: Element) => T): T | undefined {
  const found = extensions.get(id);
  try {
    return found && read(scan(found.value));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
