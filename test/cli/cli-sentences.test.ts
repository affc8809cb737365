// What a command says of a wrong address, a wrong token, a server that is not what it seems, and a pipe: the cause
// and the way out.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { openTerminal } from '../support/cli.ts';
import { root } from '../support/installed.ts';
import { makeLab } from '../support/lab.ts';
import { run as runProcess, temporary } from '../support/process.ts';

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());

/** A server of somebody else, for one test. */
async function answering(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  return `http://127.0.0.1:${address.port}`;
}

const enrol = (url: string, ...more: readonly string[]) => [
  ...['enrol', '--url', url, '--subject', 'CN=a', '--out', join(temporary('sentences'), 'a')],
  ...(more.length > 0 ? more : ['--challenge', 'x']),
];

describe('addresses', () => {
  const addresses: [string, RegExp][] = [
    [
      'localhost:8080',
      /it has no scheme: say http:\/\/localhost:8080, or https:\/\/localhost:8080$/m,
    ],
    ['scep.example.com/scep', /it has no scheme: say http:\/\/scep\.example\.com\/scep, or https/],
    ['ftp://localhost', /one begins with http:\/\/ or https:\/\/$/m],
    ['http:localhost', /one begins with http:\/\/ or https:\/\/$/m],
    ['', /one begins with http:\/\/ or https:\/\/$/m],
  ];
  for (const [url, said] of addresses) {
    test(`--url "${url}" is exit 2, and says what is missing, whichever command is given it`, async () => {
      const out = join(temporary('sentences'), 'a');
      for (const args of [['status', '--url', url], enrol(url)]) {
        const { code, err, out: data } = await terminal.run(args);
        assert.equal(code, 2, err);
        assert.ok(err.startsWith(`scepter: --url: "${url}" is not the address of a server: `), err);
        assert.match(err, said);
        assert.equal(data, '', out);
      }
    });
  }

  test('https:// to a server of plain http says so', async () => {
    const url = (await answering((_, response) => response.end())).replace('http:', 'https:');
    const { code, err } = await terminal.run(enrol(`${url}/scep`));
    assert.equal(code, 5);
    assert.match(err, /did not answer: it speaks no TLS: say http:\/\/ instead of https:\/\/\n$/);
  });

  test('a redirect is not followed, and named as one', async () => {
    const url = await answering((_, response) => response.writeHead(301, { location: '/' }).end());
    const { code, err } = await terminal.run(enrol(`${url}/scep`));
    assert.equal(code, 5);
    assert.match(err, /it sends elsewhere \(a redirect\)/);
  });
});

describe('a server in trouble', () => {
  const outage = 'service unavailable, try again later (01M82EVA5NSRD2QYWGRN9M8NX9)';

  test('our own 503 is one, with its words and where to look, and is never called "no SCEP"', async () => {
    const url = await answering((_, response) => response.writeHead(503).end(`${outage}\n`));
    const { code, err } = await terminal.run(enrol(`${url}/scep`));
    assert.equal(code, 5);
    assert.ok(err.endsWith(`is busy (HTTP 503): "${outage}"; the server's log says why\n`), err);
    assert.doesNotMatch(err, /not SCEP/);
  });

  test("our own 503 of the admin API names the entry of the server's log", async () => {
    const id = '01M82EVA5NSRD2QYWGRN9M8NX9';
    const body = JSON.stringify({ title: 'service unavailable, try again later', status: 503, id });
    const url = await answering((_, response) => response.writeHead(503).end(body));
    const { code, err } = await terminal.run(['status', '--url', url]);
    assert.equal(code, 5);
    assert.match(
      err,
      /try again later; the server's log says why, at 01M82EVA5NSRD2QYWGRN9M8NX9\n$/,
    );
  });

  test('an ingress that answers with JSON of its own is not "undefined"', async () => {
    const url = await answering((_, response) =>
      response.writeHead(401).end('{"message":"Unauthorized"}'),
    );
    const { code, err } = await terminal.run(['status', '--url', url]);
    assert.equal(code, 4);
    assert.match(err, /: the server answered with HTTP 401: the token of this test is another/);
  });
});

