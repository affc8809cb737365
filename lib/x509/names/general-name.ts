// GeneralName (RFC 5280 §4.2.1.6): the kinds of subjectAltName that are ever certified, read into
// text that can be compared, and written back. Other kinds are read as `other` and refused by
// policy. The text form `dns:host.example` is the one of the CLI, the API and the log. A Windows
// account's SID is a kind of its own, because it logs on: it never passes for any other URI.

import { otherNames } from '../../asn1/oids.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  oid,
  raw,
  tag,
} from '../../asn1/reader.ts';
import { explicit, objectIdentifier, sequence, tlv } from '../../asn1/writer.ts';
import { type Bytes, fromLatin1, hex, latin1, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { MAX_NAME_OCTETS, MAX_NAMES } from '../../base/limits.ts';
import { only } from '../algorithm.ts';
import { readString } from './name.ts';

export const nameKinds = ['dns', 'email', 'uri', 'ip', 'upn', 'sid'] as const;
export type NameKind = (typeof nameKinds)[number];
export type GeneralName = { readonly kind: NameKind | 'other'; readonly value: string };

/** Microsoft's strong mapping (KB5014754): the SID in a URI, and in an extension of its own. */
const sidPrefix = 'tag:microsoft.com,2022-09-14:sid:';
export const sidUri = (sid: string): string => sidPrefix + sid;
const isSid = (text: string): boolean => /^S-1-\d{1,15}(-\d{1,10}){1,15}$/.test(text);

/**
 * The identifier by which Cisco ISE looks a device up. Microsoft Intune writes it into a
 * uniformResourceIdentifier, although its spaces make it invalid as a URI (RFC 3986).
 */
export const isEndpointManagerUri = (text: string): boolean =>
  /^ID:Microsoft Endpoint Manager:GUID:[\dA-Fa-f]{8}(-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/.test(text);

/** A URI as it was read or written: one that carries a SID is a `sid`. */
function uriName(value: string): GeneralName {
  if (value.slice(0, sidPrefix.length).toLowerCase() !== sidPrefix) return { kind: 'uri', value };
  const sid = value.slice(sidPrefix.length);
  return isSid(sid) ? { kind: 'sid', value: sid } : { kind: 'other', value: hex(latin1(value)) };
}

/** The SID of szOID_NTDS_CA_SECURITY_EXT's value: one otherName with an OCTET STRING of text.
 * @throws {Malformed} */
export function readSecurityIdentifier(element: Element): GeneralName {
  const fields = new Fields(only(element), 'otherName', context(0));
  const type = oid(fields.next(tag.oid, 'type-id'));
  const value = fromLatin1(content(only(fields.next(context(0), 'value'))));
  fields.end();
  if (type !== otherNames.ntdsObjectSid || !isSid(value))
    throw new Malformed('not a security identifier');
  return { kind: 'sid', value };
}

export const encodeSecurityIdentifier = (sid: string): Bytes =>
  sequence(
    explicit(
      0,
      objectIdentifier(otherNames.ntdsObjectSid),
      explicit(0, tlv(tag.octetString, latin1(sid))),
    ),
  );

/** The names of a SubjectAltName value. @throws {Malformed} */
export function readGeneralNames(element: Element): GeneralName[] {
  if (element.tag !== tag.sequence || element.children.length === 0) {
    throw new Malformed('subjectAltName is not a list of names');
  }
  if (element.children.length > MAX_NAMES) throw new Malformed(`more than ${MAX_NAMES} names`);
  return element.children.map(readGeneralName);
}

/** @throws {Malformed} */
export function readGeneralName(element: Element): GeneralName {
  const octets = content(element);
  if (octets.length > MAX_NAME_OCTETS) throw new Malformed('a name that is too long');
  switch (element.tag) {
    case contextPrimitive(1):
      return { kind: 'email', value: ascii(octets) };
    case contextPrimitive(2):
      return { kind: 'dns', value: ascii(octets).toLowerCase() };
    case contextPrimitive(6):
      return uriName(ascii(octets));
    case contextPrimitive(7):
      return { kind: 'ip', value: printIp(octets) };
    case context(0): {
      const fields = new Fields(element, 'otherName', context(0));
      const type = oid(fields.next(tag.oid, 'type-id'));
      const value = only(fields.next(context(0), 'value'));
      fields.end();
      const text = readString(value);
      if (type === otherNames.userPrincipalName && text !== undefined)
        return { kind: 'upn', value: text };
      break;
    }
    default:
  }
  return { kind: 'other', value: hex(raw(element)) };
}

function ascii(octets: Bytes): string {
  if (octets.length === 0 || octets.some((octet) => octet < 0x20 || octet >= 0x7f)) {
    throw new Malformed('a name with characters outside printable ASCII');
  }
  return fromLatin1(octets);
}

/** RFC 4291 §2.5.5.2: ::ffff:0:0/96. */
const mappedPrefix = `${'00'.repeat(10)}ffff`;

function printIp(octets: Bytes): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new Malformed('an iPAddress of neither 4 nor 16 octets');
  // RFC 5952 §5: an IPv4-mapped address shows its IPv4; it is and stays one of 16 octets.
  if (hex(octets.subarray(0, 12)) === mappedPrefix)
    return `::ffff:${octets.subarray(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0)).toString(16),
  );
  // RFC 5952 §4.2: the first of the longest runs of two or more zero groups becomes "::".
  const runs = [
    ...groups
      .map((g) => (g === '0' ? '0' : 'x'))
      .join('')
      .matchAll(/00+/g),
  ];
  const longest = runs.reduce((best, run) => Math.max(best, run[0].length), 0);
  const run = runs.find(([zeros]) => zeros.length === longest);
  if (!run) return groups.join(':');
  const head = groups.slice(0, run.index).join(':');
  return `${head}::${groups.slice(run.index + longest).join(':')}`;
}

function parseIp(text: string): Bytes {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (v4?.every((octet) => octet < 256)) return Uint8Array.from(v4);
  const [head = '', tail, ...more] = withoutDots(text).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const missing = 8 - left.length - right.length;
  const all = [...left, ...Array<string>(Math.max(0, missing)).fill('0'), ...right];
  const wellFormed =
    more.length === 0 &&
    (tail === undefined ? missing === 0 : missing >= 1) &&
    all.every((group) => /^[0-9a-f]{1,4}$/i.test(group));
  if (!wellFormed) throw new SyntaxError(`"${text}" is not an IP address`);
  return Uint8Array.from(
    all.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

/** RFC 4291 §2.2: the last 32 bits of an IPv6 address may be written as IPv4 has them. */
const withoutDots = (text: string): string =>
  text.replace(/(?<=:)\d{1,3}(?:\.\d{1,3}){3}$/, (v4) => {
    const [a = 0, b = 0, c = 0, d = 0] = parseIp(v4);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });

/** The one text form of an address; undefined for other text. */
export function normalIp(text: string): string | undefined {
  try {
    return printIp(parseIp(text));
  } catch {
    return undefined; // parseIp throws for nothing else
  }
}

/** Addresses with the same first bits; of a pair of lengths, IPv4 or IPv6. */
export type IpRange = { readonly address: Bytes; readonly bits: number };

/** From `10.0.0.0/8`, `2001:db8::/32` or one address. @throws {SyntaxError} */
export function parseIpRange(text: string): IpRange {
  const [, base = text, length] = /^(.*)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseIp(base);
  const bits = length === undefined ? address.length * 8 : Number(length);
  if (bits > address.length * 8) throw new SyntaxError(`"${text}" has a prefix that is too long`);
  return { address, bits };
}

export const printIpRange = ({ address, bits }: IpRange): string => `${printIp(address)}/${bits}`;

/** @param ip as `printGeneralName` has it, without its kind */
export function inRange(ip: string, { address, bits }: IpRange): boolean {
  const octets = parseIp(ip);
  const differs = (octet: number, i: number): boolean => {
    const significant = Math.min(8, Math.max(0, bits - 8 * i));
    return (octet ^ (address[i] ?? 0)) >> (8 - significant) !== 0;
  };
  return octets.length === address.length && !octets.some(differs);
}

/**
 * From `TYPE:VALUE`, such as `dns:host.example`, in the form in which names are compared.
 * @throws {SyntaxError} with a sentence that names what is wrong
 */
export function parseGeneralName(text: string): GeneralName {
  const [, prefix = '', value = ''] = /^([a-z]+):(.+)$/is.exec(text) ?? [];
  const kind = nameKinds.find((name) => name === prefix.toLowerCase());
  if (!kind) {
    throw new SyntaxError(`"${text}" must be TYPE:VALUE with a TYPE of ${nameKinds.join(', ')}`);
  }
  if (utf8(value).length > MAX_NAME_OCTETS) throw new SyntaxError(`a ${kind} name is too long`);
  if (kind === 'ip') return { kind, value: printIp(parseIp(value)) };
  const spaced = kind === 'upn' || (kind === 'uri' && isEndpointManagerUri(value));
  if (!spaced && /[^\x21-\x7e]/.test(value)) {
    throw new SyntaxError(`the ${kind} name "${value}" must be printable ASCII without spaces`);
  }
  if (kind === 'sid' && !isSid(value)) {
    throw new SyntaxError(`"${value}" is not a security identifier such as S-1-5-21-1-2-3-1001`);
  }
  const name = kind === 'uri' ? uriName(value) : { kind, value };
  if (name.kind === 'other') throw new SyntaxError(`"${value}" holds no security identifier`);
  return name.kind === 'dns' ? { kind, value: value.toLowerCase() } : name;
}

export const printGeneralName = ({ kind, value }: GeneralName): string => `${kind}:${value}`;

/** A SubjectAltName value, DER. The kinds are the ones `parseGeneralName` makes. */
export const encodeGeneralNames = (names: readonly GeneralName[]): Bytes =>
  sequence(...names.map(encodeGeneralName));

function encodeGeneralName({ kind, value }: GeneralName): Bytes {
  switch (kind) {
    case 'email':
      return tlv(contextPrimitive(1), latin1(value));
    case 'dns':
      return tlv(contextPrimitive(2), latin1(value));
    case 'uri':
      return tlv(contextPrimitive(6), latin1(value));
    case 'ip':
      return tlv(contextPrimitive(7), parseIp(value));
    case 'upn':
      return explicit(
        0,
        objectIdentifier(otherNames.userPrincipalName),
        explicit(0, tlv(tag.utf8String, utf8(value))),
      );
    case 'sid':
      return tlv(contextPrimitive(6), latin1(sidUri(value)));
    case 'other':
      throw new TypeError('a name of another kind is never certified');
  }
}
