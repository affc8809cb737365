// `npm start` and `scepter` as a new user has them: real processes, a fresh folder.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { fromPem } from '../../lib/base/bytes.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { printName } from '../../lib/x509/names/name.ts';
import { freePort, type Running, run, startServer, temporary } from '../support/process.ts';

const dataDir = join(temporary('server'), 'data');
const env = { SCEPTER_DATA_DIR: dataDir, PORT: String(await freePort()) };
let server: Running;

before(async () => {
  server = await startServer(env);
});
after(async () => server.stop());

const cli = (args: readonly string[], stdin = '') => run('bin/scepter.js', args, { env, stdin });

const modes = (folder: string): Record<string, number> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [name, statSync(join(parentPath, name)).mode & 0o777]),
  );

describe('the first start', () => {
  test('RFC 8894 §2.2 [6]: the first start prints URLs that answer, the fingerprint, a challenge and a warning', async () => {
    const text = server.printed();
    const urls = [...new Set(text.match(/https?:\/\/\S+/g) ?? [])].map((url) =>
      url.replace(/,$/, ''),
    );
    assert.ok(urls.length >= 3, text);
    for (const url of urls) {
      const { status } = await fetch(url);
      // The origin itself has no page yet; everything else is there.
      assert.equal(status, url === server.url ? 404 : 200, url);
    }
    const der = Buffer.from(await (await fetch(`${server.url}/aia/default.cer`)).arrayBuffer());
    const { createHash } = await import('node:crypto');
    assert.ok(text.includes(createHash('sha256').update(der).digest('hex')));
    assert.match(text, /not in an HSM/);
  });

  test('the first start prints a command that enrols as it stands', async () => {
    const [, command = ''] = /\n {2}scepter (enrol .*)/.exec(server.printed()) ?? [];
    const out = join(temporary('enrol'), 'device-1');
    const args = command.replace('--out device-1', `--out ${out}`).split(' ');
    const first = await cli(args);
    assert.equal(first.code, 0, first.err);
    const [der] = fromPem('CERTIFICATE', readFileSync(join(out, 'cert.pem'), 'utf8'));
    assert.equal(printName(readCertificate(der ?? new Uint8Array(0)).subject), 'CN=device-1');
    assert.equal(statSync(join(out, 'key.pem')).mode & 0o777, 0o600);
    // Said again, as after a lost answer: the same certificate.
    const again = await cli(args);
    assert.equal(again.code, 0, again.err);
    assert.equal(again.out, first.out);
  });

  test('the first start makes files that only their owner may read', () => {
    for (const [name, mode] of Object.entries(modes(dataDir))) {
      assert.equal(mode & 0o077, 0, `${name} has mode ${mode.toString(8)}`);
    }
  });

  test('the endpoint legacy exists, and the first start says so', async () => {
    assert.match(server.printed(), /\/scep\/legacy {3}accepts sha1, des3, des/);
    const caps = await (await fetch(`${server.url}/scep/legacy?operation=GetCACaps`)).text();
    assert.ok(caps.split('\n').includes('DES3') && caps.split('\n').includes('SHA-1'));
  });
});

