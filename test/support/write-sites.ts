// Where the code writes records, as it stands in the bundle of each function and as it ran: each place by
// its file, its function, what it does to the draft of a write, and the kind of record where that is said
// there. So a test can tell that it has been everywhere that a function could write.

import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Draft } from '../../lib/ca/record/unit-of-work.ts';
import { root } from './installed.ts';

const methods = ['put', 'create', 'remove', 'hold', 'use'] as const;
const called = new RegExp(`(?<![.\\w])\\w+\\.(${methods.join('|')})\\(\\s*(?:'(\\w+)')?`, 'g');
const drafts = join(root, 'lib', 'ca', 'record', 'unit-of-work.ts');

/** Whatever has the lines of a call of a draft: the argument may stand on the next one. */
function siteAt(path: string, line: number): string | undefined {
  const lines = readFileSync(path, 'utf8').split('\n');
  const text = `${lines[line - 1]}\n${lines[line] ?? ''}`;
  const [, method, kind = '-'] = called.exec(text) ?? [];
  called.lastIndex = 0;
  const before = lines.slice(0, line).reverse();
  const within = before.map((one) => /^(?:export )?(?:async )?function (\w+)/.exec(one)?.[1]);
  const name = within.find((one) => one !== undefined) ?? '-';
  return method && `${relative(root, path)} ${name} ${method} ${kind}`;
}

/** All places in the bundle of an entry point, by esbuild's tree shaking. */
export async function sitesIn(entry: string): Promise<Set<string>> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: entry },
    outdir: join(root, 'dist'),
    write: false,
    bundle: true,
    format: 'esm',
    splitting: true,
    platform: 'node',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
  });
  const sites = new Set<string>();
  for (const { path, text } of outputFiles.filter((one) => one.path.endsWith('.js'))) {
    const map = outputFiles.find((one) => one.path === `${path}.map`)?.text ?? '';
    const original = new SourceMap(JSON.parse(map));
    for (const [row, line] of text.split('\n').entries()) {
      for (const { index } of line.matchAll(called)) {
        const entry = original.findEntry(row, index);
        if (!('originalSource' in entry)) continue;
        const source = join(root, 'dist', entry.originalSource);
        if (!isOurs(source) || !isOfDraft(source)) continue;
        const site = siteAt(source, entry.originalLine + 1);
        if (site !== undefined) sites.add(site);
      }
    }
  }
  return sites;
}

const isOurs = (path: string): boolean =>
  path.startsWith(join(root, 'lib')) || path.startsWith(join(root, 'functions'));

/** A file that writes has a draft, by its type or by making one. */
const isOfDraft = (path: string): boolean =>
  path !== drafts && /\bDraft\b/.test(readFileSync(path, 'utf8'));

const noted = new AsyncLocalStorage<Set<string>>();

/** Does this, and notes where it writes. */
export const notingSites = <T>(sites: Set<string>, work: () => T): T => noted.run(sites, work);

for (const method of methods) {
  const real = Reflect.get(Draft.prototype, method) as (...args: unknown[]) => void;
  const noting = function (this: Draft, ...args: unknown[]): void {
    const [, , caller = ''] = new Error().stack?.split('\n') ?? [];
    const [, url = '', line = ''] = /(file:\/\/\S+?):(\d+):\d+/.exec(caller) ?? [];
    const path = url && fileURLToPath(url);
    // An event is two records of the draft's own.
    const site = path && path !== drafts ? siteAt(path, Number(line)) : undefined;
    if (site !== undefined) noted.getStore()?.add(site);
    real.apply(this, args);
  };
  Object.defineProperty(Draft.prototype, method, { value: noting });
}
