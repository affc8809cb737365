// Text from others, made safe to show. Names, transactionIDs and reasons are attackers' text: what
// could turn a line around, end it or command a terminal is shown as an escape instead.

/**
 * Control, format, line and paragraph separator characters as `\uXXXX`, everything else as it is.
 * JSON stays the same JSON, as long as it is not indented.
 */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeUnits);

const escapeUnits = (character: string): string =>
  Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('');

/** Text of strangers in HTML: it is shown, and does nothing. */
export const htmlText = (text: string): string =>
  visible(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

type Said = { readonly validator: string; readonly allows: boolean; readonly says?: string };

/** What a validator said, for people. */
export const verdictText = ({ validator, allows, says }: Said): string =>
  `${validator} ${allows ? 'allows' : 'refuses'}${says === undefined ? '' : `: ${says}`}`;

/** A time of milliseconds since 1970, for people and records (RFC 3339); `isoSeconds` is for whole seconds. */
export const iso = (ms: number): string => new Date(ms).toISOString();
export const isoSeconds = (ms: number): string => iso(ms).replace('.000Z', 'Z');

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

/** As one word of a POSIX shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
