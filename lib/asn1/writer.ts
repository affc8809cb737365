// X.690: the writer. Everything it writes is DER.

import { type Bytes, compare, latin1 } from '../base/bytes.ts';
import { context, tag } from './reader.ts';

/** Header and content. */
export function tlv(identifier: number, ...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthOctets = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
  const whole = new Uint8Array(2 + lengthOctets + length);
  whole[0] = identifier;
  whole[1] = lengthOctets === 0 ? length : 0x80 | lengthOctets;
  for (let i = 0; i < lengthOctets; i++) {
    whole[2 + i] = (length >>> (8 * (lengthOctets - 1 - i))) & 0xff;
  }
  let at = 2 + lengthOctets;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const sequence = (...parts: readonly Uint8Array[]): Bytes => tlv(tag.sequence, ...parts);

/** SET OF in DER order (X.690 §11.6). */
export const setOf = (...parts: readonly Uint8Array[]): Bytes =>
  tlv(tag.set, ...[...parts].sort(compare));

/** EXPLICIT `[n]`, and IMPLICIT `[n]` over a constructed type's content. */
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Bytes =>
  tlv(context(n), ...parts);

/** A non-negative INTEGER, from a number below 2^31 or from its magnitude. */
export function integer(value: number | Uint8Array): Bytes {
  const magnitude =
    typeof value === 'number'
      ? Uint8Array.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255)
      : value;
  let from = 0;
  while (from < magnitude.length - 1 && magnitude[from] === 0) from++;
  const digits = magnitude.subarray(from);
  return (digits[0] ?? 0) >= 0x80
    ? tlv(tag.integer, Uint8Array.of(0), digits)
    : tlv(tag.integer, digits.length === 0 ? Uint8Array.of(0) : digits);
}

/** From dotted decimal. */
export function objectIdentifier(dotted: string): Bytes {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  const octets: number[] = [];
  for (const arc of [first * 40n + second, ...rest]) {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
    octets.push(...groups);
  }
  return tlv(tag.oid, Uint8Array.from(octets));
}

export const octets = (bytes: Uint8Array): Bytes => tlv(tag.octetString, bytes);
export const bits = (bytes: Uint8Array, unused = 0): Bytes =>
  tlv(tag.bitString, Uint8Array.of(unused), bytes);
export const boolean = (value: boolean): Bytes => tlv(tag.boolean, Uint8Array.of(value ? 0xff : 0));
export const nullValue: Bytes = tlv(tag.null);
export const printableString = (text: string): Bytes => tlv(tag.printableString, latin1(text));
export const ia5String = (text: string): Bytes => tlv(tag.ia5String, latin1(text));

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime after. `ms` since 1970. */
export function timeOf(ms: number): Bytes {
  const digits = new Date(ms)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050
    ? tlv(tag.utcTime, latin1(digits.slice(2)))
    : tlv(tag.generalizedTime, latin1(digits));
}
