// The words by which people find a Transaction: runs of letters and digits in its subjectAltNames, in the values of
// its subject's attributes and in what its device is called, without regard to case and form (Unicode NFKC, lower case; a host name as it is
// certified, xn--… too). Pure: what the index gets, what a search asks for, and what a record must have.

import { fromHex, fromUtf8 } from '../../base/bytes.ts';
import { MAX_INDEXED_WORDS, MAX_SEARCH_WORDS } from '../../base/limits.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { SearchTerm } from '../../ports/search-index.ts';

/** Of a word in the index, with what follows it: longer names differ before that, and DynamoDB sorts by 1,024 octets. */
const MAX_INDEXED_CHARACTERS = 100;

/** Sought inside words: an index of three characters at a time finds no fewer. */
const MIN_INSIDE_CHARACTERS = 3;

type Named = Pick<Transaction, 'subject' | 'names'> & { readonly device?: string | undefined };

const word = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu;

const normal = (text: string): string =>
  text.toWellFormed().normalize('NFKC').toLowerCase().normalize('NFKC');

/** As the index has it: stores differ in the order of everything that is not ASCII. */
const encoded = (text: string): string => encodeURIComponent(text).slice(0, MAX_INDEXED_CHARACTERS);

const attribute = /(?:^|[,+])[^=,+\\]+=((?:\\.|[^\\,+])*)/gsu;

/** The value of an attribute, of RFC 4514 text. */
const unescaped = (value: string): string =>
  value.replace(/((?:\\[0-9a-f]{2})+)|\\(.)/gis, (all, octets?: string, character = '') =>
    octets === undefined ? character : (textOf(octets) ?? all),
  );

function textOf(octets: string): string | undefined {
  try {
    return fromUtf8(fromHex(octets.replaceAll('\\', '')));
  } catch (error) {
    if (error instanceof TypeError) return undefined; // no UTF-8
    throw error;
  }
}

const valuesOf = ({ subject, names, device }: Named): string[] => [
  ...(device === undefined ? [] : [normal(device)]),
  ...[...subject.matchAll(attribute)].map(([, value = '']) => normal(unescaped(value))),
  ...names.map((name) => normal(name.slice(name.indexOf(':') + 1))),
];

/**
 * What the index has of a Transaction: `MAX_INDEXED_WORDS` at most, the first word of each value before the second of
 * any, so that of many long names the beginnings are found.
 */
export function startsOf(named: Named): string[] {
  const each = valuesOf(named).map((value) =>
    Array.from(value.matchAll(word), ({ index }) => index)
      .slice(0, MAX_INDEXED_WORDS)
      .map((index) => encoded(value.slice(index))),
  );
  const starts = new Set<string>();
  for (let nth = 0; nth < MAX_INDEXED_WORDS; nth++) {
    for (const { [nth]: start } of each) {
      if (start !== undefined && starts.size < MAX_INDEXED_WORDS) starts.add(start);
    }
  }
  return [...starts];
}

/** What one word of a search asks for. */
export type Sought = { readonly text: string; readonly inside: boolean };

/** What an attribute of a subject and a name begin with where they are printed. */
const label = /^(?:[a-z][\w.-]*=|\d+(?:\.\d+)+=|(?:dns|email|uri|ip|upn|sid):)/i;

/**
 * The words of a search, in any order. `*` before one: inside words too. What people copy is understood: a subject as it
 * is printed (`CN=…,O=…`), a name with its type (`dns:…`).
 * @throws {SyntaxError} with a sentence
 */
export function wantedIn(text: string, findsInside: boolean): Sought[] {
  const wanted = new Map<string, Sought>();
  for (const piece of text.split(/[\s,;+\\]+/u)) {
    const inside = piece.startsWith('*');
    const bare = normal(piece.replace(/^\*+|\*+$/g, '').replace(label, ''));
    const sought = inside ? bare : bare.replace(/^[^\p{L}\p{N}]+/u, '');
    if (sought === '') continue;
    if (inside && !findsInside) {
      throw new SyntaxError(
        `"${piece}" is sought inside words, which only records in a file allow: leave the * out, and begin with the beginning of a word`,
      );
    }
    if (inside && [...sought].length < MIN_INSIDE_CHARACTERS) {
      throw new SyntaxError(
        `"${piece}" is too short: inside words, ${MIN_INSIDE_CHARACTERS} characters or more are sought`,
      );
    }
    wanted.set(`${inside} ${sought}`, { text: sought, inside });
  }
  if (wanted.size === 0) throw new SyntaxError('has no letter or digit to look for');
  if (wanted.size > MAX_SEARCH_WORDS) {
    throw new SyntaxError(`has ${wanted.size} words; ${MAX_SEARCH_WORDS} at most are looked for`);
  }
  return [...wanted.values()];
}

export const termOf = ({ text, inside }: Sought): SearchTerm => ({ text: encoded(text), inside });

/** Whether what the record says has all of it: the index may lag, and may have cut it. */
export function hasAll(named: Named, wanted: readonly Sought[]): boolean {
  const values = valuesOf(named);
  return wanted.every(({ text, inside }) =>
    values.some((value) =>
      inside
        ? value.includes(text)
        : Array.from(value.matchAll(word)).some(({ index }) => value.startsWith(text, index)),
    ),
  );
}
