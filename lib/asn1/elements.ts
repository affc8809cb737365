// Reads one long SEQUENCE element by element, because a CRL may have more entries than `scan` accepts.

import type { Bytes } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { tag } from './reader.ts';

/** The encodings inside one SEQUENCE, one after the other, none of them read. @throws {Malformed} */
export function* elementsIn(whole: Bytes): Generator<Bytes> {
  const outer = headerAt(whole, 0);
  if (whole[0] !== tag.sequence || outer.end !== whole.length) {
    throw new Malformed('not one SEQUENCE');
  }
  for (let at = outer.content; at < whole.length; ) {
    const { end } = headerAt(whole, at);
    if (end > whole.length) throw new Malformed('an element reaches beyond the one around it');
    yield whole.subarray(at, end);
    at = end;
  }
}

/** X.690 §10.1: a definite length, in the one way that DER has for it. */
function headerAt(source: Bytes, at: number): { content: number; end: number } {
  const first = source[at + 1] ?? 0x80;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  let length = octets === 0 ? first : 0;
  for (let i = 0; i < octets; i++) length = length * 256 + (source[at + 2 + i] ?? 0);
  const shortest = first < 0x80 || (length >= 0x80 && length >= 256 ** (octets - 1));
  if (first === 0x80 || octets > 4 || !shortest) throw new Malformed('a length that is not DER');
  const start = at + 2 + octets;
  return { content: start, end: start + length };
}
