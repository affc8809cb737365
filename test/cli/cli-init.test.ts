// `scepter init`: what it asks, what it refuses, what it writes, and what it leaves alone. Whether tools take
// what it has written is for test/infra/init.test.ts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { CliError, type Io } from '../../lib/cli/io.ts';
import { runCli } from '../../lib/cli/main.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { parseJsonc } from '../../lib/config/schema.ts';
import { root } from '../support/installed.ts';
import { freePort, startServer, temporary } from '../support/process.ts';

/** @param answers of whoever sits at a terminal; absent: there is none */
async function init(args: readonly string[], answers?: readonly string[]) {
  let [out, err] = ['', ''];
  const asked: string[] = [];
  const left = [...(answers ?? [])];
  const io = {
    url: 'http://127.0.0.1:9',
    out: (piece: string) => {
      out += piece;
    },
    note: (line: string) => {
      err += `${line}\n`;
    },
    page: async (piece: string) => {
      out += piece;
    },
    style: (_: string, piece: string) => piece,
    columns: undefined,
    prompt: answers && (() => ({ ask, close: () => {} })),
    home: { schema: join(root, 'docs', 'config.schema.json'), repository: root },
  };
  const ask = async (question: string): Promise<string> => {
    asked.push(question);
    const answer = left.shift();
    if (answer === undefined) throw new CliError('failure', 'stopped: nothing was written');
    return answer;
  };
  const code = await runCli(['init', ...args], '0.0.0', io as unknown as Io);
  return { code, out, err, asked, left };
}

const folder = () => join(temporary('init'), 'ca');
const written = (at: string, name: string): string => readFileSync(join(at, name), 'utf8');
const checked = (at: string, name = 'scepter.jsonc') => checkConfig(parseJsonc(written(at, name)));

const zone = ['--zone', 'Z0123456789'];
const domain = ['--domain', 'scep.example.com'];
const isStatic = ['--mdm', 'static', '--names', 'mac-*'];
const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:challenge-AbCdEf';

const stubs: readonly [args: readonly string[], files: readonly string[], publicUrl: string][] = [
  [['--target', 'node'], ['scepter.env', 'scepter.jsonc'], 'http://127.0.0.1:8080'],
  [['--target', 'node', ...domain], ['scepter.env', 'scepter.jsonc'], 'http://scep.example.com'],
  [['--target', 'node', ...isStatic], ['scepter.env', 'scepter.jsonc'], 'http://127.0.0.1:8080'],
  [
    ['--target', 'node', '--mdm', 'proxy'],
    ['scepter.env', 'scepter.jsonc'],
    'http://127.0.0.1:8080',
  ],
  [
    ['--target', 'aws-cdk'],
    ['cdk.json', 'package.json', 'scepter.jsonc'],
    'https://not-known-yet.invalid',
  ],
  [
    ['--target', 'aws-cdk', ...domain, ...zone, ...isStatic, '--secret', arn],
    ['cdk.json', 'package.json', 'scepter.jsonc'],
    'https://scep.example.com',
  ],
  [
    ['--target', 'aws-terraform', ...domain, ...zone, ...isStatic],
    ['main.tf', 'scepter.jsonc'],
    'https://scep.example.com',
  ],
  [['--target', 'workers', ...domain], ['cdk.json', 'scepter.jsonc'], 'https://scep.example.com'],
];
for (const [args, files, publicUrl] of stubs) {
  test(`init ${args.join(' ')}: a configuration that is valid, and its files`, async () => {
    const at = folder();
    const { code, out, err } = await init([at, ...args, '--yes', '--json']);
    assert.equal(code, 0, err);
    const said = JSON.parse(out);
    assert.deepEqual([...said.files].sort(), files);
    assert.deepEqual(readdirSync(at).sort(), files);
    assert.equal(said.next[0], `cd ${at}`);
    assert.equal(said.folder, at);
    const [node, named] = [args.includes('node'), args.includes('--domain')];
    const later = JSON.stringify(said).includes('publicUrl is set once the address is known');
    assert.equal(later, !node && !named);
    const name = files.find((one) => one.startsWith('scepter.json')) ?? '';
    const config = checked(at, name);
    assert.equal(config.publicUrl, publicUrl);
    const enrol = config.endpoints.get('default')?.enrol;
    assert.equal(enrol?.staticChallenge !== undefined, args.includes('static'));
    assert.equal(enrol?.signer, args.includes('proxy') ? 'any' : 'same');
    const { $schema } = parseJsonc(written(at, name)) as { readonly $schema: string };
    assert.ok(existsSync(join(at, $schema)), $schema);
    // Comments, but for a reader that takes none.
    if (name.endsWith('.json')) JSON.parse(written(at, name));
    else {
      assert.match(written(at, name), /^ {2}\/\/ Every field: docs\/settings\.md\./m);
      assert.equal(written(at, name).includes('// "trustedProxies"'), node && named);
    }
  });
}

