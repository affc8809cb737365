// X.690: the gate that every hostile octet passes, and the reader on top of it.
//
// `scan` walks the TLV headers once, iteratively, inside fixed bounds, and returns a tree of
// offsets into the input; nothing is copied or converted before a length has been checked. It reads
// BER, and marks each element that, with all it holds, is also DER: what is signed must be DER, the
// CMS shell around it may be BER (Apple and jscep stream it). High tag numbers, lengths over four
// octets and trailing octets are refused.

import { type Bytes, concat } from '../bytes.ts';
import { Malformed } from '../errors.ts';
import { MAX_DER_DEPTH, MAX_DER_NODES } from '../limits.ts';

/** Identifier octets of the universal types in use here. */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of `[n]`: constructed for EXPLICIT and for IMPLICIT constructed types. */
export const context = (n: number): number => 0xa0 | n;
/** The identifier octet of `[n] IMPLICIT` over a primitive type. */
export const contextPrimitive = (n: number): number => 0x80 | n;

const CONSTRUCTED = 0x20;
const UNIVERSAL_CLASS = 0xc0;

export type Element = {
  readonly source: Bytes;
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  /** Offsets in `source`: of the identifier octet, of the content, behind it, behind the element. */
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
  /** Empty for a primitive element. */
  readonly children: readonly Element[];
  /** This element and everything inside it is DER. */
  readonly der: boolean;
};

type Open = {
  readonly source: Bytes;
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  contentEnd: number;
  end: number;
  readonly children: Element[];
  der: boolean;
  readonly indefinite: boolean;
};

export type ScanLimits = { readonly depth: number; readonly nodes: number };
const messageLimits: ScanLimits = { depth: MAX_DER_DEPTH, nodes: MAX_DER_NODES };

/**
 * The one element that `source` consists of.
 * @throws {Malformed} when it is not exactly one well-formed BER element within the limits.
 */
export function scan(source: Bytes, limits: ScanLimits = messageLimits): Element {
  const open: Open[] = [];
  let nodes = 0;
  let at = 0;
  for (;;) {
    const parent = open.at(-1);
    let done: Open;
    if (parent && at === closing(parent, at)) {
      done = parent;
      open.pop();
      at = done.end;
    } else {
      if (++nodes > limits.nodes) throw new Malformed(`more than ${limits.nodes} elements`);
      const element = header(source, at, parent?.contentEnd ?? source.length);
      if ((element.tag & CONSTRUCTED) !== 0) {
        if (open.length >= limits.depth) throw new Malformed(`nested below ${limits.depth}`);
        open.push(element);
        at = element.contentStart;
        continue;
      }
      done = element;
      at = element.end;
    }
    const above = open.at(-1);
    if (!above) {
      if (at !== source.length) throw new Malformed('octets after the end of the encoding');
      return done;
    }
    above.children.push(done);
    above.der &&= done.der;
  }
}

/** Where the open element's content ends, if that is known at this offset. */
function closing(element: Open, at: number): number | undefined {
  if (!element.indefinite) return element.contentEnd;
  if (element.source[at] !== 0 || element.source[at + 1] !== 0 || at + 2 > element.contentEnd) {
    return undefined;
  }
  element.contentEnd = at;
  element.end = at + 2;
  return at;
}

