// A property list of Apple's, as XML: the six kinds of value that configuration profiles are made of.

import { type Bytes, base64 } from '../base/bytes.ts';
import { xmlText } from './xml.ts';

export type Plist =
  | string
  | number
  | boolean
  | Bytes
  | readonly Plist[]
  | { readonly [key: string]: Plist };

/** @throws {SyntaxError} for text that XML cannot carry */
export const plist = (root: Plist): string => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${element(root, '')}</plist>
`;

function element(value: Plist, indent: string): string {
  const line = (tag: string, text: string) => `${indent}<${tag}>${text}</${tag}>\n`;
  if (typeof value === 'string') return line('string', xmlText(value));
  if (typeof value === 'number') return line('integer', `${Math.trunc(value)}`);
  if (typeof value === 'boolean') return `${indent}<${value}/>\n`;
  if (value instanceof Uint8Array) return line('data', base64(value));
  const below = `${indent}\t`;
  const around = (tag: string, inside: string) =>
    `${indent}<${tag}>\n${inside}${indent}</${tag}>\n`;
  if (isList(value)) return around('array', value.map((one) => element(one, below)).join(''));
  const entries = Object.entries(value).map(
    ([key, one]) => `${below}<key>${xmlText(key)}</key>\n${element(one, below)}`,
  );
  return around('dict', entries.join(''));
}

const isList = (value: object): value is readonly Plist[] => Array.isArray(value);