test('a static challenge is new each time, in a file that only its owner reads, and not in the configuration', async () => {
  const secrets = [];
  for (const at of [folder(), folder()]) {
    const { code } = await init([at, '--target', 'node', ...isStatic, '--yes']);
    assert.equal(code, 0);
    const [, secret = ''] =
      /^MDM_CHALLENGE=([0-9a-f]{32})$/m.exec(written(at, 'scepter.env')) ?? [];
    assert.equal(statSync(join(at, 'scepter.env')).mode & 0o777, 0o600);
    assert.ok(!written(at, 'scepter.jsonc').includes(secret));
    secrets.push(secret);
  }
  assert.equal(new Set(secrets).size, 2);
});

test('what is there stays, and nothing is written beside it; --force replaces it', async () => {
  const at = folder();
  mkdirSync(at);
  writeFileSync(join(at, 'scepter.env'), 'mine');
  const refused = await init([at, '--target', 'node', '--yes']);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /scepter\.env: is there, and nothing was written: .* --force\n$/);
  assert.deepEqual(readdirSync(at), ['scepter.env']);
  assert.equal(written(at, 'scepter.env'), 'mine');
  assert.equal((await init([at, '--target', 'node', '--yes', '--force'])).code, 0);
  assert.match(written(at, 'scepter.env'), /^# PORT=8080$/m);
  checked(at);
});

test('what was readable by all, or led elsewhere, is neither behind --force; a link to nowhere is there', async () => {
  const at = folder();
  mkdirSync(at);
  const [elsewhere, nowhere] = [join(at, '..', 'elsewhere'), join(at, '..', 'nowhere')];
  writeFileSync(elsewhere, 'mine', { mode: 0o644 });
  const env = join(at, 'scepter.env');
  const args = [at, '--target', 'node', ...isStatic, '--yes'];
  writeFileSync(env, 'mine', { mode: 0o644 });
  assert.equal((await init([...args, '--force'])).code, 0);
  assert.equal(statSync(env).mode & 0o777, 0o600);
  rmSync(env);
  symlinkSync(elsewhere, env);
  assert.equal((await init([...args, '--force'])).code, 0);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
  assert.equal(lstatSync(env).mode & 0o777, 0o600);
  for (const name of ['scepter.env', 'scepter.jsonc']) rmSync(join(at, name));
  symlinkSync(nowhere, env);
  assert.match((await init(args)).err, /scepter\.env: is there, and nothing was written/);
  assert.deepEqual(readdirSync(at), ['scepter.env']);
});

