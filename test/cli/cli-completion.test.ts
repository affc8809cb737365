// scepter completion, by the shells themselves where they are installed: every command and every
// option of the table is offered, and nothing else; and names and identifiers that the server knows.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { kinds } from '../../lib/cli/service/offers.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { patiently, temporary } from '../support/process.ts';

const lab = await makeLab({
  config: {
    cas: { default: { subject: 'CN=First CA' }, second: { subject: 'CN=Second CA' } },
    endpoints: { default: { ca: 'default', approval: 'always' }, vpn: { ca: 'default' } },
  },
});
const terminal = await openTerminal(lab);
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

/** `scepter` on the PATH of the shells. */
const bin = `#!/bin/sh\nexec "${process.execPath}" "${join(import.meta.dirname, '../../bin/scepter.js')}" "$@"\n`;
writeFileSync(join(folder, 'scepter'), bin, { mode: 0o755 });

/** What a program of the shell prints, in lines. */
type Run = (shell: string, ...args: string[]) => Promise<string[]>;
const runAt =
  (url: string): Run =>
  async (shell, ...args) => {
    const PATH = `${folder}${delimiter}${process.env.PATH}`;
    // How long this machine takes says nothing about us.
    const env = {
      ...process.env,
      ...patiently,
      PATH,
      SCEPTER_URL: url,
      SCEPTER_TOKEN: lab.adminToken,
    };
    const child = spawn(shell, args, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    assert.equal(code, 0, err);
    assert.equal(err, '');
    return out.split('\n').filter((line) => line !== '');
  };
const run = runAt(terminal.url);

const words = (list: readonly Word[]): string[] => list.map(({ word }) => word);
const same = (offered: string[], expected: string[], what: string) =>
  assert.deepEqual([...offered].sort(), [...expected].sort(), what);

/** The words that a shell offers behind each line, whose last word is what has been typed of it. */
type Offers = (lines: readonly (readonly string[])[]) => Promise<string[][]>;
const programs: Readonly<Record<string, readonly string[]>> = {
  bash: [
    '-c',
    `source "$0"
for line in "$@"; do
  read -ra COMP_WORDS <<< "$line"; case "$line" in *' ') COMP_WORDS+=('') ;; esac
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  _scepter; printf '%s\\n' "\${COMPREPLY[@]}" =
done`,
  ],
  // zsh completes only at its prompt; what the function tells the shell is looked at instead.
  zsh: [
    '-f',
    '-c',
    `compdef() { }
compadd() { shift; print -rl -- "$@" }
_files() { }
_describe() { print -rl -- "\${(@)\${(@P)2}%%:*}" }
source "$0"
for line in "$@"; do
  words=(\${(s: :)line}); if [[ $line == *' ' ]] words+=('')
  CURRENT=$#words
  _scepter; print =
done`,
  ],
  fish: ['-N', '-c', 'source $argv[1]; for line in $argv[2..-1]; complete -C $line; echo =; end'],
};
const offersBy =
  (shell: string, path: string, by: Run): Offers =>
  async (lines) => {
    const program = programs[shell] ?? [];
    const printed = await by(shell, ...program, path, ...lines.map((line) => line.join(' ')));
    const offered: string[][] = [[]];
    for (const line of printed) {
      if (line === '=') offered.push([]);
      else offered.at(-1)?.push(line.split('\t')[0] ?? '');
    }
    return lines.map((line, at) =>
      (offered[at] ?? []).filter((word) => word.startsWith(line.at(-1) ?? '')),
    );
  };

const sent = await enrolment(lab, {
  key: await deviceKey('completion'),
  subject: 'CN=device-1',
  challenge: await lab.challenge({ endpoint: 'vpn' }),
});
const sentAnswer = await sent.read(await lab.operate(sent.message, '/scep/vpn'));
assert.equal(sentAnswer.pkiStatus, 'SUCCESS');
const waiting = await enrolment(lab, {
  key: await deviceKey('completion waits'),
  subject: 'CN=device-2',
  challenge: await lab.challenge({ endpoint: 'default' }),
});
const waits = await waiting.read(await lab.operate(waiting.message));
assert.equal(waits.pkiStatus, 'PENDING');
await terminal.run(['challenge', 'create']);
const idsOf = async (...args: string[]): Promise<string[]> => {
  const { out } = await terminal.run([...args, '--json']);
  const [items] = Object.values(JSON.parse(out)) as Record<string, string>[][];
  return (items ?? []).map((item) => item.serial ?? item.id ?? '');
};
const [serial = ''] = await idsOf('cert', 'list');
const [pending = ''] = await idsOf('txn', 'list', '--state', 'pending');
const open = await idsOf('challenge', 'list', '--state', 'open');

for (const shell of Object.keys(programs)) {
  const installed = spawnSync(shell, ['-c', 'true']).status === 0;
  describe(shell, { skip: installed ? false : `${shell} is not installed` }, async () => {
    const path = await script(shell);
    const offers = offersBy(shell, path, run);

    test('completion offers every command below its noun', async () => {
      const nouns = commands.filter(({ commands: below }) => below.length > 0);
      const offered = await offers(nouns.map(({ path: noun }) => [...noun.split(' '), '']));
      for (const [at, noun] of nouns.entries()) {
        const found = (offered[at] ?? []).filter((word) => !word.startsWith('-'));
        same(found, words(noun.commands), noun.path);
      }
    });

    test('completion offers every option of every command', async () => {
      const offered = await offers(commands.map((one) => [...one.path.split(' '), '--']));
      for (const [at, one] of commands.entries()) {
        same(offered[at] ?? [], words(one.options), one.path);
      }
    });

    test('completion offers the words that an option or an argument may be, and those that begin as typed', async () => {
      const [begun = [], behind = [], argument = [], ...more] = await offers([
        ['scepter', 'txn', 'list', '--state', 'p'],
        ['scepter', 'txn', 'list', '--limit', '5', '--state', 'is'],
        ['scepter', 'completion', 'f'],
        ['scepter', 'cert', 'list', '-o', 'c'],
        ['scepter', 'init', '--target', 'aws'],
        ['scepter', 'token', 'create', 'x', '--role', 'ch'],
        ['scepter', 'explain', 'SCEP-311'],
      ]);
      const expected = [['csv'], ['aws-cdk', 'aws-terraform'], ['challenger'], ['SCEP-311']];
      for (const [at, words] of expected.entries()) same(more[at] ?? [], words, words.join(' '));
      same(begun, ['pending'], 'p');
      same(behind, ['issued'], 'behind another option');
      same(argument, ['fish'], 'completion');
    });

    test('completion offers no options where a file or a free text belongs', async () => {
      const offered = await offers([
        ['scepter', 'inspect', ''],
        ['scepter', 'enrol', '--out', ''],
      ]);
      assert.ok(offered.flat().every((word) => !word.startsWith('-')));
    });

    test('completion offers the names and identifiers that the server has, as far as they are typed', async () => {
      const [option = [], argument = [], dash = []] = await offers([
        ['scepter', 'txn', 'list', '--endpoint', 'v'],
        ['scepter', 'cert', 'show', serial.slice(0, 4)],
        ['scepter', 'cert', 'show', '--js'],
      ]);
      same(option, ['vpn'], 'an option');
      same(argument, [serial], 'an argument');
      same(dash, ['--json'], 'an option where an argument may be');
    });

    test('completion offers nothing, and says nothing, where no server answers', async () => {
      const alone = offersBy(shell, path, runAt('http://127.0.0.1:9'));
      assert.deepEqual(await alone([['scepter', 'cert', 'list', '--ca', '']]), [[]]);
    });

    test('completion offers no value of a server that a shell would run or split', async () => {
      const ids = ['$(touch pwned)', '`touch pwned`', 'a b', '-x', ';', 'good'];
      const evil = await openTerminal(lab, async (request, answer) => {
        const status = (await (await answer(request)).json()) as { cas: object[] };
        return Response.json({ ...status, cas: ids.map((id) => ({ ...status.cas[0], id })) });
      });
      const offered = await offersBy(shell, path, runAt(evil.url))([['scepter', 'ca', 'show', '']]);
      await evil.close();
      assert.deepEqual(offered, [['good']]);
      assert.equal(existsSync(join(folder, 'pwned')), false);
    });
  });
}

test('values are those of the command and the option, with what people know them by', async () => {
  for (const [kind, line, expected] of [
    ['endpoint', ['challenge', 'create', '--endpoint', ''], ['default\tdevice', 'vpn\tdevice']],
    ['ca', ['ca', 'show', 's'], ['second\t']],
    ['serial', ['cert', 'show', ''], [`${serial}\tCN=device-1`]],
    ['pending', ['txn', 'approve', ''], [`${pending}\tCN=device-2`]],
    ['transaction', ['txn', 'show', pending.slice(0, -1)], [`${pending}\tCN=device-2`]],
    ['transaction', ['txn', 'show', '--endpoint', 'vpn', pending], []],
    ['challenge', ['challenge', 'revoke', ''], open.map((id) => `${id}\t`)],
  ] as const) {
    const asked = ['completion', 'fish', '--values', kind, '--', ...line];
    const { code, out, err } = await terminal.run(asked);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    same(out.split('\n').slice(0, -1), [...expected], line.join(' '));
  }
  const { commands: table } = JSON.parse(json) as {
    commands: { asks?: string; values: string[][] }[];
  };
  const used = table.flatMap(({ asks, values }) => [asks, ...values.map(([, , kind]) => kind)]);
  assert.deepEqual([...new Set(used.filter((kind) => kind))].sort(), Object.keys(kinds).sort());
});

test('a serial number is found by its beginning however old it is, for as long as a person waits', async () => {
  const seen: URLSearchParams[] = [];
  const endless = await openTerminal(lab, async (request, answer) => {
    const { searchParams } = new URL(request.url);
    seen.push(searchParams);
    lab.clock.at += 400;
    return searchParams.get('serialPrefix') === '00'
      ? Response.json({ certificates: [], next: 'more' })
      : answer(request);
  });
  const offered = (begin: string) =>
    endless.run(['completion', 'bash', '--values', 'serial', '--', 'cert', 'show', begin]);
  const begin = serial.slice(0, 4);
  assert.deepEqual(await offered(begin), { code: 0, out: `${serial}\n`, err: '' });
  assert.deepEqual(await offered('00'), { code: 0, out: '', err: '' });
  await endless.close();
  assert.deepEqual(
    seen.map((query) => query.get('serialPrefix')),
    [begin, '00', '00', '00'],
  );
});

test('values are asked for at the server of the line, once, and not for longer than a person waits', async () => {
  const seen: string[] = [];
  const slow = await openTerminal(lab, (request) => {
    seen.push(new URL(request.url).pathname);
    return new Promise(() => {});
  });
  const line = [
    'cert',
    'list',
    '--url',
    slow.url,
    '--token-file',
    join(folder, 'token'),
    '--ca',
    '',
  ];
  writeFileSync(join(folder, 'token'), lab.adminToken);
  const asked = ['completion', 'bash', '--values', 'ca', '--', ...line];
  assert.deepEqual(await terminal.run(asked), { code: 0, out: '', err: '' });
  await slow.close();
  assert.deepEqual(seen, ['/api/v1/status']);
});

test('the table has every command with its sentence, and the scripts have nothing that a shell would run', async () => {
  assert.ok(commands.length > 14);
  for (const { commands: below, options } of commands) {
    for (const { text } of [...below, ...options]) assert.match(text, /^[^\n]+$/);
  }
  for (const shell of Object.keys(programs)) {
    const { out } = await terminal.run(['completion', shell]);
    assert.doesNotMatch(out, /`|\beval\b/);
  }
});

test('an unknown shell is exit 2 with the known ones', async () => {
  const { code, err } = await terminal.run(['completion', 'powershell']);
  assert.equal(code, 2);
  assert.match(err, /Allowed choices are bash, zsh, fish/);
});
