// X.690 §10, §11: turns BER into DER, to compare values and to verify what a signer signed as DER and sent
// as BER. DER comes out unchanged.

import type { Bytes } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { content, type Element, octetString, tag } from './reader.ts';
import { setOf, tlv } from './writer.ts';

const CONSTRUCTED = 0x20;

/** Identifier octets of universal types are below it, once the constructed bit is removed. */
const CONTEXT = 0x40;

/**
 * Content under an IMPLICIT tag keeps the form in which it came, because its type is not known here.
 * @throws {Malformed} for a constructed string with segments that are not strings, and for any other
 * constructed universal type but SEQUENCE and SET
 */
export function derOf(element: Element): Bytes {
  const universal = element.tag & ~CONSTRUCTED;
  if (element.tag === universal) return tlv(universal, primitive(element));
  if (universal === 0 || universal === tag.bitString) {
    throw new Malformed('segments of an element that is not a string');
  }
  if (element.tag === tag.set) return setOf(...element.children.map(derOf));
  if (element.tag === tag.sequence || element.tag >= CONTEXT) {
    return tlv(element.tag, ...element.children.map(derOf));
  }
  // A string in segments (X.690 §8.7, §8.23).
  return tlv(universal, octetString(element, universal));
}

function primitive(element: Element): Bytes {
  const octets = content(element);
  switch (element.tag) {
    case tag.boolean:
      return Uint8Array.of(octets[0] === 0 ? 0 : 0xff);
    case tag.integer:
    case tag.enumerated:
      return integerContent(element);
    case tag.bitString: {
      const [unused = 0] = octets;
      const copy = octets.slice();
      const last = copy.length - 1;
      if (last > 0) copy[last] = (copy[last] ?? 0) & (0xff << unused);
      return copy;
    }
    default:
      return octets;
  }
}

/** The content of an INTEGER in the fewest octets (X.690 §8.3.2): two are equal if these are. */
export function integerContent(element: Element): Bytes {
  const octets = content(element);
  let from = 0;
  while (from < octets.length - 1) {
    const negative = (octets[from + 1] ?? 0) >= 0x80;
    if (octets[from] !== (negative ? 0xff : 0)) break;
    from++;
  }
  return octets.subarray(from);
}