describe('HTTP as old clients speak it', () => {
  const raw = (request: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(env.PORT), '127.0.0.1', () => socket.write(request));
      let answer = '';
      socket.on('data', (data) => {
        answer += data.toString('latin1');
      });
      socket.on('end', () => resolve(answer));
      socket.on('error', reject);
    });

  test('HTTP/1.0 without a Host header (Cisco) is answered', async () => {
    const answer = await raw('GET /scep/pkiclient.exe?operation=GetCACaps HTTP/1.0\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(answer, /\r\ncontent-type: text\/plain\r\n/i);
    assert.match(answer, /\r\n\r\nAES\nSHA-256\n/);
  });

  test('RFC 8894 §4.1 [27]: a GET of 20 kB is read, one of 40 kB refused by its size', async () => {
    const answer = await raw(
      `GET /scep?operation=PKIOperation&message=${'A'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /bad request/);
    const longer = await raw(
      `GET /scep?operation=PKIOperation&message=${'A'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    assert.match(longer, /^HTTP\/1\.1 431 /);
  });
});

describe('scepter', () => {
  test('challenge create --json has the stable fields', async () => {
    const { code, out } = await cli([
      'challenge',
      'create',
      '--subject',
      'CN=a',
      '--san',
      'dns:a.example',
      '--ttl',
      '5m',
      '--json',
    ]);
    assert.equal(code, 0);
    const created = JSON.parse(out) as Record<string, string>;
    assert.deepEqual(Object.keys(created), ['id', 'challenge', 'endpoint', 'expiresAt']);
  });

  test('challenge create prints the challenge alone on stdout; enrol reads it from stdin', async () => {
    const made = await cli(['challenge', 'create', '--san', 'dns:ec.example']);
    assert.match(made.out, /^[0-9a-z]{26}\n$/);
    const out = join(temporary('enrol'), 'ec');
    const args = [
      'enrol',
      '--url',
      `${server.url}/scep`,
      '--challenge-stdin',
      '--subject',
      'CN=ec',
      '--key',
      'ec:P-384',
      '--out',
      out,
      '--json',
    ];
    const { code, out: json, err } = await cli(args, made.out);
    assert.equal(code, 0, err);
    const summary = JSON.parse(json) as Record<string, string>;
    assert.equal(summary.subject, 'CN=ec');
    assert.equal(summary.certificate, join(out, 'cert.pem'));
    const [der] = fromPem('CERTIFICATE', readFileSync(join(out, 'cert.pem'), 'utf8'));
    assert.match(Buffer.from(der ?? []).toString('latin1'), /ec\.example/);
  });

  const failures: [string, readonly string[], number, RegExp][] = [
    ['no command', [], 2, /Usage: scepter/],
    ['a missing option', ['enrol', '--url', 'http://127.0.0.1:1/scep'], 2, /--subject/],
    [
      'a bad subject',
      [
        'enrol',
        '--url',
        'http://127.0.0.1:1/scep',
        '--challenge',
        'x',
        '--subject',
        'x',
        '--out',
        'x',
      ],
      2,
      /expected TYPE=VALUE/,
    ],
  ];
  for (const [name, args, code, said] of failures) {
    test(`${name}: exit ${code} and a sentence`, async () => {
      const finished = await cli(args);
      assert.equal(finished.code, code, finished.err);
      assert.match(finished.err, said);
      assert.equal(finished.out, '');
      assert.doesNotMatch(finished.err, /\n {4}at /);
    });
  }

  test('a wrong fingerprint is exit 6 before anything is sent', async () => {
    const out = join(temporary('enrol'), 'x');
    const finished = await cli([
      'enrol',
      '--url',
      `${server.url}/scep`,
      '--challenge',
      'x',
      '--subject',
      'CN=x',
      '--out',
      out,
      '--fingerprint',
      '00'.repeat(32),
    ]);
    assert.equal(finished.code, 6);
    assert.match(finished.err, /SHA-256 is [0-9a-f]{64}, not 0000/);
  });

  test('a refusal is exit 1 with the code that explains it', async () => {
    const out = join(temporary('enrol'), 'x');
    const finished = await cli([
      'enrol',
      '--url',
      `${server.url}/scep`,
      '--challenge',
      'wrong',
      '--subject',
      'CN=x',
      '--out',
      out,
    ]);
    assert.equal(finished.code, 1);
    assert.match(finished.err, /refused: badRequest: SCEP-302: /);
  });

  test('a wrong or missing token is exit 4', async () => {
    const wrong = await run('bin/scepter.js', ['challenge', 'create'], {
      env: { ...env, SCEPTER_TOKEN: 'w'.repeat(43) },
    });
    assert.equal(wrong.code, 4, wrong.err);
    const none = await run('bin/scepter.js', ['challenge', 'create'], {
      env: { ...env, SCEPTER_DATA_DIR: temporary('empty') },
    });
    assert.equal(none.code, 4, none.err);
    assert.match(none.err, /no token: set SCEPTER_TOKEN/);
  });

  test('--version prints the version alone', async () => {
    const { out } = await cli(['--version']);
    assert.match(out, /^\d+\.\d+\.\d+\n$/);
  });
});

describe('starting again', () => {
  test('a second start finds the same CA and token, and makes nothing', async () => {
    const certificate = async (url: string) => (await fetch(`${url}/aia/default.cer`)).text();
    const first = await certificate(server.url);
    const token = readFileSync(join(dataDir, 'token'), 'utf8');
    await server.stop();
    server = await startServer(env);
    assert.equal(await certificate(server.url), first);
    assert.equal(readFileSync(join(dataDir, 'token'), 'utf8'), token);
    assert.doesNotMatch(server.printed(), /made just now/);
    assert.equal((await cli(['challenge', 'create'])).code, 0);
  });

  test('a second start restores the altered record of its token', async () => {
    await server.stop();
    const database = new DatabaseSync(join(dataDir, 'scepter.db'));
    const changed = database
      .prepare(
        `UPDATE records SET record = '{"name":"token-file","roles":[]}'
           WHERE kind = 'token' AND key NOT LIKE 'name:%'`,
      )
      .run();
    database.close();
    assert.equal(changed.changes, 1);
    server = await startServer(env);
    assert.equal((await cli(['challenge', 'create'])).code, 0);
  });

  const refused: [string, Record<string, string>, number, RegExp][] = [
    [
      'the port is taken',
      { SCEPTER_DATA_DIR: temporary('other') },
      1,
      /PORT: another process has port \d+ of /,
    ],
    [
      'production with keys in files',
      { NODE_ENV: 'production' },
      1,
      /SCEPTER_ALLOW_SOFTWARE_KEYS=1/,
    ],
    ['a port that is none', { PORT: '80a' }, 1, /PORT must be a number from 0 to 65535, not "80a"/],
    ['a port that certificates cannot name', { PORT: '0' }, 2, /PORT=0 gives .* SCEPTER_CONFIG/],
    ['a configuration that is not JSON', { SCEPTER_CONFIG: '{' }, 2, /SCEPTER_CONFIG is not JSON/],
    ['a configuration that is not there', { SCEPTER_CONFIG: 'nowhere.json' }, 2, /nowhere\.json/],
    [
      'a configuration that is wrong',
      { SCEPTER_CONFIG: '{"publicUrl":1}' },
      2,
      /publicUrl: must be a string\n.*cas: is missing/,
    ],
  ];
  for (const [name, extra, code, said] of refused) {
    test(`npm start refuses ${name}`, async () => {
      const finished = await run('functions/server.ts', [], { env: { ...env, ...extra } });
      assert.equal(finished.code, code, finished.err);
      assert.match(finished.err, said);
      assert.equal(finished.out, '');
    });
  }
});
