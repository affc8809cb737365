// Name (RFC 5280 §4.1.2.4): read from a Name's DER, print and parse its text form (RFC 4514),
// compare two. A subject is copied into a certificate byte for byte; what is read here is only for
// deciding, linting and showing. Printed text is safe in a terminal, a log and a page whatever the
// name holds: control, bidi and line-separator characters come out as \XX octets.

import { type Bytes, fromHex, fromLatin1, fromUtf8, hex, utf8 } from '../bytes.ts';
import { content, type Element, Fields, oid, raw, scan, strictly, tag } from '../cms/der.ts';
import { objectIdentifier, sequence, setOf, tlv } from '../cms/der-writer.ts';
import { Malformed } from '../errors.ts';
import { MAX_NAME_OCTETS } from '../limits.ts';

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
  ['CN', '2.5.4.3'],
  ['SN', '2.5.4.4'],
  ['serialNumber', '2.5.4.5'],
  ['C', '2.5.4.6'],
  ['L', '2.5.4.7'],
  ['ST', '2.5.4.8'],
  ['STREET', '2.5.4.9'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['title', '2.5.4.12'],
  ['GN', '2.5.4.42'],
  ['dnQualifier', '2.5.4.46'],
  ['UID', '0.9.2342.19200300.100.1.1'],
  ['DC', '0.9.2342.19200300.100.1.25'],
  ['emailAddress', '1.2.840.113549.1.9.1'],
  ['unstructuredName', '1.2.840.113549.1.9.2'],
  ['unstructuredAddress', '1.2.840.113549.1.9.8'],
];
const shortByOid = new Map(shortNames.map(([name, dotted]) => [dotted, name]));
/** What other programs write for the same types, understood but never printed. */
const aliases: readonly (readonly [string, string])[] = [
  ['E', '1.2.840.113549.1.9.1'],
  ['EMAIL', '1.2.840.113549.1.9.1'],
  ['S', '2.5.4.8'],
  ['G', '2.5.4.42'],
];
const oidByShort = new Map(
  [...shortNames, ...aliases].map(([name, dotted]) => [name.toLowerCase(), dotted]),
);

/** RFC 5280 appendix A: these are PrintableString or IA5String; everything else is UTF8String. */
const printable = new Set(['2.5.4.6', '2.5.4.5', '2.5.4.46']);
const ia5 = new Set(['0.9.2342.19200300.100.1.25', '1.2.840.113549.1.9.1']);

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
  const ascii = /^[\x20-\x7e]*$/.test(value);
  const identifier =
    printable.has(type) && /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value)
      ? tag.printableString
      : ia5.has(type) && ascii
        ? tag.ia5String
        : tag.utf8String;
  return sequence(objectIdentifier(type), tlv(identifier, utf8(value)));
}

/**
 * Whether two names have the same RDNs, in any order, because clients and people write them in any.
 * Where a type stands in several RDNs, their order tells names apart (DC=corp,DC=example), unless
 * one name as a whole is the other backwards. Values are compared exactly: characters that only look
 * alike are other characters.
 */
export function sameAttributes(a: Name, b: Name): boolean {
  const [left, right] = [a.map(rdnKey), b.map(rdnKey)];
  if (equalTexts(left, right) || equalTexts(left, [...right].reverse())) return true;
  const types = new Set(a.flat().map(({ type }) => type));
  const inOrder = [...types].every((type) => equalTexts(rdnsWith(a, type), rdnsWith(b, type)));
  return inOrder && equalTexts([...left].sort(), [...right].sort());
}

const rdnsWith = (name: Name, wanted: string): string[] =>
  name.filter((rdn) => rdn.some(({ type }) => type === wanted)).map(rdnKey);
const equalTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i]);
const attributeKey = ({ type, value, der }: NameAttribute): string =>
  value === undefined ? `${type}#${hex(der)}` : `${type}=${value}`;
const rdnKey = (rdn: Name[number]): string => JSON.stringify(rdn.map(attributeKey).sort());

/** What makes two names the same, sorted: whatever string types and order they were written in. */
export const attributesOf = (name: Name): string[] =>
  name
    .flat()
    .map(({ type, value, der }) =>
      value === undefined ? `${type}#${hex(der)}` : `${type}=${value.normalize('NFC')}`,
    )
    .sort();
