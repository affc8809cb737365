// Every command of the table, one rule after the other: a sentence, help with examples that it accepts,
// --json, exit codes, and a hint after a typing error.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Command } from 'commander';
import type { Io } from '../../lib/cli/io.ts';
import { makeProgram } from '../../lib/cli/main.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { temporary } from '../support/process.ts';
import { wordsOf } from '../support/shell.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());

const silent: Io = {
  url: 'http://127.0.0.1:9',
  tokenFrom: 'none',
  token: async () => 'x',
  jwt: undefined,
  invoke: () => Promise.reject(new Error('none')),
  stdin: async () => new Uint8Array(0),
  out: () => {},
  note: () => {},
  page: async () => {},
  style: (_, text) => text,
  columns: undefined,
  progress: undefined,
  prompt: undefined,
  home: { schema: '', repository: undefined },
  stopped: () => new AbortController().signal,
  clock: { now: () => 0, sleep: async () => {} },
  config: async () => ({ name: 'x', document: {} }),
  outside: () => Promise.reject(new Error('none')),
  pages: () => Promise.reject(new Error('none')),
  serve: () => Promise.reject(new Error('none')),
  operator: () => Promise.reject(new Error('none')),
  backups: () => Promise.reject(new Error('none')),
};

type Leaf = { readonly path: readonly string[]; readonly command: Command };
function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}
const all = leaves(await makeProgram('0.0.0', silent));

/** The `scepter` commands in the examples of a help page. */
function examplesOf(help: string): string[] {
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => [...line.matchAll(/\bscepter ([^|)><]*)/g)].map(([, args = '']) => args));
}

/** Parses the words and gives the path of the command that would have run. */
async function parsed(args: readonly string[]): Promise<string> {
  const program = await makeProgram('0.0.0', silent);
  let ran = '';
  for (const { path, command } of leaves(program)) {
    command.action(() => {
      ran = path.join(' ');
    });
  }
  await program.parseAsync(args, { from: 'user' });
  return ran;
}

test('help of a word whose modules are not loaded is as if they were', async () => {
  const whole = await makeProgram('0.0.0', silent);
  const listed = await makeProgram('0.0.0', silent, []);
  assert.equal(listed.helpInformation(), whole.helpInformation());
  for (const { name, loaded } of whole.commands.map((one) => ({ name: one.name(), loaded: one }))) {
    const alone = await makeProgram('0.0.0', silent, [name]);
    const [own] = alone.commands.filter((one) => one.name() === name);
    assert.equal(own?.helpInformation(), loaded.helpInformation());
    assert.equal(alone.commands.filter(({ commands }) => commands.length > 0).length <= 1, true);
  }
});

test('the table has every command', () => {
  assert.deepEqual(
    all.map(({ path }) => path.join(' ')),
    [
      'challenge create',
      'challenge list',
      'challenge show',
      'challenge revoke',
      'devices import',
      'devices list',
      'devices show',
      'devices remove',
      'txn list',
      'txn show',
      'txn approve',
      'txn deny',
      'txn link',
      'txn watch',
      'cert list',
      'cert show',
      'cert revoke',
      'cert hold',
      'cert release',
      'cert renewals',
      'crl show',
      'crl publish',
      'crl rebuild',
      'crl partition',
      'ca show',
      'ca export',
      'ca init',
      'ca import-chain',
      'ca rotate-ra',
      'ca restore',
      'ca mac-keys',
      'ca crl-floor',
      'ca retire',
      'enrol',
      'renew',
      'mdm apple-profile',
      'mdm intune',
      'mdm jamf',
      'mdm fleet',
      'mdm windows-csp',
      'mdm cisco',
      'mdm routeros',
      'mdm strongswan',
      'mdm certmonger',
      'inspect',
      'status',
      'backup',
      'restore',
      'policy test',
      'policy replay',
      'log tail',
      'log export',
      'log forget',
      'log key',
      'log recover',
      'log proof',
      'log check',
      'log verify',
      'evidence',
      'explain',
      'token create',
      'token list',
      'token revoke',
      'config validate',
      'config print',
      'init',
      'serve',
      'cost',
      'doctor',
      'completion',
    ],
  );
});

