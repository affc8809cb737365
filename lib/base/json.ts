// RFC 8785 (JSON Canonicalization Scheme): one octet string for one JSON value, so that hashes and
// MACs over records mean the same everywhere and for ever. ECMAScript's own number and string forms
// are the ones of the RFC; what is left to do is the order of the members.

import { type Bytes, utf8 } from './bytes.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** Members that are undefined are left out. @throws {TypeError} for numbers and text JSON lacks */
export const canonical = (value: Json): Bytes => utf8(canonicalText(value));

export function canonicalText(value: Json): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError('not a JSON number');
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalText).join(',')}]`;
  let members = '';
  // RFC 8785 §3.2.3: by UTF-16 code units, which is what sort() compares.
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    members += `${members && ','}${canonicalString(key)}:${canonicalText(member)}`;
  }
  return `{${members}}`;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('not Unicode text');
  return JSON.stringify(text);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
