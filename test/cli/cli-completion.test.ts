// scepter completion, by the shells themselves where they are installed: every command and every
// option of the table is offered, and nothing else.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { temporary } from '../support/process.ts';

const terminal = await openTerminal(await makeLab());
after(() => terminal.close());

type Word = { word: string; text: string };
type Node = { path: string; commands: Word[]; options: Word[]; choices: string[] };
const { out: json } = await terminal.run(['completion', 'bash', '--json']);
const { commands } = JSON.parse(json) as { commands: Node[] };
const folder = temporary('completion');

async function script(shell: string): Promise<string> {
  const { code, out } = await terminal.run(['completion', shell]);
  assert.equal(code, 0);
  const path = join(folder, shell);
  writeFileSync(path, out);
  return path;
}

/** What a program of the shell prints, in lines. */
function run(shell: string, ...args: string[]): string[] {
  const { status, stdout, stderr } = spawnSync(shell, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

const words = (list: readonly Word[]): string[] => list.map(({ word }) => word);
const same = (offered: string[], expected: string[], what: string) =>
  assert.deepEqual([...offered].sort(), [...expected].sort(), what);

/** The words that a shell offers behind a line, whose last word is what has been typed of it. */
type Offers = (line: readonly string[]) => string[];
const shells: Record<string, (path: string) => Offers> = {
  bash: (path) => (line) =>
    run(
      'bash',
      '-c',
      `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _scepter; printf '%s\\n' "\${COMPREPLY[@]}"`,
      path,
      ...line,
    ),
  // zsh completes only at its prompt; what the function tells the shell is looked at instead.
  zsh: (path) => (line) =>
    run(
      'zsh',
      '-f',
      '-c',
      `compdef() { }
compadd() { shift; print -rl -- "$@" }
_files() { }
_describe() { print -rl -- "\${(@)\${(@P)2}%%:*}" }
source "$0"
words=("$@"); CURRENT=$#
_scepter`,
      path,
      ...line,
    ).filter((word) => word.startsWith(line.at(-1) ?? '')),
  fish: (path) => (line) =>
    run('fish', '-N', '-c', 'source $argv[1]; complete -C $argv[2]', path, line.join(' ')).map(
      (offer) => offer.split('\t')[0] ?? '',
    ),
};

for (const [shell, from] of Object.entries(shells)) {
  const installed = spawnSync(shell, ['-c', 'true']).status === 0;
  describe(shell, { skip: installed ? false : `${shell} is not installed` }, async () => {
    const offers = from(await script(shell));

    test('completion offers every command below its noun', () => {
      for (const { path, commands: below } of commands) {
        if (below.length === 0) continue;
        const offered = offers([...path.split(' '), '']).filter((word) => !word.startsWith('-'));
        same(offered, words(below), path);
      }
    });

    test('completion offers every option of every command', () => {
      for (const { path, options } of commands) {
        same(offers([...path.split(' '), '--']), words(options), path);
      }
    });

    test('completion offers the words that an option or an argument may be, and those that begin as typed', () => {
      same(offers(['scepter', 'txn', 'list', '--state', 'p']), ['pending'], 'p');
      same(
        offers(['scepter', 'txn', 'list', '--limit', '5', '--state', 'is']),
        ['issued'],
        'behind another option',
      );
      same(offers(['scepter', 'completion', 'f']), ['fish'], 'completion');
    });

    test('completion offers no options where a file or a free text belongs', () => {
      assert.ok(offers(['scepter', 'inspect', '']).every((word) => !word.startsWith('-')));
      assert.ok(offers(['scepter', 'enrol', '--out', '']).every((word) => !word.startsWith('-')));
    });
  });
}

test('the table has every command with its sentence, and the scripts have nothing that a shell would run', async () => {
  assert.ok(commands.length > 14);
  for (const { commands: below, options } of commands) {
    for (const { text } of [...below, ...options]) assert.match(text, /^[^\n]+$/);
  }
  for (const shell of Object.keys(shells)) {
    const { out } = await terminal.run(['completion', shell]);
    assert.doesNotMatch(out, /`|\beval\b/);
  }
});

test('an unknown shell is exit 2 with the known ones', async () => {
  const { code, err } = await terminal.run(['completion', 'powershell']);
  assert.equal(code, 2);
  assert.match(err, /Allowed choices are bash, zsh, fish/);
});
