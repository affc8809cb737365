// Describes extensions for people who look at a certificate, a request or a CRL. A value that cannot be read
// is shown in hexadecimal: a description never fails once the certificate itself was read.

import { accessMethods, extensionOids, extKeyUsages } from '../../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  octetString,
  oid,
  raw,
  scan,
  smallInteger,
  tag,
} from '../../asn1/reader.ts';
import { type Bytes, fromLatin1, hex } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { only } from '../algorithm.ts';
import { type Extensions, readIssuingDistributionPoint, readKeyUsage } from '../extensions.ts';
import {
  printGeneralName,
  readGeneralName,
  readSecurityIdentifier,
} from '../names/general-name.ts';
import { printName } from '../names/name.ts';

export type DescribedExtension = {
  /** Dotted. */
  readonly id: string;
  /** RFC 5280's name for it, where there is one. */
  readonly name?: string;
  readonly critical: boolean;
  /** In words; `#` and hexadecimal for what cannot be read. */
  readonly value: readonly string[];
};

const unknown = (value: Bytes): string => `#${hex(value)}`;

/** What `read` says, or the octets. */
export function orOctets<T>(octets: Bytes, read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) return unknown(octets);
    throw error;
  }
}

/** A GeneralName of any kind, as `TYPE:VALUE`. */
export function describeGeneralName(element: Element): string {
  const read = (): string => {
    if (element.tag === context(4)) return `dirName:${printName(raw(only(element)))}`;
    if (element.tag === contextPrimitive(8)) {
      return `rid:${oid({ ...element, tag: tag.oid })}`;
    }
    const name = readGeneralName(element);
    return name.kind === 'other' ? `other:${unknown(raw(element))}` : printGeneralName(name);
  };
  return orOctets(raw(element), read);
}

const purposeNames = new Map<string, string>(
  Object.entries(extKeyUsages).map(([name, dotted]) => [dotted, name]),
);
const accessNames = new Map<string, string>(
  Object.entries(accessMethods).map(([name, dotted]) => [dotted, name]),
);

/** The element's content, if it is of this type. @throws {Malformed} */
function of(expected: number, element: Element): Bytes {
  if (element.tag !== expected) throw new Malformed('an extension of another type');
  return content(element);
}

/** An INTEGER in decimal. RFC 5280 §5.2.3 allows 20 octets. @throws {Malformed} */
function decimal(element: Element): string {
  const octets = of(tag.integer, element);
  if (octets.length > 20) throw new Malformed('a number that is too long');
  return String(BigInt.asIntN(octets.length * 8, BigInt(`0x${hex(octets)}`)));
}

function constraintsOf({ children }: Element): string[] {
  const [first, second] = children;
  const isCa = first?.tag === tag.boolean && content(first)[0] !== 0;
  const length = second ?? (first?.tag === tag.integer ? first : undefined);
  return [
    isCa ? 'CA:TRUE' : 'CA:FALSE',
    ...(length ? [`pathLenConstraint ${smallInteger(length)}`] : []),
  ];
}

function authorityKeyOf({ children }: Element): string[] {
  return children.map((field) => {
    if (field.tag === contextPrimitive(0)) return hex(content(field));
    if (field.tag === contextPrimitive(2)) return `serial ${hex(content(field))}`;
    return `issuer ${field.children.map(describeGeneralName).join(' ')}`;
  });
}

/** The URLs of all full names; other content of a distribution point is shown in hexadecimal. */
function pointsOf(value: Element): string[] {
  return value.children.flatMap((point) => {
    const fullName = point.children.find(({ tag: shape }) => shape === context(0))?.children[0];
    if (fullName?.tag !== context(0)) return [unknown(raw(point))];
    return fullName.children.map(describeGeneralName);
  });
}

function accessOf(value: Element): string[] {
  return value.children.map(({ children: [method, location] }) => {
    if (!method || !location) throw new Malformed('not an AccessDescription');
    const dotted = oid(method);
    return `${accessNames.get(dotted) ?? dotted} ${describeGeneralName(location)}`;
  });
}

const firstOids = (value: Element): string[] =>
  value.children.map(({ children: [first] }) => (first ? oid(first) : unknown(raw(value))));

/** By OID: the extension's name, and how its value is described. */
const known: Readonly<Record<string, readonly [string, (value: Element) => string[]]>> = {
  [extensionOids.subjectKeyIdentifier]: [
    'subjectKeyIdentifier',
    (value) => [hex(octetString(value))],
  ],
  [extensionOids.keyUsage]: ['keyUsage', readKeyUsage],
  [extensionOids.subjectAltName]: [
    'subjectAltName',
    (value) => value.children.map(describeGeneralName),
  ],
  [extensionOids.issuerAltName]: [
    'issuerAltName',
    (value) => value.children.map(describeGeneralName),
  ],
  [extensionOids.basicConstraints]: ['basicConstraints', constraintsOf],
  [extensionOids.crlNumber]: ['cRLNumber', (value) => [decimal(value)]],
  [extensionOids.deltaCRLIndicator]: ['deltaCRLIndicator', (value) => [decimal(value)]],
  [extensionOids.cRLDistributionPoints]: ['cRLDistributionPoints', pointsOf],
  [extensionOids.certificatePolicies]: ['certificatePolicies', firstOids],
  [extensionOids.authorityKeyIdentifier]: ['authorityKeyIdentifier', authorityKeyOf],
  [extensionOids.extKeyUsage]: [
    'extKeyUsage',
    (value) => value.children.map(oid).map((dotted) => purposeNames.get(dotted) ?? dotted),
  ],
  [extensionOids.authorityInfoAccess]: ['authorityInfoAccess', accessOf],
  [extensionOids.securityIdentifier]: [
    'securityIdentifier',
    (value) => [printGeneralName(readSecurityIdentifier(value))],
  ],
  [extensionOids.nameConstraints]: ['nameConstraints', (value) => [unknown(raw(value))]],
  [extensionOids.issuingDistributionPoint]: [
    'issuingDistributionPoint',
    (value) => readIssuingDistributionPoint(raw(value)).map((url) => `uri:${url}`),
  ],
  [extensionOids.certificateTemplateName]: [
    'certificateTemplateName',
    (value) => [fromLatin1(content(value))],
  ],
  [extensionOids.certificateTemplate]: ['certificateTemplate', (value) => [unknown(raw(value))]],
};

export const describeExtensions = (extensions: Extensions): DescribedExtension[] =>
  [...extensions].map(([id, { critical, value }]) => {
    const [name, say] = known[id] ?? [];
    const said = say ? orOctets(value, () => say(scan(value))) : unknown(value);
    return { id, ...(name ? { name } : {}), critical, value: [said].flat() };
  });
