// CloudWatch Logs' filter patterns, as far as ours go.

import assert from 'node:assert/strict';

/** `{ ($.a = "x") || ($.b > 1 && $.c = "x*") }`. */
export function finds(pattern: string, line: Readonly<Record<string, unknown>>): boolean {
  const holds = (condition: string): boolean => {
    const [, name = '', operator, text = ''] =
      /^\$\.(\w+) (=|>) (.+)$/.exec(condition) ?? assert.fail(condition);
    const found = line[name];
    if (operator === '>') return typeof found === 'number' && found > Number(text);
    const parts = (JSON.parse(text) as string)
      .split('*')
      .map((part) => part.replace(/\W/g, '\\$&'));
    return typeof found === 'string' && new RegExp(`^${parts.join('.*')}$`).test(found);
  };
  return pattern
    .replace(/^\{ | \}$/g, '')
    .split(' || ')
    .map((some) => some.replace(/^\(|\)$/g, '').split(' && '))
    .some((all) => all.every(holds));
}