describe('tokens', () => {
  const status = (env: Readonly<Record<string, string>>, ...more: readonly string[]) =>
    runProcess('bin/scepter.js', ['status', '--url', terminal.url, ...more], { env });
  /** The data folder of the server at this address. */
  const folderWith = (token: string, address = terminal.url): string => {
    const folder = temporary('token');
    writeFileSync(join(folder, 'token'), token);
    writeFileSync(join(folder, 'address'), `${address}\nhttp://scep.example.com\n`);
    return folder;
  };

  test('a token of one server is not sent to another: a sentence, and no request', async () => {
    let asked = 0;
    const other = await answering((_, response) => {
      asked++;
      response.end('{}');
    });
    const folder = folderWith(lab.adminToken);
    const [env, out] = [{ SCEPTER_DATA_DIR: folder }, ''];
    const said = (from: string, of: string) => ({
      ...{ code: 4, out },
      err: `scepter: ${from} is of the server at ${of}, and is not sent to ${other}: name the token for that one with --token-file\n`,
    });
    const ofFolder = said(
      `the token in ${folder}/token`,
      `${terminal.url} or http://scep.example.com`,
    );
    const command = (...more: readonly string[]) => ['challenge', 'list', ...more];
    const cli = (args: readonly string[], more: Readonly<Record<string, string>>) =>
      runProcess('bin/scepter.js', args, { env: { ...env, ...more } });
    assert.deepEqual(await cli(command('--url', `${other}/`), {}), ofFolder);
    assert.deepEqual(await cli(command(), { SCEPTER_URL: other }), ofFolder);
    const variables = { SCEPTER_URL: terminal.url, SCEPTER_TOKEN: lab.adminToken };
    assert.deepEqual(
      await cli(command('--url', other), { ...variables, SCEPTER_JWT: 'a.b.c' }),
      said('the token of SCEPTER_TOKEN', terminal.url),
    );
    assert.equal(asked, 0);
    const named = command('--url', other, '--token-file', join(folder, 'token'));
    await cli(named, {});
    assert.equal(asked, 1);
  });

  test('a command from a data folder finds its server, and a token and an address that are both given are believed', async () => {
    const folder = folderWith(lab.adminToken);
    const list = ['challenge', 'list', '--json'];
    const found = await runProcess('bin/scepter.js', list, { env: { SCEPTER_DATA_DIR: folder } });
    assert.equal(found.code, 0, found.err);
    const given = { SCEPTER_TOKEN: lab.adminToken, SCEPTER_DATA_DIR: temporary('none') };
    const told = await runProcess('bin/scepter.js', [...list, '--url', terminal.url], {
      env: given,
    });
    assert.equal(told.code, 0, told.err);
  });

  test("a token file of another server: the answer's 401 names the file", async () => {
    const folder = folderWith('o'.repeat(43));
    const { code, err } = await status({ SCEPTER_DATA_DIR: folder });
    assert.equal(code, 4);
    assert.equal(
      err,
      `scepter: ${terminal.url}: a valid bearer token is required: the token in ${folder}/token is another server's, or was revoked\n`,
    );
    const { err: named } = await status({}, '--token-file', join(folder, 'token'));
    assert.ok(named.includes(`: the token in ${folder}/token is another server's`), named);
    const { err: given } = await status({ SCEPTER_TOKEN: 'o'.repeat(43) });
    assert.match(given, /: the token of SCEPTER_TOKEN is another server's, or was revoked\n$/);
  });

  test('a token that is none is not sent: too short, empty, with a space; in a file or a variable', async () => {
    const may = 'one has 16 to 256 letters, digits and signs, without spaces';
    for (const token of ['abc', `${'a'.repeat(30)} b`]) {
      const folder = folderWith(token);
      const { code, err } = await status({ SCEPTER_DATA_DIR: folder });
      assert.equal(code, 4);
      assert.equal(err, `scepter: the admin token: ${folder}/token: is not a token: ${may}\n`);
      const { err: given } = await status({ SCEPTER_TOKEN: token });
      assert.equal(given, `scepter: SCEPTER_TOKEN: is not a token: ${may}\n`);
    }
    const { err } = await status({ SCEPTER_DATA_DIR: folderWith('\n') });
    assert.match(err, /\/token: is empty, and holds no token\n$/);
  });

  test('a token file that cannot be read is not called missing', async () => {
    const folder = folderWith('');
    rmSync(join(folder, 'token'));
    mkdirSync(join(folder, 'token'));
    const { code, err } = await status({ SCEPTER_DATA_DIR: folder });
    assert.equal(code, 4);
    assert.match(err, /^scepter: the admin token: \S+\/token cannot be read: EISDIR/);
  });
});

describe('files', () => {
  test('a path that cannot be written is a sentence, whatever the command', async () => {
    const folder = temporary('files');
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const [args, said] of [
      [['init', file, '--yes'], `${file} is there already (EEXIST)`],
      [
        ['init', join(file, 'x'), '--yes'],
        `${file}/x leads through a file, which is no folder (ENOTDIR)`,
      ],
      [
        enrol(`${terminal.url}/scep`, '--challenge', 'x', '--out', file),
        `${file} is there already (EEXIST)`,
      ],
    ] as const) {
      const { code, err } = await terminal.run(args);
      assert.equal(code, 1);
      assert.ok(err.endsWith(`scepter: ${said}\n`), err);
    }
  });
});

