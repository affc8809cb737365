// The RFC 8894 coverage table of docs/rfc8894.md, from the points and the titles of the tests. `npm run docs`
// writes it; a test fails when it is not current.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './installed.ts';
import { points } from './rfc8894.ts';
import { nameOf, unitTests } from './unit-tests.ts';

const begin = '<!-- coverage: written by npm run docs -->';
const end = '<!-- end of coverage -->';

/** Point number: how many test titles name it, by file. */
function provenBy(): Map<number, Map<string, number>> {
  const found = new Map<number, Map<string, number>>();
  for (const path of unitTests()) {
    const source = readFileSync(join(root, path), 'utf8');
    for (const [, , title = ''] of source.matchAll(/\btest\(\s*(['"`])(.*?)\1,/gs)) {
      for (const [, number] of title.matchAll(/\[(\d{1,2})\]/g)) {
        const files = found.get(Number(number)) ?? new Map<string, number>();
        files.set(nameOf(path), (files.get(nameOf(path)) ?? 0) + 1);
        found.set(Number(number), files);
      }
    }
  }
  return found;
}

export function coverageTable(): string {
  const proven = provenBy();
  const unknown = [...proven.keys()].filter((n) => !points.some(({ number }) => number === n));
  if (unknown.length > 0) throw new Error(`titles name points that do not exist: ${unknown}`);
  const lines = points.map(({ number, section, text, note }) => {
    const files = [...(proven.get(number)?.keys() ?? [])].sort().map((file) => `\`${file}\``);
    if (files.length === 0 && !note) throw new Error(`point ${number} has neither test nor note`);
    const both = [...files, ...(note ? [note] : [])].join(', ');
    return `| ${number} | ${section} | ${text} | ${both} |`;
  });
  return [begin, '| # | § | requirement | proven by |', '|---|---|---|---|', ...lines, end].join(
    '\n',
  );
}

/** The page with the table in its place. */
export function withCoverage(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error('the page has no place for the coverage table');
  return page.slice(0, from) + coverageTable() + page.slice(to + end.length);
}