for (const { path, command } of all) {
  const name = path.join(' ');
  describe(name, () => {
    test('a command says in a sentence what it is for, and so do its options and arguments', () => {
      const said = [
        command.description(),
        ...command.options.map(({ description }) => description),
        ...command.registeredArguments.map(({ description }) => description),
      ];
      for (const sentence of said) {
        assert.match(sentence, /^[^\s].{8,}[^.\s]$/, `"${sentence}"`);
        assert.doesNotMatch(sentence, /^[A-Z][a-z]/);
      }
    });

    test('a command has help on stdout with examples that it accepts', async () => {
      const { code, out, err } = await terminal.run([...path, '--help']);
      assert.equal(code, 0);
      assert.equal(err, '');
      assert.ok(out.startsWith(`Usage: scepter ${name} `), out);
      const examples = examplesOf(out).map(wordsOf);
      const own = examples.filter((args) => path.every((word, at) => args[at] === word));
      assert.ok(own.length >= 1, 'no example of its own');
      for (const args of examples) {
        assert.notEqual(await parsed(args), '', args.join(' '));
      }
      for (const args of own) assert.equal(await parsed(args), name);
      assert.ok(
        out.split('\n').every((line) => line.length <= 130),
        'lines that no terminal has room for',
      );
    });

    test('a command has --json, and where it lists or shows -o and --no-pager', () => {
      const has = (wanted: string) => command.options.some(({ long }) => long === wanted);
      assert.ok(has('--json'));
      if (!/\b(list|show|renewals|status|explain|inspect|cost|test)$/.test(name)) return;
      assert.ok(has('--output') && has('--no-pager'));
    });

    test('a mistyped option is exit 2 with the right one, and stdout is empty', async () => {
      const given = command.options.flatMap(({ long, mandatory }) =>
        mandatory && long ? [long, '1'] : [],
      );
      const { code, out, err } = await terminal.run([...path, ...given, '--jsom']);
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, /unknown option '--jsom'\n\(Did you mean --json\?\)/);
    });
  });
}

describe('mistyped commands', () => {
  for (const [line, meant] of [
    ['tnx', 'txn'],
    ['enroll', 'enrol'],
    ['inspct', 'inspect'],
    ['txn lst', 'list'],
    ['cert revok', 'revoke'],
    ['config validat', 'validate'],
    ['ca exprt', 'export'],
  ] as const) {
    test(`"${line}": exit 2 and "${meant}"`, async () => {
      const { code, out, err } = await terminal.run(line.split(' '));
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, new RegExp(`unknown command '\\w+'\\n\\(Did you mean ${meant}\\?\\)`));
    });
  }

  test('a noun without a verb, or an empty command line, is exit 2 with help on stderr', async () => {
    for (const args of [[], ['txn'], ['cert'], ['log']]) {
      const { code, out, err } = await terminal.run(args);
      assert.equal(code, 2, args.join(' '));
      assert.equal(out, '');
      assert.match(err, /^Usage: scepter/);
    }
  });

  test('help and the words of a command are its help, on stdout; those of no command are exit 2', async () => {
    for (const words of [[], ['cert'], ['cert', 'list'], ['enrol']]) {
      const { code, out } = await terminal.run(['help', ...words]);
      assert.equal(code, 0);
      assert.equal(out, (await terminal.run([...words, '--help'])).out);
      assert.ok(out.startsWith(`Usage: ${['scepter', ...words].join(' ')} `), out);
    }
    const shown = await terminal.run(['help', 'cert', 'revoke', '00ff']);
    assert.equal(shown.code, 0);
    assert.ok(shown.out.startsWith('Usage: scepter cert revoke '));
    for (const words of [['crt'], ['cert', 'lst'], ['cert', 'lst', 'x']]) {
      const { code, out, err } = await terminal.run(['help', ...words]);
      assert.equal(code, 2, words.join(' '));
      assert.equal(out, '');
      assert.match(err, /unknown command/);
    }
  });

  test('too many arguments are exit 2', async () => {
    const { code, err } = await terminal.run(['status', 'now']);
    assert.equal(code, 2);
    assert.match(err, /too many arguments/);
  });
});