/** One header at `at`, whose element must end at or before `bound`. */
function header(source: Bytes, at: number, bound: number): Open {
  const identifier = source[at];
  let next = at + 1;
  let length = source[next++];
  if (identifier === undefined || length === undefined || next > bound) {
    throw new Malformed('an element is cut short');
  }
  if ((identifier & 0x1f) === 0x1f) throw new Malformed('a high tag number');
  if (identifier === 0) throw new Malformed('end-of-contents where none belongs');
  const constructed = (identifier & CONSTRUCTED) !== 0;
  let der = true;
  let indefinite = false;
  if (length === 0x80) {
    if (!constructed) throw new Malformed('a primitive element of indefinite length');
    indefinite = true;
    der = false;
  } else if (length > 0x80) {
    const octets = length & 0x7f;
    if (octets > 4) throw new Malformed('a length of more than four octets');
    length = 0;
    for (let i = 0; i < octets; i++) {
      const octet = next < bound ? source[next++] : undefined;
      if (octet === undefined) throw new Malformed('a length is cut short');
      length = length * 256 + octet;
    }
    // X.690 §10.1: DER has one way to write a length.
    if (length < 0x80 || length < 256 ** (octets - 1)) der = false;
  }
  const contentEnd = indefinite ? bound : next + length;
  if (contentEnd > bound) throw new Malformed('an element reaches beyond the one around it');
  if ((identifier & UNIVERSAL_CLASS) === 0) {
    const allowed = universalRules(source, identifier, next, contentEnd);
    der &&= allowed;
  }
  return {
    source,
    tag: identifier,
    start: at,
    contentStart: next,
    contentEnd,
    end: contentEnd,
    children: [],
    der,
    indefinite,
  };
}

/** X.690 §8: BOOLEAN, INTEGER, NULL, OBJECT IDENTIFIER and ENUMERATED are never constructed. */
const primitiveOnly: readonly number[] = [1, 2, 5, 6, 10];

/** Whether the content is DER for its universal type. @throws when it is not even BER. */
function universalRules(source: Bytes, identifier: number, from: number, to: number): boolean {
  const length = to - from;
  if ((identifier & CONSTRUCTED) !== 0 && primitiveOnly.includes(identifier & ~CONSTRUCTED)) {
    throw new Malformed('a constructed number');
  }
  const first = source[from] ?? 0;
  const last = source[to - 1] ?? 0;
  switch (identifier & ~CONSTRUCTED) {
    case 0x10:
    case 0x11:
      if ((identifier & CONSTRUCTED) === 0) throw new Malformed('a primitive SEQUENCE or SET');
      return true;
    case tag.boolean:
      if (length !== 1) throw new Malformed('a BOOLEAN of other than one octet');
      return first === 0 || first === 0xff;
    case tag.null:
      if (length !== 0) throw new Malformed('a NULL with content');
      break;
    case tag.integer:
    case tag.enumerated:
      if (length === 0) throw new Malformed('an empty INTEGER');
      if (length > 1) {
        const second = source[from + 1] ?? 0;
        if (first === 0 && second < 0x80) return false;
        if (first === 0xff && second >= 0x80) return false;
      }
      break;
    case tag.oid: {
      if (length === 0 || last >= 0x80) throw new Malformed('an OBJECT IDENTIFIER is cut short');
      for (let i = from; i < to; i++) {
        const starts = i === from || (source[i - 1] ?? 0) < 0x80;
        if (starts && source[i] === 0x80) throw new Malformed('an OBJECT IDENTIFIER with padding');
      }
      break;
    }
    case tag.bitString:
      if ((identifier & CONSTRUCTED) !== 0) return false;
      if (length === 0 || first > 7 || (length === 1 && first !== 0)) {
        throw new Malformed('a BIT STRING without its unused-bits octet');
      }
      return (last & ((1 << first) - 1)) === 0 || length === 1;
    default:
  }
  if ((identifier & CONSTRUCTED) === 0) return true;
  return false; // a string in segments: BER
}

/** The element's octets as they came, header included. A view, not a copy. */
export function raw(element: Element): Bytes {
  return element.source.subarray(element.start, element.end);
}

/** The content octets as they came. A view, not a copy. */
export function content(element: Element): Bytes {
  return element.source.subarray(element.contentStart, element.contentEnd);
}

/** The element, if it is DER through and through. @throws {Malformed} */
export function strictly(element: Element, what: string): Element {
  if (!element.der) throw new Malformed(`${what} is not DER`);
  return element;
}

