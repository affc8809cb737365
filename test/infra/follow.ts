// Follows a guide: its blocks of one name, in their order, in one shell, in a copy of the repository.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Block, blocksOf } from '../support/blocks.ts';
import { root } from '../support/installed.ts';
import { temporary } from '../support/process.ts';
import { type Account, openAccount } from './account.ts';
import { packages, python } from './templates.ts';

const folders = ['bin', 'docs', 'examples', 'functions', 'infra', 'lib'];

type Followed = {
  readonly code: number | null;
  /** Of the block that failed, if one did: where it stands, and what was said in it. */
  readonly where: string;
  readonly said: string;
};

/** What a reader has cloned, and what "Before" of the guides has him do: packages, a release, `scepter` on the PATH. */
function clone() {
  const folder = temporary('guide');
  const copy = join(folder, 'scepter');
  const skipped = ['node_modules', 'cdk.out', '.wrangler', '.dev.vars', '.terraform'];
  for (const name of [...folders, 'package.json', 'package-lock.json']) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      // The module's folder links to policies and packages.
      verbatimSymlinks: true,
      filter: (path) => !skipped.includes(basename(path)),
    });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  cpSync(packages, join(copy, 'dist', 'release'), { recursive: true });
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  const standIn = join(import.meta.dirname, 'stand-in.ts');
  for (const name of ['aws', 'npm', 'npx', 'terraform']) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${standIn}' ${name} "$@"\n`;
    writeFileSync(join(tools, name), script, { mode: 0o755 });
  }
  const home = join(folder, 'home');
  mkdirSync(home);
  const path = [tools, join(copy, 'bin'), python, process.env.PATH].join(':');
  return { copy, home, env: { GUIDE_COPY: copy, GUIDE_TOOLS: tools, PATH: path } };
}

/** To the end, or to the first command that fails. */
async function follow(
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

/** @returns the copy of the repository that it was followed in */
export async function followed(
  [page, name]: readonly [page: string, name: string],
  look: (account: Account) => void = () => {},
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const blocks = blocksOf(page, name);
  assert.ok(blocks.length > 1, `${page} has a guide ${name}`);
  const { copy, home, env } = clone();
  const account = await openAccount(home);
  try {
    const here = { ...env, ...account.env, AWS_REGION: account.region, ...more };
    const { code, where, said } = await follow(blocks, copy, here);
    assert.equal(code, 0, `${page}, ${where}: ${said}\n${account.errors.join('\n')}`);
    assert.deepEqual(account.errors, []);
    look(account);
  } finally {
    await account.stop();
  }
  return copy;
}
