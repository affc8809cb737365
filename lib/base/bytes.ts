// Octets and their text forms. Everything that crosses a room boundary as binary is a `Bytes`.
// Decoders are strict: a character outside the alphabet is an error, never skipped.

/** An octet string backed by its own ArrayBuffer, which is what WebCrypto accepts. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** That many octets from a cryptographically secure generator; every call gives fresh ones. */
export type Random = (octets: number) => Bytes;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function concat(parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** All that comes, as of an answer; undefined where it is longer, and the rest is not waited for. */
export async function allWithin(
  maxOctets: number,
  comes: AsyncIterable<Uint8Array> | null,
): Promise<Bytes | undefined> {
  const parts: Uint8Array[] = [];
  let octets = 0;
  // Leaving the loop cancels a stream.
  for await (const part of comes ?? []) {
    octets += part.length;
    if (octets > maxOctets) return undefined;
    parts.push(part);
  }
  return concat(parts);
}

/** Equality of public values. It returns at the first difference: never use it on a secret. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Equality of secrets of public length; its time does not depend on where they differ. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** The order of DER's SET OF (X.690 §11.6): octet by octet, a prefix before what it starts. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** @throws {TypeError} when the octets are not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** One character per octet: how opaque protocol text is carried without losing anything. */
export function fromLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    // Spread, they would be taken out of the array one by one first.
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + 8192));
  }
  return text;
}

/** The inverse of `fromLatin1`; characters above U+00FF are a programming error. */
export function latin1(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) throw new RangeError('latin1 text must stay below U+0100');
    bytes[i] = code;
  }
  return bytes;
}

const hexDigits = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte];
  return text;
}

/** @throws {SyntaxError} on anything but pairs of hexadecimal digits. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) {
    throw new SyntaxError('hex must be pairs of hexadecimal digits');
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function base64(bytes: Uint8Array): string {
  return btoa(fromLatin1(bytes));
}

export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** RFC 4648 §4, padding optional. @throws {SyntaxError} on any other character or length. */
export function fromBase64(text: string): Bytes {
  const digits = text.replace(/={0,2}$/, '');
  if (/[^A-Za-z0-9+/]/.test(digits) || digits.length % 4 === 1) {
    throw new SyntaxError('base64 must be RFC 4648 section 4 text');
  }
  return latin1(atob(digits));
}

/** RFC 4648 §5, without padding. @throws {SyntaxError} on any other character or length. */
export function fromBase64url(text: string): Bytes {
  if (/[+/=]/.test(text)) throw new SyntaxError('base64url must be RFC 4648 section 5 text');
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
}

/** PEM (RFC 7468) with the label given, such as `CERTIFICATE`. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines = base64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The octets of every PEM block with that label, in order; none is an empty list. */
export function fromPem(label: string, text: string): Bytes[] {
  const block = new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, 'g');
  return [...text.matchAll(block)].map((match) => fromBase64((match[1] ?? '').replace(/\s+/g, '')));
}
