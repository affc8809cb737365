// Follows a guide: its blocks of one name, in their order, in one shell, in a copy of the repository.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';
import { packages, python } from './templates.ts';

const folders = ['bin', 'docs', 'examples', 'functions', 'infra', 'lib'];

export type Followed = {
  readonly code: number | null;
  /** Of the block that failed, if one did: where it stands, and what was said in it. */
  readonly where: string;
  readonly said: string;
};

type Block = { readonly line: number; readonly script: string };

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

/** What a reader has cloned, and what "Before" of the guides has him do: packages, a release, `scepter` on the PATH. */
export function clone() {
  const folder = temporary('guide');
  const copy = join(folder, 'scepter');
  const skipped = ['node_modules', 'cdk.out', '.wrangler', '.dev.vars'];
  for (const name of [...folders, 'package.json', 'package-lock.json']) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (path) => !skipped.includes(basename(path)),
    });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  cpSync(packages, join(copy, 'dist', 'release'), { recursive: true });
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  const standIn = join(import.meta.dirname, 'stand-in.ts');
  for (const name of ['npm', 'npx']) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${standIn}' ${name} "$@"\n`;
    writeFileSync(join(tools, name), script, { mode: 0o755 });
  }
  const home = join(folder, 'home');
  mkdirSync(home);
  const path = [tools, join(copy, 'bin'), python, process.env.PATH].join(':');
  return { copy, home, env: { GUIDE_COPY: copy, PATH: path } };
}

/** To the end, or to the first command that fails. */
export async function follow(
  blocks: readonly Block[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Followed> {
  const script = blocks.map(({ line, script }) => `echo 'BLOCK ${line}' >&2\n${script}`).join('\n');
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  const last = said.lastIndexOf('BLOCK ');
  const [where = ''] = said.slice(last).split('\n');
  return { code, where: where.replace('BLOCK', 'line'), said: said.slice(last).trim() };
}
