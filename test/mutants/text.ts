// Source text that can be found again after files have moved and lines have been wrapped anew: without
// comments, white space and trailing commas.

type Piece = {
  readonly kind: 'code' | 'space' | 'verbatim';
  readonly from: number;
  readonly to: number;
};

const space = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const string = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y;
const pattern = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const word = /[\w$]+/y;
/** Up to the end of a template, or to the next expression in it. */
const template = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y;

const beforePattern = new Set(['return', 'typeof', 'case', 'of', 'in', 'await', 'yield']);

const mayBePattern = (last: string): boolean =>
  /^[\w$]/.test(last) ? beforePattern.has(last) : !/[)\]}'"`]$/.test(last);

/** The parts of a source, one after the other. */
function* pieces(source: string): Generator<Piece> {
  /** Open braces in each template expression that is open. */
  const depths: number[] = [];
  let at = 0;
  let last = '';
  const match = (expression: RegExp): number => {
    expression.lastIndex = at;
    return expression.test(source) ? expression.lastIndex : -1;
  };
  const rest = (from: number): Piece => {
    const start = at;
    at = from;
    const to = match(template);
    last = source[to - 1] === '{' ? '{' : '`';
    if (last === '{') depths.push(0);
    at = to;
    return { kind: 'verbatim', from: start, to };
  };
  while (at < source.length) {
    const from = at;
    const char = source[at] ?? '';
    const blank = match(space);
    if (blank > at) {
      at = blank;
      yield { kind: 'space', from, to: at };
      continue;
    }
    const inTemplate = depths.at(-1);
    if (char === '`') {
      yield rest(at + 1);
      continue;
    }
    if (char === '}' && inTemplate === 0) {
      depths.pop();
      yield rest(at + 1);
      continue;
    }
    const literal = char === '/' ? (mayBePattern(last) ? match(pattern) : -1) : match(string);
    if (literal > at) {
      at = literal;
      last = "'";
      yield { kind: 'verbatim', from, to: at };
      continue;
    }
    if (inTemplate !== undefined && char === '{') depths[depths.length - 1] = inTemplate + 1;
    if (inTemplate !== undefined && char === '}') depths[depths.length - 1] = inTemplate - 1;
    at = Math.max(at + 1, match(word));
    last = source.slice(from, at);
    yield { kind: 'code', from, to: at };
  }
}

/** `at[i]` is where the character `i` of `text` is in the source. */
export type Compact = { readonly text: string; readonly at: readonly number[] };

export function compact(source: string): Compact {
  const chars: string[] = [];
  const at: number[] = [];
  let afterComma = false;
  for (const { kind, from, to } of pieces(source)) {
    if (kind === 'space') continue;
    if (kind === 'code' && afterComma && /[)\]}]/.test(source[from] ?? '')) {
      chars.pop();
      at.pop();
    }
    for (let offset = from; offset < to; offset++) {
      chars.push(source[offset] ?? '');
      at.push(offset);
    }
    afterComma = kind === 'code' && source[from] === ',';
  }
  return { text: chars.join(''), at };
}

/** The same code on one line, without comments. */
export function oneLine(source: string): string {
  const parts = [...pieces(source)].map(({ kind, from, to }) =>
    kind === 'space' ? ' ' : source.slice(from, to),
  );
  return parts.join('').trim();
}