describe('variables', () => {
  test('a variable that is wrong is one sentence and exit 2, whatever the command', async () => {
    const wrong = [
      ['PORT', '80a', 'PORT must be a number from 0 to 65535, not "80a"'],
      ['PORT', '65536', 'PORT must be a number from 0 to 65535, not "65536"'],
      ['SCEPTER_PLAIN_HTTP', 'yes', 'SCEPTER_PLAIN_HTTP must be 1 for yes, or 0, not "yes"'],
    ] as const;
    for (const [name, value, said] of wrong) {
      const { code, err } = await runProcess('bin/scepter.js', ['explain', 'SCEP-311'], {
        env: { [name]: value },
      });
      assert.equal(code, 2);
      assert.equal(err, `scepter: ${said}\n`);
    }
  });
});

describe('pipes', () => {
  test('an enrolment after a command that failed says that nothing came through the pipe', async () => {
    for (const stdin of ['', '\n']) {
      const args = enrol(`${terminal.url}/scep`, '--challenge-stdin');
      const { code, err } = await terminal.run(args, { stdin });
      assert.equal(code, 2);
      assert.equal(
        err,
        'scepter: standard input is empty: the command before the pipe has printed nothing, or failed\n',
      );
    }
  });

  test('so do all commands that read standard input', async () => {
    for (const args of [
      ['inspect', '-'],
      ['config', 'validate', '-'],
      ['config', 'print', '-'],
    ]) {
      const { code, err } = await terminal.run(args, { stdin: '' });
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /^scepter: standard input is empty: /);
    }
  });

  /** A command whose reader goes before it has read anything. */
  async function unread(args: readonly string[]) {
    const child = spawn(process.execPath, [join(root, 'bin/scepter.js'), ...args], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    return { err, code };
  }

  test('a command that failed before a pipe is seen, and keeps its exit code, when the reader goes', async () => {
    const file = join(temporary('sentences'), 'scepter.json');
    writeFileSync(file, '{"publicUrl":1}');
    const { code, err } = await unread(['config', 'validate', '--json', file]);
    assert.equal(code, 2, err);
    assert.match(err, /scepter\.json is not valid: 3 problems\n$/);
  });

  test('a command that did what it should is no failure when the reader goes', async () => {
    const { code, err } = await unread(['explain', 'SCEP-311']);
    assert.equal(err, '');
    assert.equal(code, 0);
  });
});
