// The shell blocks of a page that one of its tests follows.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './installed.ts';

export type Block = { readonly line: number; readonly script: string };

/** Of a page, those that say `guide=NAME`, or several names with commas between. */
export function blocksOf(page: string, name: string): Block[] {
  const markdown = readFileSync(join(root, page), 'utf8');
  return [...markdown.matchAll(/^```sh guide=([\w,-]+)\n([\s\S]*?)^```$/gm)].flatMap(
    ({ index, 1: names = '', 2: script = '' }) =>
      names.split(',').includes(name)
        ? [{ line: markdown.slice(0, index).split('\n').length, script }]
        : [],
  );
}
