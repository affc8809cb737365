// Name (RFC 5280 §4.1.2.4): read from a Name's DER, print and parse its text form (RFC 4514),
// compare two. A subject is copied into a certificate byte for byte, but for string types that RFC 5280
// does not allow (`inStringTypes`); all else that is read here is for deciding, linting and showing.
// Printed text is safe in a terminal, a log and a page whatever the name holds: control, bidi and
// line-separator characters come out as \XX octets.

import { attributeTypes } from '../../asn1/oids.ts';
import { content, type Element, Fields, oid, raw, scan, strictly, tag } from '../../asn1/reader.ts';
import { objectIdentifier, sequence, setOf, tlv } from '../../asn1/writer.ts';
import { type Bytes, equal, fromHex, fromLatin1, fromUtf8, hex, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { MAX_NAME_OCTETS } from '../../base/limits.ts';

export type NameAttribute = {
  readonly type: string;
  /** Undefined for a value that is not a string, which is printed as `#hex`. */
  readonly value: string | undefined;
  readonly der: Bytes;
};
/** RDNs in their order in the DER; each is a set of one or more attributes. */
export type Name = readonly (readonly NameAttribute[])[];

/** RFC 4519 short names, and the ones that certificates use beside them. */
const shortNames: readonly (readonly [string, string])[] = [
  ['CN', attributeTypes.commonName],
  ['SN', attributeTypes.surname],
  ['serialNumber', attributeTypes.serialNumber],
  ['C', attributeTypes.countryName],
  ['L', attributeTypes.localityName],
  ['ST', attributeTypes.stateOrProvinceName],
  ['STREET', attributeTypes.streetAddress],
  ['O', attributeTypes.organizationName],
  ['OU', attributeTypes.organizationalUnitName],
  ['title', attributeTypes.title],
  ['GN', attributeTypes.givenName],
  ['dnQualifier', attributeTypes.dnQualifier],
  ['UID', attributeTypes.userId],
  ['DC', attributeTypes.domainComponent],
  ['emailAddress', attributeTypes.emailAddress],
  ['unstructuredName', attributeTypes.unstructuredName],
  ['unstructuredAddress', attributeTypes.unstructuredAddress],
];
const shortByOid = new Map(shortNames.map(([name, dotted]) => [dotted, name]));
/** What other programs write for the same types, understood but never printed. */
const aliases: readonly (readonly [string, string])[] = [
  ['E', attributeTypes.emailAddress],
  ['EMAIL', attributeTypes.emailAddress],
  ['S', attributeTypes.stateOrProvinceName],
  ['G', attributeTypes.givenName],
];
const oidByShort = new Map(
  [...shortNames, ...aliases].map(([name, dotted]) => [name.toLowerCase(), dotted]),
);

/** RFC 5280 appendix A: these are PrintableString or IA5String; everything else is UTF8String. */
const { countryName, serialNumber, dnQualifier, domainComponent, emailAddress } = attributeTypes;
const printable: ReadonlySet<string> = new Set([countryName, serialNumber, dnQualifier]);
const ia5: ReadonlySet<string> = new Set([domainComponent, emailAddress]);

/** String types in which a character of ASCII is the same octet. */
const ofAscii: readonly number[] = [tag.utf8String, tag.printableString, tag.ia5String];

/** X.680 §41.4, and the characters of IA5String that are seen. */
export const isPrintable = (text: string): boolean => /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
const isVisibleAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

/** The one string type that RFC 5280 gives to values of this type, if it gives one and the text fits. */
const stringTypeOf = (type: string, text: string): number | undefined =>
  printable.has(type) && isPrintable(text)
    ? tag.printableString
    : ia5.has(type) && isVisibleAscii(text)
      ? tag.ia5String
      : undefined;

/**
 * The Name as it may stand in a certificate. Clients write values in string types that RFC 5280 A.1
 * does not give to their attribute (emailAddress and DC as UTF8String, C as UTF8String): such a value
 * gets the type that it must have. Its octets stay, because the types have ASCII in common, and so
 * does everything else, octet for octet. What fits in no such type is left to the lint.
 * @param der a Name that `readName` reads
 */
export function inStringTypes(der: Bytes): Bytes {
  let changed = false;
  const rdns = scan(der).children.map((rdn) => {
    const attributes = rdn.children.map((attribute) => {
      const [type, value] = attribute.children;
      const text = value && ofAscii.includes(value.tag) ? readString(value) : undefined;
      if (!type || !value || text === undefined) return raw(attribute);
      const identifier = stringTypeOf(oid(type), text) ?? value.tag;
      return identifier === value.tag
        ? raw(attribute)
        : sequence(raw(type), tlv(identifier, content(value)));
    });
    if (attributes.every((attribute, i) => equal(attribute, raw(rdn.children[i] ?? rdn)))) {
      return raw(rdn);
    }
    changed = true;
    return setOf(...attributes);
  });
  return changed ? sequence(...rdns) : der;
}

/** A string value in any of the types of DirectoryString, or IA5String.
 * @returns undefined for other types @throws {Malformed} for octets that are not of the type */
export function readString(element: Element): string | undefined {
  const octets = content(element);
  if (octets.length > MAX_NAME_OCTETS * 4) throw new Malformed('a string that is too long');
  switch (element.tag) {
    case tag.utf8String:
      try {
        return fromUtf8(octets);
      } catch {
        throw new Malformed('a UTF8String that is not UTF-8');
      }
    case tag.printableString:
    case tag.ia5String:
      if (octets.some((octet) => octet >= 0x80)) throw new Malformed('not an ASCII string');
      return fromLatin1(octets);
    case tag.t61String:
      return fromLatin1(octets); // as every implementation reads it
    case tag.bmpString:
      return wide(octets, 2);
    case tag.universalString:
      return wide(octets, 4);
    default:
      return undefined;
  }
}

function wide(octets: Bytes, size: 2 | 4): string {
  if (octets.length % size !== 0) throw new Malformed('a string cut inside a character');
  let text = '';
  for (let at = 0; at < octets.length; at += size) {
    let code = 0;
    for (let i = 0; i < size; i++) code = code * 256 + (octets[at + i] ?? 0);
    if (code > 0x10ffff) throw new Malformed('a character beyond Unicode');
    text += size === 2 ? String.fromCharCode(code) : String.fromCodePoint(code);
  }
  if (!text.isWellFormed()) throw new Malformed('half of a surrogate pair');
  return text;
}

/** @throws {Malformed} */
export function readName(element: Element): Name {
  if (element.tag !== tag.sequence) throw new Malformed('not a Name');
  if (element.end - element.start > MAX_NAME_OCTETS) throw new Malformed('a Name that is too long');
  return element.children.map((rdn) => {
    if (rdn.tag !== tag.set || rdn.children.length === 0) throw new Malformed('not an RDN');
    return rdn.children.map((attribute) => {
      const fields = new Fields(attribute, 'AttributeTypeAndValue');
      const type = oid(fields.next(tag.oid, 'type'));
      const value = fields.any('value');
      fields.end();
      return {
        type,
        value: readString(value),
        der: value.source.subarray(value.start, value.end),
      };
    });
  });
}

/** @throws {Malformed} */
export const nameOf = (der: Bytes): Name => readName(strictly(scan(der), 'Name'));

/** RFC 4514 §2: last RDN first. Never throws: what cannot be read is shown as hex. */
export function printName(der: Bytes): string {
  let name: Name;
  try {
    name = readName(scan(der));
  } catch {
    return `#${hex(der.subarray(0, MAX_NAME_OCTETS))}`;
  }
  return [...name]
    .reverse()
    .map((rdn) => rdn.map(printAttribute).join('+'))
    .join(',');
}

function printAttribute({ type, value, der }: NameAttribute): string {
  const text = value === undefined ? `#${hex(der)}` : escapeValue(value);
  return `${attributeName(type)}=${text}`;
}

/** RFC 4514 §2.4, and every character that could act on a terminal or a reader's eye. */
function escapeValue(value: string): string {
  return value
    .replace(/[\\",+<>;=]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
      [...utf8(character)].map((octet) => `\\${hex(Uint8Array.of(octet))}`).join(''),
    );
}

/** An OID in the one form that it has in text. */
export const isDottedOid = (text: string): boolean =>
  /^([01]\.[1-3]?\d|2\.(0|[1-9]\d{0,11}))(\.(0|[1-9]\d{0,11}))*$/.test(text);

/** The dotted OID of an attribute type by its short name, or by itself. @throws {SyntaxError} */
export function attributeType(name: string): string {
  const dotted = oidByShort.get(name.toLowerCase()) ?? name;
  if (!isDottedOid(dotted)) {
    throw new SyntaxError(`unknown attribute type "${name}"; a dotted OID works for any`);
  }
  return dotted;
}

/** The short name of an attribute type, or its dotted OID. */
export const attributeName = (type: string): string => shortByOid.get(type) ?? type;

/**
 * A Name from its RFC 4514 text, which may be empty; the first attribute written is the last RDN of the DER.
 * @throws {SyntaxError} with a sentence that names what is wrong
 */
export function parseName(text: string): Bytes {
  const rdns: Bytes[] = [];
  let attributes: Bytes[] = [];
  let rest = text.replace(/^ +/, '');
  while (rest !== '') {
    const type = /^ *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= */.exec(rest);
    if (!type?.[1]) throw new SyntaxError(`expected TYPE=VALUE at "${rest}"`);
    const dotted = attributeType(type[1]);
    rest = rest.slice(type[0].length);
    const raw = /^(?:[^\\,+"]|\\.)*/su.exec(rest)?.[0] ?? '';
    rest = rest.slice(raw.length);
    if (rest !== '' && rest[0] !== ',' && rest[0] !== '+') {
      throw new SyntaxError(
        `unexpected "${rest[0]}" in the value of ${type[1]}; escape it as \\${rest[0]}`,
      );
    }
    attributes.push(encodeAttribute(dotted, raw, type[1]));
    if (rest[0] !== '+') {
      rdns.unshift(setOf(...attributes));
      attributes = [];
    }
    if (/^. *$/s.test(rest)) {
      throw new SyntaxError(`nothing follows the last "${rest[0]}"`);
    }
    rest = rest.slice(1);
  }
  return sequence(...rdns);
}

/** A Name of one attribute. @param type dotted OID */
export const nameWith = (type: string, value: string): Bytes =>
  parseName(`${type}=${escapeValue(value)}`);

/** RFC 4514 §2.4: "#" and the hexadecimal of the value's encoding. */
function hexValue(text: string, type: string): Bytes {
  try {
    return raw(strictly(scan(fromHex(text.slice(1))), 'value'));
  } catch {
    throw new SyntaxError(`the value of ${type} is not "#" and the hexadecimal of a DER value`);
  }
}

/** One pass: what one escape gives is never read as the start of another. */
const escapes = /((?:\\[0-9a-f]{2})+)|\\([\\ #=",+<>;])/gi;

function unescapeValue(raw: string, type: string): string {
  const value = raw.replace(escapes, (_, run: string | undefined, character: string) => {
    if (run === undefined) return character;
    try {
      return fromUtf8(
        Uint8Array.from(run.slice(1).split('\\'), (pair) => Number.parseInt(pair, 16)),
      );
    } catch {
      throw new SyntaxError(`the escaped octets in the value of ${type} are not UTF-8`);
    }
  });
  if (value === '') throw new SyntaxError(`the value of ${type} is empty`);
  return value;
}

/** Spaces behind a value are not part of it; one after an odd number of backslashes is escaped. */
function withoutTrailingSpaces(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  let backslashes = 0;
  while (text[end - 1 - backslashes] === '\\') backslashes++;
  return text.slice(0, backslashes % 2 === 1 ? end + 1 : end);
}

function encodeAttribute(type: string, text: string, name: string): Bytes {
  const trimmed = withoutTrailingSpaces(text);
  if (trimmed.startsWith('#')) return sequence(objectIdentifier(type), hexValue(trimmed, name));
  const value = unescapeValue(trimmed, name);
  const identifier = stringTypeOf(type, value) ?? tag.utf8String;
  return sequence(objectIdentifier(type), tlv(identifier, utf8(value)));
}

/**
 * Whether two names have the same RDNs, in any order, because clients and people write them in any.
 * Where a type stands in several RDNs, their order matters (OU=Users,OU=Admins), unless one whole name is
 * the other written backwards and its types show that. Where the types read the same both ways, a name
 * written backwards cannot be told from one with swapped values: the two are different names. Values
 * are compared exactly: characters that only look alike are different.
 */
export function sameAttributes(a: Name, b: Name): boolean {
  const types = a.map((rdn) =>
    rdn
      .map(({ type }) => type)
      .sort()
      .join('+'),
  );
  const showsDirection = !equalTexts(types, [...types].reverse());
  return (
    JSON.stringify(rdnsByType(a)) === JSON.stringify(rdnsByType(b)) ||
    (showsDirection && equalTexts(a.map(rdnKey), [...b].reverse().map(rdnKey)))
  );
}

/** For each type, by its OID: the RDNs in which it stands, in their order. */
export const rdnsByType = (name: Name): [string, string[]][] =>
  [...new Set(name.flat().map(({ type }) => type))]
    .sort()
    .map((type) => [type, rdnsWith(name, type)]);

const rdnsWith = (name: Name, wanted: string): string[] =>
  name.filter((rdn) => rdn.some(({ type }) => type === wanted)).map(rdnKey);
const equalTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i]);
const attributeKey = ({ type, value, der }: NameAttribute): string =>
  value === undefined ? `${type}#${hex(der)}` : `${type}=${value}`;
const rdnKey = (rdn: Name[number]): string => JSON.stringify(rdn.map(attributeKey).sort());

/** The attributes of a name, sorted: equal for two names that differ only in order and string types. */
export const attributesOf = (name: Name): string[] =>
  name
    .flat()
    .map(({ type, value, der }) =>
      value === undefined ? `${type}#${hex(der)}` : `${type}=${value.normalize('NFC')}`,
    )
    .sort();