test('on a terminal it asks for what no option says, proposes, and asks again after a wrong answer', async () => {
  const at = folder();
  const answers = [
    'SCEP.example.com',
    'scep.example.com',
    '',
    'CN=',
    '',
    'dsa',
    'ec:P-256',
    'static',
    '',
    'mac-*',
  ];
  const { code, err, asked, left } = await init(
    [at, '--target', 'aws-terraform', ...zone],
    answers,
  );
  assert.equal(code, 0, err);
  assert.deepEqual(left, []);
  assert.deepEqual(
    asked.map((question) => question.split(/[?(,.[]/)[0]?.trim()),
    [
      ...Array(2).fill('By which name do devices reach it'),
      'In which AWS region are the table and the keys',
      ...Array(2).fill('What is the CA called'),
      ...Array(2).fill('What kind of key has it'),
      'How do devices come by their challenge',
      ...Array(2).fill('What do common names of these devices look like'),
    ],
  );
  assert.match(asked[2] ?? '', / \[eu-central-1\]: $/);
  assert.match(asked[3] ?? '', / \[CN=Device CA,O=scep\.example\.com\]: $/);
  assert.match(err, /"SCEP\.example\.com" must be a host name in lower case/);
  assert.match(err, /"dsa" must be one of rsa:2048, /);
  assert.match(err, / {2}this must be answered\n/);
  const [ca] = checked(at, 'scepter.jsonc').cas.values();
  assert.deepEqual(ca?.key, { type: 'EC', curve: 'P-256' });
});

test('whoever stops in the middle has written nothing', async () => {
  const at = folder();
  const { code, err } = await init([at], ['node', '']);
  assert.deepEqual([code, err], [1, 'scepter: stopped: nothing was written\n']);
  assert.ok(!existsSync(at));
});

const noScript =
  process.platform === 'linux' ? false : 'script(1) of util-linux makes the terminal';

test('in a real terminal lines that come at once are answers, and Ctrl-C ends it with nothing written', {
  skip: noScript,
}, async () => {
  const at = temporary('init-terminal');
  const inTerminal = async (typed: string, target: string): Promise<string> => {
    const command = `"${process.execPath}" "${join(root, 'bin', 'scepter.js')}" init ${target}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: at,
      env: { PATH: process.env.PATH, HOME: at, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    for await (const piece of child.stdout) {
      // It asks: before that the terminal has its own idea of what Ctrl-C is.
      if (out === '') child.stdin.write(typed);
      out += piece;
    }
    return out;
  };
  const out = await inTerminal('node\n\n\n\n\n', 'whole');
  assert.match(out, /wrote whole\/scepter\.jsonc: the configuration\r\n/);
  checked(join(at, 'whole'));
  assert.match(
    await inTerminal('node\n\u0003', 'stopped'),
    /scepter: stopped: nothing was written/,
  );
  assert.ok(!existsSync(join(at, 'stopped')));
});

const refusals: readonly [args: readonly string[], said: RegExp][] = [
  [[], /--target: is missing, and there is no terminal to ask at: give it, or --yes for /],
  [['--yes', '--target', 'lambda'], /--target: "lambda" must be one of node, aws-cdk, /],
  [
    ['--yes', '--domain', 'https://a.example'],
    /--domain: "https:\/\/a\.example" must be a host name/,
  ],
  [['--yes', '--region', 'eu-west-1'], /--region: is for AWS and Workers: leave it out/],
  [['--yes', '--subject', 'O='], /--subject: "O=" the value of O is empty/],
  [['--yes', '--subject', ''], /--subject: must not be empty/],
  [['--yes', '--key', 'rsa:1024'], /--key: "rsa:1024" must be one of rsa:2048, /],
  [['--yes', '--mdm', 'Intune'], /--mdm: "Intune" cannot be offered yet/],
  [['--yes', '--mdm', 'jamf'], /--mdm: "jamf" is "static" today/],
  [['--yes', '--mdm', 'static'], /--names: is missing: give it \(with --mdm static: /],
  [['--yes', '--mdm', 'static', '--names', '*'], /--names: "\*" must say more than "\*"/],
  [['--yes', '--names', 'a-*'], /--names: is for --mdm static: leave it out/],
  [['--yes', '--target', 'aws-cdk', ...domain], /--zone: is missing: give it \(at AWS, /],
  [
    ['--yes', '--target', 'aws-cdk', ...domain, '--zone', 'Z01/other.example'],
    /--zone: "Z01\/other\.example" scep\.example\.com is not in the zone other\.example/,
  ],
  [['--yes', '--target', 'aws-cdk', ...isStatic], /--secret: is missing: give it \(.* ARN /],
  [
    ['--yes', '--target', 'workers', '--repository', temporary('none')],
    /--repository: \S+ is not there: it is the folder of Scepter's repository/,
  ],
];
for (const [args, said] of refusals) {
  test(`init ${args.join(' ')}: is refused with a sentence, and writes nothing`, async () => {
    const at = folder();
    const { code, out, err } = await init([at, ...args]);
    assert.match(err, said);
    assert.deepEqual([code, out], [err.includes('--repository') ? 3 : 2, '']);
    assert.ok(!existsSync(at));
  });
}

test('a folder whose path a shell would take for more than a path is refused', async () => {
  for (const path of ['/a/$(id)', '/a/"; id; "', '/a/`id`', '/a/b\n# c']) {
    for (const target of ['aws-cdk', 'aws-terraform', 'workers']) {
      const at = folder();
      const asked = [at, '--yes', '--target', target];
      const { code, err } = await init([...asked, '--repository', path]);
      assert.match(err, /--repository: .* has signs that a shell takes for its own/s, path);
      assert.equal(code, 2);
      assert.ok(!existsSync(at));
    }
  }
});

test('what HCL would compute in a path is a text', async () => {
  const repository = join(temporary('init-hcl'), 'a%{if true}b');
  symlinkSync(root, repository);
  const at = folder();
  const { err } = await init([
    at,
    '--yes',
    '--target',
    'aws-terraform',
    '--repository',
    repository,
  ]);
  assert.equal(err.includes('is not there'), false, err);
  assert.match(written(at, 'main.tf'), /source = ".*\/a%%\{if true\}b\/infra\/terraform"/);
});

test('the block of docs/init.md runs as it stands, and the server that it begins serves', async () => {
  const guide = readFileSync(join(root, 'docs', 'init.md'), 'utf8');
  const [, script = ''] = /^```sh tested=init\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  const at = temporary('init-guide');
  const bin = join(at, 'bin');
  mkdirSync(bin);
  const scepter = `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin', 'scepter.js')}" "$@"\n`;
  writeFileSync(join(bin, 'scepter'), scepter, { mode: 0o755 });
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: at,
    env: { HOME: at, PATH: `${bin}${delimiter}${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  assert.equal(code, 0, err);
  assert.match(out, /scepter\.jsonc is valid: 1 CA, 1 endpoint\n$/);
  // The unit and the image of docs/production.md take it too, and set these themselves.
  const variables = written(join(at, 'ca'), 'scepter.env');
  assert.doesNotMatch(variables, /^(?:HOST|PORT|SCEPTER_\w+)=/m);
  const port = await freePort();
  const server = await startServer({
    SCEPTER_CONFIG: join(at, 'ca', 'scepter.jsonc'),
    SCEPTER_DATA_DIR: join(at, 'data'),
    PORT: String(port),
  });
  try {
    assert.equal((await fetch(`http://127.0.0.1:${port}/scep?operation=GetCACaps`)).status, 200);
  } finally {
    await server.stop();
  }
});
