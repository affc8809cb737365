// X.690: the gate that every hostile octet passes, and the reader on top of it.
//
// `scan` walks the TLV headers once, iteratively, inside fixed bounds, and returns a tree of
// offsets into the input; nothing is copied or converted before a length has been checked. It reads
// BER, and marks each element that, with all it holds, is also DER: certificates and requests must be,
// the CMS shell around them need not (Apple and jscep stream it). High tag numbers, lengths over four
// octets and trailing octets are refused.

import { type Bytes, concat } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { MAX_DER_DEPTH, MAX_DER_NODES } from '../base/limits.ts';

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

type ScanLimits = { readonly depth: number; readonly nodes: number };
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

/**
 * Whether the content is DER for its universal type.
 * @param from @param to offsets of the content
 * @throws {Malformed} when it is not even BER
 */
type ContentRule = (source: Bytes, from: number, to: number) => boolean;

/** X.690 §8.2 to §8.8, §8.19: the types that are never constructed, by their number. */
const primitiveOnly: { readonly [type: number]: ContentRule } = {
  [tag.boolean]: (source, from, to) => {
    if (to - from !== 1) throw new Malformed('a BOOLEAN of other than one octet');
    return source[from] === 0 || source[from] === 0xff;
  },
  [tag.null]: (_source, from, to) => {
    if (to !== from) throw new Malformed('a NULL with content');
    return true;
  },
  [tag.integer]: isShortestInteger,
  [tag.enumerated]: isShortestInteger,
  [tag.oid]: requireSubidentifiers,
};

function universalRules(source: Bytes, identifier: number, from: number, to: number): boolean {
  const type = identifier & ~CONSTRUCTED;
  const constructed = type !== identifier;
  const rule = primitiveOnly[type];
  if (rule) {
    if (constructed) throw new Malformed('a constructed number');
    return rule(source, from, to);
  }
  if (identifier === tag.sequence || identifier === tag.set) return true;
  if ((identifier | CONSTRUCTED) === tag.sequence || (identifier | CONSTRUCTED) === tag.set) {
    throw new Malformed('a primitive SEQUENCE or SET');
  }
  if (constructed) return false; // a string in segments: BER
  return type !== tag.bitString || hasZeroPadding(source, from, to);
}

function isShortestInteger(source: Bytes, from: number, to: number): boolean {
  if (to === from) throw new Malformed('an empty INTEGER');
  const [first, second] = [source[from], source[from + 1] ?? 0];
  if (to - from === 1) return true;
  return second < 0x80 ? first !== 0 : first !== 0xff;
}

/** Each ends with an octet below 0x80, and begins with no padding, in BER as well. */
function requireSubidentifiers(source: Bytes, from: number, to: number): boolean {
  if (to === from || (source[to - 1] ?? 0) >= 0x80) {
    throw new Malformed('an OBJECT IDENTIFIER is cut short');
  }
  let starts = true;
  for (let i = from; i < to; i++) {
    const octet = source[i] ?? 0;
    if (starts && octet === 0x80) throw new Malformed('an OBJECT IDENTIFIER with padding');
    starts = octet < 0x80;
  }
  return true;
}

/** The unused bits of a BIT STRING are 0 in DER. */
function hasZeroPadding(source: Bytes, from: number, to: number): boolean {
  const unused = source[from] ?? 0;
  if (to === from || unused > 7 || (to - from === 1 && unused !== 0)) {
    throw new Malformed('a BIT STRING without its unused-bits octet');
  }
  return to - from === 1 || ((source[to - 1] ?? 0) & ((1 << unused) - 1)) === 0;
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