describe('every command that asks the server', () => {
  const asking: readonly (readonly string[])[] = [
    ['challenge', 'create'],
    ['challenge', 'list'],
    ['challenge', 'show', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['challenge', 'revoke', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['txn', 'list'],
    ['txn', 'show', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['txn', 'approve', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['txn', 'deny', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['txn', 'watch', '01K4QD6W6ZJ5S5M0V1X7TB2C3D'],
    ['cert', 'list'],
    ['cert', 'show', '00ff', '--ca', 'default'],
    ['cert', 'revoke', '00ff', '--ca', 'default'],
    ['cert', 'hold', '00ff', '--ca', 'default'],
    ['cert', 'release', '00ff', '--ca', 'default'],
    ['cert', 'renewals', '00ff', '--ca', 'default'],
    ['crl', 'show'],
    ['crl', 'publish'],
    ['ca', 'show'],
    ['ca', 'export'],
    ['status'],
    ['log', 'tail'],
    ['log', 'export'],
    ['config', 'print', '--server'],
  ];

  test('a dash is standard output where there is any, and never the name of a file', async () => {
    const { out } = await terminal.run(['ca', 'export']);
    assert.match(out, /^-----BEGIN CERTIFICATE-----/);
    assert.equal((await terminal.run(['ca', 'export', '--out', '-'])).out, out);
    const backup = await terminal.run(['backup', '-']);
    assert.equal(backup.code, 2);
    assert.match(backup.err, /^scepter: name a file: a backup is read back, /);
  });

  test('restore asks no server, and has no options for one', async () => {
    const { out } = await terminal.run(['restore', '--help']);
    assert.doesNotMatch(out, /--url|--token-file|--retry-for/);
    assert.match((await terminal.run(['ca', 'restore', '--help'])).out, /--url/);
  });

  test('a command with an invalid token is exit 4, and stdout is empty', async () => {
    for (const args of asking) {
      const { code, out, err } = await terminal.run(args, { token: 'x'.repeat(43) });
      assert.equal(code, 4, `${args.join(' ')}: ${err}`);
      assert.equal(out, '');
      assert.match(err, /a valid bearer token is required/);
    }
  });

  test('a command whose server does not answer is exit 5, and stdout is empty', async () => {
    for (const args of asking) {
      const gone = await openTerminal(lab);
      await gone.close();
      const { code, out, err } = await gone.run(args);
      assert.equal(code, 5, `${args.join(' ')}: ${err}`);
      assert.equal(out, '');
      assert.match(err, /did not answer/);
    }
  });

  test('--url and --token-file choose another server and token', async () => {
    const file = join(temporary('token'), 'token');
    writeFileSync(file, `${lab.adminToken}\n`);
    const elsewhere = await openTerminal(lab, async () => new Response('', { status: 503 }));
    for (const args of asking) {
      const named = [...args, '--url', `${terminal.url}/`, '--token-file', file];
      const [here, there] = [
        await terminal.run(args),
        await elsewhere.run(named, { token: 'x'.repeat(43) }),
      ];
      assert.notEqual(there.code, 5, there.err);
      assert.equal(there.code, here.code, `${args.join(' ')}: ${there.err}`);
    }
    await elsewhere.close();
    const wrong = await terminal.run(['status', '--url', 'scep.example.com']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--url: "scep\.example\.com" is not the address of a server/);
    for (const target of [
      '',
      'a b',
      '../x',
      'x'.repeat(65),
      'arn:aws:lambda:x',
      'arn:aws:s3:::b',
    ]) {
      const { code, err } = await terminal.run(['status', '--url', `lambda:${target}`]);
      assert.equal(code, 2, target);
      assert.equal(
        err,
        `scepter: --url: "${target}" is neither the name nor the ARN of a Lambda function\n`,
      );
    }
    const gone = await terminal.run(['status', '--token-file', '/no/such/token']);
    assert.equal(gone.code, 4);
    assert.match(gone.err, /--token-file: \/no\/such\/token cannot be read: ENOENT/);
  });

  test('the ingress is shown the JWT of SCEPTER_JWT, and the server the token', async () => {
    const seen: (string | null)[][] = [];
    const behind = await openTerminal(lab, async (request, answer) => {
      const headers = ['authorization', 'x-scepter-token'];
      seen.push(headers.map((name) => request.headers.get(name)));
      return answer(request);
    });
    const { code, err } = await behind.run(['challenge', 'create'], { jwt: 'a.b.c' });
    await behind.close();
    assert.equal(code, 0, err);
    assert.deepEqual(seen, [['Bearer a.b.c', lab.adminToken]]);
  });

  test('an unknown id is exit 3', async () => {
    for (const args of asking.filter((words) => words.length > 2 && words[0] !== 'config')) {
      const { code, out } = await terminal.run(args);
      assert.equal(code, 3, args.join(' '));
      assert.equal(out, '');
    }
  });
});