/** A reader of the fields of a SEQUENCE or SET, in their order. Every method throws `Malformed`. */
export class Fields {
  readonly #children: readonly Element[];
  readonly #what: string;
  #at = 0;

  constructor(element: Element, what: string, expected: number = tag.sequence) {
    if (element.tag !== expected) throw new Malformed(`${what} is not what its place asks for`);
    this.#children = element.children;
    this.#what = what;
  }

  /** The next field, whatever its type. */
  any(name: string): Element {
    const element = this.#children[this.#at++];
    if (!element) throw new Malformed(`${this.#what} has no ${name}`);
    return element;
  }

  /** The next field, which must have this tag. */
  next(expected: number, name: string): Element {
    const element = this.any(name);
    if (element.tag !== expected) throw new Malformed(`${this.#what} has no ${name}`);
    return element;
  }

  /** The next field if it has one of these tags. */
  optional(...expected: readonly number[]): Element | undefined {
    const element = this.#children[this.#at];
    if (!element || !expected.includes(element.tag)) return undefined;
    this.#at++;
    return element;
  }

  /** There is no further field. */
  end(): void {
    if (this.#at < this.#children.length) throw new Malformed(`${this.#what} has a field too many`);
  }
}

/** An OCTET STRING, also in segments (X.690 §8.7.3) and under an IMPLICIT tag. */
export function octetString(element: Element, implicit: number = tag.octetString): Bytes {
  if (element.tag === (implicit & ~CONSTRUCTED)) return content(element);
  if (element.tag !== (implicit | CONSTRUCTED)) throw new Malformed('not an OCTET STRING');
  return concat(element.children.map((segment) => octetString(segment)));
}

/** The content of a BIT STRING of whole octets. */
export function bitString(element: Element): Bytes {
  if (element.tag !== tag.bitString || element.source[element.contentStart] !== 0) {
    throw new Malformed('not a BIT STRING of whole octets');
  }
  return element.source.subarray(element.contentStart + 1, element.contentEnd);
}

/** Dotted decimal. An arc may have up to 128 bits (2.25 UUIDs); the whole at most 64 octets. */
export function oid(element: Element): string {
  const octets = content(element);
  if (element.tag !== tag.oid || octets.length > 64) throw new Malformed('not an OID');
  const arcs: string[] = [];
  let value = 0n;
  let small = 0;
  for (const octet of octets) {
    if (small < 0x1fffffff) small = small * 128 + (octet & 0x7f);
    else value = (value || BigInt(small)) * 128n + BigInt(octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length > 0) arcs.push(String(value || small));
    else {
      const top = Math.min(2, Math.floor(small / 40));
      arcs.push(String(top), String((value || BigInt(small)) - BigInt(40 * top)));
    }
    value = 0n;
    small = 0;
  }
  return arcs.join('.');
}

/** A non-negative INTEGER below 2^31, such as a version. */
export function smallInteger(element: Element): number {
  const octets = content(element);
  if (element.tag !== tag.integer || octets.length > 4 || (octets[0] ?? 0x80) >= 0x80) {
    throw new Malformed('not a small INTEGER');
  }
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

/** A Time (RFC 5280 §4.1.2.5): UTCTime or GeneralizedTime, in UTC, to the second.
 * @returns milliseconds since 1970 */
export function time(element: Element): number {
  const octets = content(element);
  const text = octets.length > 15 ? '' : String.fromCharCode(...octets);
  const match =
    element.tag === tag.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : element.tag === tag.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : undefined;
  if (!match) throw new Malformed('not a Time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const full = element.tag === tag.generalizedTime ? year : year + (year < 50 ? 2000 : 1900);
  const at = new Date(0);
  at.setUTCFullYear(full, month - 1, day);
  at.setUTCHours(hour, minute, second);
  if (
    at.getUTCMonth() !== month - 1 ||
    at.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    throw new Malformed('not a date of the calendar');
  }
  return at.getTime();
}
