// GeneralName (RFC 5280 §4.2.1.6): the five kinds of subjectAltName that are ever certified, read
// into text that can be compared, and written back. Other kinds are read as `other` and refused by
// policy. The text form `dns:host.example` is the one of the CLI, the API and the log.

import { type Bytes, fromLatin1, hex, latin1, utf8 } from '../bytes.ts';
import {
  content,
  context,
  contextPrimitive,
  type Element,
  Fields,
  oid,
  raw,
  tag,
} from '../cms/der.ts';
import { explicit, objectIdentifier, sequence, tlv } from '../cms/der-writer.ts';
import { Malformed } from '../errors.ts';
import { MAX_NAME_OCTETS, MAX_NAMES } from '../limits.ts';
import { only } from './algorithm.ts';
import { readString } from './name.ts';

export const nameKinds = ['dns', 'email', 'uri', 'ip', 'upn'] as const;
export type NameKind = (typeof nameKinds)[number];
export type GeneralName = { readonly kind: NameKind | 'other'; readonly value: string };

/** Microsoft's userPrincipalName, an otherName with a UTF8String. */
const upn = '1.3.6.1.4.1.311.20.2.3';

/** The names of a SubjectAltName value. @throws {Malformed} */
export function readGeneralNames(element: Element): GeneralName[] {
  if (element.tag !== tag.sequence || element.children.length === 0) {
    throw new Malformed('subjectAltName is not a list of names');
  }
  if (element.children.length > MAX_NAMES) throw new Malformed(`more than ${MAX_NAMES} names`);
  return element.children.map(readGeneralName);
}

function readGeneralName(element: Element): GeneralName {
  const octets = content(element);
  if (octets.length > MAX_NAME_OCTETS) throw new Malformed('a name that is too long');
  switch (element.tag) {
    case contextPrimitive(1):
      return { kind: 'email', value: ascii(octets) };
    case contextPrimitive(2):
      return { kind: 'dns', value: ascii(octets).toLowerCase() };
    case contextPrimitive(6):
      return { kind: 'uri', value: ascii(octets) };
    case contextPrimitive(7):
      return { kind: 'ip', value: printIp(octets) };
    case context(0): {
      const fields = new Fields(element, 'otherName', context(0));
      const type = oid(fields.next(tag.oid, 'type-id'));
      const value = only(fields.next(context(0), 'value'));
      fields.end();
      const text = readString(value);
      if (type === upn && text !== undefined) return { kind: 'upn', value: text };
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

function printIp(octets: Bytes): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new Malformed('an iPAddress of neither 4 nor 16 octets');
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
  const [head = '', tail, ...more] = text.split('::');
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
  if (kind !== 'upn' && /[^\x21-\x7e]/.test(value)) {
    throw new SyntaxError(`the ${kind} name "${value}" must be printable ASCII without spaces`);
  }
  return { kind, value: kind === 'dns' ? value.toLowerCase() : value };
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
      return explicit(0, objectIdentifier(upn), explicit(0, tlv(tag.utf8String, utf8(value))));
    case 'other':
      throw new TypeError('a name of another kind is never certified');
  }
}
