// ULIDs: 48 bits of milliseconds and 80 random bits, in Crockford's base 32, so that ids sort by
// time. They are names, never secrets.

import type { Bytes } from './bytes.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** @param now milliseconds since 1970 @param random 10 octets */
export function ulid(now: number, random: Bytes): string {
  return digits(BigInt(now), 10) + digits(toBigInt(random), 16);
}

/** Milliseconds since 1970 that a ULID begins with; NaN for other text. */
export function timeOfUlid(id: string): number {
  if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id)) return Number.NaN;
  return [...id.slice(0, 10)].reduce((ms, digit) => ms * 32 + alphabet.indexOf(digit), 0);
}

/** A ULID's digits the other way round: later ids stand first. */
export const flipped = (id: string): string =>
  id.replace(/[0-9A-HJKMNP-TV-Z]/g, (digit) => alphabet.charAt(31 - alphabet.indexOf(digit)));

/** Octets as lower-case base 32, most significant first: how a challenge is written. */
export function base32(octets: Bytes): string {
  return digits(toBigInt(octets), Math.ceil((octets.length * 8) / 5)).toLowerCase();
}

function digits(value: bigint, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    text = alphabet.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return text;
}

const toBigInt = (octets: Bytes): bigint =>
  octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
